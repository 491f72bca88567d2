#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.protocol.wire"""

import json
import os
import subprocess
import sys
import unittest
from unittest import mock

import test_readerkey
import testutils
from ganeti import errors
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire


NOW = 1700000000
KEY = testutils.KEY

MESSAGE = {"protocol": 1, "type": 3, "query": None, "rsalt": "abc"}

#: Replaced by the right signature
SIGN = object()


def Request(salt="%d" % NOW, **kwargs):
  """Makes the datagram of a request.

  @param kwargs: keys of the message

  """
  return testutils.PackMessage(KEY, dict(MESSAGE, **kwargs), salt=salt)


def Envelope(msg=None, salt="%d" % NOW, signature=SIGN, **kwargs):
  """Makes a datagram with anything in its envelope.

  """
  if msg is None:
    msg = json.dumps(MESSAGE)
  if signature is SIGN:
    signature = testutils.Sign(KEY, "%s%s" % (salt, msg))
  envelope = dict({"msg": msg, "salt": salt, "hmac": signature}, **kwargs)
  return testutils.PackEnvelope({key: value for (key, value) in envelope.items()
                                 if value is not testutils.MISSING})


def Text(text):
  """Makes a properly signed datagram with any text as its message.

  """
  return testutils.PackText(KEY, "%d" % NOW, text)


def Parse(datagram, key=KEY, now=NOW):
  """Parses a request.

  @return: tuple of type, query and rsalt

  """
  request = wire.ParseRequest(datagram, key, now)
  return (request.type, request.query, request.rsalt)


class TestKnownDatagram(unittest.TestCase):
  """One request and one reply, signed by other means.

  The signatures were made with C{openssl dgst -sha1 -mac HMAC}.

  """
  KEY = b"a sixteen byte key\n"
  REQUEST = (b'plj0{"msg": "{\\"protocol\\": 1, \\"type\\": 0, \\"query\\": '
             b'null, \\"rsalt\\": \\"abc\\"}", "salt": "1700000000", "hmac": '
             b'"56519c27bbc40a983060e5ca0cf7f3145e483ea1"}')
  REPLY = (b'plj0{"msg": "{\\"status\\": 0, \\"answer\\": 3000000, '
           b'\\"serial\\": 7, \\"protocol\\": 1}", "salt": "abc", "hmac": '
           b'"8674bdeef7073533a17a7b418c6459a124ab51ce"}')

  def testRequest(self):
    self.assertEqual(Parse(self.REQUEST, key=self.KEY), (0, None, "abc"))

  def testReply(self):
    self.assertEqual(wire.ParseReply(self.REPLY, self.KEY),
                     wire.ParsedReply(1, 0, 3000000, 7, "abc"))


