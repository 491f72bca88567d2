#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's packages, "make install" and the units on a node that systemd runs.

For C{devel/check-packages}, which makes the system that this runs in and has
put the packages into C{/debs}.

"""

import glob
import os
import unittest

import testutils

from cluster import booted
from cluster import ours


_DEBS = "/debs"

_NODE = "ganeti-confd-python"

_UNITS = "/etc/systemd/system"

#: Units of a host on which systemd starts all of Ganeti's daemons, as far as
#: ours needs them
_GANETI_UNITS = {
  "ganeti.target": "[Unit]\nWants=ganeti-node.target\n",
  "ganeti-node.target": "[Unit]\nPartOf=ganeti.target\n",
  "ganeti-common.service":
    "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
    "ExecStart=/usr/lib/ganeti/ensure-dirs\n",
  }

_METRICS = "http://127.0.0.1:9814/metrics"


class _Test(unittest.TestCase):
  def setUp(self):
    self.cluster = booted.Booted()
    self.addCleanup(self.cluster.Stop)
    self.cluster.Prepare()
    self.cluster.Start()
    self.cluster.Init()

  def _Run(self, *argv, **kwargs):
    kwargs.setdefault("timeout", 300)
    return self.cluster.master.Run(*argv, env={
      "DEBIAN_FRONTEND": "noninteractive"}, **kwargs)

  def _Systemctl(self, *args, **kwargs):
    return self._Run("systemctl", *args, **kwargs).stdout.strip()

  def _Property(self, unit, name):
    return self._Systemctl("show", "--value", "--property", name, unit)

  def _MainPid(self, unit):
    return int(self._Property(unit, "MainPID"))

  def _AwaitActive(self, unit):
    testutils.WaitFor(lambda: self._Property(unit, "ActiveState") == "active",
                      "%s is active" % unit)

  def _AwaitFailed(self, unit, reason):
    """Waits until systemd has given up, and looks for the reason.

    The status is about the last try, which was none any more.

    """
    testutils.WaitFor(lambda: self._Property(unit, "ActiveState") == "failed",
                      "%s has failed" % unit)
    testutils.WaitFor(lambda: reason in self._Run(
      "journalctl", "-u", unit).stdout, "reason in the journal")

  def _InService(self, *argv):
    """Runs a command in a service that ends with it, as automatic upgrades do.

    """
    return self._Run("systemd-run", "--wait", "--pipe", "--quiet",
                     "--collect", "--setenv=DEBIAN_FRONTEND=noninteractive",
                     *argv)

  @staticmethod
  def _Debs(*names):
    return [glob.glob(os.path.join(_DEBS, name + "_*.deb"))[0]
            for name in names]

  def _Pings(self):
    return self._Run("confd-client", "-a", "10.77.0.1", "ping",
                     check=False).returncode == 0

  def _Processes(self):
    return ours.Processes(self.cluster.master)

  def _Exe(self):
    return os.path.basename(ours.Executable(self.cluster.master))


@unittest.skipUnless(os.path.isdir(_DEBS), "not in devel/check-packages")
class TestDaemon(_Test):
  def testInitScript(self):
    """As Debian has it: systemd knows all of Ganeti's daemons as one service.

    """
    self._Systemctl("restart", "ganeti")
    testutils.WaitFor(lambda: len(self._Processes()) == 1, "Ganeti's runs")
    self.assertEqual(self._Exe(), "ganeti-confd")
    # Processes that the service has started end before systemd-run does
    self._InService("dpkg", "-i", *self._Debs(_NODE, "ganeti-confd-client"))
    self.assertTrue(self._Exe().startswith("python3"))
    testutils.WaitFor(self._Pings, "ours answers")
    self._Systemctl("restart", "ganeti")
    testutils.WaitFor(self._Pings, "ours answers")
    self.assertIn("/usr/sbin/ganeti-confd",
                  self._Systemctl("status", "ganeti"))

    # Again, and once only
    log = self.cluster.master.Read(ours.LOG_FILE)
    self._InService("dpkg", "-i", *self._Debs(_NODE))
    testutils.WaitFor(self._Pings, "ours answers")
    more = self.cluster.master.Read(ours.LOG_FILE)[len(log):]
    self.assertEqual(more.count(b" listens on "), 1, more)

    # A service that is stopped, or masked, stays so
    self._Systemctl("stop", "ganeti")
    self.assertEqual(self._Processes(), [])
    self._Run("dpkg", "-i", *self._Debs(_NODE))
    self.assertEqual(self._Processes(), [])
    self._Systemctl("mask", "ganeti")
    self._Run("dpkg", "-i", *self._Debs(_NODE))
    self.assertEqual(self._Processes(), [])
    self._Systemctl("unmask", "ganeti")

    self.cluster.Reboot()
    testutils.WaitFor(self._Pings, "ours answers")
    self.assertIn("/usr/bin/python3 /usr/sbin/ganeti-confd",
                  self._Systemctl("status", "ganeti"))
    self._InService("dpkg", "--remove", _NODE)
    testutils.WaitFor(self._Pings, "Ganeti's answers")
    self.assertEqual(self._Exe(), "ganeti-confd")
    self.assertEqual(self._Systemctl("is-system-running"), "running")

  def testUnit(self):
    """The example, where systemd knows each of Ganeti's daemons.

    """
    unit = "ganeti-confd"
    self._Systemctl("stop", "ganeti")
    self._Systemctl("disable", "ganeti")
    # Started by "gnt-cluster init"
    ours.Util(self.cluster.master, "stop-all")
    self._Run("dpkg", "-i", *self._Debs(_NODE, "ganeti-confd-client"))
    for (name, text) in _GANETI_UNITS.items():
      self.cluster.master.Write(os.path.join(_UNITS, name),
                                text.encode("ascii"))
    self._Run("cp", "/usr/share/doc/%s/examples/ganeti-confd.service" % _NODE,
              _UNITS)
    self._Systemctl("daemon-reload")
    self._Systemctl("enable", unit)

    # daemon-util leaves it to systemd
    ours.Util(self.cluster.master, "start", "ganeti-confd")
    ours.Util(self.cluster.master, "check", "ganeti-confd")
    testutils.WaitFor(self._Pings, "it answers")
    pid = self._MainPid(unit)
    # As the node numbers them; they come and go
    testutils.WaitFor(lambda: set(self._Processes()) <= set(self._Run(
      "cat", "/sys/fs/cgroup/system.slice/ganeti-confd.service/cgroup.procs")
                                                            .stdout.split()),
                      "all processes are the service's")
    testutils.WaitFor(lambda: "Loaded /var/lib/ganeti/config.data" in
                      self._Run("journalctl", "-u", unit).stdout,
                      "the log is in the journal")
    self.assertNotIn("inotify does not work", self._Run(
      "journalctl", "-u", unit).stdout)

    self._Systemctl("reload", unit)
    testutils.WaitFor(lambda: b"Reopened the log" in
                      self.cluster.master.Read(ours.LOG_FILE), "SIGHUP")
    self.assertEqual(self._MainPid(unit), pid)
    self._Run("kill", "-KILL", str(pid))
    testutils.WaitFor(lambda: self._Property(unit, "NRestarts") == "1",
                      "it is started again")
    self._AwaitActive(unit)
    testutils.WaitFor(self._Pings, "it answers")

    pid = self._MainPid(unit)
    self._Run("dpkg", "-i", *self._Debs(_NODE))
    self._AwaitActive(unit)
    self.assertNotEqual(self._MainPid(unit), pid)
    self.assertEqual(self._Property(unit, "NRestarts"), "0")

    self.cluster.Reboot()
    self._Systemctl("start", "ganeti.target")
    self._AwaitActive(unit)
    testutils.WaitFor(self._Pings, "it answers")

    ours.Util(self.cluster.master, "stop", "ganeti-confd")
    self.assertEqual(self._Processes(), [])
    self._Run("dpkg", "-i", *self._Debs(_NODE))
    self.assertEqual(self._Property(unit, "ActiveState"), "inactive")

    self._Run("truncate", "-s", "0", "/var/lib/ganeti/hmac.key")
    self._Systemctl("start", unit, check=False)
    self._AwaitFailed(unit, "The HMAC key in /var/lib/ganeti/hmac.key has 0")


@unittest.skipUnless(os.path.isdir(_DEBS), "not in devel/check-packages")
class TestMadeByHand(_Test):
  def testWithGaneti(self):
    """As INSTALL has it.

    """
    self._Systemctl("restart", "ganeti")
    testutils.WaitFor(lambda: len(self._Processes()) == 1, "Ganeti's runs")
    self._Run("sh", "-e", "-c", "mkdir /root/build; cd /root/build;"
              " %s/configure -q --with-ganeti; make -s; make -s install;"
              " /usr/lib/ganeti/daemon-util stop ganeti-confd;"
              " /usr/lib/ganeti/daemon-util start ganeti-confd" %
              testutils.SRCDIR)
    testutils.WaitFor(self._Pings, "ours answers")
    self.assertTrue(self._Exe().startswith("python3"))
    self._Systemctl("restart", "ganeti")
    testutils.WaitFor(self._Pings, "ours answers")
    self.assertIn("/usr/sbin/ganeti-confd",
                  self._Systemctl("status", "ganeti"))
    self.cluster.Reboot()
    testutils.WaitFor(self._Pings, "ours answers")
    self.assertTrue(self._Exe().startswith("python3"))

    self._Run("make", "-s", "-C", "/root/build", "uninstall")
    self._Systemctl("restart", "ganeti")
    testutils.WaitFor(lambda: len(self._Processes()) == 1, "Ganeti's runs")
    self.assertEqual(self._Exe(), "ganeti-confd")
    self.assertEqual(self._Systemctl("is-system-running"), "running")
    self.assertEqual(self._Run("dpkg-divert", "--list", "*confd*").stdout, "")


@unittest.skipUnless(os.path.isdir(_DEBS), "not in devel/check-packages")
class TestExporter(_Test):
  def _Metrics(self):
    return self._Run("curl", "-s", _METRICS, check=False).stdout

  def _AwaitUp(self):
    testutils.WaitFor(lambda: 'ganeti_up{cluster="fsn"} 1.0' in
                      self._Metrics(), "metrics")

  def testAll(self):
    unit = "confd-exporter"
    self._Systemctl("restart", "ganeti")
    self._Run("apt-get", "install", "-y", *self._Debs(
      _NODE, "ganeti-confd-client", "ganeti-confd-exporter"))
    testutils.WaitFor(self._Pings, "ours answers")
    # Installed, and nothing more
    self.assertEqual(self._Systemctl("is-enabled", unit, check=False),
                     "disabled")
    self.assertEqual(self._Property(unit, "ActiveState"), "inactive")

    self._Run("confd-client", "make-key", "web",
              "/etc/ganeti/confd-exporter/fsn.key", "--may",
              "config,list,mc-ips,ping,stats,wait", "--until", "2099-12-31")
    self.cluster.master.Write(
      "/etc/ganeti/confd-client.conf",
      b"[cluster fsn]\naddresses = 10.77.0.1\n")
    self._Systemctl("enable", "--now", unit)
    self._AwaitUp()
    self.assertNotEqual(self._Run("stat", "-c", "%u", "/proc/%d" %
                                  self._MainPid(unit)).stdout, "0\n")

    self._Run("kill", "-KILL", str(self._MainPid(unit)))
    testutils.WaitFor(lambda: self._Property(unit, "NRestarts") == "1",
                      "it is started again")
    self._AwaitUp()

    # An upgrade restarts what runs, and nothing else
    pid = self._MainPid(unit)
    self._Run("dpkg", "-i", *self._Debs("ganeti-confd-exporter"))
    self._AwaitActive(unit)
    self.assertNotEqual(self._MainPid(unit), pid)
    self._AwaitUp()
    for action in ("stop", "mask"):
      self._Systemctl(action, unit)
      self._Run("dpkg", "-i", *self._Debs("ganeti-confd-exporter"))
      self.assertEqual(self._Property(unit, "ActiveState"), "inactive")
    self.assertEqual(self._Systemctl("is-enabled", unit, check=False),
                     "masked")
    self._Systemctl("unmask", unit)

    self.cluster.Reboot()
    self._AwaitUp()

    # Another key is handed over by a restart
    self._Run("cp", "/etc/ganeti/confd-exporter/fsn.key", "/root")
    self.cluster.master.Write("/etc/ganeti/confd-exporter/fsn.key",
                              b"not the cluster's key at all\n")
    self._Systemctl("restart", unit)
    testutils.WaitFor(lambda: 'ganeti_up{cluster="fsn"} 0.0' in
                      self._Metrics(), "metrics")
    self._Run("cp", "/root/fsn.key", "/etc/ganeti/confd-exporter")
    self._Systemctl("restart", unit)
    self._AwaitUp()

    # Errors in the settings are said once
    settings = "/etc/ganeti/confd-client.conf"
    good = self.cluster.master.Read(settings)
    self.cluster.master.Write(settings, good.replace(b"addresses", b"adresses"))
    self._Systemctl("restart", unit)
    self._AwaitFailed(unit, "no such option: 'adresses")
    self.assertEqual(self._Property(unit, "NRestarts"), "0")
    self.cluster.master.Write(settings, good)
    self._Systemctl("restart", unit)
    self._AwaitUp()

    self._Run("dpkg", "--remove", "ganeti-confd-exporter")
    self.assertEqual(self._Metrics(), "")
    self.assertEqual(self._Property(unit, "ActiveState"), "inactive")
    self._Run("test", "-e", "/etc/ganeti/confd-exporter/fsn.key")
    self._Run("dpkg", "--purge", "ganeti-confd-exporter")
    self._Run("test", "!", "-e", "/etc/ganeti/confd-exporter")
    self.assertEqual(self._Run("find", _UNITS, "-name", "*exporter*").stdout,
                     "")


if __name__ == "__main__":
  unittest.main()
