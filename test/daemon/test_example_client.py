#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client in C of doc/examples, which was written after doc/protocol.rst.

The client asks real daemons, and candidates that do what the page says and what
it warns of.

"""

import json
import os
import random
import re
import socket
import subprocess
import tempfile
import threading
import unittest

import clientcommand
import exampleclient
import fakecandidate
import mutations
import testutils


_MAX_LINES = 150

_MAX_DATAGRAM = 61440

#: As doc/protocol.rst has them: datagrams within the ten seconds that a
#: question without an answer takes
_MAX_SENT = 14

_CONFIG = json.loads(testutils.ReadFile(os.path.join(
  testutils.SRCDIR, "doc", "examples", "cluster.json")))

_LABEL = "a:all:never"

_Reply = fakecandidate.Reply


def _Envelope(**kwargs):
  return b"plj0" + json.dumps(kwargs).encode("ascii")


def _Unsigned(message):
  """Lists datagrams that are no replies to a request.

  """
  # Would be printed if it counted
  good = _Reply(message, "bad", serial=1 << 40)
  envelope = json.loads(good[4:])
  (msg, salt, hmac) = (envelope["msg"], envelope["salt"], envelope["hmac"])
  yield from [
    b"", b"p", b"plj0", b"plj0{", b"plj0}", b"plj0[]", b"plj0{}", b"plj0null",
    b"plj1" + good[4:], good[4:], good[:-1], good[:len(good) // 2],
    b"plj0\0" + good[4:], good.replace(b"salt", b"sal\0t"),
    b"plj0" + b"[" * 60000, b"plj0" + b"{\"a\":" * 12000,
    b"plj0" + b"\"" * 60000, b"plj0{\"msg\":\"" + b"\\" * 60000,
    b"plj0{\"msg\":\"\\", b"plj0{\"msg\"", b"plj0{\"msg\":", b"plj0{\"msg\":\"",
    b"plj0{\"salt\":\"\\u", b"plj0{\"salt\":\"\\u12", b"plj0{\"\":\"\"}",
    b"plj0" + b"}" * 60000, b"plj0]]]]{\"salt\":\"\"}", b"plj0{,,,,:::}",
    b"plj0" + good[4:].ljust(_MAX_DATAGRAM + 1), b"x" * 65507,
    b"plj0" + b"\xff" * 60000, b"plj0{\"msg\":" + b"9" * 60000 + b"}",
    _Reply(message, "bad", salt="another"), _Reply(message, "bad", salt=""),
    _Reply(message, "bad", key=b"another key of the same size"),
    _Envelope(msg=msg, salt=salt), _Envelope(msg=msg, hmac=hmac),
    _Envelope(salt=salt, hmac=hmac),
    _Envelope(msg=msg, salt=salt, hmac=hmac[:-1]),
    _Envelope(msg=msg, salt=salt, hmac=hmac + "0"),
    _Envelope(msg=msg, salt=salt, hmac=""),
    _Envelope(msg=msg, salt=salt, hmac=hmac * 1000),
    _Envelope(msg=msg, salt=salt, hmac=17),
    _Envelope(msg=[], salt=salt, hmac=hmac),
    _Envelope(msg=msg, salt={"salt": salt}, hmac=hmac),
    _Envelope(msg=msg + " ", salt=salt, hmac=hmac),
    _Envelope(msg="\0" + msg, salt=salt, hmac=hmac),
    _Envelope(msg="\ud800" + msg, salt=salt, hmac=hmac),
    _Envelope(msg=msg, salt=salt * 1000, hmac=hmac),
    _Envelope(a={"msg": msg, "salt": salt, "hmac": hmac}),
    ]


def _Signed(message, rng):
  """Lists authentic datagrams with odd messages.

  """
  msg = json.loads(_Reply(message)[4:])["msg"]
  texts = [
    "", "null", "[]", "{}", "{", "}", "\"", "\\", "{\"", "{\"status\":", "x",
    "{\"status\":0,\"serial\":5,\"answer\":", "{\"status\":0,\"serial\":5}",
    "{\"status\":0,\"serial\":5,\"answer\":\"", "[" * 60000, "]" * 60000,
    "{\"answer\":" + "[" * 50000 + ",\"status\":0,\"serial\":5}",
    "{\"answer\":" + "[" * 20000 + "]" * 20000 + ",\"status\":0,\"serial\":5}",
    "{\"answer\":" + "7" * 50000 + ",\"status\":0,\"serial\":5}",
    "{\"answer\":1,\"status\":%s,\"serial\":%s}" % ("9" * 400, "9" * 400),
    "{\"answer\":1,\"status\":-1,\"serial\":-9223372036854775808}",
    "{\"answer\":1,\"status\":0,\"serial\":9223372036854775807}",
    "{\"answer\":1,\"status\":\"0\",\"serial\":\"5\"}",
    "{\"answer\":1,\"status\":{},\"serial\":[]}",
    "{\"answer\":,\"status\":0,\"serial\":5}", "\0", "\u00e4", "\U0001f600",
    "{\"answer\":1,\"status\":0,\"serial\":5" + "}" * 1000,
    "{\"answer\":1,\"answer\":2,\"status\":0,\"serial\":5}",
    msg + msg, msg[:-1], msg + "\n", msg.replace(",", "\n,\n"),
    ]
  for _ in range(50):
    texts.append(mutations.Text(mutations.Mutate(rng, json.loads(msg))))
    changed = list(msg)
    for _ in range(rng.randrange(1, 4)):
      changed[rng.randrange(len(changed))] = chr(rng.randrange(1, 256))
    texts.append("".join(changed))
  for text in texts:
    yield testutils.PackText(testutils.KEY, message["rsalt"], text)


class _TestCase(unittest.TestCase):
  """Runs the program.

  """
  @classmethod
  def setUpClass(cls):
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.directory = directory.name
    cls.program = exampleclient.Compile(cls.directory)
    cls.key_file = os.path.join(cls.directory, "hmac.key")
    testutils.WriteFile(cls.key_file, testutils.KEY)

  def _Ask(self, port, rtype, query=None, addresses=("127.0.0.1", ), key=None):
    """Asks a question.

    @param query: any JSON value

    """
    return exampleclient.Run(self.program, key or self.key_file, port, rtype,
                             json.dumps(query), addresses)

  def _Answer(self, *args, **kwargs):
    (code, output, error) = self._Ask(*args, **kwargs)
    self.assertEqual((code, error), (0, ""))
    return json.loads(output)


@exampleclient.needs_compiler
class TestProgram(unittest.TestCase):
  def testSize(self):
    """The program is short, and needs OpenSSL and nothing else.

    """
    text = testutils.ReadFile(exampleclient.SOURCE).decode("ascii")
    (_, _, code) = text.partition(" */\n")
    self.assertLessEqual(len(code.splitlines()), _MAX_LINES)
    self.assertLessEqual(max(map(len, text.splitlines())), 80)
    with tempfile.TemporaryDirectory() as directory:
      program = exampleclient.Compile(directory, sanitize=False)
      needed = subprocess.run(["objdump", "-p", program], check=True,
                              stdout=subprocess.PIPE, encoding="utf-8").stdout
    self.assertEqual(sorted(re.findall(r"NEEDED +(\w+)", needed)),
                     ["libc", "libcrypto"])

  def testHead(self):
    """The command that compiles it stands in its head.

    """
    text = testutils.ReadFile(exampleclient.SOURCE).decode("ascii")
    self.assertIn(" *   cc -o confd-ask confd-ask.c %s\n" %
                  " ".join(exampleclient.LIBRARIES), text)


@exampleclient.needs_compiler
class TestDaemons(_TestCase):
  """Our daemon answers.

  """
  def _Daemon(self, serial=1234, **kwargs):
    daemon = testutils.Daemon(dict(_CONFIG, serial_no=serial), **kwargs)
    self.addCleanup(daemon.Kill)
    daemon.Start()
    return daemon

  def testQuestions(self):
    daemon = self._Daemon()
    for (rtype, query) in [
      (0, None), (1, "node2"), (2, {"0": "200", "1": "198.51.100.121"}),
      (2, {"2": ["203.0.113.12", "203.0.113.99"]}), (3, {"3": [0, 1, "2"]}),
      (4, None), (5, None), (6, "200"), (7, "node2"), (8, "node3"),
      (9, "test1"), (10, ""), (10, "/cluster/tags"), (11, None),
      (64, {"what": "disk"})]:
      with self.subTest(rtype=rtype, query=query):
        self.assertEqual(self._Answer(daemon.port, rtype, query),
                         daemon.Answer(rtype, query)[1])

  def testErrors(self):
    daemon = self._Daemon()
    for (rtype, query, text) in [
      (7, "node99", "status 1, answer 0"), (999, None, "status 2, answer null"),
      (64, {"what": "node", "fields": ["x"]}, "status 1, answer {"),
      (7, "\"\\/\n\u00e4", "status 1, answer 0")]:
      (code, output, error) = self._Ask(daemon.port, rtype, query)
      self.assertEqual((code, output), (1, ""))
      self.assertIn(text, error)

  def testTooLong(self):
    (code, _, error) = self._Ask(1, 7, "x" * 4000)
    self.assertEqual((code, error), (2, "confd-ask: the request is too long\n"))

  @unittest.skipUnless(testutils.HasIpv6(), "there is no IPv6")
  def testBothFamilies(self):
    daemon = self._Daemon()
    newer = self._Daemon(1235, address="::1", port=daemon.port)
    for addresses in [["127.0.0.1", "::1"], ["::1", "127.0.0.1"]]:
      self.assertEqual(self._Answer(daemon.port, 10, "/serial_no", addresses),
                       1235)
    newer.Stop()
    self.assertEqual(self._Answer(daemon.port, 10, "/serial_no",
                                  ["::1", "127.0.0.1"]), 1234)

  def testReadersKey(self):
    """The file that confd-client makes is read as the page has it.

    """
    daemon = self._Daemon()
    path = os.path.join(self.directory, "reader.key")
    clientcommand.Run("--hmac-file", daemon.key_file, "make-key", "test", path,
                      "--may", "ping,list", "--until", "2099-12-31", check=True)
    self.assertEqual(self._Answer(daemon.port, 0, key=path), 3000000)
    (code, _, error) = self._Ask(daemon.port, 3, key=path)
    self.assertEqual((code, error), (1, "confd-ask: status 1, answer 4\n"))

  def testNoKey(self):
    path = os.path.join(self.directory, "short.key")
    testutils.WriteFile(path, b"fifteen letters")
    (code, _, error) = self._Ask(1, 0, key=path)
    self.assertEqual((code, error),
                     (2, "confd-ask: %s: too short for a key\n" % path))


@exampleclient.needs_compiler
class TestCandidates(_TestCase):
  """Candidates answer as the page says, or do not answer.

  """
  def _Candidates(self, answers):
    """Makes candidates that have a port in common.

    @return: tuple of port and list of candidates

    """
    candidates = []
    port = None
    for (i, answer) in enumerate(answers):
      candidate = fakecandidate.Candidate(answer, "127.0.2.%d" % (i + 1), port)
      self.addCleanup(candidate.Stop)
      candidates.append(candidate)
      port = candidate.port
    return (port, candidates)

  def _AskAll(self, answers):
    (port, candidates) = self._Candidates(answers)
    return self._Answer(port, 3, None, ["127.0.2.%d" % (i + 1)
                                        for i in range(len(candidates))])

  def testFreshest(self):
    for serials in [[5, 7], [7, 5], [0, 1], [1 << 62, 3], [1, (1 << 63) - 1]]:
      answers = [lambda message, serial=serial: [
        _Reply(message, serial=serial, answer=serial)] for serial in serials]
      self.assertEqual(self._AskAll(answers), max(serials))

  def testSomeAreSilent(self):
    """The freshest of the replies counts, when no more come.

    """
    for (count, silent) in [(3, 1), (4, 1), (5, 2), (6, 2)]:
      answers = [lambda message, serial=serial: [
        _Reply(message, serial=serial, answer=serial)]
                 for serial in range(count - silent)]
      with self.subTest(count=count):
        self.assertEqual(self._AskAll(answers + [lambda _: []] * silent),
                         count - silent - 1)

  def testErrorText(self):
    """A text as an error, which Ganeti's daemon sends, is worth least.

    """
    self.assertEqual(self._AskAll([
      lambda message: [_Reply(message, "no config", 1, 1 << 40)],
      lambda message: [_Reply(message, "good", 0, 0)]]), "good")

  def testSilence(self):
    """Silent candidates cost a second, where another one has answered.

    """
    self.assertEqual(self._AskAll([lambda _: [], lambda _: [], lambda message: [
      _Reply(message)]]), "good")

  def testAsksAgain(self):
    """A request is sent again with the time of then, and not too often.

    """
    def _Third(message):
      return [_Reply(message)] if len(candidates[0].requests) > 2 else []
    (port, candidates) = self._Candidates([_Third])
    self.assertEqual(self._Answer(port, 3, None, ["127.0.2.1"]), "good")
    self.assertGreater(len(candidates[0].requests), 2)
    (port, [silent]) = self._Candidates([lambda _: []])
    (code, output, error) = self._Ask(port, 3, None, ["127.0.2.1"])
    self.assertEqual((code, output, error), (2, "", "confd-ask: no answer\n"))
    self.assertEqual(len({message["rsalt"]
                          for (_, message) in silent.requests}), 1)
    salts = [int(salt) for (salt, _) in silent.requests]
    self.assertEqual(salts, sorted(salts))
    self.assertGreater(salts[-1], salts[0])
    self.assertLessEqual(len(salts), _MAX_SENT)

  def testNobodyElse(self):
    """A datagram from an address that was not asked is not received.

    """
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(other.close)
    other.bind(("127.0.3.1", 0))
    clients = []

    def _Spy(datagram, client):
      clients.append(client)
      message = json.loads(json.loads(datagram[4:])["msg"])
      other.sendto(_Reply(message, "bad", serial=1 << 40), client)
      return _Reply(message)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
      sock.bind(("127.0.0.1", testutils.FreePort()))

      def _Serve():
        (datagram, client) = sock.recvfrom(65536)
        reply = _Spy(datagram, client)
        sock.sendto(reply, client)
      thread = threading.Thread(target=_Serve)
      thread.start()
      self.assertEqual(self._Answer(sock.getsockname()[1], 3), "good")
      thread.join()

  def testLabels(self):
    """With a reader's key replies count that have its label.

    """
    path = os.path.join(self.directory, "reader.key")
    testutils.WriteFile(path, b"confd reader key 1\nlabel: %s\nkey: %s\n" % (
      _LABEL.encode("ascii"), testutils.Derive(testutils.KEY, _LABEL)))

    def _Relabelled(message, label):
      envelope = json.loads(_Reply(message, "bad", label=_LABEL)[4:])
      envelope["key"] = label
      return testutils.PackEnvelope(envelope)

    def _Answer(message):
      if not candidate.requests[1:]:
        return [_Reply(message, "bad"), _Reply(message, "bad", label=""),
                _Reply(message, "bad", label="b:all:never"),
                _Relabelled(message, "b:all:never"),
                _Relabelled(message, None), _Relabelled(message, 17),
                _Relabelled(message, _LABEL * 5000)]
      return [_Reply(message, label=_LABEL)]
    (port, [candidate]) = self._Candidates([_Answer])
    self.assertEqual(self._Answer(port, 3, None, ["127.0.2.1"], path), "good")

  def testUnsigned(self):
    """A datagram that is not the reply does not count, and does no harm.

    """
    count = len(list(_Unsigned({"rsalt": ""})))
    for index in range(count):
      def _Hostile(message, index=index):
        return [list(_Unsigned(message))[index], _Reply(message)]
      with self.subTest(index=index):
        (port, _) = self._Candidates([_Hostile])
        self.assertEqual(self._Answer(port, 3, None, ["127.0.2.1"]), "good")

  def testMalformed(self):
    """An authentic reply of another form is as good as none.

    """
    for text in ["", "[]", "{}", "{\"status\":0,\"serial\":9}",
                 "{\"status\":3,\"serial\":9,\"answer\":\"bad\"}",
                 "{\"status\":null,\"serial\":9,\"answer\":\"bad\"}",
                 "{\"x\":{\"status\":0,\"serial\":9,\"answer\":\"bad\"}}",
                 "{\"status\":0,\"serial\":9,\"answer\":\"bad\""]:
      def _Odd(message, text=text):
        return [testutils.PackText(testutils.KEY, message["rsalt"], text),
                _Reply(message)]
      with self.subTest(text=text):
        (port, _) = self._Candidates([_Odd])
        self.assertEqual(self._Answer(port, 3, None, ["127.0.2.1"]), "good")

  def testSigned(self):
    """No message of a candidate makes the program fail.

    """
    rng = random.Random(29)
    count = len(list(_Signed({"rsalt": ""}, rng)))
    codes = set()
    for index in range(count):
      def _Odd(message, index=index):
        odd = list(_Signed(message, random.Random(29)))[index]
        return [odd, _Reply(message)]
      (port, _) = self._Candidates([_Odd])
      codes.add(self._Ask(port, 3, None, ["127.0.2.1"])[0])
    self.assertEqual(codes, {0, 1})


if __name__ == "__main__":
  unittest.main()
