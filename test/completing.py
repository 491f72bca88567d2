#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Interactive shells that complete command lines of confd-client.

Each shell runs on a pseudo-terminal. A shell function with the program's name
writes the words of a command line to a file, except in a command substitution.
The completion finds the program itself by the PATH.

"""

import fcntl
import os
import pty
import re
import shutil
import subprocess
import tempfile
import termios
import time
import unittest

import testutils


_COMPLETIONS = os.path.join(testutils.BUILDDIR, "completion")

#: The variables of the scripts that a test may override
_VARIABLES = ["data", "settings", "own_settings", "patience"]

#: Control-T, which the test binds to a command that inserts all matches
_ENTER_ALL = "\x14"

# Control-T runs readline's command "insert-completions"
_BASH_COMMANDS = r"""
PS1=
PS2='more>'
HISTFILE=
PROMPT_COMMAND=': >%(here)s/prompted'
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
"""

# Control-T enters all matches that fit the current word, quoted by zsh
_ZSH_COMMANDS = r"""
PS1=
PROMPT_EOL_MARK=
LISTMAX=1000000
setopt no_beep no_auto_menu
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
zle-line-init() {
  if [[ $CONTEXT == cont ]]; then
    print -n . >>%(here)s/continued
  else
    : >%(here)s/prompted
  fi
}
zle -N zle-line-init
# The key of the tabulator expands first
bindkey '^Xc' complete-word
confd-client() {
  (( BASH_SUBSHELL + ZSH_SUBSHELL )) && return
  printf '%%s\0' "$@" . >%(here)s/new
  mv %(here)s/new %(here)s/words
}
"""


def _Copy(source, target, variables):
  """Copies a script, and overrides some of its variables.

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
  #: Path of the completion script below build/completion
  _SCRIPT = ""
  #: Commands that the shell runs at its start
  _COMMANDS = ""
  _COMMANDS_FILE = ""

  def __init__(self, program=None, locale="C.UTF-8", **variables):
    """@param program: path of the program that the completion runs
    @param variables: values for variables of the script
    @raise unittest.SkipTest: the script has not been made

    """
    if not os.path.isdir(_COMPLETIONS):
      raise unittest.SkipTest("the completion has not been made: make")
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
    self._proc = subprocess.Popen( # pylint: disable=W1509
      self._Arguments(), stdin=other, stdout=other, stderr=subprocess.STDOUT,
      start_new_session=True, cwd=self.here, env=env,
      # Without a controlling terminal, Control-C would not send a signal
      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(other)
    os.set_blocking(self._terminal, False)
    #: Output of the shell since the current line was begun
    self.shown = b""
    self._WaitFor(lambda: self._Exists("prompted"))

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
    """Reads the shell's output, so that the terminal accepts more.

    """
    try:
      data = os.read(self._terminal, 1 << 16)
    except BlockingIOError:
      return False
    self.shown += data
    return True

  def _WaitFor(self, condition):
    def _IsMet():
      while self._Read():
        pass
      return condition()
    testutils.WaitFor(_IsMet, self._SCRIPT)

  def _Exists(self, name):
    return os.path.exists(self.Path(name))

  def _Type(self, data):
    while data:
      try:
        data = data[os.write(self._terminal, data):]
      except BlockingIOError:
        time.sleep(0.01)
      self._Read()

  def _Continued(self):
    """Returns how often the shell has prompted for the rest of a command.

    """
    raise NotImplementedError

  def _Words(self):
    words = testutils.ReadFile(self.Path("words"))
    os.unlink(self.Path("words"))
    assert words.endswith(b".\0"), words
    return [os.fsdecode(word) for word in words.split(b"\0")[:-2]]

  def Run(self, *keys):
    """Types something, and the enter key.

    @param keys: the typed text, with line ends where the shell prompts for more
    @return: the words that confd-client gets; None if the command is wrong, or
      if it is incomplete and so was aborted

    """
    self.shown = b""
    for name in ("prompted", "continued"):
      if self._Exists(name):
        os.unlink(self.Path(name))
    for text in keys:
      self._Type(text.encode("utf-8"))
    self._Type(b"\r")
    ends = 1 + sum(text.count("\r") for text in keys)
    self._WaitFor(lambda: self._Exists("prompted") or self._Continued() == ends)
    if not self._Exists("prompted"):
      # Enter one more line, after which zsh reports the next prompt
      self._Type(b"\x03\r")
      self._WaitFor(lambda: self._Exists("prompted"))
    return self._Words() if self._Exists("words") else None

  @staticmethod
  def _Line(words):
    """Makes a command line from words that bash has split at "=" and ":".

    """
    return re.sub(" ?([=:]) ?", r"\1", " ".join(["confd-client", *words]))

  def Complete(self, *words):
    """Completes the last word.

    @param words: the words, as bash splits a line
    @return: sorted list of strings, each without the part up to the last comma
      or equals sign

    """
    return sorted(re.sub(r"^(--[a-z-]+=)?(.*,|\+)?", "", word)
                  for word in self.Matches(*words))

  def Matches(self, *words):
    """Completes the last word.

    @return: list of strings, in any order; whole words in bash; in zsh, without
      the part up to an equals sign or the like

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

  def _Continued(self):
    return self.shown.count(b"more>")

  def _Arguments(self):
    return ["bash", "--noprofile", "--rcfile", self.Path("rc"), "-i"]

  def Matches(self, *words):
    line = self._Line(words)
    found = self.Run(line, _ENTER_ALL, " end") or []
    assert found.pop() == "end"
    if b"\a" in self.shown:
      return []
    # Skip the words before the completed one; the program is not among them
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

  def _Continued(self):
    if not self._Exists("continued"):
      return 0
    return os.path.getsize(self.Path("continued"))

  def _Arguments(self):
    return ["zsh", "--no-globalrcs", "-i"]

  def Matches(self, *words):
    self.shown = b""
    self._Type((self._Line(words) + _ENTER_ALL).encode("utf-8"))
    self._WaitFor(lambda: self._Exists("words"))
    return self._Words()
