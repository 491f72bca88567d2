#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that no secret leaves the daemon.

Secrets are planted in every place where a configuration holds them. Then all
there is to ask is asked, in every form, and every byte that comes out is looked
through: datagrams, what is in them, answers put together from their parts, and
logs.

"""

import base64
import collections
import contextlib
import hashlib
import json
import os
import signal
import unittest
import zlib

import oddsecrets
import oldconfigs
import testutils
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid
from testutils import QUERY, STATS, WAIT


#: The beginning of every secret; behind that stands which one it is
MARK = "t0p-s3cret-"

#: To see that looking finds what is there
PUBLIC = "not-s3cret"

KEY = b"the-k3y-of-this-cluster-0123456789\n"
LABEL = "reader:all:never"

_TYPES = list(range(13)) + [QUERY, STATS, WAIT]
_KINDS = ["instance", "node", "group", "network", "disk"]


class _Secrets:
  """Makes secrets.

  """
  def __init__(self):
    self.count = 0

  def New(self):
    self.count += 1
    return "%s%03d" % (MARK, self.count)

  def Params(self):
    """Private parameters of all shapes.

    """
    return {"text": self.New(), "list": [self.New(), [self.New()]],
            "dict": {"a": {"b": self.New()}}, "twice": [{"x": self.New()}]}

  def Drbd(self, index, **kwargs):
    return MakeDrbd(index, 1, 2, secret=self.New(),
                    physical_id=["10.0.0.1", 1, "10.0.0.2", 2, 0, self.New()],
                    **kwargs)


def _Config(secrets):
  """A configuration with secrets everywhere.

  """
  deep = secrets.Drbd(11)
  for index in range(12, 16):
    deep = secrets.Drbd(index, children=[MakeDisk(50 + index), deep])
  inline = secrets.Drbd(20)
  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2)],
    instances=[
      MakeInstance(1, 1, disks=[1, 15], nics=["198.51.100.1"],
                   osparams={"x": PUBLIC}, osparams_private=secrets.Params()),
      # Disks inside, as before 2.12
      dict(MakeInstance(2, 2, osparams_private=secrets.Params()),
           disks=[inline]),
      MakeInstance(3, 9, osparams_private=secrets.Params()),
      MakeInstance(4, 1, forthcoming=True, name=None,
                   osparams_private=secrets.Params()),
      MakeInstance(5, 1, osparams_private=secrets.New()),
      MakeInstance(6, 1, osparams_private=[secrets.New()]),
      ],
    disks=[secrets.Drbd(1), deep, secrets.Drbd(3), MakeDisk(4),
           secrets.Drbd(5, forthcoming=True),
           dict(secrets.Drbd(6), dev_type="drbd8"),
           dict(secrets.Drbd(7), dev_type=None),
           MakeDisk(8, logical_id=[0, 0, 0, 0, 0, {"x": secrets.New()},
                                   secrets.New()])],
    cluster={"osparams_private_cluster": {"os": secrets.Params(),
                                          "other": secrets.New()}},
    networks={Uuid("9", 1): {"name": "net1", "uuid": Uuid("9", 1)}})


def _Pointers(value, pointer=""):
  """Lists the places of a configuration, as questions for them.

  """
  yield pointer
  items = (value.items() if isinstance(value, dict) else
           enumerate(value) if isinstance(value, list) else [])
  for (key, item) in items:
    key = str(key).replace("~", "~0").replace("/", "~1")
    yield from _Pointers(item, "%s/%s" % (pointer, key))


class SecretsTest(unittest.TestCase):
  def _Start(self, config):
    self.daemon = testutils.Daemon(config, key=KEY,
                                   args=["-d", "--workers=2"])
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()
    #: Every byte that came out
    self.seen = []
    self.texts = set()
    self.parts = collections.defaultdict(dict)
    self.questions = 0

  def _Ask(self, rtype, query, **kwargs):
    """Asks, and keeps all that comes.

    With the cluster's key, and with one that a reader may ask everything with,
    in turn.

    @return: the reply's message

    """
    self.questions += 1
    data = self.daemon.AskRaw(testutils.PackMessage(
      KEY, testutils.MakeMessage(rtype, query, **kwargs),
      label=LABEL if self.questions % 2 else None))
    self.assertIsNotNone(data, (rtype, query))
    self.seen.append(data)
    envelope = json.loads(data[4:])
    self.texts.add(envelope["msg"])
    reply = json.loads(envelope["msg"])
    self.texts.add(json.dumps(reply))
    if "part" in reply:
      key = (rtype, json.dumps(query), reply["sha256"], reply["parts"])
      self.parts[key][reply["part"]] = base64.b64decode(reply["answer"])
    return reply

  def _AskInParts(self, rtype, query):
    reply = self._Ask(rtype, query, part=0)
    for number in range(1, reply.get("parts", 0)):
      self._Ask(rtype, query, part=number)
    # Parts that do not exist
    self._Ask(rtype, query, part=reply.get("parts", 0))
    self._Ask(rtype, query, part="x")

  def _AskAll(self, config):
    names = ["", "node1", "node2", "inst1", "inst2", "inst5", "br0", "nobody"]
    names.extend(Uuid("b", index) for index in range(1, 7))
    queries = names + [None, {"1": "198.51.100.1"}, {"2": ["198.51.100.1"]},
                       {"3": [0, 1, 2]}, [], 5, {"what": "x"}]
    for rtype in _TYPES:
      for query in queries:
        self._Ask(rtype, query)
        self._AskInParts(rtype, query)
    for pointer in _Pointers(config):
      self._Ask(10, pointer)
      self._Ask(10, pointer + "/x")
    for pointer in ["", "/instances", "/disks", "/cluster"]:
      self._AskInParts(10, pointer)
    for kind in _KINDS:
      fields = [row[0] for row in self._Ask(QUERY, {"what": kind})["answer"]
                ["fields"]]
      fields += ["osparams_private", "disk.logical_id/0", "logical_id"]
      for field in fields:
        query = {"what": kind, "fields": [field]}
        self._Ask(QUERY, query)
        self._Ask(QUERY, dict(query, names=["inst1.example.com"]))
      query = {"what": kind, "fields": fields[:-3]}
      self._Ask(QUERY, query)
      self._AskInParts(QUERY, query)

  def _Log(self):
    """Has everything logged that can be.

    """
    self.daemon.proc.send_signal(signal.SIGUSR1)
    self.daemon.WriteConfig(testutils.ReadFile(self.daemon.config_file)[:-50])
    testutils.WaitFor(lambda: "Cannot load" in self.daemon.Log(), "an error")
    self.daemon.proc.send_signal(signal.SIGHUP)
    testutils.WriteFile(self.daemon.key_file, KEY[:15], mode=0o644)
    testutils.WaitFor(lambda: "has 15 bytes" in self.daemon.Log() and
                      "has mode" in self.daemon.Log() and
                      "Reopened" in self.daemon.Log(), "all is logged")

  def _Texts(self):
    """Yields all that came out, by where it was.

    """
    for data in self.seen:
      yield ("datagram", data)
    for text in self.texts:
      yield ("message", text.encode("utf-8"))
    for ((rtype, query, sha256, count), found) in self.parts.items():
      self.assertEqual(sorted(found), list(range(count)), (rtype, query))
      data = b"".join(found[number] for number in range(count))
      self.assertEqual(hashlib.sha256(data).hexdigest(), sha256)
      yield ("parts", zlib.decompress(data))
    for (directory, _, names) in os.walk(self.daemon.root):
      for name in names:
        path = os.path.join(directory, name)
        if path not in (self.daemon.config_file, self.daemon.key_file):
          yield ("file", testutils.ReadFile(path))
    for pid in testutils.ProcessTree(self.daemon.proc.pid):
      for name in ("cmdline", "environ"):
        # A loader ends when it has told that it cannot load
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
          yield ("process", testutils.ReadFile("/proc/%d/%s" % (pid, name)))

  def _CheckAll(self):
    hidden = [MARK.encode("ascii"), KEY.strip(), KEY[:15],
              testutils.Derive(KEY, LABEL)[:20],
              MARK[:9].encode("ascii").hex().encode("ascii"),
              # At each place that base64 may begin at
              base64.b64encode(MARK.encode("ascii"))[:12],
              base64.b64encode(b"x" + MARK.encode("ascii"))[2:12],
              base64.b64encode(b"xx" + MARK.encode("ascii"))[3:12],
              KEY.hex().encode("ascii"), base64.b64encode(KEY)[:20]]
    found_public = collections.Counter()
    sizes = collections.Counter()
    for (place, data) in self._Texts():
      sizes[place] += len(data)
      found_public[place] += PUBLIC.encode("ascii") in data
      for secret in hidden:
        self.assertNotIn(secret, data, place)
    print("%d questions, bytes looked through: %s" %
          (self.questions, dict(sizes)))
    return found_public

  def testNothingLeaves(self):
    secrets = _Secrets()
    config = _Config(secrets)
    # The test would see it
    self.assertEqual(json.dumps(config).count(MARK), secrets.count)
    self.assertGreater(secrets.count, 50)
    self._Start(config)
    self._AskAll(config)
    self._Log()
    found = self._CheckAll()
    self.assertGreater(found["datagram"], 0)
    self.assertGreater(found["message"], 0)
    self.assertGreater(found["parts"], 0)
    self.assertEqual(found["file"], 0)
    # All places were come by
    answer = json.dumps([json.loads(text) for text in self.texts])
    self.assertIn("<redacted>", answer)

  def testOddForms(self):
    """Secrets where Ganeti has them, in forms that it does not write."""
    for (number, config) in enumerate(oddsecrets.Together()):
      with self.subTest(number=number):
        text = json.dumps(config).replace(oddsecrets.MARK, MARK)
        self.assertIn(MARK, text)
        self._Start(json.loads(text))
        for kind in _KINDS:
          fields = [row[0] for row in self._Ask(QUERY, {"what": kind})["answer"]
                    ["fields"]]
          self._AskInParts(QUERY, {"what": kind, "fields": fields})
        for pointer in ["", "/instances", "/disks", "/nodes", "/nodegroups"]:
          self._AskInParts(10, pointer)
        for name in ["node1", "node2"]:
          for rtype in (7, 8):
            self._Ask(rtype, name)
            self._AskInParts(rtype, name)
        if number == 0:
          for section in ["disks", "instances", "nodes", "nodegroups"]:
            for key in config[section]:
              self._Ask(9, key)
              self._Ask(10, "/%s/%s" % (section, key))
        self._Log()
        self._CheckAll()

  def testOldReleases(self):
    for minor in (1, 6, 12):
      with self.subTest(minor=minor):
        text = json.dumps(oldconfigs.Make(minor))
        for secret in oldconfigs.SECRETS:
          self.assertIn(secret, text)
          text = text.replace(secret, MARK + "old")
        config = json.loads(text)
        self._Start(config)
        for pointer in _Pointers(config):
          self._Ask(10, pointer)
        for name in list(config["nodes"]) + list(config["instances"]):
          for rtype in (7, 8, 9):
            self._Ask(rtype, name)
        self._AskInParts(10, "")
        self._CheckAll()


if __name__ == "__main__":
  unittest.main()
