#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Commands end with the program that runs them, whenever a signal comes.

"""

import os
import signal
import subprocess
import sys
import unittest

import testutils

from ganeti.confd.command import child


#: Runs a command, and gets a signal at the moment when it was started, and
#: another one when it is ended
_SCRIPT = """\
import os, signal, subprocess
from ganeti.confd.command import child

NUMBER = %d

class _Popen(subprocess.Popen):
  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    print(self.pid, flush=True)
    os.kill(os.getpid(), NUMBER)

  def terminate(self):
    os.kill(os.getpid(), NUMBER)
    super().terminate()

# Shells have it ignored by what they start in the background
signal.signal(signal.SIGINT, signal.default_int_handler)
subprocess.Popen = _Popen
with child.EndingWithSignals():
  child.Run(["sleep", "60"], {})
print("goes on")
"""


#: Ctrl-C once more, while the program exits
_IMPATIENT = """\
import os, signal
from ganeti.confd.command import child

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
  with child.EndingWithSignals():
    os.kill(os.getpid(), signal.SIGINT)
    child.Run(["sleep", "60"], {})
except KeyboardInterrupt:
  os.kill(os.getpid(), signal.SIGINT)
  print("exits")
"""


class TestSignals(unittest.TestCase):
  def testWhileExiting(self):
    result = subprocess.run(
      [sys.executable, "-c", _IMPATIENT], check=False,
      env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      timeout=testutils.PATIENCE)
    self.assertEqual((result.returncode, result.stdout), (0, b"exits\n"),
                     result)

  def testWhileStarting(self):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
      result = subprocess.run(
        [sys.executable, "-c", _SCRIPT % number], check=False,
        env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=testutils.PATIENCE)
      (pid, ) = result.stdout.split()
      with self.assertRaises(ProcessLookupError, msg="%d is left" % number):
        os.kill(int(pid), signal.SIGKILL)
      # As Python ends after Ctrl-C, or by the signal
      self.assertEqual(result.returncode, -number, result)

  def testHowItEnded(self):
    for (script, text) in [("exit 3", "ended with exit code 3"),
                           ("kill -9 $$", "was ended by signal 9")]:
      code = child.Run(["sh", "-c", script], {})
      self.assertEqual(child.HowItEnded(code), text)


if __name__ == "__main__":
  unittest.main()
