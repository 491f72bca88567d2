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


#: Waits for ever in a way, and gets a signal that does not interrupt the wait.
#: The kernel may deliver a signal just before the main thread waits. Here,
#: another thread gets the signal, which has the same effect.
_UNINTERRUPTED = """\
import ctypes, os, select, signal, sys, threading, time
from ganeti.confd.command import child

def _Thread(main):
  # Wait until the main thread is in a system call that blocks
  while open("/proc/self/task/%%d/stat" %% main).read().split()[2] != "S":
    time.sleep(0.01)
  ctypes.CDLL(None).tgkill(os.getpid(), threading.get_native_id(), %(number)d)
  threading.Event().wait()

def _Start():
  threading.Thread(target=_Thread, args=[threading.get_native_id()],
                   daemon=True).start()

def _Write():
  (read_fd, write_fd) = os.pipe()
  while True:
    os.write(write_fd, bytes(65536))

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  _Start()
  %(wait)s
print("goes on")
"""

#: Statements that wait for ever
_WAITS = [
  "time.sleep(600)",
  "child.Run(['sleep', '600'], {})",
  "_Write()",
  "select.select([os.pipe()[0]], [], [])",
  "threading.Event().wait()",
  ]


#: A signal comes while Python runs a destructor
_IN_DESTRUCTOR = """\
import os, signal, time
from ganeti.confd.command import child

class _Object:
  def __del__(self):
    os.kill(os.getpid(), %d)
    while True:
      time.sleep(0.01)

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  for _ in range(3):
    _Object()
  time.sleep(600)
print("goes on")
"""


def _Run(script):
  """Runs a script until it ends.

  @return: C{subprocess.CompletedProcess}

  """
  return testutils.Run([sys.executable, "-c", script],
                       env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=testutils.PATIENCE)


class TestSignals(unittest.TestCase):
  def testUninterrupted(self):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
      for wait in _WAITS:
        with self.subTest(number=number, wait=wait):
          result = _Run(_UNINTERRUPTED % {"number": number, "wait": wait})
          self.assertEqual((result.returncode, result.stdout), (-number, b""),
                           result)

  def testInDestructor(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(number=number):
        result = _Run(_IN_DESTRUCTOR % number)
        self.assertEqual((result.returncode, result.stdout), (-number, b""),
                         result)
        self.assertNotIn(b"Exception ignored", result.stderr)

  def testWhileExiting(self):
    result = _Run(_IMPATIENT)
    self.assertEqual((result.returncode, result.stdout), (0, b"exits\n"),
                     result)

  def testWhileStarting(self):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
      result = _Run(_SCRIPT % number)
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
