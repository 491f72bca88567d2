#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Shells that complete command lines of confd-client.

"""

import os
import pty
import re
import shutil
import subprocess
import tempfile

import testutils


_BASH = os.path.join(testutils.BUILDDIR, "completion", "confd-client")
_ZSH = os.path.join(testutils.BUILDDIR, "completion", "_confd-client")

#: The variables of the scripts that a test may want to have otherwise
_VARIABLES = ["data", "settings", "own_settings", "patience"]

_BASH_COMMANDS = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_confd_client
printf "%s\\n" "${COMPREPLY[@]}"
"""

# Of what is added as a match, those that fit what stands there are written down
_ZSH_COMMANDS = """
PS1=
fpath=(%(here)s $fpath)
autoload -Uz compinit
compinit -D -u
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
  completed+=($hits)
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
  BUFFER=$(<%(here)s/line)
  CURSOR=$#BUFFER
  zle capture
  BUFFER=
  print -rl -- $completed >%(here)s/new
  mv %(here)s/new %(here)s/found
}
zle -N probe
bindkey '^T' probe
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


class Bash:
  """Completion in bash.

  """
  def __init__(self, program="confd-client", **variables):
    """@param variables: other values for some of the script's

    """
    self._program = program
    self._directory = tempfile.mkdtemp()
    self._script = os.path.join(self._directory, "script")
    _Copy(_BASH, self._script, variables)

  @staticmethod
  def IsThere():
    return shutil.which("bash") is not None

  def Close(self):
    shutil.rmtree(self._directory)

  def Complete(self, *words):
    """Completes the last word, as bash takes words apart.

    @return: list of strings; what is wrong on standard error too

    """
    result = subprocess.run(
      ["bash", "-c", _BASH_COMMANDS, "bash", self._script, self._program,
       *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
      encoding="utf-8", timeout=60, check=True)
    return result.stdout.split()


class Zsh:
  """Completion in an interactive zsh.

  """
  def __init__(self, program="confd-client", **variables):
    self._program = program
    self._here = tempfile.mkdtemp()
    _Copy(_ZSH, self._Path("_confd-client"), variables)
    testutils.WriteFile(self._Path(".zshrc"),
                        (_ZSH_COMMANDS % {"here": self._here}).encode("ascii"))
    (self._terminal, other) = pty.openpty()
    self._proc = subprocess.Popen(
      ["zsh", "--no-globalrcs", "-i"], stdin=other, stdout=other,
      stderr=subprocess.STDOUT, start_new_session=True,
      env=dict(os.environ, ZDOTDIR=self._here, TERM="dumb"))
    os.close(other)
    os.set_blocking(self._terminal, False)
    testutils.WaitFor(lambda: os.path.exists(self._Path("ready")),
                      "zsh is ready")

  @staticmethod
  def IsThere():
    return shutil.which("zsh") is not None

  def _Path(self, name):
    return os.path.join(self._here, name)

  def Close(self):
    self._proc.kill()
    self._proc.wait()
    os.close(self._terminal)
    shutil.rmtree(self._here)

  def Complete(self, *words):
    """Completes the last word.

    @param words: as bash takes them apart
    @return: list of strings, without what stands before a comma or equals sign

    """
    line = re.sub(" ?([=:]) ?", r"\1", " ".join([self._program, *words]))
    testutils.WriteFile(self._Path("line"), line.encode("ascii"))
    os.write(self._terminal, b"\x14")

    def _IsDone():
      self._Read()
      return os.path.exists(self._Path("found"))
    testutils.WaitFor(_IsDone, "zsh completes")
    found = testutils.ReadFile(self._Path("found")).decode("utf-8")
    os.unlink(self._Path("found"))
    return found.split()

  def _Read(self):
    """Reads what the terminal shows, so that it takes more.

    """
    try:
      return os.read(self._terminal, 1 << 16)
    except BlockingIOError:
      return b""
