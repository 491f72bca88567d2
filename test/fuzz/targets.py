#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Targets of fuzzing: functions of bytes that raise if a promise is broken.

Each of L{TARGETS} takes any bytes at all. An exception is a finding; so is an
input that takes long. L{Seeds} lists inputs for a fuzzer to begin with, and
L{TOKENS} is its dictionary. C{corpus/TARGET} has inputs that were worth
keeping, one to a line, as JSON texts whose characters are the bytes.

Nothing here needs a fuzzer: the normal suite runs all seeds and the corpus.

"""

import base64
import copy
import functools
import hashlib
import json
import os
import socket
import zlib
from unittest import mock

import labels
import testutils
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd.clientlib import download
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import mastercandidate
from ganeti.confd.clientlib import replies
from ganeti.confd.config import snapshot
from ganeti.confd.daemon import stats
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import responder
from ganeti.confd.serving import waiting


_SECRET = "s3cret-parameter"

KEY = testutils.KEY
NOW = 1700000000

_CORPUS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "corpus")

#: Tokens of JSON, the protocol, configurations and filters
TOKENS = [
  "plj0", "{\"msg\": \"", "\", \"salt\": \"", "\", \"hmac\": \"", "1700000000",
  "{\"protocol\": 1, \"type\": ", ", \"query\": ", ", \"rsalt\": \"x\"",
  ", \"part\": 0", "null", "true", "false", "NaN", "Infinity", "-1", "1e999",
  "1e-7", "\\ud800", "\\u0000", "[[[[[[[[", "]]]]]]]]", "{\"\":", "[]", "{}",
  "99999999999999999999", "{\"what\": \"instance\"", "\"what\": \"node\"",
  "\"what\": \"disk\"", "\"what\": \"group\"", "\"what\": \"network\"",
  "\"fields\": [\"name\"", "\"disk.size/0\"", "\"nic.ip/1\"", "\"be/memory\"",
  "\"custom_hvparams\"", "\"names\": [\"inst1\"", "node1", "inst1", "br0",
  "198.51.100.1", "/cluster", "/instances/", "~0", "~1", "\"osparams_private\"",
  "\"logical_id\"", "\"children\"", "\"disks\"", "\"nics\"", "\"nicparams\"",
  "\"nodes\"", "\"cluster\"", "\"serial_no\"", "\"version\"",
  "\"primary_node\"",
  "\", \"key\": \"", "a:all:never", "a:ping:20991231", "list/nodes", ":", ",",
  "not ", " and ", " or ", " in ", "==", "!=", "<=", "=~ m/", "/i", "!~ /",
  "=* \"", "!* '", "name", "(", ")", "\"", "'", "#", "^", "|", "\\",
  ]


def Config():
  """Makes a configuration with every kind of object.

  """
  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2, offline=True), MakeNode(3, drained=True)],
    instances=[
      MakeInstance(1, 1, disks=[1, 2], nics=["198.51.100.1",
                                             ("198.51.100.2", "br1")],
                   hvparams={"kernel_path": "/k"}, beparams={"maxmem": 512},
                   osparams_private={"x": _SECRET}, tags=["a"]),
      MakeInstance(2, 2, forthcoming=True)],
    disks=[MakeDrbd(1, 1, 2, children=[MakeDisk(3), MakeDisk(4)]),
           MakeDisk(2, forthcoming=True)],
    cluster={"data_collectors": {"lv": {"active": True, "interval": 5.5}},
             "hvparams": {"kvm": {"acpi": True}},
             "beparams": {"default": {"vcpus": 2}}},
    networks={Uuid("9", 1): {"name": "net1", "uuid": Uuid("9", 1),
                             "network": "198.51.100.0/24",
                             "reservations": "1" * 8, "tags": []}})


class Finding(Exception):
  """A promise is broken.

  """


def _Expect(condition, text):
  if not condition:
    raise Finding(text)


# The wire

def _IsSigned(datagram):
  """Tells whether a datagram is authentic, by the tests' implementation.

  """
  try:
    envelope = json.loads(datagram[4:].decode("utf-8"))
    label = envelope.get("key")
    if "key" in envelope and not labels.IsLabel(label):
      return False
    return envelope["hmac"].lower() == testutils.SignAs(
      KEY, label, envelope["salt"] + envelope["msg"])
  except (ValueError, RecursionError):
    return False


def _ParseAll(datagram):
  known = readers.Readers(KEY)
  mine = known.Find(labels.SOME[0])
  for parse in [lambda: wire.ParseRequest(datagram, KEY, NOW, known),
                lambda: wire.ParseReply(datagram, KEY),
                lambda: wire.ParseReply(datagram, mine)]:
    try:
      parse()
    except wire.Rejected as err:
      _Expect(err.reason in wire.REJECT_REASONS, "unknown reason")
    else:
      _Expect(_IsSigned(datagram), "taken for authentic")
  _Expect(not known._cached or _IsSigned(datagram), "a stranger is cached")


def Wire(data):
  """The parsers of datagrams.

  The first byte says whether the rest is a datagram, an envelope, or a message
  to sign. The salt and a line feed precede a message; for a reader's key, the
  label and a line feed precede these.

  """
  (mode, rest) = (data[:1], data[1:])
  if mode == b"d":
    _ParseAll(rest)
  elif mode == b"e":
    _ParseAll(b"plj0" + rest)
  else:
    (label, text) = _CutLabel(mode == b"k", rest)
    (salt, _, msg) = text.partition("\n")
    _ParseAll(testutils.PackText(KEY, salt, msg, label))


def _CutLabel(is_there, data):
  """Splits a text into a label and the rest.

  @param is_there: whether the text begins with a label; if not, the returned
    label is None

  """
  text = data.decode("utf-8", "replace")
  if not is_there:
    return (None, text)
  (label, _, rest) = text.partition("\n")
  return (label, rest)


def _WireSeeds():
  message = testutils.MakeMessage(2, {"1": "198.51.100.1"}, rsalt="x")
  good = testutils.PackMessage(KEY, message, "%d" % NOW)
  yield b"d" + good
  yield b"e" + good[4:]
  yield b"m%d\n%s" % (NOW, json.dumps(message).encode("ascii"))
  yield b"m%d\n%s" % (NOW, json.dumps(dict(message, part=0)).encode("ascii"))
  for label in labels.SOME:
    datagram = testutils.PackMessage(KEY, message, "%d" % NOW, label)
    yield b"d" + datagram
    yield b"e" + datagram[4:]
    yield b"k%s\n%d\n%s" % (label.encode("ascii"), NOW,
                            json.dumps(message).encode("ascii"))
  yield (b"mx\n{\"protocol\": 1, \"status\": 0, \"answer\": \"QQ==\","
         b" \"serial\": 5, \"part\": 0, \"parts\": 1, \"sha256\": \"00\"}")


# The dispatcher

@functools.lru_cache(maxsize=1)
def _Socket():
  return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class _Setup:
  """The attributes of L{generation.Setup} that statistics use.

  """
  def __init__(self):
    self.started = 0
    self.workers = 1
    self.supervisor = os.getpid()
    self.sock = _Socket()
    self.counters = counters.Counters(1)


def _Raise(*_, **__):
  """Raises a programming error again instead of logging it.

  RecursionError is not raised: a value may be nested so deeply that it can just
  be parsed.

  """
  try:
    raise # pylint: disable=E0704
  except RecursionError:
    pass


def _Respond(asked, datagram):
  """Asks a responder, and raises programming errors instead of logging them.

  """
  with mock.patch.object(responder.logging, "exception", _Raise):
    return asked.Respond(datagram, NOW)


def MakeResponders(snap):
  """Makes each kind of responder.

  @return: function from a type of request to the responders that may handle it,
    the worker's first

  """
  setup = _Setup()
  row = setup.counters.Row(0)
  replays = replay.ReplayTable()
  state = filestate.State(1, 2, 3, 4, 5)
  about_daemon = stats.Stats(setup, snap.serial, len(snap.warnings), state,
                             "x", 0.5, lambda: 0)
  (worker, large, about_itself) = [
    responder.Responder(source, KEY, row, replays) for source in (
      answers.Quick(snap), answers.Large(snap),
      answers.Loader(snap.serial, about_daemon.Collect))]
  return lambda rtype: [worker,
                        about_itself if rtype in (65, 66) else large]


def _CheckReply(reply, snap, rsalt):
  """Checks the rules of the protocol for every reply.

  """
  more = (("part", "parts", "sha256") if b"\\\"part\\\"" in reply and
          b"\\\"sha256\\\"" in reply else ())
  try:
    (salt, message) = testutils.UnpackReply(KEY, reply, more)
  except AssertionError:
    # The reply has no parts: the words were in the answer itself
    (salt, message) = testutils.UnpackReply(KEY, reply)
  parsed = wire.ParseReply(reply, KEY)
  _Expect(salt == parsed.salt == rsalt, "another salt")
  _Expect(message["status"] == parsed.status and parsed.status in (0, 1, 2),
          "another status")
  _Expect(message["serial"] == snap.serial, "another serial")
  return message


def _CheckLater(asked, is_worker, later, snap, request):
  """Checks a request that is delegated to another process, or waits there.

  """
  _Expect(is_worker == isinstance(later, answers.Delegate),
          "later than never, or a worker waits")
  if is_worker:
    return
  _Expect(request.query["serial"] == snap.serial and
          0 < later.seconds == request.query["seconds"] <= 60,
          "waits for something else")
  message = _CheckReply(later.reply, snap, request.rsalt)
  _Expect(message["answer"] == snap.serial, "not the serial number")
  _CheckReply(asked.Refuse(later.request), snap, request.rsalt)


@functools.lru_cache(maxsize=1)
def _Served():
  snap = snapshot.Snapshot(json.dumps(Config()).encode("ascii"))
  return (snap, MakeResponders(snap))


_TYPES = list(range(13)) + [64, 64, 64, 64, 65, 66]


def Requests(data):
  """The dispatcher: every valid signed request gets a reply.

  If the first byte is "m", the rest is a message; if it is "k", a label, a line
  feed and a message. Otherwise the first byte selects the type of request, the
  second byte the part, and the rest is the query, as JSON if it is valid JSON,
  else as a text.

  """
  (snap, responders) = _Served()
  if data[:1] == b"k":
    _AskAsReader(responders, *_CutLabel(True, data[1:]))
    return
  if data[:1] == b"m":
    text = data[1:].decode("utf-8", "replace")
  else:
    query = data[2:].decode("utf-8", "replace")
    try:
      json.loads(query)
    except (ValueError, RecursionError):
      query = json.dumps(query)
    part = ["", ", \"part\": 0", ", \"part\": 1"][
      data[1] % 3 if len(data) > 1 else 0]
    rtype = _TYPES[data[0] % len(_TYPES)] if data else 0
    text = ("{\"protocol\": 1, \"type\": %d, \"query\": %s, \"rsalt\": \"x\"%s}"
            % (rtype, query, part))
  datagram = testutils.PackText(KEY, "%d" % NOW, text)
  try:
    request = wire.ParseRequest(datagram, KEY, NOW)
  except wire.Rejected as err:
    _Expect(err.reason in (wire.BAD_JSON, wire.BAD_RSALT, wire.BAD_SIZE),
            "refused: %s" % err)
    request = None
  for asked in responders(request and request.type):
    # Ask twice: the second reply may come from a cache
    replies = [_Respond(asked, datagram) for _ in range(2)]
    if request is None:
      _Expect(replies == [None, None], "answered without reason")
    elif isinstance(replies[0], (answers.Delegate, waiting.Deferred)):
      _CheckLater(asked, asked is responders(request.type)[0], replies[0],
                  snap, request)
    elif replies[0] is not None:
      if request.type != 65 and replies[1] is not None:
        _Expect(replies == replies[:1] * 2, "not the same answer twice")
      _CheckAnswer(_CheckReply(replies[0], snap, request.rsalt), request, text)
    else:
      # No reply: the request came too often, or its salt leaves no room for one
      row = asked._row
      _Expect(row[responder._DROPPED_REPLAYED] or
              len(datagram) > 30000, "silent")


def _CheckAnswer(message, request, text):
  """Checks the rules for all answers.

  """
  if request.type is None:
    _Expect((message["status"], message["answer"]) == (2, None),
            "answered without type")
  if request.type == 1 and message["status"] == 1 and request.part is None:
    _Expect(message["answer"] != 2, "would read: offline")
  _Expect(_SECRET not in json.dumps(message["answer"]) or
          _SECRET in text, "the secret is out")


def _AskAsReader(responders, label, text):
  """Asks with the key for a label.

  Permitted questions get the answer that the cluster's key gets.

  """
  try:
    request = wire.ParseRequest(testutils.PackText(KEY, "%d" % NOW, text), KEY,
                                NOW)
  except wire.Rejected:
    request = None
  datagram = testutils.PackText(KEY, "%d" % NOW, text, label)
  for asked in responders(request and request.type):
    asked._replays = replay.ReplayTable()
    reply = _Respond(asked, datagram)
    if not labels.IsLabel(label):
      _Expect(reply is None, "answered to what is no label")
    elif request is None:
      _Expect(reply is None, "answered without reason")
    elif not labels.IsPermitted(label, request.type, request.query, NOW):
      if reply is not None:
        (salt, message) = testutils.UnpackReply(KEY, reply, label=label)
        _Expect(salt == request.rsalt, "another salt")
        _Expect((message["status"], message["answer"]) == (1, 4),
                "answered without right")
    elif isinstance(reply, bytes):
      expected = _Respond(asked, testutils.PackText(KEY, "%d" % NOW, text))
      if request.type != 65 and len(text) < 30000:
        _Expect(wire.ParseReply(reply, asked._readers.Find(label)) ==
                wire.ParseReply(expected, KEY), "another answer to a reader")


def _RequestsSeeds():
  queries = [
    None, "", "node1", "inst1", Uuid("a", 1), "/cluster", {"1": "198.51.100.1"},
    {"2": ["198.51.100.1", "x"], "0": "br1"}, {"3": [0, "1", 2]},
    {"what": "instance", "fields": ["name", "disk.size/0", "be/memory"]},
    {"what": "node", "fields": ["name", "role"], "names": ["node1"]},
    {"what": "disk"}, {"what": "network", "fields": ["name", "map"]},
    {"serial": 17, "seconds": 20}, {"serial": 16, "seconds": 20},
    {"serial": 17, "seconds": 0.5}, {"serial": True, "seconds": 61},
    ]
  for query in queries:
    for index in range(len(_TYPES)):
      yield bytes([index, 0]) + json.dumps(query).encode("ascii")
  for label in labels.SOME:
    for rtype in (0, 1, 10, 64, 65):
      for query in ("node1", {"what": "node", "fields": ["name"]}):
        message = testutils.MakeMessage(rtype, query, rsalt="x")
        yield b"k%s\n%s" % (label.encode("ascii"),
                            json.dumps(message).encode("ascii"))
  yield bytes([10, 1]) + b"\"\""
  yield b"m" + json.dumps(testutils.MakeMessage(3, rsalt="x")).encode("ascii")


# Configurations

_LEAVES = [None, True, 0, -1, 1.5, 10 ** 30, "", "x", "node1", Uuid("a", 1),
           Uuid("d", 1), [], {}, [[]], [None], {"": None}, [{}], "\ud800",
           {"name": "x"}, [1, 2, 3, 4, 5, 6]]

_QUESTIONS = ([(rtype, query) for rtype in range(12)
               for query in (None, "node1", "inst1", "", {"3": [0, 1, 2]})] +
              [(2, {"2": ["198.51.100.1"]})])
_TABLES = ["instance", "node", "group", "network", "disk"]


def Places(value, path=()):
  """Lists the places of a configuration.

  """
  yield path
  items = (value.items() if isinstance(value, dict) else
           enumerate(value) if isinstance(value, list) else [])
  for (key, item) in list(items):
    yield from Places(item, path + (key, ))


def _Get(value, path):
  for key in path:
    value = value[key]
  return value


def Mutilate(config, data):
  """Changes a configuration; four bytes of data select each change.

  """
  for at in range(0, min(len(data), 40) - 3, 4):
    (high, low, kind, which) = data[at:at + 4]
    places = list(Places(config))[1:]
    if not places or len(places) > 3000:
      return
    path = places[(high << 8 | low) % len(places)]
    parent = _Get(config, path[:-1])
    if kind % 4 == 0:
      parent[path[-1]] = copy.deepcopy(_LEAVES[which % len(_LEAVES)])
    elif kind % 4 == 1:
      del parent[path[-1]]
    elif kind % 4 == 2:
      # Replace the value by that of another place
      other = places[(which << 2 | kind >> 2) * 7 % len(places)]
      parent[path[-1]] = copy.deepcopy(_Get(config, other))
    elif isinstance(parent, dict):
      parent[str(_LEAVES[which % len(_LEAVES)])] = parent.pop(path[-1])


def Configuration(data):
  """The loader: a configuration is served, or refused with ConfigurationError.

  If the first byte is "t", the rest is the text of the configuration. Otherwise
  the bytes select changes to a valid one.

  """
  if data[:1] == b"t":
    text = data[1:]
  else:
    config = Config()
    Mutilate(config, data[1:])
    text = json.dumps(config).encode("ascii")
  try:
    snap = snapshot.Snapshot(text)
  except errors.ConfigurationError as err:
    _Expect("\n" not in str(err) and len(str(err)) < 200, "more than one line")
    return
  responders = MakeResponders(snap)
  for (rtype, query) in _QUESTIONS:
    _AskAll(responders, snap, rtype, query)
  for kind in _TABLES:
    _AskAll(responders, snap, 64, {"what": kind, "fields": _Fields(kind)})


@functools.lru_cache(maxsize=None)
def _Fields(kind):
  """Lists the fields of a kind of object.

  """
  (snap, responders) = _Served()
  datagram = testutils.PackMessage(
    KEY, testutils.MakeMessage(64, {"what": kind}, rsalt="x"), "%d" % NOW)
  for asked in responders(64):
    reply = _Respond(asked, datagram)
    if reply is not answers.Delegate.LARGE:
      return [row[0] for row in
              _CheckReply(reply, snap, "x")["answer"]["fields"]]
  raise Finding("no fields of %s" % kind)


def _AskAll(responders, snap, rtype, query):
  datagram = testutils.PackMessage(
    KEY, testutils.MakeMessage(rtype, query, rsalt="x"), "%d" % NOW)
  for asked in responders(rtype):
    reply = _Respond(asked, datagram)
    _Expect(reply is not None, "silent")
    if not isinstance(reply, answers.Delegate):
      _CheckReply(reply, snap, "x")


def _ConfigurationSeeds():
  text = json.dumps(MakeConfig()).encode("ascii")
  yield b"t" + text
  yield b"t" + text.replace(b"1700000000.5", b"NaN")
  yield b"t{\"version\":1,\"serial_no\":1,\"cluster\":{},\"nodes\":{}}"
  for kind in range(4):
    yield bytes([0, 0, 30 * kind, kind, kind, 1, 80, kind, 7])


# Parts

_ANSWER = ["%04d" % (number * 7919 % 10007) for number in range(800)]


def Fetched(data):
  """The download of an answer: the result is the right answer, or an error.

  Each byte selects a change to a reply. The whole input is also decoded as if
  it were the data of an answer.

  """
  cut = parts.Parts(wire.EncodeJson(_ANSWER))
  _Assemble(data)
  (now, serial, used) = (100.0, 5, 0)
  candidate = mastercandidate.Candidate(
    "node1", [(socket.AF_INET, ("192.0.2.1", 1814))])
  run = download.Download(10, "/x", (candidate, candidate.addresses), serial,
                          now, 2.0)
  first = replies.CandidateReply("node1", "192.0.2.1", 1, 3, 5, 0.001, 0)
  rounds = 0
  while not run.Done(now):
    rounds += 1
    _Expect(rounds < 5000, "never ends")
    for (_, _, datagram) in run.Outgoing(KEY, now, NOW):
      request = wire.ParseRequest(datagram, KEY, NOW)
      asked = run.Salts().get(request.rsalt)
      if asked is None:
        # The operation has begun again
        continue
      what = data[used] if used < len(data) else 0
      used += 1
      number = request.part
      part = wire.Part(number, len(cut), cut.sha256)
      reply = wire.ParsedReply(1, 0, cut.Get(number), serial, request.rsalt,
                               part)
      reply = _Travelled(_Meddle(reply, what))
      if reply is not None:
        run.Receive(asked, reply, ("192.0.2.1", 1814), now)
    _Expect(run.wakeup >= 0, "no next time")
    (have, count) = run.Progress()
    _Expect(count is None or 0 <= have <= count, "more than there is")
    now += 0.1
  run.Finish(now)
  try:
    run.Unpack()
    answer = run.Result(replies.Reply(3, 5, [first], {}), now).answer
  except errors.ConfdClientError:
    return
  _Expect(answer == _ANSWER, "another answer")


def _Meddle(reply, what):
  """Changes a reply, as a reload does, or an attacker who has the key.

  """
  (kind, how) = (what >> 4, what & 15)
  changes = {
    1: {"serial": reply.serial + how - 8},
    2: {"part": reply.part._replace(number=how)},
    3: {"part": reply.part._replace(total=how + 1)},
    4: {"part": reply.part._replace(sha256="%064x" % how)},
    5: {"answer": [None, 1, "", "=", "A", "QQ==", [], {}, "\ud800", "Q Q=",
                   "\0", "-_==", True, 1.5, "QQ==QQ==", "é"][how]},
    6: {"part": None, "status": 1, "answer": how},
    7: {"part": None, "serial": reply.serial + how},
    8: {"part": reply.part._replace(total=10 ** how)},
    }
  return reply._replace(**changes.get(kind, {}))


def _Travelled(reply):
  """Encodes and parses a reply; returns None if parsing rejects it.

  """
  message = wire.EncodeReply(reply.status, reply.answer, reply.serial,
                             reply.part)
  try:
    return wire.ParseReply(wire.PackReply(KEY, reply.salt,
                                          wire.Prepare(message)), KEY)
  except wire.Rejected:
    return None


def _Assemble(data):
  """Assembles an answer whose only part is any bytes.

  """
  assembly = parts.Assembly(1, hashlib.sha256(data).hexdigest())
  assembly.Add(0, base64.b64encode(data).decode("ascii"))
  try:
    assembly.Answer()
  except errors.ConfdClientError:
    pass


def _FetchedSeeds():
  yield b""
  yield b"\x00\x12\x00\x25\x41"
  yield bytes(range(0, 256, 5))
  yield zlib.compress(b"[1, {\"a\": null}]")


# Filters

_FIELDS = ["name", "a", "b", "admin_state", "disk.size/0", "tags"]
_ROWS = [
  ["inst1.example.com", True, 5, "up", 1024, ["x", "y"]],
  ["inst2.example.com", False, None, "down", None, []],
  ["a" * 20, None, -1.5, "", 0, [1, 2]],
  ]


def Filters(data):
  """Filters are applied, or refused with FilterError.

  """
  text = data.decode("utf-8", "replace")
  filters.IsFilter(text)
  filters.IsGlob(text)
  # Skip long inputs: each is applied in many ways, which would take too long
  if len(text) > 200:
    return
  try:
    filters.ParseArguments(text.split() or [""]).Select(["name"],
                                                       [row[:1] for row
                                                        in _ROWS])
    found = filters.Parse(text, frozenset(["name"]))
    names = found.Names()
    _Expect(names is None or all(isinstance(name, str) for name in names),
            "a name that is none")
    rows = [[row[_FIELDS.index(field)] if field in _FIELDS else None
             for field in found.fields] for row in _ROWS]
    selected = found.Select(found.fields, rows)
    _Expect(all(row in rows for row in selected), "a row from nowhere")
  except filters.FilterError as err:
    _Expect(str(err), "no message")


def _FiltersSeeds():
  for text in ["name == \"inst1\"", "not (a and b < 5) or 'x' in tags",
               "name =~ m/^inst[0-9]/i and b != -1", "name =* \"inst*\"",
               "'y' not in tags", "name !~ #x\\#|y#s", "a", "(((a)))",
               "disk.size/0 >= 1024", "name !* '?nst1*'"]:
    yield text.encode("ascii")


TARGETS = {
  "wire": Wire,
  "requests": Requests,
  "configuration": Configuration,
  "parts": Fetched,
  "filters": Filters,
  }

_SEEDS = {
  "wire": _WireSeeds,
  "requests": _RequestsSeeds,
  "configuration": _ConfigurationSeeds,
  "parts": _FetchedSeeds,
  "filters": _FiltersSeeds,
  }


def Seeds(name):
  """Lists the inputs with which fuzzing of a target begins.

  @rtype: list of bytes

  """
  return list(_SEEDS[name]())


def ReadCorpus(name):
  """Lists the inputs of a target that were worth keeping.

  @rtype: list of bytes

  """
  try:
    text = testutils.ReadFile(os.path.join(_CORPUS, name)).decode("ascii")
  except FileNotFoundError:
    return []
  return [json.loads(line).encode("latin-1") for line in text.splitlines()]


def WriteCorpus(name, inputs):
  """Writes the inputs of a target that are worth keeping.

  """
  lines = [json.dumps(item.decode("latin-1")) + "\n" for item in inputs]
  testutils.WriteFile(os.path.join(_CORPUS, name),
                      "".join(sorted(lines)).encode("ascii"), mode=0o644)