class TestParseRequest(unittest.TestCase):
  """Forms of a request."""

  def _Check(self, datagram, expected=(3, None, "abc"), now=NOW):
    self.assertEqual(Parse(datagram, now=now), expected)

  def testPlain(self):
    self._Check(Request())

  def testQueryIsKept(self):
    for value in [None, True, 0, -1, 1.5, 10 ** 400, "", "x", "\ud800", [],
                  [[1]], {}, {"0": None}]:
      with self.subTest(value=value):
        query = Parse(Request(query=value))[1]
        self.assertEqual(query, value)
        self.assertIs(type(query), type(value))
    self._Check(testutils.PackMessage(KEY, {"protocol": 1, "type": 5,
                                            "rsalt": "x"}, salt="%d" % NOW),
                (5, None, "x"))

  def testTypeIsKept(self):
    for value in [0, 11, 12, 64, -1, 10 ** 400]:
      self._Check(Request(type=value), (value, None, "abc"))

  def testOtherTypesAndProtocols(self):
    # Authentic, so there is a reply, but nothing is implemented
    for value in [None, True, False, 0.0, 1.0, 1.5, "", "0", "1", [], [1], {}]:
      with self.subTest(value=value):
        self._Check(Request(type=value), (None, None, "abc"))
        self._Check(Request(protocol=value), (None, None, "abc"))
    for value in [0, 2, -1, 10 ** 400]:
      self._Check(Request(protocol=value), (None, None, "abc"))
    for message in [{"rsalt": "x"}, {"rsalt": "x", "type": 0},
                    {"rsalt": "x", "protocol": 1}]:
      self._Check(testutils.PackMessage(KEY, message, salt="%d" % NOW),
                  (None, None, "x"))

  def testPart(self):
    for value in [None, 0, 3, -1, 10 ** 30, True, 1.5, "0", [], {}]:
      with self.subTest(value=value):
        request = wire.ParseRequest(Request(part=value), KEY, NOW)
        self.assertIs(type(request.part), type(value))
        self.assertEqual(request[:4], (3, None, "abc", value))
    self.assertIsNone(wire.ParseRequest(Request(), KEY, NOW).part)

  def testSignature(self):
    """The signature is the same, however a copy of the request is written.

    """
    envelope = json.loads(Request()[4:])
    signature = envelope["hmac"]
    envelope.update(hmac=signature.upper(), more=1)
    for datagram in [Request(), testutils.PackEnvelope(envelope)]:
      request = wire.ParseRequest(datagram, KEY, NOW)
      self.assertEqual(request.signature, signature)

  def testUnknownKeysAreIgnored(self):
    self._Check(Request(more={"a": [1]}))
    self._Check(Envelope(extra=[1, 2.5, None]))

  def testHmacInEitherCase(self):
    signature = testutils.Sign(KEY, "%d" % NOW + json.dumps(MESSAGE))
    self._Check(Envelope(signature=signature.upper()))
    self._Check(Envelope(signature=signature.capitalize()))

  def testWhiteSpaceAroundJson(self):
    datagram = Request()
    self._Check(datagram + b"\n")
    self._Check(datagram[:4] + b" \n" + datagram[4:])
    self._Check(Text("  " + json.dumps(MESSAGE) + "\n"))

  def testNonAscii(self):
    for raw in [False, True]:
      text = json.dumps(dict(MESSAGE, query="n\xf6de\U0001f600", rsalt="\xe9"),
                        ensure_ascii=not raw)
      self._Check(Text(text), (3, "n\xf6de\U0001f600", "\xe9"))

  def testRawUtf8Envelope(self):
    text = json.dumps(dict(MESSAGE, rsalt="\xe9"), ensure_ascii=False)
    envelope = json.dumps({"msg": text, "salt": "%d" % NOW,
                           "hmac": testutils.Sign(KEY, "%d" % NOW + text)},
                          ensure_ascii=False)
    self._Check(b"plj0" + envelope.encode("utf-8"),
                (3, None, "\xe9"))

  def testLongRsalt(self):
    self._Check(Request(rsalt="x" * 50000),
                (3, None, "x" * 50000))

  def testClock(self):
    for skew in [0, 1, -1, 299, -299, 300, -300]:
      with self.subTest(skew=skew):
        self._Check(Request(), now=NOW + skew)
    # Fractions of a second are no reason
    self._Check(Request(), now=NOW + 300.9)
    self._Check(Request(), now=NOW - 299.5)

  def testSaltWithZeros(self):
    self._Check(Request(salt="00%d" % NOW))

  def testLargestSize(self):
    for (size, reason) in [(61439, None), (61440, None),
                           (61441, wire.BAD_SIZE), (65507, wire.BAD_SIZE)]:
      with self.subTest(size=size):
        datagram = Request(query="")
        datagram = Request(query="x" * (size - len(datagram)))
        self.assertEqual(len(datagram), size)
        if reason is None:
          wire.ParseRequest(datagram, KEY, NOW)
        else:
          with self.assertRaises(wire.Rejected) as caught:
            wire.ParseRequest(datagram, KEY, NOW)
          self.assertEqual(caught.exception.reason, reason)

  def testAnyKey(self):
    # HMAC hashes keys of more than 64 bytes
    for key in [b"k" * 16, b"\x00\xff" * 100, b"0123456789abcde\n", b"k" * 63,
                b"k" * 64, b"k" * 65]:
      with self.subTest(key=key):
        datagram = testutils.PackMessage(key, MESSAGE, salt="%d" % NOW)
        wire.ParseRequest(datagram, key, NOW)
        # The newline is part of the key
        self.assertRaises(wire.Rejected, wire.ParseRequest, datagram,
                          key + b"\n", NOW)
        self.assertRaises(wire.Rejected, wire.ParseRequest, datagram,
                          key[:-1], NOW)


SIGNATURE = testutils.Sign(KEY, "%d" % NOW + json.dumps(MESSAGE))


