#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon does all it has to with the system calls that the unit leaves it.

systemd need not run: its lists of system calls are read from its tools, and
the filter is made as it makes it.

"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

import processes
import testutils


UNIT = os.path.join(testutils.BUILDDIR, "doc/examples/ganeti-confd.service")

_LIBRARY = "libseccomp.so.2"

#: Installs a filter that lets the system calls named on its standard input
#: pass, fails others with EPERM, and runs a command
_FILTERED = textwrap.dedent("""\
  import ctypes
  import os
  import sys

  (ALLOW, EPERM) = (0x7fff0000, 0x00050001)
  lib = ctypes.CDLL(%r, use_errno=True)
  lib.seccomp_init.restype = ctypes.c_void_p
  context = ctypes.c_void_p(lib.seccomp_init(EPERM))
  with open(sys.argv[1]) as names:
    for name in names.read().split():
      number = lib.seccomp_syscall_resolve_name(name.encode("ascii"))
      if number >= 0:
        lib.seccomp_rule_add(context, ALLOW, number, 0)
  # No new privileges: what a filter needs where one is not root
  ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
  if lib.seccomp_load(context):
    sys.exit("No filter")
  os.execv(sys.argv[2], sys.argv[2:])
  """ % _LIBRARY)


def _Lists():
  """Reads systemd's lists.

  @rtype: dict from name to list of names, of system calls or lists

  """
  text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"],
                        stdout=subprocess.PIPE, check=True).stdout.decode()
  lists = {}
  for line in text.splitlines():
    if line.startswith("@"):
      current = lists.setdefault(line.strip(), [])
    elif line.startswith("    ") and not line.strip().startswith("#"):
      current.append(line.strip())
    elif line.startswith("#"):
      # Calls that the kernel knows and no list has
      current = []
  return lists


def _Expand(lists, name):
  if not name.startswith("@"):
    return {name}
  return {found for item in lists[name] for found in _Expand(lists, item)}


def _Allowed(lists, unit):
  """Tells which system calls a unit may use, as systemd.exec(5) has it.

  """
  allowed = _Expand(lists, "@default")
  for value in re.findall("(?m)^SystemCallFilter=(.*)$", unit):
    take_away = value.startswith("~")
    for name in value.lstrip("~").split():
      if take_away:
        allowed -= _Expand(lists, name)
      else:
        allowed |= _Expand(lists, name)
  return allowed


@unittest.skipUnless(shutil.which("systemd-analyze"),
                     "no systemd-analyze (Debian package systemd)")
class FilterTest(unittest.TestCase):
  def setUp(self):
    lists = _Lists()
    unit = testutils.ReadFile(UNIT).decode("utf-8")
    self.allowed = _Allowed(lists, unit)
    (fd, path) = tempfile.mkstemp()
    os.close(fd)
    self.addCleanup(os.unlink, path)

    class _Daemon(testutils.Daemon):
      """The daemon behind the filter.

      """
      def CommandLine(self, args):
        return ([sys.executable, "-c", _FILTERED, path] +
                testutils.Daemon.CommandLine(self, args))

    testutils.WriteFile(path, "\n".join(self.allowed).encode("ascii"))
    self.make = _Daemon

  def testLists(self):
    self.assertIn("recvmsg", self.allowed)
    for name in ("mount", "chroot", "reboot", "ptrace", "bpf", "init_module",
                 "sched_setaffinity", "setuid"):
      self.assertNotIn(name, self.allowed)

  def testAllWorks(self):
    filler = ["%d" % index for index in range(20000)]
    with self.make(testutils.MakeConfig(filler=filler),
                   args=["--workers=2"]) as daemon:
      self.assertEqual(processes.Status(daemon.proc.pid, "Seccomp"), "2")
      found = processes.Find(daemon, 2)
      self.assertEqual(daemon.Answer(65)[1]["restarts"],
                       {"workers": 0, "generations": 0})
      self.assertEqual(daemon.Answer(10, "/filler"), (1, 3))
      self.assertEqual(daemon.Answer(64, {"what": "node", "fields": ["name"]}),
                       (0, {"fields": ["name"],
                            "rows": [["node1.example.com"]]}))
      # inotify, forks, and what follows a death
      daemon.WriteConfig(testutils.MakeConfig(serial_no=18))
      daemon.WaitForSerial(18)
      os.kill(found.keeper, 9)
      testutils.WaitFor(lambda: processes.Find(daemon, 2).keeper !=
                        found.keeper, "the keeper is replaced")
      (worker, _) = processes.Find(daemon, 2).workers
      os.kill(worker, 9)
      # Datagrams that the killed worker has taken off the queue are lost
      processes.WaitForEnd([worker])
      testutils.WaitFor(
        lambda: daemon.Answer(65)[1]["restarts"]["workers"] == 1,
        "the worker is replaced")
      stats = daemon.Answer(65)[1]
      self.assertIsNotNone(stats["memory"])
      self.assertIsNotNone(stats["dropped"]["overflow"])
      for text in ("Traceback", "not permitted", "does not work"):
        self.assertNotIn(text, daemon.Log())


if __name__ == "__main__":
  unittest.main()
