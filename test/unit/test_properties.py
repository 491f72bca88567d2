#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Properties of the pure core for any input, fed by hypothesis.

The client's end is in C{test_client_properties}.

"""

import copy
import json
import logging
import math
import unittest

import simplejson

import inputs
import labels
import oldconfigs
import testutils
from inputs import JSON, LABELS, LEAVES, TEXTS
from inputs import hypothesis, needs_hypothesis, st
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import responder


KEY = testutils.KEY
NOW = 1700000000

inputs.Use(300)

NUMBERS = st.integers(-1, 13) | st.integers() | JSON


def _Config():
  """A configuration that has everything once.

  """
  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2, offline=True), MakeNode(3, drained=True)],
    instances=[
      MakeInstance(1, 1, disks=[1, 2], nics=["198.51.100.1",
                                             ("198.51.100.2", "br1")],
                   osparams_private={"x": "secret"}),
      MakeInstance(2, 2, forthcoming=True)],
    disks=[MakeDrbd(1, 1, 2, children=[MakeDisk(3)]),
           MakeDisk(2, forthcoming=True)],
    cluster={"data_collectors": {"lv": {"active": True, "interval": 5.5}}})


CONFIGS = [_Config(), oldconfigs.Make(1), oldconfigs.Make(6),
           oldconfigs.MakeFrom20()]

SNAPSHOT = snapshot.Snapshot(json.dumps(CONFIGS[0]).encode("ascii"))

QUERIES = [None, "", "node1", "inst1", "web2", Uuid("a", 1), Uuid("b", 1),
           "br0", "/", {"1": "198.51.100.1"}, {"2": ["198.51.100.1", "x"]},
           {"3": [0, "1", 2]}]


def Paths(value, path=()):
  """Lists the places of a configuration.

  """
  yield path
  items = (value.items() if isinstance(value, dict) else
           enumerate(value) if isinstance(value, list) else [])
  for (key, item) in list(items):
    for found in Paths(item, path + (key, )):
      yield found


def Get(value, path):
  for key in path:
    value = value[key]
  return value


def PackReply(rsalt, *args):
  """Makes the datagram of a reply.

  """
  return wire.PackReply(KEY, rsalt, wire.Prepare(wire.EncodeReply(*args)))


def Ask(snap, message):
  """Sends a message through all of the core, and checks the reply.

  @return: status and answer, None for silence

  """
  salt = "%d" % NOW
  text = json.dumps(message)
  try:
    request = wire.ParseRequest(testutils.PackText(KEY, salt, text), KEY, NOW)
  except wire.Rejected as err:
    assert err.reason in (wire.BAD_RSALT, wire.BAD_JSON), err
    return None
  (status, answer) = querylib.Answer(snap, request)
  datagram = PackReply(request.rsalt, status, answer, snap.serial)
  parsed = wire.ParseReply(datagram, KEY)
  assert parsed.salt == message["rsalt"]
  envelope = json.loads(datagram[4:].decode("ascii"))
  assert envelope["hmac"] == testutils.Sign(KEY, envelope["salt"] +
                                            envelope["msg"])
  reply = json.loads(envelope["msg"], parse_constant=_NoConstant)
  assert reply == {"protocol": 1, "status": status, "serial": snap.serial,
                   "answer": reply["answer"]}
  assert parsed.status == status
  return (reply["status"], reply["answer"])


def _NoConstant(text):
  raise AssertionError("%s is not JSON" % text)


@needs_hypothesis
class TestWire(unittest.TestCase):
  """No other exception than Rejected; nothing unauthentic passes."""

  def _Parse(self, datagram):
    for parse in [lambda data: wire.ParseRequest(data, KEY, NOW),
                  lambda data: wire.ParseReply(data, KEY)]:
      try:
        parse(datagram)
      except wire.Rejected as err:
        self.assertIn(err.reason, wire.REJECT_REASONS)

  @hypothesis.given(st.binary(max_size=300))
  def testBytes(self, data):
    for datagram in [data, b"plj0" + data]:
      self._Parse(datagram)

  @hypothesis.given(JSON | st.fixed_dictionaries({
    "msg": JSON, "salt": JSON, "hmac": JSON | st.text("0123456789abcdefABCDEF",
                                                      min_size=39,
                                                      max_size=41)},
    optional={"key": LABELS | JSON}))
  def testEnvelopes(self, value):
    # Nothing of this is signed
    datagram = testutils.PackEnvelope(value)
    self.assertRaises(wire.Rejected, wire.ParseRequest, datagram, KEY, NOW,
                      readers.Readers(KEY))
    self.assertRaises(wire.Rejected, wire.ParseReply, datagram, KEY)

  @hypothesis.given(st.text(max_size=30) | st.just("%d" % NOW),
                    st.text(max_size=200) | JSON.map(json.dumps))
  def testSignedText(self, salt, msg):
    self._Parse(testutils.PackText(KEY, salt, msg))

  @hypothesis.given(st.data())
  def testChangedBytes(self, data):
    message = {"protocol": 1, "type": 3, "query": {"3": [0]}, "rsalt": "abc"}
    good = testutils.PackMessage(KEY, message, salt="%d" % NOW)
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
      index = data.draw(st.integers(4, len(good) - 1))
      changed[index] = data.draw(st.integers(0, 255))
    try:
      request = wire.ParseRequest(bytes(changed), KEY, NOW)
    except wire.Rejected:
      return
    # Then it still says what was signed
    self.assertEqual((request.type, request.query, request.rsalt),
                     (3, {"3": [0]}, "abc"))

  @hypothesis.given(st.binary(min_size=16, max_size=80),
                    st.binary(min_size=16, max_size=80))
  def testKeys(self, one, two):
    message = {"protocol": 1, "type": 0, "rsalt": "x"}
    datagram = testutils.PackMessage(one, message, salt="%d" % NOW)
    self.assertEqual(wire.ParseRequest(datagram, one, NOW).rsalt, "x")
    # HMAC fills short keys up with zeros
    if one.rstrip(b"\0") != two.rstrip(b"\0"):
      self.assertRaises(wire.Rejected, wire.ParseRequest, datagram, two, NOW)

  @hypothesis.given(st.integers(-10 ** 6, 10 ** 6))
  def testClock(self, skew):
    datagram = testutils.PackMessage(KEY, {"rsalt": "x"},
                                     salt="%d" % (NOW + skew))
    if abs(skew) <= 300:
      wire.ParseRequest(datagram, KEY, NOW)
    else:
      self.assertRaises(wire.Rejected, wire.ParseRequest, datagram, KEY, NOW)

  @hypothesis.given(st.integers(0, 2), JSON, st.integers(0), st.text())
  def testReplies(self, status, answer, serial, rsalt):
    datagram = PackReply(rsalt, status, answer, serial)
    (salt, message) = testutils.UnpackReply(KEY, datagram)
    self.assertEqual((salt, message["status"], message["serial"]),
                     (rsalt, status, serial))
    self.assertEqual(json.dumps(message["answer"]),
                     json.dumps(_WithoutNan(answer)))


@needs_hypothesis
class TestLabels(unittest.TestCase):
  """Nothing passes that is no label, and each label is one key's."""

  @hypothesis.given(LABELS)
  def testParse(self, text):
    try:
      label = readerkey.Parse(text)
    except ValueError as err:
      self.assertFalse(labels.IsLabel(text))
      self.assertTrue(str(err).isprintable())
      return
    self.assertTrue(labels.IsLabel(text))
    # There is no other way to write it
    self.assertEqual(readerkey.Make(label.name, label.what, label.last_day),
                     label)

  @hypothesis.given(LABELS | JSON)
  def testRequests(self, label):
    """Signed requests, with whatever as the label."""
    known = readers.Readers(KEY)
    datagrams = [testutils.PackEnvelope({
      "msg": "{\"rsalt\": \"x\"}", "salt": "%d" % NOW,
      "key": _WithoutNan(label), "hmac": "0" * 40})]
    if isinstance(label, str):
      datagrams.append(testutils.PackMessage(KEY, {"rsalt": "x"}, "%d" % NOW,
                                             label))
    passed = []
    for datagram in datagrams:
      self.assertRaises(wire.Rejected, wire.ParseReply, datagram, KEY)
      try:
        request = wire.ParseRequest(datagram, KEY, NOW, known)
      except wire.Rejected as err:
        self.assertEqual(err.reason, wire.BAD_HMAC)
        continue
      self.assertEqual(request.reader.label.text, label)
      passed.append(datagram)
    expected = datagrams[1:] if labels.IsLabel(label) else []
    self.assertEqual(passed, expected)
    self.assertEqual(len(known._cached), len(expected))

  @hypothesis.given(LABELS.filter(labels.IsLabel), NUMBERS,
                    JSON | st.sampled_from([{"what": kind, "fields": []}
                                            for kind in protocol.KINDS]),
                    st.integers(0, 2 ** 33))
  def testRights(self, text, rtype, query, now):
    label = readerkey.Parse(text)
    if type(rtype) is not int:
      rtype = None
    for number in [rtype, 64]:
      self.assertEqual(label.May(number, query) and not label.HasEnded(now),
                       labels.IsPermitted(text, number, query, now))

  @hypothesis.given(LABELS, LABELS, st.text(max_size=20))
  def testMoved(self, one, two, salt):
    """No signature of one key is one of another."""
    if one != two:
      self.assertNotEqual(testutils.SignAs(KEY, one, salt),
                          testutils.SignAs(KEY, two, salt))


