#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client export: read by the programs it is for; and replacing files.

The real daemon and the real programs; doc/recipes.rst is tested by
test_recipes.py.

"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import clientcommand
import consumers
import testutils

from testutils import MakeConfig, MakeInstance, MakeNode


#: Values that would be directives if they came into a file unchanged
_HOSTILE = [
  "a\ndhcp-script=/bin/sh", "a\n192.0.2.66 bank.example.com",
  "a\n  ProxyCommand touch /tmp/x", "*", "a b", "-x", "--list", "a\"b", "a'b",
  "a,ignore", "a#b", "a\\", "a;b", "{{ lookup('pipe', 'id') }}", "{% raw %}",
  "$(id)", "`id`", "%h", "b\u00fccher", "a\0b", "a\x1b[2J", "\ud800", "x" * 300,
  "localhost", "127.0.0.1", "1h.", "_a", "", ".", "a..b", "all\n", "\u2028",
  "a };flush ruleset;", "conf-file=/etc/passwd", "a}",
  ]

#: Values that are odd, and allowed
_ODD = ["ignore", "infinite", "1h", "45m", "all", "ungrouped", "include",
        "host", "match", "table", "set", "xn--a", "ab--c", "a_b", "0a",
        "a" * 63, ".".join(["b" * 60] * 4), "UPPER.Example"]


def _Nics(index, ip):
  return {
    "mac": "aa:00:00:01:%02x:%02x" % divmod(index, 256),
    "uuid": testutils.Uuid("e", index), "ip": ip, "nicparams": {},
    }


def _HostileConfig():
  """Makes a configuration with whatever must not become a directive.

  """
  instances = [
    MakeInstance(1, 1, name="web1.example.com", nics=["192.0.2.11"],
                 tags=_HOSTILE + ["service:web", "service-web"],
                 os="a\nb {{ c }}"),
    MakeInstance(2, 1, name="db1.example.com", nics=["2001:db8::5"]),
    # The addresses of others
    MakeInstance(3, 1, nics=["192.0.2.11", "2001:db8::5"]),
    ]
  index = 3
  for text in _HOSTILE:
    index += 1
    instances.append(MakeInstance(index, 1, name=text,
                                  nics=["198.51.100.%d" % index]))
    index += 1
    # In the place of an address and of a MAC address
    instances.append(MakeInstance(index, 1, nics=[text], os=text, tags=[text]))
    index += 1
    nic = dict(_Nics(index, None), mac=text)
    instances.append(MakeInstance(index, 1, nics=[], hypervisor=text))
    instances[-1]["nics"].append(nic)
  for text in _ODD:
    index += 1
    instances.append(MakeInstance(index, 1, name=text, tags=[text, text + ":"]))
    instances[-1]["nics"].append(_Nics(index, "203.0.113.%d" % (index % 250)))
  return MakeConfig(
    nodes=[MakeNode(1, master_candidate=True), MakeNode(2, name="a\nb")],
    instances=instances, cluster={"cluster_name": "a\nuser=root"})


class _TestCase(unittest.TestCase):
  @staticmethod
  def _Config():
    """Makes the configuration.

    """
    raise NotImplementedError

  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(cls._Config())
    cls.addClassCleanup(cls.daemon.Stop)
    cls.daemon.Start()

  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
    self.path = os.path.join(self.directory, "exported")

  def _Words(self, *words):
    return clientcommand.Words(self.daemon, "export", *words)

  def _Export(self, *words, code=0, before=()):
    """Runs the command.

    @param before: the beginning of the command line
    @return: standard output and standard error

    """
    result = testutils.Run([*before, *self._Words(*words)], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, encoding="utf-8",
                           timeout=3 * testutils.PATIENCE)
    self.assertEqual(result.returncode, code, result)
    self.assertNotIn("Traceback", result.stderr)
    return (result.stdout, result.stderr)


