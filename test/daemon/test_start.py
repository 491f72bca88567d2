#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of starting: options, errors, detaching, addresses.

"""

import os
import signal
import socket
import subprocess
import unittest

import adversity
import processes
import testutils
from testutils import PING, NOBODY


class _StartTest(unittest.TestCase):
  def setUp(self):
    self.daemon = testutils.Daemon(testutils.MakeConfig())
    self.addCleanup(self.daemon.Kill)
    self.daemon.port = testutils.FreePort()

  def _Run(self, *args, as_nobody=False):
    """Runs the program to its end, or until it has detached.

    @return: exit code, what it wrote to standard output, to standard error

    """
    argv = self.daemon.CommandLine(list(args))
    if as_nobody:
      argv = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
              "--clear-groups"] + argv
    result = testutils.Run(argv, env=self.daemon.Environment(), check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, encoding="utf-8",
                           timeout=3 * testutils.PATIENCE)
    return (result.returncode, result.stdout, result.stderr)

  def _Args(self, *args):
    return ["--no-user-checks", "-p", str(self.daemon.port),
            "-b", "127.0.0.1"] + list(args)

  def _Pid(self):
    return int(testutils.ReadFile(self.daemon.pid_file))

  def _StopDetached(self):
    pid = self._Pid()
    tree = testutils.ProcessTree(pid)
    os.kill(pid, signal.SIGTERM)
    processes.WaitForEnd(tree)
    self.assertFalse(os.path.exists(self.daemon.pid_file))


class OptionsTest(_StartTest):
  def testVersion(self):
    for option in ("-V", "--version"):
      (code, out, err) = self._Run(option)
      self.assertEqual((code, err), (0, ""))
      self.assertRegex(out, r"\Aganeti-confd [0-9.]+\n\Z")

  def testHelp(self):
    for option in ("-h", "--help"):
      (code, out, err) = self._Run(option)
      self.assertEqual((code, err), (0, ""))
      for name in ("-f", "-d", "-p", "-b", "--syslog", "--no-user-checks",
                   "--workers", "--pid-file", "--log-file", "-V"):
        self.assertIn(name, out)

  def testWrong(self):
    for args in [["-p", "0"], ["-p", "65536"], ["-p", "x"], ["-p", "-1"],
                 ["-p", "\u0661"], ["-p"], ["-b", "localhost"],
                 ["-b", "127.0.0.256"], ["-b", ""], ["--workers", "0"],
                 ["--workers", "257"], ["--syslog=maybe"], ["--sys"], ["-x"],
                 ["argument"], ["--syslog", "only"]]:
      with self.subTest(args=args):
        (code, out, err) = self._Run(*args)
        self.assertEqual((code, out), (2, ""))
        self.assertRegex(err, r"(?s)\Ausage: .*ganeti-confd: error: [^\n]+\n\Z")
    self.assertFalse(os.path.exists(self.daemon.log_file))


class ErrorTest(_StartTest):
  def _Check(self, message, *args, **kwargs):
    """Checks that starting fails, detached and not, and says why.

    """
    for foreground in ([], ["-f"]):
      with self.subTest(foreground=foreground):
        (code, out, err) = self._Run(*(foreground + list(args)), **kwargs)
        self.assertEqual((code, out), (1, ""))
        lines = err.splitlines()
        self.assertEqual(len(lines), 1, err)
        self.assertTrue(lines[0].startswith("ganeti-confd: "), err)
        self.assertIn(message, lines[0])
    self.assertFalse(os.path.exists(self.daemon.pid_file))

  def testNoKey(self):
    os.unlink(self.daemon.key_file)
    self._Check("Cannot read the HMAC key %s: No such file" %
                self.daemon.key_file, *self._Args())

  def testShortKey(self):
    testutils.WriteFile(self.daemon.key_file, b"123456789012345")
    self._Check("has 15 bytes, at least 16 are needed", *self._Args())

  def testKeyIsDirectory(self):
    os.unlink(self.daemon.key_file)
    os.mkdir(self.daemon.key_file)
    self._Check("Cannot read the HMAC key", *self._Args())

  def testUnreadableKey(self):
    os.chmod(self.daemon.root, 0o755)
    os.chmod(self.daemon.logdir, 0o777)
    os.chmod(self.daemon.key_file, 0)
    self._Check("Cannot read the HMAC key %s: Permission denied" %
                self.daemon.key_file, *self._Args(),
                as_nobody=os.geteuid() == 0)
    # For whom nobody's standard error is
    self.assertIn("ERROR Cannot start: Cannot read the HMAC key",
                  self.daemon.Log())

  def testPortTaken(self):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      sock.bind(("127.0.0.1", self.daemon.port))
      self._Check("Cannot listen on 127.0.0.1, UDP port %d: Address already in"
                  " use" % self.daemon.port, *self._Args())

  def testAddressOfNobody(self):
    self._Check("Cannot listen on 192.0.2.77, UDP port",
                "--no-user-checks", "-b", "192.0.2.77")

  def testNoLogDirectory(self):
    os.rmdir(self.daemon.logdir)
    self._Check("Cannot write the log file %s: No such file" %
                self.daemon.log_file, *self._Args())

  def testNoPidFile(self):
    os.mkdir(self.daemon.pid_file)
    (code, _, err) = self._Run("-f", *self._Args())
    self.assertEqual(code, 1)
    self.assertIn("Cannot write the pid file %s: Is a directory" %
                  self.daemon.pid_file, err)

  def testWrongUser(self):
    # In a build for Debian it is root or another one
    self._Check("has to run as user", "-p", str(self.daemon.port),
                as_nobody=os.geteuid() == 0)

  def testRelativeRoot(self):
    self.daemon._env["GANETI_ROOTDIR"] = "relative"
    self._Check("GANETI_ROOTDIR", *self._Args())

  def testSecondDaemon(self):
    self.daemon.Start()
    (code, _, err) = self._Run("-f", *self._Args("-p", "1"))
    self.assertEqual(code, 1)
    self.assertIn("is running already, as process %d" % self.daemon.proc.pid,
                  err)
    other = self.daemon.pid_file + ".other"
    (code, _, err) = self._Run("-f", *self._Args("--pid-file=" + other))
    self.assertEqual(code, 1)
    self.assertIn("Address already in use", err)
    self.assertFalse(os.path.exists(other))
    # The second start did the first daemon no harm
    self.assertEqual(self._Pid(), self.daemon.proc.pid)
    self.daemon.Ask(PING)
    self.daemon.Stop()


class InterruptTest(_StartTest):
  """SIGINT before the daemon handles that signal ends it without a word.

  """
  #: Code that interrupts the program at the beginning of a function
  CODE = """\
    import os
    import signal
    from ganeti.confd.daemon import %(module)s

    def _Interrupted(*args, real=%(module)s.%(function)s):
      os.kill(os.getpid(), signal.SIGINT)
      return real(*args)

    %(module)s.%(function)s = _Interrupted
    """

  def testInterrupt(self):
    for (module, function, args) in [
        ("options", "Read", []), ("checkconf", "Run", ["--check", "/dev/null"]),
        ("main", "_CheckUser", [])]:
      code = self.CODE % {"module": module, "function": function}
      with self.subTest(module=module), adversity.Patched(code) as env:
        # pylint: disable=W0212
        self.daemon._env = env
        self.assertEqual(self._Run(*args), (-signal.SIGINT, "", ""))


class DetachTest(_StartTest):
  def testDetaches(self):
    # A terminal, and a descriptor that somebody waits for the end of
    (master, terminal) = os.openpty()
    (read_fd, write_fd) = os.pipe()
    self.addCleanup(os.close, master)
    self.addCleanup(os.close, read_fd)
    argv = self.daemon.CommandLine(self._Args("--workers=1"))
    with subprocess.Popen(argv, env=self.daemon.Environment(), cwd="/tmp",
                          stdin=terminal, stdout=terminal, stderr=write_fd,
                          start_new_session=True) as proc:
      os.close(terminal)
      os.close(write_fd)
      self.assertEqual(testutils.WaitForExit(proc, "the first process"), 0)
      # Nothing was said, and the daemon has left it
      self.assertEqual(os.read(read_fd, 1000), b"")
      pid = self._Pid()
      self.assertNotEqual(os.getsid(pid), proc.pid)
    for process in processes.Find(pid).All():
      self.assertEqual(os.readlink("/proc/%d/cwd" % process), "/")
      # The keeper waits for the end of what is its input
      for fd in range(1 if processes.IsKeeper(process) else 0, 3):
        self.assertEqual(os.readlink("/proc/%d/fd/%d" % (process, fd)),
                         "/dev/null")
      # No terminal, nor could it get one: it is not the session's leader
      stat = testutils.ReadFile("/proc/%d/stat" % process).decode("ascii")
      self.assertEqual(stat.rpartition(")")[2].split()[4], "0")
      self.assertNotEqual(os.getsid(process), process)
      self.assertEqual(os.getsid(process), os.getsid(pid))
    self.daemon.Ask(PING)
    self._StopDetached()

  def testInheritsNothing(self):
    # As from a script that holds a lock
    (read_fd, write_fd) = os.pipe()
    self.addCleanup(os.close, read_fd)
    subprocess.run(self.daemon.CommandLine(self._Args()), check=True,
                   env=self.daemon.Environment(), pass_fds=[write_fd])
    os.close(write_fd)
    self.assertEqual(os.read(read_fd, 1), b"")
    self.daemon.Ask(PING)
    self._StopDetached()

  def testClosedStandardStreams(self):
    for redirection in ("<&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"):
      with self.subTest(redirection=redirection):
        argv = ["sh", "-c", "exec \"$@\" " + redirection, "sh"]
        subprocess.run(argv + self.daemon.CommandLine(self._Args()), check=True,
                       env=self.daemon.Environment())
        for fd in range(3):
          self.assertEqual(os.readlink("/proc/%d/fd/%d" % (self._Pid(), fd)),
                           "/dev/null")
        self.daemon.Ask(PING)
        self._StopDetached()
        # And without anybody to tell what is wrong
        code = subprocess.run(argv + self.daemon.CommandLine(
          self._Args("-b", "192.0.2.77")), env=self.daemon.Environment(),
                              check=False, stderr=subprocess.DEVNULL).returncode
        self.assertEqual(code, 1)

  def testStartsWithoutConfiguration(self):
    os.unlink(self.daemon.config_file)
    (code, out, err) = self._Run(*self._Args())
    self.assertEqual((code, out, err), (0, "", ""))
    self.daemon.WriteConfig(testutils.MakeConfig())
    testutils.WaitFor(lambda: "Loaded" in self.daemon.Log(), "it is loaded")
    self.daemon.Ask(PING)
    self._StopDetached()

  def testPidFile(self):
    # Files that a crash of the machine left
    testutils.WriteFile(self.daemon.pid_file, b"1234567890\n")
    (code, _, _) = self._Run(*self._Args())
    self.assertEqual(code, 0)
    self.assertEqual(testutils.ReadFile(self.daemon.pid_file),
                     b"%d\n" % self._Pid())
    self.assertEqual(os.stat(self.daemon.pid_file).st_mode & 0o777, 0o644)
    self._StopDetached()

  def testDirectoryOfPidFileIsMade(self):
    os.rmdir(self.daemon.rundir)
    (code, _, _) = self._Run(*self._Args())
    self.assertEqual(code, 0)
    self._StopDetached()

  def testPidFileIsRemovedByOthers(self):
    self.daemon.Start()
    os.unlink(self.daemon.pid_file)
    self.daemon.Stop()

  def testPidFileOfAnotherIsLeft(self):
    # Somebody replaced it, and the daemon is killed
    self.daemon.Start()
    tree = testutils.ProcessTree(self.daemon.proc.pid)
    testutils.WriteFile(self.daemon.pid_file, b"1\n")
    self.daemon.proc.kill()
    self.daemon.proc.wait()
    processes.WaitForEnd(tree)
    self.assertEqual(testutils.ReadFile(self.daemon.pid_file), b"1\n")


class AddressTest(unittest.TestCase):
  """The reply comes from the address that was asked.

  """
  def _Check(self, bind, asked):
    with testutils.Daemon(testutils.MakeConfig(), address=bind) as daemon:
      for address in asked:
        # A reply from elsewhere does not arrive
        testutils.WaitFor(lambda address=address: daemon.IsUp(address),
                          "a reply from %s" % address)

  def testIpv4(self):
    self._Check("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.99.0.1"])

  def testOneIpv4(self):
    self._Check("127.0.0.2", ["127.0.0.2"])

  @unittest.skipUnless(testutils.HasIpv6(), "no IPv6 here")
  def testIpv6(self):
    self._Check("::", ["::1"])

  @unittest.skipUnless(testutils.HasIpv6(), "no IPv6 here")
  def testTwoIpv6(self):
    # There is one loopback address; more are for a network of its own
    output = testutils.RunInNetwork("""\
      import subprocess
      import testutils

      for command in ["link set lo up", "addr add fd77::1/128 dev lo nodad",
                      "addr add fd77::2/128 dev lo nodad"]:
        subprocess.run(["ip"] + command.split(), check=True)
      with testutils.Daemon(testutils.MakeConfig(), address="::") as daemon:
        for address in ["::1", "fd77::1", "fd77::2"]:
          # To itself, the system would answer from the right one anyway
          testutils.WaitFor(lambda: daemon.IsUp(address, "fd77::1"),
                            "a reply from " + address)
          print(address)
      """)
    self.assertEqual(output, "::1\nfd77::1\nfd77::2\n")


if __name__ == "__main__":
  unittest.main()