def _WithoutNan(value):
  """Returns a value as JSON carries it, which has neither NaN nor Infinity.

  """
  if isinstance(value, float) and not math.isfinite(value):
    return None
  if isinstance(value, list):
    return [_WithoutNan(item) for item in value]
  if isinstance(value, dict):
    return {key: _WithoutNan(item) for (key, item) in value.items()}
  return value


@needs_hypothesis
class TestQueries(unittest.TestCase):
  """Every authentic request gets a proper reply."""

  @hypothesis.given(st.dictionaries(
    TEXTS | st.sampled_from(["protocol", "type", "query"]), JSON),
    st.text(min_size=1))
  def testAnyMessage(self, message, rsalt):
    if "NaN" in json.dumps(message) or "Infinity" in json.dumps(message):
      return
    reply = Ask(SNAPSHOT, dict(message, rsalt=rsalt))
    self.assertIsNotNone(reply)
    if type(message.get("type")) is not int or message.get("protocol") != 1:
      self.assertEqual(reply, (2, None))

  @hypothesis.given(st.integers(0, 11), JSON |
                    st.dictionaries(st.sampled_from("0123"), JSON))
  def testAnyQuery(self, rtype, query):
    reply = Ask(SNAPSHOT, {"protocol": 1, "type": rtype, "rsalt": "x",
                           "query": _WithoutNan(query)})
    self.assertIsNotNone(reply)
    if reply[0] == 1:
      self.assertIn(reply[1], [0, 2])
    if rtype == 1:
      # A client would read that as "offline"
      self.assertNotEqual(reply, (1, 2))
    if rtype in (0, 4, 5, 11):
      self.assertEqual(reply[0], 0)

  @hypothesis.given(NUMBERS | st.integers(-1, 70))
  def testAnyType(self, rtype):
    if type(rtype) is int and rtype in protocol.ALL_REQUESTS:
      return
    reply = Ask(SNAPSHOT, {"protocol": 1, "type": _WithoutNan(rtype),
                           "rsalt": "x"})
    self.assertEqual(reply, (2, None))

  @hypothesis.given(st.recursive(
    LEAVES.map(_WithoutNan), lambda items: (
      st.lists(items, max_size=3) |
      st.dictionaries(st.text("/~01ab\ud800", max_size=4), items,
                      max_size=3)), max_leaves=10), st.data())
  def testPointers(self, document, data):
    snap = snapshot.Snapshot(json.dumps(MakeConfig(x=document)).encode("ascii"))
    path = data.draw(st.sampled_from(list(Paths(document))))
    pointer = "".join("/%s" % str(key).replace("~", "~0").replace("/", "~1")
                      for key in ("x", ) + path)
    reply = Ask(snap, {"protocol": 1, "type": 10, "query": pointer,
                       "rsalt": "x"})
    self.assertEqual(reply, (0, Get(document, path)))

  @hypothesis.given(st.text("/~01289-+ abc", max_size=12))
  def testPointersThatMayLeadNowhere(self, pointer):
    document = MakeConfig(**{"0": {"1": [1, [2]], "": {"~": 3, "/": 4}},
                             "a": 5, "~1": 6})
    snap = snapshot.Snapshot(json.dumps(document).encode("ascii"))
    reply = Ask(snap, {"protocol": 1, "type": 10, "query": pointer,
                       "rsalt": "x"})
    self.assertEqual(reply, _Pointer(document, pointer))