class TestHostile(_TestCase):
  """A configuration with hostile values, read by the programs themselves.

  """
  _Config = staticmethod(_HostileConfig)

  def _Answer(self, form, *words):
    answer = json.loads(self._Export(form, "--json", *words)[0])["answer"]
    self.assertTrue(answer["text"].isascii())
    testutils.WriteFile(self.path, answer["text"].encode("ascii"))
    return answer

  def _Names(self):
    """Returns the names that are exported.

    """
    (text, _) = self._Export("prometheus-sd")
    return {target["labels"]["__meta_ganeti_instance"]
            for target in json.loads(text)}

  def testHosts(self):
    """Values that are left out are reported, and look harmless on a terminal.

    """
    answer = self._Answer("hosts")
    names = {line.split("\t")[1] for line in answer["text"].splitlines()[1:]}
    self.assertLessEqual({"web1.example.com", "db1.example.com",
                          "upper.example", "ignore"}, names)
    for name in names:
      self.assertRegex(name, r"\A[a-z0-9][a-z0-9_.-]*\Z")
    for text in _HOSTILE:
      self.assertNotIn(text, names)
    self.assertRegex(answer["text"], r"\A# confd-client export hosts: cluster"
                     r" without a name, serial 17\n")
    said = answer["left_out"]
    self.assertIn('the cluster\'s name "a\\nuser=root" is left out', said)
    self.assertIn('instance "a\\ndhcp-script=/bin/sh" left out: not a valid'
                  ' host name', said)
    # Tags have no place in such a file
    self.assertNotIn("tag", " ".join(said))
    (_, complaints) = self._Export("hosts")
    lines = complaints.splitlines()
    self.assertEqual(len(lines), 21)
    self.assertIn("more like these", lines[-1])
    self.assertRegex(complaints, r"\A[\n -~]*\Z")

  def testManyOfSeveralClusters(self):
    """--json is for one cluster, so the end of a long list says which.

    """
    os.mkdir(os.path.join(self.directory, "ganeti"))
    testutils.WriteFile(
      os.path.join(self.directory, "ganeti", "confd-client.conf"),
      ("[cluster a]\naddresses = %s\nport = %d\nkey_file = %s\n" %
       (self.daemon.address, self.daemon.port, self.daemon.key_file)).encode())
    result = clientcommand.Run(
      "export", "hosts", "--cluster=all",
      env=clientcommand.Environment(XDG_CONFIG_HOME=self.directory))
    self.assertEqual(result.returncode, 0, result.stderr)
    self.assertRegex(result.stderr, r"and [0-9]+ more like these; with --json,"
                     r" an export of a single cluster has them all\n\Z")

  def testDnsmasq(self):
    self._Answer("dnsmasq")
    consumers.CheckDnsmasq(self, self.path)

  def testAnsible(self):
    self._Answer("ansible")
    (inventory, problems) = consumers.AskAnsible(self, self.path)
    variables = inventory["_meta"]["hostvars"]
    self.assertEqual(set(variables), self._Names() - {"all", "ungrouped"})
    self.assertEqual(variables["web1.example.com"]["ansible_host"],
                     "192.0.2.11")
    self.assertNotIn("Invalid characters", problems)
    self.assertNotIn("WARNING", problems)
    self.assertNotIn("uid=", json.dumps(inventory))
    # Two tags, two groups
    tags = [name for name in inventory
            if name.startswith("ganeti_tag_service_web_")]
    self.assertEqual(len(tags), 2)
    self.assertEqual(inventory["service_web"]["hosts"], ["web1.example.com"])

  def testPrometheus(self):
    self._Answer("prometheus-sd")
    targets = consumers.AskPromtool(self, self.path)
    self.assertEqual({labels["__meta_ganeti_instance"] for labels in targets},
                     self._Names())

  def testSsh(self):
    self._Answer("ssh-config")
    for (name, address) in [("web1.example.com", "192.0.2.11"),
                            ("db1.example.com", "2001:db8::5")]:
      settings = consumers.AskSsh(self, self.path, name)
      self.assertEqual(settings["hostname"], address)
      self.assertEqual(settings["hostkeyalias"], name)
    # No message is about others
    settings = consumers.AskSsh(self, self.path, "elsewhere.example.com")
    self.assertEqual(settings["hostname"], "elsewhere.example.com")
    self.assertNotIn("proxycommand", settings)

  def testNftables(self):
    answer = self._Answer("nftables")
    self.assertIn('instance "web1.example.com": tag "a b" left out',
                  answer["left_out"])
    sets = consumers.AskNft(self, self.path)
    self.assertIn("192.0.2.11", sets["instances_v4"])
    self.assertEqual(sets["instances_v6"], ["2001:db8::5"])

  def testNodes(self):
    answer = self._Answer("nftables", "nodes")
    self.assertEqual(consumers.AskNft(self, self.path)["nodes_v4"],
                     ["192.0.2.1"])
    self.assertIn('node "a\\nb" left out: not a valid host name',
                  answer["left_out"])