class TestRejected(unittest.TestCase):
  """Datagrams that get no reply."""

  REQUESTS = [
    (wire.BAD_FOURCC, [
      b"", b"p", b"plj", b"plj1" + Request()[4:], b"PLJ0" + Request()[4:],
      Request()[4:], b" " + Request(), b"\0" + Request()]),
    (wire.BAD_JSON, [
      b"plj0", b"plj0 ", b"plj0null", b"plj0[]", b"plj0\"x\"", b"plj0{}",
      b"plj0{", b"plj0{]", Request()[:-1], Request() + b"x", Request() * 2,
      Request() + b"\0", b"plj0\xff\xfe", Request().replace(b"abc", b"a\xffc"),
      Request().replace(b"abc", b"a\xed\xa0\x80c"),
      b"plj0" + Request()[4:].decode().encode("utf-16"), b"plj0" + b"[" * 50000,
      b"plj0" + b"{\"a\":" * 10000, b"plj0{\"a\": NaN}",
      b"plj0{\"a\": -Infinity}", b"plj0{\"a\": 1e5, \"hmac\": Infinity}",
      Envelope(extra=float("nan")),
      Envelope(msg=testutils.MISSING), Envelope(salt=testutils.MISSING),
      Envelope(signature=testutils.MISSING),
      Envelope(msg=None, signature=None), Envelope(msg=MESSAGE),
      Envelope(msg=[]), Envelope(salt=NOW), Envelope(salt=None),
      Envelope(salt=float(NOW)), Envelope(salt=True), Envelope(signature=5),
      Envelope(signature=[SIGNATURE]), Envelope(signature=True)]),
    (wire.BAD_HMAC, [
      Envelope(signature=""), Envelope(signature=SIGNATURE[:-1]),
      Envelope(signature=SIGNATURE + "0"), Envelope(signature=SIGNATURE + "\n"),
      Envelope(signature=" " + SIGNATURE[1:]),
      Envelope(signature="0x" + SIGNATURE[2:]),
      Envelope(signature=SIGNATURE[:38] + "  "),
      Envelope(signature=SIGNATURE[:19] + "  " + SIGNATURE[19:38]),
      Envelope(signature=SIGNATURE[:-2] + " "),
      Envelope(signature=SIGNATURE + "  "),
      Envelope(signature="\xe9" * 40),
      Envelope(signature="\uff10" * 40), Envelope(signature="\u0130" * 40),
      Envelope(signature="\ud800" * 40), Envelope(signature="g" * 40),
      Envelope(signature=SIGNATURE[::-1]), Envelope(signature="0" * 40),
      Envelope(salt="%d" % (NOW + 1), signature=SIGNATURE),
      Envelope(msg=json.dumps(MESSAGE) + " ", signature=SIGNATURE),
      Envelope(salt="", signature=SIGNATURE),
      testutils.PackMessage(KEY + b"\n", MESSAGE, salt="%d" % NOW),
      testutils.PackMessage(KEY.rstrip(), MESSAGE, salt="%d" % NOW),
      # JSON can carry lone surrogates; nobody can have signed them
      Envelope(msg="\ud800", signature=SIGNATURE),
      Envelope(salt="\udfff", signature=SIGNATURE)]),
    (wire.BAD_CLOCK, [
      Request(salt=salt) for salt in [
        "", " ", "x", "%d.0" % NOW, " %d" % NOW, "%d " % NOW, "%d\n" % NOW,
        "+%d" % NOW, "-%d" % NOW, "1_700_000_000", "0x6553f100", "1.7e9",
        "0000%d" % NOW, "1" * 13, "9" * 12, "9" * 5000, "0", "NaN",
        "".join(chr(0xff10 + int(digit)) for digit in "%d" % NOW),
        "%d" % (NOW + 301), "%d" % (NOW - 301)]]),
    (wire.BAD_JSON, [
      Text(text) for text in [
        "", " ", "x", "null", "[]", "3", "\"x\"", "{", "{}x",
        "{\"rsalt\": \"x\", \"query\": NaN}", "[" * 20000,
        "{\"rsalt\": \"x\", \"query\": -Infinity}",
        "{\"rsalt\": \"x\", \"query\": %s}" % ("[" * 20000),
        "{\"rsalt\": \"x\", \"query\": \"\n\"}",
        "{'rsalt': 'x'}"]]),
    (wire.BAD_RSALT, [
      Request(rsalt=rsalt) for rsalt in [
        None, "", 5, 0, True, 1.5, [], ["x"], {}, "\ud800", "x\udc00"]]),
    (wire.BAD_RSALT, [Text("{}"), Text("{\"protocol\": 1, \"type\": 0}")]),
    ]

  def testRequests(self):
    for (reason, datagrams) in self.REQUESTS:
      for datagram in datagrams:
        with self.subTest(datagram=datagram[:200]):
          with self.assertRaises(wire.Rejected) as caught:
            wire.ParseRequest(datagram, KEY, NOW)
          self.assertEqual(caught.exception.reason, reason)
          self.assertIn(reason, wire.REJECT_REASONS)

  def testIsASignatureError(self):
    # The class that Ganeti's own client raises
    self.assertRaises(errors.SignatureError, wire.ParseRequest, b"", KEY, NOW)

  def testEveryBitCounts(self):
    datagram = Request()
    start = len(b"plj0")
    for index in range(start, len(datagram)):
      for bit in (0, 3, 5):
        changed = bytearray(datagram)
        changed[index] ^= 1 << bit
        try:
          request = Parse(bytes(changed))
        except wire.Rejected:
          continue
        # Only the case of the signature, and what JSON does not care for
        self.assertEqual(request, (3, None, "abc"), changed)

  def testHugeNumber(self):
    # Whether such a number can be read depends on Python's limit
    text = "{\"rsalt\": \"x\", \"type\": %s}" % ("9" * 50000)
    try:
      request = wire.ParseRequest(Text(text), KEY, NOW)
    except wire.Rejected as err:
      self.assertEqual(err.reason, wire.BAD_JSON)
    else:
      self.assertEqual(request.type, 10 ** 50000 - 1)

  def testUnauthenticNumbersAreNotConverted(self):
    for number in ["9" * 60000, "1e999999999", "-" + "9" * 60000]:
      self.assertRaises(wire.Rejected, wire.ParseRequest,
                        b"plj0{\"msg\": %s}" % number.encode(), KEY, NOW)