def _Pointer(value, pointer):
  """RFC 6901, the slow way.

  """
  if pointer and not pointer.startswith("/"):
    return (1, 2)
  for token in pointer.split("/")[1:]:
    if any(item[:1] not in ("0", "1") for item in token.split("~")[1:]):
      return (1, 2)
    token = token.replace("~1", "/").replace("~0", "~")
    try:
      if isinstance(value, list):
        if token != str(int(token)) or int(token) < 0:
          return (1, 2)
        value = value[int(token)]
      elif isinstance(value, dict):
        value = value[token]
      else:
        return (1, 2)
    except (ValueError, IndexError, KeyError):
      return (1, 2)
  return (0, value)


@needs_hypothesis
class TestConfigurations(unittest.TestCase):
  """Any configuration serves, or is refused with the one error there is."""

  def _Check(self, text):
    try:
      snap = snapshot.Snapshot(text)
    except errors.ConfigurationError as err:
      self.assertTrue(str(err))
      return
    for warning in snap.warnings:
      self.assertIsInstance(warning, str)
    for rtype in range(12):
      for query in QUERIES:
        reply = Ask(snap, {"protocol": 1, "type": rtype, "query": query,
                           "rsalt": "x"})
        self.assertIsNotNone(reply)

  @hypothesis.given(st.binary(max_size=200))
  def testBytes(self, text):
    self._Check(text)

  @hypothesis.given(JSON)
  def testAnyJson(self, value):
    self._Check(json.dumps(value).encode("ascii"))

  @hypothesis.given(st.fixed_dictionaries({
    "version": st.integers(), "serial_no": st.integers(),
    "cluster": st.dictionaries(
      st.sampled_from(["master_node", "nicparams", "data_collectors",
                       "enabled_hypervisors", "osparams_private_cluster"]),
      JSON),
    "nodes": st.dictionaries(TEXTS, JSON, max_size=3),
    "instances": JSON | st.dictionaries(TEXTS, st.fixed_dictionaries({
      "name": TEXTS, "primary_node": TEXTS, "disks": JSON, "nics": JSON}),
                                        max_size=3),
    "disks": JSON}))
  def testAnySections(self, value):
    self._Check(json.dumps(value).encode("ascii"))

  @hypothesis.given(st.data())
  def testMutilated(self, data):
    config = copy.deepcopy(data.draw(st.sampled_from(CONFIGS)))
    for _ in range(data.draw(st.integers(1, 4))):
      paths = [path for path in Paths(config) if path]
      path = data.draw(st.sampled_from(paths))
      parent = Get(config, path[:-1])
      change = data.draw(st.sampled_from(["replace", "remove", "move",
                                          "rename"]))
      if change == "replace":
        parent[path[-1]] = data.draw(JSON)
      elif change == "remove":
        del parent[path[-1]]
      elif change == "move":
        # A part of it in the place of another
        parent[path[-1]] = copy.deepcopy(
          Get(config, data.draw(st.sampled_from(paths))))
      elif isinstance(parent, dict):
        parent[data.draw(TEXTS)] = parent.pop(path[-1])
      if len(list(Paths(config))) > 2000:
        break
    self._Check(json.dumps(config).encode("ascii"))

  @hypothesis.given(st.data())
  def testCutOff(self, data):
    # As a file that is being written looks
    text = json.dumps(CONFIGS[0]).encode("ascii")
    size = data.draw(st.integers(0, len(text) - 1))
    self.assertRaises(errors.ConfigurationError, snapshot.Snapshot,
                      text[:size])

  @hypothesis.given(st.recursive(
    st.just("s3cret"), lambda items: st.lists(items, max_size=3) |
    st.dictionaries(st.text("abc"), items, max_size=3)), st.integers(0, 3))
  def testSecrets(self, params, place):
    config = _Config()
    if place == 0:
      config["instances"][Uuid("b", 1)]["osparams_private"] = params
    elif place == 1:
      config["cluster"]["osparams_private_cluster"] = params
    elif place == 2:
      config["disks"][Uuid("d", 1)]["logical_id"][5] = params
    else:
      config["disks"][Uuid("d", 1)]["children"] = [
        MakeDisk(9, physical_id=[0, 0, 0, 0, 0, params])]
    snap = snapshot.Snapshot(json.dumps(config).encode("ascii"))
    for (rtype, query) in [(8, "node1"), (9, "inst1"), (10, "")]:
      reply = Ask(snap, {"protocol": 1, "type": rtype, "query": query,
                         "rsalt": "x"})
      self.assertEqual(reply[0], 0)
      self.assertNotIn("s3cret", json.dumps(reply))


