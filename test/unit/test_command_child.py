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

from unittest import mock

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

def _State(main):
  with open("/proc/self/task/%%d/status" %% main) as stream:
    return [line for line in stream
            if line.startswith(("State:", "voluntary_ctxt_switches:"))]

def _Thread(main):
  # Wait until the main thread is in a system call that blocks, where it sleeps
  # all the time. A thread that waits for Python's lock wakes up now and then.
  (before, count) = ([], 0)
  while count < 20:
    time.sleep(0.01)
    state = _State(main)
    is_same = state == before and "sleeping" in state[0]
    (before, count) = (state, count + 1 if is_same else 0)
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


#: A signal comes just when Python reports the exception of a destructor, which
#: is C code
_WHILE_REPORTING = """\
import ctypes, functools, signal, time
from ganeti.confd.command import child

raise_ = ctypes.PyDLL(None)["raise"]
# int() does not take the arguments: TypeError, while the signal is pending
raise_.errcheck = int

class _Object:
  __del__ = staticmethod(functools.partial(raise_, %d))

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  _Object()
  time.sleep(600)
print("goes on")
"""


#: The exception of a signal is lost, in a program with many open files
_LOST = """\
import contextlib, os, resource, signal, time
from ganeti.confd.command import child

(_, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
for _ in range(600):
  os.pipe()

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  with contextlib.suppress(BaseException):
    os.kill(os.getpid(), %d)
  time.sleep(600)
print("goes on")
"""


#: The last exception of the body is not that of the signal
_OTHER_END = """\
import os, signal
from ganeti.confd.command import child

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  try:
    os.kill(os.getpid(), %d)
  %s
print("goes on")
"""

#: The exception of the signal is lost, or replaced
_OTHER_ENDS = ["except BaseException: pass", "finally: int('no number')"]


#: A clean-up takes longer than the time after which a signal is repeated
_CLEAN_UP = """\
import os, signal, time
from ganeti.confd.command import child

signal.signal(signal.SIGINT, signal.default_int_handler)
with child.EndingWithSignals():
  try:
    os.kill(os.getpid(), %d)
  finally:
    try:
      raise ValueError
    except ValueError:
      time.sleep(0.005 * child._REPEAT_INTERVAL)
    time.sleep(0.005 * child._REPEAT_INTERVAL)
    os.write(1, b"clean")
print("goes on")
"""


#: Ctrl-C just after the program has begun to repeat signals
_EARLY = """\
import os, signal, time
from ganeti.confd.command import child

set_wakeup_fd = signal.set_wakeup_fd

def _Set(*args, **kwargs):
  signal.set_wakeup_fd = set_wakeup_fd
  set_wakeup_fd(*args, **kwargs)
  os.kill(os.getpid(), signal.SIGINT)

signal.set_wakeup_fd = _Set
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
  with child.EndingWithSignals():
    print("goes on")
except KeyboardInterrupt:
  print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
# The signal is not repeated from here on
signal.signal(signal.SIGINT, signal.default_int_handler)
time.sleep(0.005 * child._REPEAT_INTERVAL)
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
  def _CheckEndsBy(self, number, script, output=b""):
    """Checks that a signal ends a script.

    @param output: what the script prints
    @return: C{subprocess.CompletedProcess}

    """
    result = _Run(script)
    self.assertEqual((result.returncode, result.stdout), (-number, output),
                     result)
    return result

  def testUninterrupted(self):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
      for wait in _WAITS:
        with self.subTest(number=number, wait=wait):
          self._CheckEndsBy(number, _UNINTERRUPTED % {"number": number,
                                                      "wait": wait})

  def testInDestructor(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(number=number):
        result = self._CheckEndsBy(number, _IN_DESTRUCTOR % number)
        self.assertNotIn(b"Exception ignored", result.stderr)

  def testWhileReporting(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(number=number):
        result = self._CheckEndsBy(number, _WHILE_REPORTING % number)
        self.assertNotIn(b"_Ended", result.stderr)

  def testLost(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(number=number):
        self._CheckEndsBy(number, _LOST % number)

  def testOtherEnd(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      for end in _OTHER_ENDS:
        with self.subTest(number=number, end=end):
          self._CheckEndsBy(number, _OTHER_END % (number, end))

  def testCleanUp(self):
    for number in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(number=number):
        self._CheckEndsBy(number, _CLEAN_UP % number, b"clean")

  def testEarly(self):
    result = _Run(_EARLY)
    self.assertEqual((result.returncode, result.stdout), (0, b"True\n"), result)

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

  def testDoesNotEnd(self):
    """A killed command that does not end is not waited for without a limit.

    """
    command = mock.Mock()
    command.wait.side_effect = subprocess.TimeoutExpired("sleep", 1)
    child._End(command)
    command.kill.assert_called_once_with()
    self.assertEqual(command.wait.mock_calls, [mock.call(child._PATIENCE)] * 2)

  def testHowItEnded(self):
    for (script, text) in [("exit 3", "ended with exit code 3"),
                           ("kill -9 $$", "was ended by signal 9")]:
      code = child.Run(["sh", "-c", script], {})
      self.assertEqual(child.HowItEnded(code), text)


if __name__ == "__main__":
  unittest.main()