LABEL = "grafana:list/nodes,ping:20991231"


def ReaderKey(text=LABEL, key=KEY):
  label = readerkey.Parse(text)
  return wire.ReaderKey(label, testutils.Derive(key, text))


class TestReaders(unittest.TestCase):
  """Requests and replies that are signed with a reader's key."""

  def setUp(self):
    self.readers = readers.Readers(KEY)

  def _Parse(self, datagram):
    return wire.ParseRequest(datagram, KEY, NOW, self.readers)

  def _CheckRejected(self, parse, *args):
    with self.assertRaises(wire.Rejected) as caught:
      parse(*args)
    self.assertEqual(caught.exception.reason, wire.BAD_HMAC)

  def testRequest(self):
    datagram = testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, LABEL)
    first = self._Parse(datagram)
    self.assertEqual(first[:3], (3, None, "abc"))
    self.assertEqual(first.reader.label, readerkey.Parse(LABEL))
    # Derived once
    with mock.patch.object(readerkey, "Derive", side_effect=AssertionError):
      self.assertEqual(self._Parse(datagram), first)
    # The rights of the key are not this module's business
    self._Parse(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW,
                                      "a:ping:20000101"))

  def testClusterKey(self):
    self.assertIsNone(self._Parse(Request()).reader)

  def testWithoutReaders(self):
    self._CheckRejected(wire.ParseRequest, testutils.PackMessage(
      KEY, MESSAGE, "%d" % NOW, LABEL), KEY, NOW)

  def testPacked(self):
    """The daemon reads what our client sends, and the other way round."""
    key = ReaderKey()
    datagram = wire.PackRequest(key, NOW, 10, "/cluster", "\u2028")
    envelope = json.loads(datagram[4:].decode("ascii"))
    self.assertEqual(sorted(envelope), ["hmac", "key", "msg", "salt"])
    self.assertEqual(envelope["key"], LABEL)
    request = self._Parse(datagram)
    self.assertEqual(request[:3], (10, "/cluster", "\u2028"))
    message = wire.Prepare(wire.EncodeReply(0, ["\xe9"], 5))
    reply = wire.PackReply(request.reader, "s\xe4lt", message)
    self.assertEqual(testutils.UnpackReply(KEY, reply, label=LABEL)[0],
                     "s\xe4lt")
    self.assertEqual(wire.ParseReply(reply, key),
                     wire.ParsedReply(1, 0, ["\xe9"], 5, "s\xe4lt"))

  def testMoved(self):
    """A signature with one key is not taken for that of another."""
    other = "grafana:list,ping:20991231"
    for label in [None, LABEL]:
      good = json.loads(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW,
                                              label)[4:])
      for moved in {None, LABEL, other} - {label}:
        datagram = testutils.PackEnvelope(dict(good, key=moved))
        if moved is None:
          good.pop("key")
          datagram = testutils.PackEnvelope(good)
        self._CheckRejected(self._Parse, datagram)
    # Nor with the label as a part of the salt, or of the message
    for (salt, text) in [(LABEL + "\0" + "%d" % NOW, json.dumps(MESSAGE)),
                         (LABEL + "\0", "%d" % NOW + json.dumps(MESSAGE))]:
      envelope = {"msg": text, "salt": salt, "hmac": testutils.Sign(
        testutils.Derive(KEY, LABEL), salt + text)}
      self._CheckRejected(self._Parse, testutils.PackEnvelope(envelope))

  def testMovedReplies(self):
    message = wire.Prepare(wire.EncodeReply(0, 1, 5))
    keys = [KEY, ReaderKey(), ReaderKey("a:all:never"), b"k" * 20,
            ReaderKey(key=b"k" * 20)]
    for one in keys:
      reply = wire.PackReply(one, "s", message)
      for two in keys:
        if one is two:
          wire.ParseReply(reply, two)
          without = json.loads(reply[4:])
          if without.pop("key", None):
            self._CheckRejected(wire.ParseReply,
                                testutils.PackEnvelope(without), two)
          continue
        self._CheckRejected(wire.ParseReply, reply, two)
        # With the other's label, or none
        envelope = json.loads(reply[4:])
        envelope.pop("key", None)
        if not isinstance(two, bytes):
          envelope["key"] = two.label.text
        self._CheckRejected(wire.ParseReply, testutils.PackEnvelope(envelope),
                            two)

  def testNoLabels(self):
    """Properly signed, but with nothing that is a label."""
    for label in test_readerkey.BAD:
      with self.subTest(label=label[:80]):
        self._CheckRejected(self._Parse, testutils.PackMessage(
          KEY, MESSAGE, "%d" % NOW, label))
        self.assertEqual(self.readers._cached, {})

  def testOtherTypes(self):
    good = json.loads(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW,
                                            LABEL)[4:])
    unlabelled = json.loads(Request()[4:])
    for label in [None, True, False, 0, 1, 10 ** 400, 1.5, [], [LABEL],
                  [[LABEL]], {}, {LABEL: LABEL}, {"key": LABEL}]:
      for envelope in [good, unlabelled]:
        datagram = testutils.PackEnvelope(dict(envelope, key=label))
        self._CheckRejected(self._Parse, datagram)
        self._CheckRejected(wire.ParseReply, datagram, KEY)
        self._CheckRejected(wire.ParseReply, datagram, ReaderKey())

  def testTwice(self):
    """The last one counts, as it does for all of JSON here."""
    good = testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, LABEL)
    self._Parse(good[:-1] + b', "key": "%s"}' % LABEL.encode())
    self._CheckRejected(self._Parse, good[:-1] + b', "key": "a:all:never"}')

  def testEveryBitCounts(self):
    datagram = testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, LABEL)
    start = datagram.index(b"\"key\"")
    for index in range(start, len(datagram)):
      for bit in (0, 2, 5):
        changed = bytearray(datagram)
        changed[index] ^= 1 << bit
        self.assertRaises(wire.Rejected, self._Parse, bytes(changed))

  def testAnotherClusterKey(self):
    """With it, all readers' keys are others."""
    datagram = testutils.PackMessage(b"n" * 20, MESSAGE, "%d" % NOW, LABEL)
    self._CheckRejected(self._Parse, datagram)
    wire.ParseRequest(datagram, b"n" * 20, NOW, readers.Readers(b"n" * 20))

  def testStrangersKeepNothing(self):
    """Only keys that something was signed with are kept, and not too many."""
    self._Parse(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, LABEL))
    kept = dict(self.readers._cached)
    for number in range(3000):
      self._CheckRejected(self._Parse, testutils.PackMessage(
        b"x" * 20, MESSAGE, "%d" % NOW, "a%d:all:never" % number))
    self.assertEqual(self.readers._cached, kept)
    for number in range(3000):
      self._Parse(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW,
                                        "a%d:all:never" % number))
      self.assertLessEqual(len(self.readers._cached), 1024)

  def testNoSecretIsShown(self):
    self.assertEqual(repr(ReaderKey()), "<ReaderKey of %s>" % LABEL)