class TestNesting(unittest.TestCase):
  """Values nested so deeply that they can just be read, or not even that."""

  def setUp(self):
    logging.disable()
    self.addCleanup(logging.disable, logging.NOTSET)

  @staticmethod
  def _Nested(depth):
    return "[" * depth + "]" * depth

  def _Depths(self, read):
    """Returns depths around the limit, which is Python's.

    @param read: function from a depth to whether that can be read

    """
    (low, high) = (1, 25000)
    while high - low > 1:
      middle = (low + high) // 2
      if read(middle):
        low = middle
      else:
        high = middle
    return range(low - 40, low + 20)

  def _Responders(self, snap):
    row = counters.Counters(1).Row(0)
    replays = replay.ReplayTable()
    for source in (answers.Quick(snap), answers.Large(snap)):
      yield responder.Responder(source, KEY, row, replays)

  def _Check(self, asked, datagram):
    reply = asked.Respond(datagram, NOW)
    if reply not in (None, answers.Delegate.LARGE):
      self.assertIn(wire.ParseReply(reply, KEY).status, (0, 1))

  def testQueries(self):
    def _Request(depth, more=""):
      text = ("{\"protocol\": 1, \"type\": 10, \"rsalt\": \"x\","
              " \"query\": %s%s}" % (self._Nested(depth), more))
      return testutils.PackText(KEY, "%d" % NOW, text)

    def _Read(depth):
      try:
        wire.ParseRequest(_Request(depth), KEY, NOW)
      except wire.Rejected:
        return False
      return True

    for depth in self._Depths(_Read):
      for asked in self._Responders(SNAPSHOT):
        for more in ["", ", \"part\": 0"]:
          self._Check(asked, _Request(depth, more))

  def testConfigurations(self):
    text = json.dumps(MakeConfig(x="x"))

    def _Snapshot(depth):
      try:
        return snapshot.Snapshot(text.replace(
          "\"x\": \"x\"", "\"x\": " + self._Nested(depth)).encode())
      except errors.ConfigurationError:
        return None

    for depth in self._Depths(_Snapshot):
      snap = _Snapshot(depth)
      if snap is None:
        continue
      for asked in self._Responders(snap):
        for part in [testutils.MISSING, 0]:
          for path in ["", "/x"]:
            self._Check(asked, testutils.PackMessage(
              KEY, testutils.MakeMessage(10, path, part=part),
              salt="%d" % NOW))


