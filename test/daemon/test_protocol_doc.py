#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each example in doc/protocol.rst is what the page says, and the daemon too.

The page's datagrams are verified with the page's key. Each request is signed
again with the time of now, since a request is good for a while only, and sent
to a real daemon on the example configuration.

Rule: what reads the page and its datagrams is written after the page alone and
uses nothing of the package's; so does the program on the page. Only which types
of requests there are is asked of the package.

"""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import clientcommand
import testutils

from ganeti.confd import protocol


_PAGE = os.path.join(testutils.SRCDIR, "doc", "protocol.rst")
_FIELDS_PAGE = os.path.join(testutils.SRCDIR, "doc", "fields.rst")
_CONFIG = os.path.join(testutils.SRCDIR, "doc", "examples", "cluster.json")

_BLOCK_RE = re.compile(r"^( *)\.\. code-block:: (\w+)\n\n((?:\1  .*\n|\n)+)",
                       re.MULTILINE)
_ARROW_RE = re.compile("^(->|<-) ", re.MULTILINE)
_KEY_RE = re.compile("the key is the 33 bytes ::\n\n  ([0-9a-f]{32})\n")
_TIME_RE = re.compile(r"sent at the time ([0-9]+) \(")
_DERIVED_RE = re.compile(r"[Ff]or(?: the label)? ``([^`]*)``(?: it is)? ::\n\n"
                         r"  ([0-9a-f]{64})\n")
_READER_SIGNED_RE = re.compile("In the first of these examples ([0-9]+) bytes"
                               " are signed")
_READERS_FILE_RE = re.compile("^  (confd reader key .*\n)  (label: .*\n)"
                              "  (key: .*\n)", re.MULTILINE)
_SIGNED_RE = re.compile(r"these ([0-9]+) bytes are signed::\n\n  (.*)\n")

#: An answer that does not fit a datagram
_TOO_LARGE = (1, 3)

_STATS = 65


def _Words(text):
  """Joins the lines of a text, but for those that are set apart.

  """
  return re.sub(r"(?<=\S)\n(?=\S)", " ", text)


def _Blocks(text, kind):
  for (indent, found, block) in _BLOCK_RE.findall(text):
    if found == kind:
      yield re.sub("^" + indent + "  ", "", block.rstrip("\n") + "\n",
                   flags=re.MULTILINE)


def _Examples(text):
  """Lists the examples of the page.

  @return: list of (request, reply), bytes; None for no reply

  """
  found = []
  for block in _Blocks(text, "text"):
    (before, *marked) = _ARROW_RE.split(block)
    if before:
      raise AssertionError("No example: %s" % block)
    datagrams = ["".join(line.strip(" ") for line in lines.splitlines())
                 .encode("ascii") for lines in marked[1::2]]
    if marked[::2] not in (["->"], ["->", "<-"]):
      raise AssertionError("Neither request nor request and reply: %s" % block)
    found.append((datagrams + [None])[:2])
  return found


def _Derive(key, label):
  return hmac.new(key, b"confd reader 1\0" + label.encode("ascii"),
                  hashlib.sha256).hexdigest()


def _Signed(salt, msg, label):
  """Makes the text that is signed.

  @param label: None for what is signed with the cluster's key

  """
  return salt + msg if label is None else label + "\0" + salt + msg


def _Sign(key, salt, msg, label=None):
  if label is not None:
    key = _Derive(key, label).encode("ascii")
  return hmac.new(key, _Signed(salt, msg, label).encode("utf-8"),
                  hashlib.sha1).hexdigest()


def _Pack(key, salt, msg, label=None):
  envelope = {"msg": msg, "salt": salt, "hmac": _Sign(key, salt, msg, label)}
  if label is not None:
    envelope["key"] = label
  return b"plj0" + json.dumps(envelope).encode("ascii")


def _Unpack(key, datagram):
  """Verifies a datagram and takes it apart.

  @return: tuple of salt and msg, two strings, and label, None for what is
    signed with the cluster's key

  """
  if datagram[:4] != b"plj0":
    raise AssertionError("Begins with %r" % datagram[:4])
  envelope = json.loads(datagram[4:])
  (salt, msg, label) = (envelope["salt"], envelope["msg"], envelope.get("key"))
  expected = _Sign(key, salt, msg, label)
  if envelope["hmac"].lower() != expected:
    raise AssertionError("Signature %s, not %s: %s" %
                         (envelope["hmac"], expected, msg))
  return (salt, msg, label)


def _Shape(value):
  """Replaces all values but keys by their types.

  """
  if isinstance(value, dict):
    return {key: _Shape(item) for (key, item) in value.items()}
  return "number" if type(value) in (int, float) else type(value).__name__


def _Table(fields):
  """Makes the table of fields that the page has to have.

  Fields of disks and network interfaces are there once, with N as the number.

  @param fields: list of [name, title, type, meaning]

  """
  rows = []
  for (name, title, kind, meaning) in fields:
    match = re.fullmatch("(.*/)([0-9]+)", name)
    if match:
      (prefix, number) = match.groups()
      (name, title, meaning) = (
        prefix + "N", re.sub("%s$" % number, "N", title),
        re.sub(r"\b%s\b" % number, "N", meaning))
    row = ("``%s``" % name, kind, title, meaning)
    if row not in rows:
      rows.append(row)
  rows.insert(0, ("Name", "Type", "Title", "Meaning"))
  widths = [max(map(len, column)) for column in zip(*rows)]
  rule = "  ".join("=" * width for width in widths)
  lines = ["  ".join(value.ljust(width)
                     for (value, width) in zip(row, widths)).rstrip()
           for row in rows]
  return "\n".join([rule, lines[0], rule] + lines[1:] + [rule])


def _Uncompressed(reply):
  """Replaces a part by what is in it, which two zlibs may have compressed in
  two ways.

  """
  data = base64.b64decode(reply["answer"], validate=True)
  if hashlib.sha256(data).hexdigest() != reply["sha256"]:
    raise AssertionError("Another hash: %s" % reply)
  if len(data) > 675 or reply["parts"] != 1:
    raise AssertionError("Examples are small: %s" % reply)
  return dict(reply, answer=json.loads(zlib.decompress(data)), sha256="")


class TestPage(unittest.TestCase):
  maxDiff = None

  @classmethod
  def setUpClass(cls):
    with open(_PAGE, encoding="utf-8") as page:
      cls.page = page.read()
    words = _Words(cls.page)
    cls.key = _KEY_RE.search(words).group(1).encode("ascii") + b"\n"
    cls.time = _TIME_RE.search(words).group(1)
    cls.examples = _Examples(cls.page)
    config = json.loads(testutils.ReadFile(_CONFIG))
    cls.daemon = testutils.Daemon(config, key=cls.key)
    cls.addClassCleanup(cls.daemon.Kill)
    cls.daemon.Start()
    # See "Answers in parts"
    config["cluster"]["tags"].append("x" * 70000)
    cls.large = testutils.Daemon(config, key=cls.key)
    cls.addClassCleanup(cls.large.Kill)
    cls.large.Start()

  def testRequests(self):
    """Each request is well made, and of its time.

    """
    rsalts = set()
    for (request, _) in self.examples:
      (salt, msg, _) = _Unpack(self.key, request)
      self.assertEqual(salt, self.time)
      rsalts.add(json.loads(msg)["rsalt"])
    self.assertEqual(len(rsalts), len(self.examples))

  def testReplies(self):
    """Each reply is what the daemon answers.

    """
    for (request, expected) in self.examples:
      (_, msg, label) = _Unpack(self.key, request)
      again = _Pack(self.key, "%d" % time.time(), msg, label)
      with self.subTest(msg=msg):
        if expected is None:
          self.assertTrue(self.daemon.IsIgnored(again))
          continue
        (salt, expected, signed_with) = _Unpack(self.key, expected)
        self.assertEqual((salt, signed_with), (json.loads(msg)["rsalt"], label))
        expected = json.loads(expected)
        daemon = self.daemon
        if (expected["status"], expected["answer"]) == _TOO_LARGE:
          daemon = self.large
        reply = daemon.AskRaw(again)
        self.assertLessEqual(set(re.findall(rb"\\(.)", reply)),
                             {b"\"", b"\\"})
        (salt, got, signed_with) = _Unpack(self.key, reply)
        self.assertEqual((salt, signed_with), (json.loads(msg)["rsalt"], label))
        got = json.loads(got)
        if json.loads(msg)["type"] == _STATS:
          (got, expected) = (_Shape(got), _Shape(expected))
        elif "part" in expected:
          (got, expected) = (_Uncompressed(got), _Uncompressed(expected))
        self.assertEqual(got, expected)

  def testSilenceForOldRequests(self):
    """Each request as it stands there is too old.

    """
    for (request, _) in self.examples:
      self.assertTrue(self.daemon.IsIgnored(request))

  def testEachType(self):
    """Each type of request has an example, and a section.

    """
    asked = {json.loads(_Unpack(self.key, request)[1])["type"]
             for (request, reply) in self.examples if reply is not None}
    self.assertLessEqual(protocol.ALL_REQUESTS, asked)
    sections = re.findall(r"^([0-9]+): [A-Z0-9_]+\n-+$", self.page,
                          re.MULTILINE)
    self.assertEqual([int(number) for number in sections],
                     sorted(protocol.ALL_REQUESTS))

  def testSigned(self):
    """The signed text of the first example.

    """
    (size, text) = _SIGNED_RE.search(_Words(self.page)).groups()
    (salt, msg, _) = _Unpack(self.key, self.examples[0][0])
    self.assertEqual(text, salt + msg)
    self.assertEqual(int(size), len(text))

  def testReaders(self):
    """The keys that are derived on the page, and what they sign.

    """
    words = _Words(self.page)
    derived = dict(_DERIVED_RE.findall(words))
    self.assertEqual(len(derived), 2)
    for (label, secret) in derived.items():
      self.assertEqual(_Derive(self.key, label), secret)
    readers = [unpacked for unpacked in (_Unpack(self.key, request)
                                         for (request, _) in self.examples)
               if unpacked[2] is not None]
    self.assertLess(set(derived), {label for (_, _, label) in readers})
    contents = "".join(_READERS_FILE_RE.search(self.page).groups())
    (label, secret) = re.fullmatch("confd reader key 1\nlabel: (.*)\n"
                                   "key: (.*)\n", contents).groups()
    self.assertEqual(derived[label], secret)
    with tempfile.TemporaryDirectory() as tmpdir:
      path = os.path.join(tmpdir, "reader.key")
      testutils.WriteFile(path, contents.encode("ascii"))
      result = clientcommand.Run(
        "-a", self.daemon.address, "-p", str(self.daemon.port), "--hmac-file",
        path, "--json", "ping", check=True)
    self.assertEqual(json.loads(result.stdout)["answer"], 3000000)
    (size, ) = _READER_SIGNED_RE.search(words).groups()
    self.assertEqual(int(size), len(_Signed(*readers[0])))

  def testRights(self):
    """The names that a label may have, with their numbers.

    """
    (text, ) = re.search(r"The\s+names\s+are\s+(.*?)\.\s+One\s+kind", self.page,
                         re.DOTALL).groups()
    named = {name: int(number) for (name, number) in
             re.findall(r"``([a-z-]+)``\s+\(([0-9]+)\)", text)}
    expected = dict(protocol.REQUEST_TYPES)
    expected["list"] = expected.pop("query")
    self.assertEqual(named, expected, "see WHAT in \"Readers' keys\"")

  def testFields(self):
    """The tables of fields are what the daemon answers.

    """
    page = testutils.ReadFile(_FIELDS_PAGE).decode("utf-8")
    for what in ["instance", "node", "group", "network", "disk"]:
      with self.subTest(what=what):
        (status, answer) = self.daemon.Answer(64, {"what": what})
        self.assertEqual(status, 0)
        (_, section) = page.split("\n%s\n%s\n\n" % (what, "=" * len(what)))
        self.assertEqual(section.split("\n\n")[0].strip("\n"),
                         _Table(answer["fields"]), what)

  def testProgram(self):
    """The program on the page runs, in parts and without.

    """
    (program, ) = _Blocks(self.page, "python")
    with tempfile.TemporaryDirectory() as tmpdir:
      path = os.path.join(tmpdir, "program")
      testutils.WriteFile(path, program.encode("ascii"))
      for daemon in [self.daemon, self.large]:
        # Isolated: it sees neither this package nor the tests
        result = testutils.Run([sys.executable, "-I", path, daemon.address,
                                str(daemon.port), daemon.key_file],
                               stdin=subprocess.DEVNULL, encoding="utf-8",
                               stdout=subprocess.PIPE, check=False,
                               stderr=subprocess.STDOUT,
                               timeout=3 * testutils.PATIENCE)
        self.assertEqual((result.returncode, result.stdout),
                         (0, "192.0.2.1\ncluster.example.com\n"))


if __name__ == "__main__":
  unittest.main()
