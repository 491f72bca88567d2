#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whatever is passed to a public call: an error of ours, and nothing is sent.

"""

import asyncio
import inspect
import socket
import unittest

import inputs
import packaged
import testutils
from inputs import hypothesis, needs_hypothesis, st

from ganeti import errors
from ganeti.confd import client


_SETTINGS = inputs.Settings(30)


class _NoJson:
  """An object that is nothing of what a call takes.

  """
  def __repr__(self):
    return "<no JSON>"


_TEXTS = st.text(max_size=5)
_NUMBERS = st.integers() | st.floats()
_NEVER = st.sampled_from([_NoJson(), object(), _NoJson, len, b"bytes",
                          bytearray(b"x"), 1j, {"a": 1}, {1, _NoJson()},
                          [None], [[]], [b"x"], [5]])


def _OneOf(*strategies):
  return st.one_of(_NEVER, *strategies)


_NO_TEXT = _OneOf(_NUMBERS, st.booleans(), st.none(), st.lists(_TEXTS))
_NO_OPTIONAL_TEXT = _OneOf(_NUMBERS, st.booleans(), st.lists(_TEXTS))
#: The dangerous ones: a text is a sequence of texts
_NO_LIST = _OneOf(_NUMBERS, st.booleans(), st.none(), _TEXTS)
_NO_OPTIONAL_LIST = _OneOf(_NUMBERS, st.booleans(), _TEXTS)
_NO_INTEGER = _OneOf(st.floats(), st.booleans(), st.none(), _TEXTS,
                     st.lists(_TEXTS))
_NO_JSON = st.sampled_from([_NoJson(), {1, 2}, object(), 1j, b"\xff", len,
                            {"a": _NoJson()}, [_NoJson()]])
_NO_FILTER = _OneOf(_NUMBERS, st.booleans(), st.lists(_TEXTS))
_NO_SECONDS = _OneOf(st.booleans(), _TEXTS, st.floats(max_value=-1),
                     st.sampled_from([float("nan"), float("inf")]))
_NO_FUNCTION = _OneOf(_NUMBERS, st.booleans(), _TEXTS, st.lists(_TEXTS)
                      ).filter(lambda value: not callable(value))

#: Each call's arguments: a good value, and wrong ones
_CALLS = {
  "Query": {"rtype": (1, _NO_INTEGER), "query": ("node1", _NO_JSON)},
  "Learn": {},
  "Survey": {"rtype": (1, _NO_INTEGER), "query": ("node1", _NO_JSON),
             "only": (["x"], _NO_OPTIONAL_LIST)},
  "Status": {},
  "Stats": {},
  "Serial": {},
  "Ping": {},
  "NodeRole": {"name": ("node1", _NO_TEXT)},
  "MasterNode": {},
  "MasterInfo": {},
  "NodeIps": {},
  "MasterCandidates": {},
  "InstanceIps": {"link": ("br0", _NO_OPTIONAL_TEXT)},
  "NodeOfInstanceIp": {"ip": ("192.0.2.1", _NO_TEXT),
                       "link": ("br0", _NO_OPTIONAL_TEXT)},
  "NodesOfInstanceIps": {"ips": (["192.0.2.1"], _NO_LIST),
                         "link": ("br0", _NO_OPTIONAL_TEXT)},
  "NodeDrbd": {"name": ("node1", _NO_TEXT)},
  "NodeInstances": {"name": ("node1", _NO_TEXT)},
  "InstanceDisks": {"name": ("inst1", _NO_TEXT)},
  "Config": {"path": ("/version", _NO_TEXT),
             "optional": (False, _OneOf(_NUMBERS, st.none(), _TEXTS))},
  "Collectors": {},
  "List": {"what": ("node", _NO_TEXT), "fields": (["name"], _NO_LIST),
           "filter": ("offline", _NO_FILTER),
           "names": (["node1"], _NO_OPTIONAL_LIST),
           "named": (True, _OneOf(_NUMBERS, st.none(), _TEXTS))},
  "Tables": {"fields": ({"node": ["name"]},
                        _OneOf(_TEXTS, _NUMBERS, st.none(), st.just({}),
                               st.lists(_TEXTS),
                               st.dictionaries(_TEXTS, _NO_LIST, min_size=1),
                               st.just({1: ["name"]})))},
  "Fields": {"what": ("node", _NO_TEXT)},
  "OfflineNodes": {},
  "Instances": {},
  "PrimaryNodes": {},
  "Follow": {"what": ("node", _NO_TEXT), "fields": (["name"], _NO_LIST),
             "filter": ("offline", _NO_FILTER),
             "names": (["node1"], _NO_OPTIONAL_LIST),
             "named": (True, _OneOf(_NUMBERS, st.none(), _TEXTS)),
             "on_error": (print, _NO_FUNCTION)},
  "FollowQuery": {"rtype": (1, _NO_INTEGER), "query": ("node1", _NO_JSON),
                  "on_error": (print, _NO_FUNCTION)},
  "FollowCall": {"call": (lambda confd: confd.Ping(), _NO_FUNCTION),
                 "items": (dict, _NO_FUNCTION),
                 "on_error": (print, _NO_FUNCTION)},
  }

_CLIENT = {
  "peers": (["127.0.0.1"], _NO_OPTIONAL_LIST),
  "key": (testutils.KEY, _OneOf(_NUMBERS, st.booleans(), st.lists(_TEXTS))
          .filter(lambda key: not isinstance(key, (bytes, bytearray)))),
  "key_file": ("/dev/null", _NO_OPTIONAL_TEXT),
  "port": (1814, _OneOf(st.floats(), st.booleans(), _TEXTS,
                        st.integers(max_value=0),
                        st.integers(min_value=65536))),
  "timeout": (1, _NO_SECONDS),
  "coverage": (0, _NO_INTEGER | st.integers(max_value=-2)),
  "max_memory": (1 << 30, _NO_INTEGER | st.integers(max_value=0)),
  "cluster": ("", _NO_OPTIONAL_TEXT),
  "learn": (True, _OneOf(_NUMBERS, st.none(), _TEXTS)),
  "deadline": (1, _NO_SECONDS),
  }


def _Wrong(arguments):
  """Makes keyword arguments one of which is wrong.

  """
  good = {name: value for (name, (value, _)) in arguments.items()}
  return st.one_of([wrong.map(lambda value, name=name: dict(good,
                                                            **{name: value}))
                    for (name, (_, wrong)) in arguments.items()])


@needs_hypothesis
class TestWrongTypes(unittest.TestCase):
  def setUp(self):
    self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(self.sock.close)
    self.sock.bind(("127.0.0.1", testutils.FreePort()))
    self.sock.setblocking(False)
    self.port = self.sock.getsockname()[1]

  def _NothingCame(self):
    with self.assertRaises(BlockingIOError):
      self.sock.recv(65536)

  def testEveryCallIsHere(self):
    public = {name for (name, _) in inspect.getmembers(client.Client,
                                                       inspect.isfunction)
              if not name.startswith("_") and name.lower() != "close"}
    self.assertEqual(set(_CALLS), public)
    for (name, arguments) in list(_CALLS.items()) + [("__init__", _CLIENT)]:
      parameters = inspect.signature(getattr(client.Client, name)).parameters
      self.assertEqual(list(arguments), list(parameters)[1:], name)

  def testQuestions(self):
    asker = client.Client(["127.0.0.1"], key=testutils.KEY, port=self.port,
                          timeout=0)
    self.addCleanup(asker.Close)

    async def _Await(name, kwargs):
      async with client.AsyncClient(["127.0.0.1"], key=testutils.KEY,
                                    port=self.port, timeout=0) as other:
        await getattr(other, name)(**kwargs)

    def _Check(name, arguments):
      last = []

      @_SETTINGS
      @hypothesis.given(_Wrong(arguments))
      def _Try(kwargs):
        last[:] = [kwargs]
        with self.assertRaises(errors.ProgrammerError, msg=(name, kwargs)):
          getattr(asker, name)(**kwargs)
      _Try()
      # Both calls have the same code
      for kwargs in last:
        with self.assertRaises(errors.ProgrammerError, msg=(name, kwargs)):
          asyncio.run(_Await(name, kwargs))

    for (name, arguments) in _CALLS.items():
      if arguments:
        _Check(name, arguments)
    self._NothingCame()

  def testWhatIsRightIsSent(self):
    """Otherwise the other tests say nothing.

    """
    confd = packaged.Confd(lambda *_: (1, 0, 5))
    self.addCleanup(confd.Stop)
    for (name, arguments) in _CALLS.items():
      kwargs = {key: value for (key, (value, _)) in arguments.items()}
      kwargs.pop("only", None)
      del confd.requests[:]
      with client.Client([confd.peer], key=testutils.KEY) as asker:
        if name in ("Learn", "Survey", "Status", "Stats"):
          getattr(asker, name)(**kwargs)
        else:
          call = getattr(asker, name)
          with self.assertRaises(client.ErrorAnswer):
            if name.startswith("Follow"):
              next(call(**kwargs))
            else:
              call(**kwargs)
      self.assertTrue(confd.requests, name)

  def testConstructor(self):
    @_SETTINGS
    @hypothesis.given(_Wrong(_CLIENT))
    def _Try(kwargs):
      for kind in (client.Client, client.AsyncClient):
        with self.assertRaises(errors.ProgrammerError, msg=kwargs):
          kind(**kwargs)
    _Try()

  def testAnythingThatCanBeIteratedOver(self):
    with client.Client(["127.0.0.1"], key=testutils.KEY, port=self.port,
                       timeout=0) as asker:
      for names in (("a", "b"), {"a"}, frozenset(["a"]), iter(["a"]),
                    {"a": 1}.keys()):
        self.assertRaises(client.NoAnswer, asker.NodesOfInstanceIps, names)

  def testSaysWhichAndWhat(self):
    with client.Client(["127.0.0.1"], key=testutils.KEY) as asker:
      for (call, text) in [
        (lambda: asker.NodesOfInstanceIps("10.0.0.1"),
         "ips must be a list of texts, not '10.0.0.1'"),
        (lambda: asker.List("instance", "name"),
         "fields must be a list of texts, not 'name'"),
        (lambda: asker.NodeRole(5), "name must be a text, not 5"),
        (lambda: asker.Query(True), "rtype must be an integer, not True"),
        (lambda: asker.Query(1, {1, 2}), "query must be a JSON value"),
        ]:
        with self.assertRaisesRegex(errors.ProgrammerError, text):
          call()


@needs_hypothesis
class TestCallbackInterface(unittest.TestCase):
  """The same for the interface of Ganeti.

  """
  def setUp(self):
    self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(self.sock.close)
    self.sock.bind(("127.0.0.1", testutils.FreePort()))
    self.sock.setblocking(False)
    self.asker = client.ConfdClient(testutils.KEY, ["127.0.0.1"], len,
                                    port=self.sock.getsockname()[1])
    self.addCleanup(self.asker._socket.close)

  def _Check(self, call, arguments):
    @_SETTINGS
    @hypothesis.given(_Wrong(arguments))
    def _Run(kwargs):
      with self.assertRaises((errors.ProgrammerError, errors.ConfdClientError),
                             msg=(call, kwargs)):
        call(**kwargs)
    _Run()
    with self.assertRaises(BlockingIOError):
      self.sock.recv(65536)

  def testCalls(self):
    request = client.ConfdClientRequest(type=0)
    store = client.StoreResultCallback()
    counting = client.ConfdCountingCallback(store)
    no_callback = _NO_TEXT.filter(lambda value: not callable(value))
    no_peers = _NO_LIST | st.tuples(_TEXTS)
    no_bytes = _NO_TEXT.filter(lambda value: not isinstance(value, bytes))
    for (call, arguments) in [
      (client.ConfdClient, {
        "hmac_key": ("key", _OneOf(_NUMBERS, st.none(), st.lists(_TEXTS))
                     .filter(lambda key: not isinstance(key, (bytes,
                                                              bytearray)))),
        "peers": (["127.0.0.1"], no_peers),
        "callback": (len, no_callback),
        "port": (1814, _OneOf(st.floats(), st.booleans(), _TEXTS))}),
      (self.asker.UpdatePeerList, {"peers": (["127.0.0.1"], no_peers)}),
      (self.asker.SendRequest, {"request": (request, _NO_TEXT | _TEXTS),
                                "coverage": (0, _NO_INTEGER)}),
      (self.asker.HandleResponse, {
        "payload": (b"", no_bytes), "ip": ("x", _NO_TEXT),
        "port": (1814, _NO_INTEGER)}),
      (self.asker.ReceiveReply, {"timeout": (0, _NO_SECONDS)}),
      (self.asker.WaitForReply, {"salt": ("x", _NO_TEXT),
                                 "timeout": (0, _NO_SECONDS)}),
      (client.ConfdClientRequest, {
        "type": (0, _NO_INTEGER), "query": (None, _NO_JSON),
        "rsalt": ("x", _OneOf(_NUMBERS).filter(bool))}),
      (client.ConfdFilterCallback, {"callback": (len, no_callback)}),
      (client.ConfdCountingCallback, {"callback": (len, no_callback)}),
      (client.GetConfdClient, {"callback": (len, no_callback)}),
      (counting.RegisterQuery, {"salt": ("x", _NO_TEXT)}),
      (store.GetResponse, {"salt": ("x", _NO_TEXT)}),
      (client.ReadKey, {"path": ("/dev/null", _NO_TEXT)}),
      ]:
      self._Check(call, arguments)


if __name__ == "__main__":
  unittest.main()
