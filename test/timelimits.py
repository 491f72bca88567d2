#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Waits of tests, with limits that show why a wait was too long.

Rule: the errors of this module contain what the processes have printed until
then. All limits are longer on a busy machine. Waits without such a limit are
ended by test/run-tests, which limits each test and prints what L{Describe}
returns.

"""

import contextlib
import faulthandler
import os
import signal
import subprocess
import tempfile
import time

import threaderrors


#: Time-out in seconds for events that should happen at once; only a failing
#: test waits that long. A shorter time-out may only be used to check that
#: something does not happen: any answer may take longer on a busy machine.
PATIENCE = 20.0

#: Daemons and servers that run for the tests of this process: objects with a
#: method C{Output}, which returns a text. If L{WaitFor} fails, its error has
#: the ends of these texts.
RUNNING = []

#: The length of the end of a text that the error has (characters)
_SHOWN = 3000

#: The length of the part of a command line that an error has (characters)
_COMMAND_SHOWN = 200

#: A variable that makes Python programs print their stacks on SIGABRT
_STACKS = {"PYTHONFAULTHANDLER": "1"}


def Stretched(seconds):
  """Extends a time limit according to how busy the machine is.

  The factor is the larger one of two: the ratio of elapsed time to processor
  time of a little work; and the load of the last minute for each processor, as
  the machine may have been busier a moment ago.

  """
  work = 0.05
  (started, cpu) = (time.monotonic(), time.thread_time())
  while time.thread_time() - cpu < work:
    pass
  return seconds * max(1.0, (time.monotonic() - started) / work,
                       os.getloadavg()[0] / (os.cpu_count() or 1))


@contextlib.contextmanager
def Within(seconds):
  """Checks that the body ends in time; the limit is longer on a busy machine.

  @raise AssertionError: the body took too long

  """
  started = time.monotonic()
  yield
  took = time.monotonic() - started
  if took > seconds and took > Stretched(seconds):
    raise AssertionError("It took %.2f seconds, and should take %.2f at most" %
                         (took, seconds))


def _Printed():
  """Returns the ends of what all running daemons and servers have printed.

  """
  return "".join("\n%s has printed:\n%s" % (type(i).__name__,
                                            i.Output()[-_SHOWN:])
                 for i in RUNNING)


def WaitFor(function, what, timeout=PATIENCE):
  """Waits until a function returns something true.

  The function must not depend on a state that lasts for a moment only: on a
  busy machine, that state may come and go between two calls.

  @param timeout: in seconds; extended on a busy machine
  @return: the function's result
  @raise AssertionError: the function returned nothing true in time, or an
    exception has ended a thread of the test

  """
  started = time.monotonic()
  while True:
    value = function()
    if value:
      return value
    threaderrors.Raise()
    waited = time.monotonic() - started
    if waited > timeout and waited > Stretched(timeout):
      raise AssertionError("Waited %.1f seconds in vain: %s%s" %
                           (waited, what, _Printed()))
    time.sleep(0.01)


def WaitForExit(proc, what):
  """Waits until a process has ended; the time-out is longer on a busy machine.

  @param proc: a child of this process (C{subprocess.Popen})
  @return: the process's exit code
  @raise AssertionError: the process did not end in time, and was killed; the
    error has the stacks of Python programs that run with L{WithStacks}

  """
  try:
    WaitFor(lambda: proc.poll() is not None, "%s ends" % what)
  except AssertionError as err:
    processes = _Processes(proc.pid)
    _Abort(proc)
    raise AssertionError("%s\nProcesses:\n%s%s" % (err, processes, _Printed()))
  return proc.returncode


def WithStacks(env=None):
  """Makes Python programs print their stacks if they take too long.

  @param env: the environment; by default the one of this process
  @return: the environment to run the program in

  """
  return {**(os.environ if env is None else env), **_STACKS}


def Run(argv, timeout=10 * PATIENCE, check=False, env=None, **kwargs):
  """Runs a program until it ends, like C{subprocess.run}.

  @param timeout: in seconds; extended on a busy machine
  @param check: whether an exit code other than 0 is an error
  @param kwargs: further arguments of C{subprocess.run}
  @return: C{subprocess.CompletedProcess}
  @raise AssertionError: see L{Communicate}; or the program has failed

  """
  data = kwargs.pop("input", None)
  with contextlib.ExitStack() as stack:
    if data is not None:
      # Popen.communicate does not write the rest of its input if it is called
      # again after a time-out
      kwargs["stdin"] = stack.enter_context(tempfile.TemporaryFile())
      if isinstance(data, str):
        data = data.encode(kwargs.get("encoding") or "utf-8")
      kwargs["stdin"].write(data)
      kwargs["stdin"].seek(0)
    proc = stack.enter_context(subprocess.Popen(argv, env=WithStacks(env),
                                                **kwargs))
    try:
      (output, errors) = Communicate(proc, timeout)
    except BaseException:
      if proc.poll() is None:
        _Abort(proc)
      raise
  if check and proc.returncode:
    raise AssertionError("Exit code %d: %s%s" % (proc.returncode, argv,
                                                 Texts([output, errors])))
  return subprocess.CompletedProcess(argv, proc.returncode, output, errors)


def Communicate(proc, timeout=3 * PATIENCE):
  """Waits for the end of a program, and reads what the program prints.

  @param proc: a child of this process (C{subprocess.Popen})
  @param timeout: in seconds; extended on a busy machine
  @return: standard output and standard error, as C{Popen.communicate}
  @raise AssertionError: the program did not end in time, and was killed; the
    error has what was printed to pipes, and the stacks of Python programs that
    run with L{WithStacks}

  """
  started = time.monotonic()
  left = timeout
  while True:
    try:
      return proc.communicate(timeout=left)
    except subprocess.TimeoutExpired:
      waited = time.monotonic() - started
      left = Stretched(timeout) - waited
      if left <= 0:
        break
  text = "Took more than %.0f seconds: %s\nProcesses:\n%s" % (
    waited, proc.args, _Processes(proc.pid))
  _Abort(proc)
  raise AssertionError(text + _Rest(proc) + _Printed())


def Texts(outputs):
  """Formats what a program has printed.

  @param outputs: strings, bytes, or None

  """
  texts = [i.decode("utf-8", "replace") if isinstance(i, bytes) else i
           for i in outputs if i]
  return "".join("\nPrinted until then:\n%s" % i for i in texts)


def _Rest(proc):
  """Returns what a program that was killed has printed.

  """
  try:
    return Texts(proc.communicate(timeout=PATIENCE))
  except subprocess.TimeoutExpired as err:
    # Another process has the pipe
    return Texts([err.output, err.stderr])


def ProcessTree(pid):
  """Lists a process and all its descendants.

  Any of these processes may be gone, or a zombie, when the function returns;
  L{processes.Find} returns the lasting processes of a daemon.

  @rtype: list of ints
  @return: process ids, parents before children

  """
  try:
    with open("/proc/%d/task/%d/children" % (pid, pid), "rb") as stream:
      children = stream.read().split()
  except (FileNotFoundError, ProcessLookupError):
    return [pid]
  tree = [pid]
  for child in children:
    tree.extend(ProcessTree(int(child)))
  return tree


def _Proc(pid, name):
  """Reads a file of /proc; returns an empty text if the process is gone.

  """
  try:
    with open("/proc/%d/%s" % (pid, name), "rb") as stream:
      return stream.read().decode("utf-8", "replace")
  except OSError:
    return ""


def IsAlive(pid):
  """Tells whether a process runs; a zombie does not.

  """
  (_, _, stat) = _Proc(pid, "stat").rpartition(")")
  return stat.split()[:1] not in ([], ["Z"], ["X"])


def _Processes(pid):
  """Describes a process and its descendants, each in a line.

  """
  lines = []
  for process in ProcessTree(pid):
    (_, _, stat) = _Proc(process, "stat").rpartition(")")
    lines.append("%7d %s %-20s %s\n" % (
      process, stat[1:2] or "-", _Proc(process, "wchan"),
      " ".join(_Proc(process, "cmdline").split("\0"))[:_COMMAND_SHOWN]))
  return "".join(lines)


def _HandlesAbort(pid):
  """Tells whether a process handles SIGABRT, as Python does to print stacks.

  """
  for line in _Proc(pid, "status").splitlines():
    if line.startswith("SigCgt:"):
      return bool(int(line.split()[1], 16) >> (signal.SIGABRT - 1) & 1)
  return False


def _Abort(proc):
  """Kills a program and its descendants; Python programs print their stacks.

  @param proc: a child of this process (C{subprocess.Popen})

  """
  # Children first: their parents may end when they have ended
  for pid in reversed(ProcessTree(proc.pid)):
    if _HandlesAbort(pid):
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGABRT)
      deadline = time.monotonic() + PATIENCE
      # Python stops handling the signal before it prints the stacks
      while IsAlive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
  for pid in ProcessTree(proc.pid):
    with contextlib.suppress(ProcessLookupError):
      os.kill(pid, signal.SIGKILL)
  with contextlib.suppress(subprocess.TimeoutExpired):
    proc.wait(PATIENCE)


def Describe():
  """Describes what this process waits for.

  @return: a text: the stacks of all threads, the processes that run, and what
    running daemons and servers have printed

  """
  with tempfile.TemporaryFile("w+", encoding="utf-8",
                              errors="replace") as stream:
    faulthandler.dump_traceback(stream)
    stream.seek(0)
    stacks = stream.read()
  return "%sProcesses:\n%s%s" % (stacks, _Processes(os.getpid()), _Printed())