class TestCost(unittest.TestCase):
  """The cost of a forged datagram."""

  def setUp(self):
    self.derived = 0
    self.readers = readers.Readers(KEY)

  def _Signatures(self, datagram):
    """Counts the signatures that are computed for a datagram.

    """
    with mock.patch.object(wire, "_Sign", side_effect=wire._Sign) as sign, \
         mock.patch.object(readerkey, "Derive",
                           side_effect=readerkey.Derive) as derive:
      self.assertRaises(wire.Rejected, wire.ParseRequest, datagram, KEY, NOW,
                        self.readers)
    self.derived = derive.call_count
    return sign.call_count

  def testForgedLabels(self):
    forged = testutils.PackMessage(b"x" * 32, MESSAGE, "%d" % NOW, LABEL)
    for _ in range(2):
      self.assertEqual((self._Signatures(forged), self.derived), (1, 1))
    # One that is in use
    wire.ParseRequest(testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, LABEL),
                      KEY, NOW, self.readers)
    self.assertEqual((self._Signatures(forged), self.derived), (1, 0))

  def testNoLabels(self):
    for label in test_readerkey.BAD:
      datagram = testutils.PackMessage(KEY, MESSAGE, "%d" % NOW, label)
      self.assertEqual((self._Signatures(datagram), self.derived), (0, 0))
    for signature in ["", "x" * 40, "\xe4" * 40, " " * 40]:
      datagram = Envelope(signature=signature, key=LABEL)
      self.assertEqual((self._Signatures(datagram), self.derived), (0, 0))

  def testForged(self):
    forged = testutils.PackMessage(b"x" * 32, MESSAGE, salt="%d" % NOW)
    self.assertEqual(self._Signatures(forged), 1)
    old = testutils.PackMessage(b"x" * 32, MESSAGE, salt="5")
    self.assertEqual(self._Signatures(old), 1)

  def testGarbage(self):
    for datagram in [b"", b"x" * 60000, b"plj0", b"plj0{}", b"plj0" + b"[" * 9,
                     Envelope(signature="x" * 40), Envelope(signature=""),
                     Envelope(signature="\xe4" * 40),
                     Request()[:-1], b"plj0" + b" " * 61440]:
      with self.subTest(datagram=datagram[:50]):
        self.assertEqual(self._Signatures(datagram), 0)

  def testStale(self):
    self.assertEqual(self._Signatures(Request(salt="5")), 1)