class TestReplacing(_TestCase):
  @staticmethod
  def _Config():
    return MakeConfig(instances=[
      MakeInstance(i, 1, nics=["192.0.2.%d" % i]) for i in range(1, 4)])

  def _Change(self, **kwargs):
    """Changes the configuration, at least its serial.

    """
    config = dict(json.loads(testutils.ReadFile(self.daemon.config_file)),
                  **kwargs)
    config["serial_no"] += 1
    self.daemon.WriteConfig(config)
    self.daemon.WaitForSerial(config["serial_no"])
    return config["serial_no"]

  def _Read(self):
    return testutils.ReadFile(self.path).decode("ascii")

  def _Left(self):
    """Returns what is in the directory beside the file.

    """
    return sorted(set(os.listdir(self.directory)) - {"exported"})

  def testOnlyIfChanged(self):
    """The serial alone is no change; and what runs then.

    """
    then = "echo $CONFD_SERIAL >>%s.then" % self.path
    for form in ["hosts", "ansible"]:
      for name in os.listdir(self.directory):
        os.unlink(os.path.join(self.directory, name))
      serial = self._Change()
      self._Export(form, "-o", self.path, "--then", then)
      self.assertEqual(self._Read(), self._Export(form)[0])
      before = os.stat(self.path)
      self._Change()
      self._Export(form, "-o", self.path, "--then", then)
      after = os.stat(self.path)
      self.assertEqual((after.st_ino, after.st_mtime_ns),
                       (before.st_ino, before.st_mtime_ns))
      self.assertEqual(testutils.ReadFile(self.path + ".then"),
                       b"%d\n" % serial)
      # Somebody else has changed it
      testutils.WriteFile(self.path, b"# something else\n")
      self._Export(form, "-o", self.path, "--then", then)
      self.assertEqual(self._Read(), self._Export(form)[0])
      self.assertEqual(len(testutils.ReadFile(self.path + ".then").split()), 2)
      self.assertEqual(self._Left(), ["exported.then"])

  def testFirstLine(self):
    serial = self._Change()
    for form in ["hosts", "dnsmasq", "nftables", "ssh-config"]:
      self.assertEqual(
        self._Export(form)[0].splitlines()[0],
        "# confd-client export %s: cluster cluster.example.com, serial %d" %
        (form, serial))

  def testCommandFails(self):
    (_, problems) = self._Export("hosts", "-o", self.path, "--then", "exit 7",
                                 code=1)
    self.assertIn("The file has changed, but 'exit 7' ended with exit code 7",
                  problems)
    self.assertEqual(self._Read(), self._Export("hosts")[0])

  def testWatch(self):
    """A file is kept up to date; what goes wrong is tried again.

    """
    then = "echo $CONFD_SERIAL >>{0}.then; test -e {0}.works".format(self.path)
    errors = os.path.join(self.directory, "errors")
    words = self._Words("hosts", "-o", self.path, "--then", then)
    words.insert(words.index("export"), "watch")
    with open(errors, "wb") as stderr, subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr) as proc:
      self.addCleanup(proc.kill)

      def _Runs():
        path = self.path + ".then"
        return testutils.ReadFile(path).split() if os.path.exists(path) else []
      # The command is run again, though the file does not change any more
      testutils.WaitFor(lambda: len(_Runs()) >= 2, "it is tried again")
      self.assertEqual(self._Read(), self._Export("hosts")[0])
      testutils.WriteFile(self.path + ".works", b"")
      count = len(_Runs())
      testutils.WaitFor(lambda: len(_Runs()) > count, "it works")
      # Not at a change elsewhere, but at one that concerns it
      self._Change()
      before = testutils.ReadFile(self.daemon.config_file)
      instances = [MakeInstance(5, 1, nics=["192.0.2.55"])]
      serial = self._Change(instances={i["uuid"]: i for i in instances})
      testutils.WaitFor(lambda: "192.0.2.55" in self._Read(), "it is written")
      testutils.WaitFor(lambda: _Runs()[-1] == b"%d" % serial, "the command")
      self.assertEqual(_Runs().count(b"%d" % serial), 1)
      self.assertNotIn(b"%d" % (serial - 1), _Runs())
      # A broken file system, and then the newest is written
      shutil.move(self.directory, self.directory + ".away")
      self.addCleanup(shutil.rmtree, self.directory + ".away", True)
      self._Change(instances=json.loads(before)["instances"])
      time.sleep(1)
      serial = self._Change(instances={})
      away = self.directory + ".away"
      testutils.WaitFor(lambda: b"No such file" in testutils.ReadFile(
        os.path.join(away, "errors")), "the remark")
      shutil.move(away, self.directory)
      testutils.WaitFor(lambda: "serial %d" % serial in self._Read(),
                        "the newest")
      proc.terminate()
      self.assertEqual(testutils.WaitForExit(proc, "watch"), -signal.SIGTERM)
    self.assertNotIn(b"Traceback", testutils.ReadFile(errors))

  def testWatchEnds(self):
    """The command has time to clear up, too.

    """
    then = ("trap 'echo cleared up >{0}.end; exit' TERM; echo >{0}.begin;"
            "while sleep 0.1; do :; done".format(self.path))
    words = self._Words("hosts", "-o", self.path, "--then", then)
    words.insert(words.index("export"), "watch")
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as proc:
      self.addCleanup(proc.kill)
      testutils.WaitFor(lambda: os.path.exists(self.path + ".begin"), "it runs")
      proc.terminate()
      self.assertEqual(testutils.WaitForExit(proc, "watch"), -signal.SIGTERM)
    self.assertEqual(testutils.ReadFile(self.path + ".end"), b"cleared up\n")

  def testRights(self):
    """Mode and owner are kept; a link is followed, and stays.

    """
    testutils.WriteFile(self.path, b"old\n")
    os.chmod(self.path, 0o604)
    owner = (os.getuid(), os.getgid())
    if owner[0] == 0:
      owner = (65534, 65533)
      os.chown(self.path, *owner)
    link = os.path.join(self.directory, "link")
    os.symlink("exported", link)
    self._Export("hosts", "-o", link)
    self.assertTrue(os.path.islink(link))
    status = os.stat(self.path)
    self.assertEqual(stat.S_IMODE(status.st_mode), 0o604)
    self.assertEqual((status.st_uid, status.st_gid), owner)
    self.assertIn("192.0.2.1\tinst1.example.com\n", self._Read())
    self.assertEqual(self._Left(), ["link"])

  def testNewFile(self):
    """The file is made as others are, also where a link points to nothing.

    """
    link = os.path.join(self.directory, "link")
    os.symlink("exported", link)
    self._Export("hosts", "-o", link,
                 before=["sh", "-c", "umask 027; exec \"$@\"", "sh"])
    self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)
    self.assertTrue(os.path.islink(link))

  @unittest.skipUnless(os.getuid() == 0, "not root")
  def testOwnerCannotBeKept(self):
    """Somebody else's file stays as it is.

    """
    testutils.WriteFile(self.path, b"old\n", mode=0o644)
    os.chmod(self.directory, 0o777)
    shutil.copy(self.daemon.key_file, self.path + ".key")
    os.chmod(self.path + ".key", 0o644)
    words = self._Words("hosts", "-o", self.path)
    words[words.index(self.daemon.key_file)] = self.path + ".key"
    result = testutils.Run(
      ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words],
      check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
      encoding="utf-8", timeout=3 * testutils.PATIENCE)
    self.assertEqual(result.returncode, 1, result)
    self.assertIn("%s: cannot replace the file and keep its owner and group" %
                  self.path, result.stderr)
    self.assertEqual(self._Read(), "old\n")
    self.assertEqual(self._Left(), ["exported.key"])

  def testNotAFile(self):
    fifo = os.path.join(self.directory, "fifo")
    os.mkfifo(fifo)
    for path in [self.directory, fifo, "/dev/null"]:
      (_, problems) = self._Export("hosts", "-o", path, code=1)
      self.assertIn("%s: not a regular file" % path, problems)
    for (path, text) in [(self.path + "/x", "No such file or directory"),
                         ("/proc/version/x", "Not a directory")]:
      (_, problems) = self._Export("hosts", "-o", path, code=1)
      self.assertIn("%s: %s" % (path, text), problems)

  def testFullDisk(self):
    """The old file stays, on a full disk and on one that is read-only.

    """
    script = (
      "set -e; mount -t tmpfs -o size=16k tmpfs \"$1\"; cd \"$1\";"
      "echo old >exported; cat /dev/zero >full 2>/dev/null || true; shift;"
      "rc=0; \"$@\" || rc=$?; cat exported; ls -A;"
      "rm full; mount -o remount,ro .; \"$@\" || rc=$rc$?; cat exported; ls -A;"
      "mount -o remount,rw .; \"$@\" || rc=$rc$?; cat exported; echo $rc")
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run(unshare + ["true"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
      self.skipTest("user namespaces are not permitted")
    (text, problems) = self._Export(
      "hosts", "-o", self.path, "--then", "echo changed",
      before=[*unshare, "sh", "-c", script, "sh", self.directory])
    lines = text.splitlines()
    self.assertEqual(lines[:5], ["old", "exported", "full", "old", "exported"])
    self.assertEqual(lines[5], "changed")
    self.assertEqual(lines[-1], "11")
    self.assertEqual(problems.splitlines(), [
      "confd-client: %s: No space left on device" % self.path,
      "confd-client: %s: Read-only file system" % self.path])

  def testKilled(self):
    """Killed at any time: the file is the old or the new one, and whole.

    """
    (old, new) = (b"old\n", self._Export("hosts")[0].encode("ascii"))
    started = time.monotonic()
    self._Export("hosts")
    usual = time.monotonic() - started
    for i in range(16):
      testutils.WriteFile(self.path, old)
      with subprocess.Popen(self._Words("hosts", "-o", self.path)) as process:
        time.sleep(usual * (0.4 + 0.05 * i))
        process.send_signal(signal.SIGKILL)
      self.assertIn(testutils.ReadFile(self.path), (old, new))
    for name in self._Left():
      self.assertTrue(name.startswith(".exported."))

  def testKilledWhileWriting(self):
    """Killed when the new contents are written, and before they have the name.

    """
    testutils.WriteFile(self.path, b"old\n")
    code = (
      "import os, signal, sys\n"
      "sys.path.insert(0, %r)\n"
      "from ganeti.confd.command import cli\n"
      "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
      "sys.exit(cli.Main())" % testutils.MODULEDIR)
    words = self._Words("hosts", "-o", self.path)
    result = testutils.Run(["/usr/bin/python3", "-c", code, *words[1:]],
                           check=False, timeout=3 * testutils.PATIENCE)
    self.assertEqual(result.returncode, -signal.SIGKILL)
    self.assertEqual(self._Read(), "old\n")
    (left, ) = self._Left()
    self.assertTrue(left.startswith(".exported."))

  def testNoWholeAnswer(self):
    """Without an answer, or with an error, the old file stays.

    """
    testutils.WriteFile(self.path, b"old\n")
    words = ["hosts", "-o", self.path, "--then", "echo changed"]
    (text, problems) = self._Export(*words, "-F", "nothing == 5", code=1)
    self.assertIn("nothing", problems)
    self.assertEqual(text, "")
    (text, _) = self._Export(*words, "-p", str(testutils.FreePort()), "-a",
                             "127.0.0.1", "-t", "0.2", code=3)
    self.assertEqual((text, self._Read()), ("", "old\n"))

  def testNoTable(self):
    """A table that is empty is a whole answer, too.

    """
    (text, _) = self._Export("hosts", "-F", "name == \"nobody\"", code=1)
    self.assertEqual(text, "")
    (text, _) = self._Export("hosts", "-F", "not admin_up")
    self.assertEqual(len(text.splitlines()), 1)

  def testJson(self):
    answer = json.loads(self._Export("hosts", "--json")[0])
    self.assertEqual(answer["answer"],
                     {"text": self._Export("hosts")[0], "left_out": []})


if __name__ == "__main__":
  unittest.main()
