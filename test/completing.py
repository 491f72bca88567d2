#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Interactive shells that complete command lines of confd-client.

Each runs on a pseudo-terminal. A function with the program's name writes down
the words that the shell makes of a line, but not where the shell substitutes
what a command prints. The completion finds the program itself by the PATH.

"""

import os
import pty
import re
import shutil
import subprocess
import tempfile
import time

import testutils


_COMPLETIONS = os.path.join(testutils.BUILDDIR, "completion")

#: The variables of the scripts that a test may want to have otherwise
_VARIABLES = ["data", "settings", "own_settings", "patience"]

#: Control-T is for the test: it completes, and enters all matches
_ENTER_ALL = b"\x14"

# "insert-completions" is what readline has for that
_BASH_COMMANDS = r"""
PS1=
HISTFILE=
bind 'set bell-style audible'
bind 'set completion-query-items 0'
bind 'set page-completions off'
bind '"\C-t": insert-completions'
. %(here)s/_confd-client
confd-client() {
  (( BASH_SUBSHELL + ZSH_SUBSHELL )) && return
  printf '%%s\0' "$@" . >%(here)s/new
  mv %(here)s/new %(here)s/words
}
: >%(here)s/ready
"""

# Enters what is added as a match and fits what stands there, quoted by zsh
_ZSH_COMMANDS = r"""
PS1=
PROMPT_EOL_MARK=
LISTMAX=1000000
setopt no_beep
fpath=(%(here)s $fpath)
autoload -Uz compinit
compinit -D -u
zmodload zsh/complist
compadd() {
  local option
  for option; do
    case $option in
      -|--) break;;
      -[OAD]) builtin compadd "$@"; return;;
    esac
  done
  local -a hits
  builtin compadd -O hits "$@"
  completed+=("${hits[@]}")
  builtin compadd "$@"
}
capture() {
  completed=()
  _main_complete
  compstate[insert]=
  compstate[list]=
}
zle -C capture complete-word capture
probe() {
  zle capture
  BUFFER=
  printf '%%s\0' "${completed[@]}" . >%(here)s/new
  mv %(here)s/new %(here)s/words
}
zle -N probe
bindkey '^T' probe
confd-client() {
  (( BASH_SUBSHELL + ZSH_SUBSHELL )) && return
  printf '%%s\0' "$@" . >%(here)s/new
  mv %(here)s/new %(here)s/words
}
: >%(here)s/ready
"""


def _Copy(source, target, variables):
  """Copies a script, with other values for some of its variables.

  """
  text = testutils.ReadFile(source).decode("ascii")
  for (name, value) in variables.items():
    assert name in _VARIABLES
    (text, count) = re.subn("local %s=.*" % name,
                            lambda _, name=name, value=value:
                            "local %s=%s" % (name, value), text)
    assert count == 1, name
  testutils.WriteFile(target, text.encode("ascii"))


class _Shell:
  """An interactive shell.

  """
  #: The completion below build/completion
  _SCRIPT = ""
  #: What the shell reads when it starts
  _COMMANDS = ""
  _COMMANDS_FILE = ""

  def __init__(self, program=None, locale="C.UTF-8", **variables):
    """@param program: path of the program that the completion runs
    @param variables: other values for some of the script's

    """
    self.here = tempfile.mkdtemp()
    _Copy(os.path.join(_COMPLETIONS, self._SCRIPT), self.Path("_confd-client"),
          variables)
    os.mkdir(self.Path("bin"))
    if program is not None:
      program_link = self.Path("bin/confd-client")
      testutils.WriteFile(program_link,
                          b"#!/bin/sh\nexec '%s' \"$@\"\n" % program.encode())
      os.chmod(program_link, 0o755)
    testutils.WriteFile(self.Path(self._COMMANDS_FILE),
                        (self._COMMANDS % {"here": self.here}).encode("ascii"))
    (self._terminal, other) = pty.openpty()
    env = {name: value for (name, value) in os.environ.items()
           if not name.startswith("LC_")}
    env.update(HOME=self.here, ZDOTDIR=self.here, TERM="dumb", LC_ALL=locale,
               PATH="%s:%s" % (self.Path("bin"), os.environ["PATH"]))
    self._proc = subprocess.Popen(
      self._Arguments(), stdin=other, stdout=other, stderr=subprocess.STDOUT,
      start_new_session=True, cwd=self.here, env=env)
    os.close(other)
    os.set_blocking(self._terminal, False)
    #: What has been shown since the last line was begun
    self.shown = b""
    self._WaitForFile("ready")

  def _Arguments(self):
    raise NotImplementedError

  def Path(self, name):
    return os.path.join(self.here, name)

  def Close(self):
    self._proc.kill()
    self._proc.wait()
    os.close(self._terminal)
    shutil.rmtree(self.here)

  def _Read(self):
    """Reads what the terminal shows, so that it takes more.

    """
    try:
      data = os.read(self._terminal, 1 << 16)
    except BlockingIOError:
      return False
    self.shown += data
    return True

  def _WaitForFile(self, name):
    def _IsThere():
      while self._Read():
        pass
      return os.path.exists(self.Path(name))
    testutils.WaitFor(_IsThere, "%s of %s" % (name, self._SCRIPT))

  def _Type(self, data):
    while data:
      try:
        data = data[os.write(self._terminal, data):]
      except BlockingIOError:
        time.sleep(0.01)
      self._Read()

  def _Words(self):
    """Returns the words that the shell has made of a line.

    """
    self._WaitForFile("words")
    words = testutils.ReadFile(self.Path("words"))
    os.unlink(self.Path("words"))
    assert words.endswith(b".\0"), words
    return [os.fsdecode(word) for word in words.split(b"\0")[:-2]]

  def Run(self, *keys):
    """Types something, and the enter key.

    @param keys: each is typed when the shell has shown that it is ready for it
    @return: the words that confd-client gets

    """
    self.shown = b""
    for text in keys:
      self._Type(text.encode("utf-8"))
    self._Type(b"\r")
    return self._Words()

  @staticmethod
  def _Line(words):
    """Makes a line of words as bash takes them apart at colons and the like.

    """
    return re.sub(" ?([=:]) ?", r"\1", " ".join(["confd-client", *words]))

  def Complete(self, *words):
    """Completes the last word.

    @param words: as bash takes them apart
    @return: sorted list of strings, without what stands before a comma or
      equals sign

    """
    return sorted(re.sub(r"^(--[a-z-]+=)?(.*,|\+)?", "", word)
                  for word in self.Matches(*words))

  def Matches(self, *words):
    """Completes the last word.

    @return: list of strings, in any order; whole words in bash, and without
      what stands before an equals sign or the like in zsh

    """
    raise NotImplementedError


class Bash(_Shell):
  """Completion in bash.

  """
  _SCRIPT = "confd-client"
  _COMMANDS = _BASH_COMMANDS
  _COMMANDS_FILE = "rc"

  @staticmethod
  def IsThere():
    return shutil.which("bash") is not None

  def _Arguments(self):
    return ["bash", "--noprofile", "--rcfile", self.Path("rc"), "-i"]

  def Matches(self, *words):
    line = self._Line(words)
    self.shown = b""
    self._Type(line.encode("utf-8") + _ENTER_ALL + b" end\r")
    found = self._Words()
    assert found.pop() == "end"
    if b"\a" in self.shown:
      return []
    # Behind the program, and without the word that is completed
    return found[len(line.split(" ")) - 2:]


class Zsh(_Shell):
  """Completion in zsh.

  """
  _SCRIPT = "_confd-client"
  _COMMANDS = _ZSH_COMMANDS
  _COMMANDS_FILE = ".zshrc"

  @staticmethod
  def IsThere():
    return shutil.which("zsh") is not None

  def _Arguments(self):
    return ["zsh", "--no-globalrcs", "-i"]

  def Matches(self, *words):
    self.shown = b""
    self._Type(self._Line(words).encode("utf-8") + _ENTER_ALL)
    return self._Words()