class TestWithoutSimplejson(unittest.TestCase):
  """A client needs nothing beyond Python's own modules."""

  def testClient(self):
    program = ("import sys; sys.modules['simplejson'] = None\n"
               "from ganeti.confd import client\n"
               "from ganeti.confd.clientlib import aio, clusterstats,"
               " clusterstatus, download, tables\n"
               "from ganeti.confd.command import cli, cmd_list, cmd_map,"
               " cmd_question\n")
    subprocess.run([sys.executable, "-c", program], check=True,
                   env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR))


class TestLoops(unittest.TestCase):
  """Two daemons cannot be made to talk to each other."""

  def testReplyIsNoRequest(self):
    # Whatever salt was asked for, and whatever is in the answer
    for salt in ["%d" % NOW, "x"]:
      for answer in [None, MESSAGE, json.dumps(MESSAGE)]:
        message = wire.Prepare(wire.EncodeReply(0, answer, 5))
        reply = wire.PackReply(KEY, salt, message)
        self.assertRaises(wire.Rejected, wire.ParseRequest, reply, KEY, NOW)


class TestPackRequest(unittest.TestCase):
  """Requests of our client."""

  def _Pack(self, *args):
    datagram = wire.PackRequest(KEY, *args)
    self.assertEqual(datagram[:4], b"plj0")
    envelope = json.loads(datagram[4:].decode("ascii"))
    self.assertEqual(sorted(envelope), ["hmac", "msg", "salt"])
    self.assertEqual(envelope["hmac"],
                     testutils.Sign(KEY, envelope["salt"] + envelope["msg"]))
    return (envelope["salt"], json.loads(envelope["msg"]))

  def testMessage(self):
    for query in [None, "", "n\xf6de", {"0": None, "2": ["\ud800"]}, [1.5, {}],
                  10 ** 30]:
      with self.subTest(query=query):
        (salt, message) = self._Pack(NOW, 2, query, "r\xe9")
        self.assertEqual(salt, "%d" % NOW)
        # No other key: the packaged daemon ignores requests that have any
        self.assertEqual(message, {"protocol": 1, "type": 2, "query": query,
                                   "rsalt": "r\xe9"})

  def testPart(self):
    for part in [0, 7]:
      (_, message) = self._Pack(NOW, 2, "x", "r", part)
      self.assertEqual(message, {"protocol": 1, "type": 2, "query": "x",
                                 "rsalt": "r", "part": part})
    self.assertNotIn("part", self._Pack(NOW, 2, "x", "r", None)[1])

  def testSize(self):
    for query in [None, "node1", "\xe9\U0001f600\"\\", ["x"] * 500, {"a": 1.5}]:
      with self.subTest(query):
        self.assertEqual(wire.RequestSize(NOW + 0.5, 64, query, "-" * 30),
                         len(wire.PackRequest(KEY, NOW, 64, query, "-" * 30)))

  def testTimeIsInWholeSeconds(self):
    self.assertEqual(self._Pack(NOW + 0.75, 0, None, "x")[0], "%d" % NOW)

  def testOwnDaemonReadsIt(self):
    datagram = wire.PackRequest(KEY, NOW, 10, "/cluster", "\u2028")
    self.assertEqual(Parse(datagram), (10, "/cluster", "\u2028"))


