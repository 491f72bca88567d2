#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests with configurations as an enemy would write them.

Whatever is in the file, the daemon stays up, serves that or the last good one,
and says in one line what is wrong, without a word of what was in there.

"""

import json
import os
import re
import time
import unittest

import processes
import testutils
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid
from testutils import PING, STATS
from ganeti import errors
from ganeti.confd.config import snapshot


SECRET = "t0p-s3cret"

_MEGABYTES = "x" * (10 << 20)

#: Limits for a configuration with a million nics: seconds, bytes
_LOAD_TIME = 60
_LOAD_MEMORY = 2 << 30


def _Config(**kwargs):
  """A configuration with a secret in each place.

  """
  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2)],
    instances=[MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"],
                            osparams_private={SECRET: SECRET})],
    disks=[MakeDrbd(1, 1, 2, secret=SECRET,
                    children=[MakeDrbd(2, 1, 2, secret=SECRET)])],
    cluster={"osparams_private_cluster": {"os": {"x": SECRET}}}, **kwargs)


def _Text(**kwargs):
  return json.dumps(_Config(**kwargs)).encode("ascii")


def _Instances(*instances, **kwargs):
  return json.dumps(dict(
    _Config(**kwargs),
    instances={item["uuid"]: item for item in instances})).encode("ascii")


def _Disks(*disks):
  return json.dumps(dict(
    _Config(), disks={item["uuid"]: item for item in disks})).encode("ascii")


def _Nested(depth):
  disk = MakeDisk(1)
  for _ in range(depth):
    disk = MakeDrbd(1, 1, 2, secret=SECRET, children=[disk])
  return disk


class TextTest(unittest.TestCase):
  """Each byte of a configuration, without a daemon.

  """
  def _Check(self, text):
    """Loads a text, or is refused.

    @return: whether it was loaded

    """
    try:
      snap = snapshot.Snapshot(text)
    except errors.ConfigurationError as err:
      self.assertNotIn("\n", str(err))
      for size in range(4, len(SECRET)):
        self.assertNotIn(SECRET[:size], str(err))
      return False
    self.assertNotIn(SECRET, "".join(snap.warnings))
    return True

  def testCutOffAtEachByte(self):
    text = _Text()
    for size in range(len(text)):
      self.assertFalse(self._Check(text[:size]), size)
    self.assertTrue(self._Check(text))

  def testEachByteChanged(self):
    text = _Text()
    loaded = 0
    for index in range(len(text)):
      for byte in (b"\xff", b"\0", b"\"", b"{", b"\\", b"9"):
        loaded += self._Check(text[:index] + byte + text[index + 1:])
    # Digits and quotes do fit here and there
    self.assertGreater(loaded, 0)

  def testEachByteMissing(self):
    text = _Text()
    for index in range(len(text)):
      self._Check(text[:index] + text[index + 1:])


#: By name: a configuration's text that cannot be loaded, and what is said of it
_UNUSABLE = {
  "not UTF-8": (_Text().replace(b"example", b"\xc3\x28ample", 1),
                "not UTF-8 at byte"),
  "overlong UTF-8": (_Text().replace(b"example", b"\xc0\xaf", 1), "not UTF-8"),
  "UTF-16": (_Text().decode("ascii").encode("utf-16"), "not UTF-8"),
  "deep": (_Text(x=1).replace(b"\"x\": 1", b"\"x\": " + b"[" * 100000 +
                              b"]" * 100000), "nested too deeply"),
  "deep objects": (b"{\"a\":" * 100000, "nested too deeply"),
  "twice": (_Text() * 2, "not JSON: Extra data"),
  "rubbish after it": (_Text() + b"x", "not JSON: Extra data"),
  "zeros": (b"\0" * 100000, "not JSON"),
  "a number": (b"1" * 5000, "unreadable number"),
  "a serial of text": (_Text(serial_no=SECRET), "\"serial_no\" is missing or"),
  "a serial of digits": (_Text().replace(b"\"serial_no\": 17",
                                         b"\"serial_no\": " + b"1" * 5000),
                         "unreadable number"),
  "a long serial": (_Text().replace(b"\"serial_no\": 17",
                                    b"\"serial_no\": " + b"1" * 4000),
                    "\"serial_no\" is missing or"),
  "a negative serial": (_Text(serial_no=-5), "\"serial_no\" is missing or"),
  "NaN for a serial": (_Text().replace(b"\"serial_no\": 17",
                                       b"\"serial_no\": NaN"),
                       "\"serial_no\" is missing or"),
  "nodes in a list": (
    json.dumps(dict(_Config(), nodes=[SECRET])).encode("ascii"),
    "\"nodes\" is missing or"),
  "a text": (json.dumps(SECRET).encode("ascii"), "no JSON object"),
  "a control character": (_Text().replace(SECRET.encode("ascii"), b"\n", 1),
                          "not JSON"),
  "a bad escape": (_Text().replace(SECRET.encode("ascii"), b"\\u12" +
                                   SECRET.encode("ascii"), 1), "not JSON"),
  }

#: Configurations that are served, as far as possible
_USABLE = {
  "a byte order mark": b"\xef\xbb\xbf" + _Text(),
  "NaN": _Text().replace(b"1700000000.5", b"NaN"),
  "infinity": _Text().replace(b"1700000000.5", b"-Infinity"),
  "numbers out of range": _Text().replace(b"1700000000.5", b"1e999999"),
  "duplicate keys": _Text().replace(
    b"\"cluster\": ", b"\"cluster\": \"%s\", \"cluster\": " %
    SECRET.encode("ascii"), 1),
  "duplicate secrets": _Text().replace(
    b"\"osparams_private\": ", b"\"osparams_private\": \"%s\","
    b" \"osparams_private\": " % SECRET.encode("ascii"), 1),
  "lone surrogates": _Text(x="\ud800", **{"\udfff": "\ud800"}),
  "a long name": _Instances(MakeInstance(1, 1, name=_MEGABYTES)),
  "a name of digits": _Instances(MakeInstance(1, 1, name="1" * (10 << 20))),
  "a name of control characters": _Instances(
    MakeInstance(1, 9, name="a\n2026-01-01 00:00:00,000: forged\x1b[2J")),
  "a long link": _Instances(MakeInstance(1, 1, nics=[
    ("198.51.100.1", _MEGABYTES)])),
  "a long reference": _Instances(MakeInstance(1, 1, primary_node=_MEGABYTES)),
  "its own child": _Disks(MakeDisk(1, children=[Uuid("d", 1)])),
  "children of each other": _Disks(MakeDisk(1, children=[Uuid("d", 2)]),
                                   MakeDisk(2, children=[Uuid("d", 1)])),
  "children below children": _Disks(_Nested(60)),
  "one disk for all": _Instances(*[MakeInstance(index, 1, disks=[1] * 100)
                                   for index in range(100)]),
  "nothing fits": json.dumps(dict(
    _Config(), instances={str(index): {"name": "i%d" % index}
                          for index in range(5000)})).encode("ascii"),
  }


class EnemyTest(unittest.TestCase):
  def setUp(self):
    self.serial = 1000
    self.daemon = testutils.Daemon(_Text(serial_no=self.serial),
                                   args=["-d", "--workers=1"])
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()

  def _Reloads(self):
    def _Ask():
      # The process that makes such answers may go with its generation
      with self.daemon.Asker() as asker:
        try:
          return asker.Ask(STATS, timeout=1)["answer"]["reloads"]
        except testutils.NoReply:
          return None

    return testutils.WaitFor(_Ask, "statistics", timeout=_LOAD_TIME)

  def _Load(self, text):
    """Has a text loaded.

    @return: tuple of whether that succeeded, and what was logged

    """
    before = self._Reloads()
    logged = len(self.daemon.Log())
    self.daemon.WriteConfig(text)
    testutils.WaitFor(lambda: self._Reloads() != before, "it is loaded",
                      timeout=_LOAD_TIME)
    return (self._Reloads()["good"] > before["good"],
            self._WaitForLog(logged))

  def _WaitForLog(self, size):
    """Waits until the log, which had a size before, tells of a load.

    A load that is counted need not have been logged yet.

    @return: what was logged since

    """
    testutils.WaitFor(
      lambda: re.search(" INFO Loaded | ERROR Cannot load .*\n",
                        self.daemon.Log()[size:]), "the load is logged")
    return self.daemon.Log()[size:]

  def _Recover(self):
    self.serial += 1
    logged = len(self.daemon.Log())
    self.daemon.WriteConfig(_Text(serial_no=self.serial))
    self.daemon.WaitForSerial(self.serial)
    self._WaitForLog(logged)

  def _CheckLog(self):
    log = self.daemon.Log() + self.daemon.Output()
    self.assertNotIn(SECRET, log)
    self.assertNotIn("Traceback", log)
    self.assertNotIn("programming error", log)
    self.assertNotIn("\x1b", log)

  def testUnusable(self):
    for (name, (text, message)) in _UNUSABLE.items():
      with self.subTest(name=name):
        (good, logged) = self._Load(text)
        self.assertFalse(good)
        lines = [line for line in logged.splitlines() if "ERROR" in line]
        self.assertEqual(len(lines), 1, logged)
        self.assertIn("config.data: ", lines[0])
        self.assertIn(message, lines[0])
        self.assertLess(len(lines[0]), 400)
        self.assertEqual(self.daemon.Ask(PING)["serial"], self.serial)
        self._Recover()
    self._CheckLog()

  def testUsable(self):
    for (name, text) in _USABLE.items():
      with self.subTest(name=name):
        (good, logged) = self._Load(text)
        self.assertTrue(good, logged)
        self.daemon.Ask(PING)
        # Ten warnings at most, and that there are more
        warnings = [line for line in logged.splitlines() if "WARNING" in line]
        self.assertLess(len(warnings), 12)
        self.assertLess(len(logged), 12000)
        # Each line is one of ours
        for line in logged.splitlines():
          self.assertIn(" pid=", line)
        self._Recover()
    self._CheckLog()

  def testCutOff(self):
    text = _Text()
    for size in range(1, len(text), len(text) // 12):
      with self.subTest(size=size):
        (good, logged) = self._Load(text[:size])
        self.assertFalse(good)
        self.assertIn("config.data: not JSON", logged)
        self.assertEqual(self.daemon.Ask(PING)["serial"], self.serial)
    self._Recover()
    self._CheckLog()

  def testAMillionNics(self):
    instance = MakeInstance(1, 1)
    instance["nics"] = ["nics"]
    nics = b",".join(b"{\"ip\":\"10.%d.%d.%d\"}" % (i >> 16, i >> 8 & 255,
                                                  i & 255)
                     for i in range(1000000))
    started = time.monotonic()
    (good, logged) = self._Load(
      _Instances(instance, serial_no=5).replace(b"\"nics\"]", nics + b"]"))
    self.assertTrue(good, logged)
    self.daemon.WaitForSerial(5)
    seconds = time.monotonic() - started
    memory = processes.TreeMemory(self.daemon.proc.pid)
    print("A million nics: %.1f s, %.0f MB" % (seconds, memory / 1e6))
    self.assertLess(memory, _LOAD_MEMORY)
    self.assertEqual(self.daemon.Answer(2, {"1": "10.15.66.63"}),
                     (0, "192.0.2.1"))
    # Too many for a datagram, and nobody waits for them
    self.assertEqual(self.daemon.Answer(6, timeout=60), (1, 3))
    self._Recover()

  def testDirectoryOfRubbish(self):
    # Other files of the directory are not looked at
    for number in range(300):
      testutils.WriteFile(os.path.join(self.daemon.datadir,
                                       "config.data.%d" % number), b"{")
    os.mkfifo(os.path.join(self.daemon.datadir, "ssconf_fifo"))
    self.assertEqual(self.daemon.Ask(PING)["serial"], self.serial)
    self._Recover()
    self._CheckLog()


if __name__ == "__main__":
  unittest.main()