@needs_hypothesis
class TestBothLibraries(unittest.TestCase):
  """The value that simplejson makes of a text, as the wire did before."""

  # Whatever is JSON, nearly JSON, and what either of the two might take
  @hypothesis.given(st.text("[]{}:,\"\\u0dEe8c19.-+ntrfalsuNaI \n\x00\xe4",
                            max_size=12) |
                    st.sampled_from(["NaN", "[Infinity]", "-Infinity", "1e999",
                                     "[-0]", "-0.0", "\"\\ud800\"",
                                     "\"\\ud83d\\ude00\"", "1" * 5000,
                                     "[" * 100000, "{\"a\":1,\"a\":2}",
                                     "01", "1.", ".5", "\ufeff1", "'a'"]))
  def testReading(self, text):
    def _Refuse(_):
      raise ValueError
    decoder = simplejson.JSONDecoder(parse_constant=_Refuse)
    results = []
    for decode in (decoder.decode, wire.DecodeJson):
      try:
        results.append(repr(decode(text)))
      except (ValueError, RecursionError):
        results.append(None)
    # A byte order mark is no JSON (RFC 8259, 8.1), though simplejson takes it
    if not text.startswith("\ufeff"):
      self.assertEqual(results[0], results[1])

  @hypothesis.given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() |
    st.text(st.characters(), max_size=5) | st.just("\ud800"),
    lambda items: st.lists(items, max_size=4) |
    st.dictionaries(st.text(max_size=3), items, max_size=3) |
    st.tuples(items, items), max_leaves=10))
  def testWriting(self, value):
    self.assertEqual(
      wire.EncodeJson(value),
      simplejson.dumps(value, ignore_nan=True, namedtuple_as_object=False,
                       separators=(",", ":")))


if __name__ == "__main__":
  unittest.main()