class TestReply(unittest.TestCase):
  """Replies, as the daemon makes and the client reads them."""

  ANSWERS = [None, 0, 3000000, 10 ** 200, True, "", "n\xf6de", "\ud800",
             "</script>\u2028", [], [[0, "192.0.2.1"], [1, 0]], {},
             {"": {"\xe9": None}}, 1.5, -0.25]

  def testRoundTrip(self):
    for answer in self.ANSWERS:
      for (status, serial) in [(0, 1), (1, 0), (2, 10 ** 12)]:
        with self.subTest(answer=answer):
          text = wire.EncodeReply(status, answer, serial)
          datagram = wire.PackReply(KEY, "s\xe4lt", wire.Prepare(text))
          (salt, message) = testutils.UnpackReply(KEY, datagram)
          self.assertEqual(salt, "s\xe4lt")
          self.assertEqual(message, {"protocol": 1, "status": status,
                                     "answer": answer, "serial": serial})
          # The client makes Unicode of what is none
          if answer == "\ud800":
            answer = "\ufffd"
          self.assertEqual(wire.ParseReply(datagram, KEY),
                           wire.ParsedReply(1, status, answer, serial,
                                            "s\xe4lt"))

  def testAllTextsAreUnicode(self):
    for (text, expected) in [
      ("\ud800", "\ufffd"), ("a\udc00b\ud800", "a\ufffdb\ufffd"),
      ("\udfff\ud83d\ude00\udbff", "\ufffd\U0001f600\ufffd"),
      ("\\ud800", "\\ud800"), ("\U0001f600", "\U0001f600")]:
      with self.subTest(text=text):
        answer = {text: [text, 1, None], "x": {"y": text}}
        message = {"protocol": 1, "status": 0, "answer": answer, "serial": 1}
        reply = wire.ParseReply(testutils.PackMessage(KEY, message, salt="s"),
                                KEY)
        self.assertEqual(reply.answer, {expected: [expected, 1, None],
                                        "x": {"y": expected}})
        self.assertEqual(wire.DecodeAnswer(json.dumps(answer).encode("ascii")),
                         reply.answer)
    self.assertEqual(wire.DecodeAnswer(b'["\\uD83D\\uDE00\\uDFFF", {"x": 1}]'),
                     ["\U0001f600\ufffd", {"x": 1}])

  def testAuthenticAndMalformed(self):
    """Errors name the owner of the key, and what is wrong with it.

    """
    good = {"protocol": 1, "status": 0, "answer": 1, "serial": 1}
    for (message, text) in [
      ([], "no JSON object|Not a JSON object"), (5, "Not a JSON object"),
      (dict(good, status=True), "status or serial"),
      (dict(good, status="0"), "status or serial"),
      (dict(good, status=None), "status or serial"),
      (dict(good, serial=1.0), "status or serial"),
      ({"status": 0}, "status or serial"),
      (dict(good, part=0), "part, parts or sha256 is invalid"),
      (dict(good, part=1, parts=1, sha256=""),
       "part, parts or sha256 is invalid"),
      (dict(good, part=0.0, parts=1, sha256=""),
       "part, parts or sha256 is invalid"),
      ]:
      with self.assertRaisesRegex(wire.Malformed, text) as context:
        wire.ParseReply(testutils.PackMessage(KEY, message, salt="s"), KEY)
      self.assertEqual(context.exception.salt, "s")
    for msg in ["", "x", "{", "[" * 5000, "[" * 100000, "1" * 5000,
                "{\"answer\":1e999}", "{\"answer\":-1e999}",
                "{\"answer\":[NaN]}", "{} {}"]:
      with self.assertRaises(wire.Malformed, msg=msg[:20]) as context:
        wire.ParseReply(testutils.PackText(KEY, "s", msg), KEY)
      self.assertEqual(context.exception.salt, "s")

  def testTuplesAreLists(self):
    text = wire.EncodeReply(0, [(0, "x"), (1, 0)], 1)
    self.assertEqual(json.loads(text)["answer"], [[0, "x"], [1, 0]])

  def testNoNumberIsNull(self):
    # JSON has neither; the configuration could, as some parsers take them
    for value in [float("nan"), float("inf"), -float("inf")]:
      self.assertIsNone(json.loads(wire.EncodeReply(0, value, 1))["answer"])

  def testForeignReplies(self):
    # As the packaged daemon writes them
    text = '{"protocol":1,"status":0,"answer":[["x",1]],"serial":0}'
    signature = testutils.Sign(KEY, "salt" + text)
    datagram = (b'plj0{"hmac":"%s","msg":%s,"salt":"salt"}' %
                (signature.encode(), json.dumps(text).encode()))
    self.assertEqual(wire.ParseReply(datagram, KEY),
                     wire.ParsedReply(1, 0, [["x", 1]], 0, "salt"))

  def testExtraKeysAreIgnored(self):
    text = json.dumps({"protocol": 1, "status": 0, "answer": 1, "serial": 1,
                       "other": 0})
    self.assertEqual(wire.ParseReply(testutils.PackText(KEY, "s", text), KEY),
                     wire.ParsedReply(1, 0, 1, 1, "s"))

  def testPart(self):
    sha256 = "0" * 64
    for number in [0, 2]:
      text = wire.EncodeReply(0, "YQ==", 1, wire.Part(number, 3, sha256))
      datagram = wire.PackReply(KEY, "s", wire.Prepare(text))
      self.assertEqual(wire.ParseReply(datagram, KEY),
                       wire.ParsedReply(1, 0, "YQ==", 1, "s",
                                  wire.Part(number, 3, sha256)))
    for (part, parts, sha256) in [(3, 3, sha256), (-1, 3, sha256),
                                  (None, 3, sha256), (0, True, sha256),
                                  (0, 1.0, sha256), (0, 1, None)]:
      with self.subTest(part=part, parts=parts, sha256=sha256):
        text = json.dumps({"protocol": 1, "status": 0, "answer": "YQ==",
                           "serial": 1, "part": part, "parts": parts,
                           "sha256": sha256})
        self.assertRaises(wire.Rejected, wire.ParseReply,
                          testutils.PackText(KEY, "s", text), KEY)

  def testRejected(self):
    def _Reply(**kwargs):
      message = {"protocol": 1, "status": 0, "answer": 1, "serial": 1}
      message.update(kwargs)
      return testutils.PackMessage(KEY, {
        key: value for (key, value) in message.items()
        if value is not testutils.MISSING}, salt="s")

    wire.ParseReply(_Reply(), KEY)
    good = _Reply()
    for (reason, datagram) in [
      (wire.BAD_FOURCC, b""),
      (wire.BAD_FOURCC, good[4:]),
      (wire.BAD_JSON, good[:-1]),
      # The packaged daemon cuts characters to one byte
      (wire.BAD_JSON, b'plj0{"msg": "\xf6", "salt": "x", "hmac": ""}'),
      (wire.BAD_HMAC, testutils.PackMessage(b"another key here", {}, salt="s")),
      (wire.BAD_JSON, testutils.PackText(KEY, "s", "null")),
      (wire.BAD_JSON, testutils.PackText(KEY, "s", "x")),
      (wire.BAD_JSON, _Reply(status=testutils.MISSING)),
      (wire.BAD_JSON, _Reply(status=None)),
      (wire.BAD_JSON, _Reply(status="0")),
      (wire.BAD_JSON, _Reply(status=False)),
      (wire.BAD_JSON, _Reply(status=0.0)),
      (wire.BAD_JSON, _Reply(serial=testutils.MISSING)),
      (wire.BAD_JSON, _Reply(serial=True)),
      (wire.BAD_JSON, _Reply(serial=1.0)),
      ]:
      with self.subTest(datagram=datagram):
        with self.assertRaises(wire.Rejected) as caught:
          wire.ParseReply(datagram, KEY)
        self.assertEqual(caught.exception.reason, reason)


class TestIsPlainInt(unittest.TestCase):
  def test(self):
    for value in [0, -1, 10 ** 30]:
      self.assertTrue(wire.IsPlainInt(value))
    for value in [True, False, None, 0.0, 1.0, "0", [], {}]:
      with self.subTest(value=value):
        self.assertFalse(wire.IsPlainInt(value))


class TestTextsInValues(unittest.TestCase):
  """JSON texts may stand in a value that is serialised."""

  #: A value with texts in it, and the same one without
  VALUES = [
    (b"5", 5),
    (b"{\"a\":[]}", {"a": []}),
    ([b"1", b"2"], [1, 2]),
    ([[b"{}", 5], [], [b"\"\\u00e9\""]], [[{}, 5], [], ["\xe9"]]),
    ({"a": {"\xe9\"": b"[1]", "c": 1.5}, "d": "x"},
     {"a": {"\xe9\"": [1], "c": 1.5}, "d": "x"}),
    ({"a": float("inf"), "b": [b"1", float("nan"), [float("inf")]]},
     {"a": None, "b": [1, None, [None]]}),
    (([b"1"], 2), [[1], 2]),
    ]

  def testSame(self):
    for (value, expected) in self.VALUES:
      text = wire.EncodeJson(expected)
      self.assertEqual(wire.EncodeJson(value), text)
      self.assertEqual("".join(wire.EncodeInPieces(value)), text)
      self.assertEqual("".join(wire.EncodeInPieces(expected)), text)
      self.assertEqual(wire.EncodeReply(0, value, 7),
                       wire.EncodeReply(0, expected, 7))

  def testPieces(self):
    pieces = wire.EncodeInPieces({"a": [b"1"] * 1000, "b": [1] * 1000})
    self.assertLess(max(map(len, pieces)), 2500)
    self.assertEqual(len(list(wire.EncodeInPieces([b"1"] * 1000))), 1001)

  def testNoJson(self):
    for value in [object(), {"a": [b"1", object()]}, {1j: b"1"}, b"\xff"]:
      self.assertRaises((TypeError, ValueError), wire.EncodeJson, value)


if __name__ == "__main__":
  unittest.main()
