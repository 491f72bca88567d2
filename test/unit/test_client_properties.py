#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Properties of the client for any input, fed by hypothesis.

"""

import base64
import socket
import unittest

import inputs
import test_filters
import testutils
from inputs import JSON, TEXTS
from inputs import hypothesis, needs_hypothesis, st
from fuzz import targets

from ganeti import errors
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import mastercandidate
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import replies
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire


KEY = testutils.KEY
NOW = 1700000000

inputs.Use(300)


@needs_hypothesis
class TestClient(unittest.TestCase):
  """The client's end: whatever comes back, one answer or one clear error.

  """
  @hypothesis.given(JSON, st.randoms())
  def testParts(self, value, chance):
    text = wire.EncodeJson(value)
    cut = parts.Parts(text)
    assembly = parts.Assembly(len(cut), cut.sha256)
    numbers = list(range(len(cut))) * 2
    chance.shuffle(numbers)
    for number in numbers:
      assembly.Add(number, cut.Get(number))
    # Lone surrogates are replaced, in parts as in a whole answer
    whole = wire.DecodeAnswer(text.encode("ascii"))
    self.assertEqual(wire.EncodeJson(assembly.Answer()), wire.EncodeJson(whole))

  @hypothesis.given(st.lists(JSON | st.binary().map(
    lambda data: base64.b64encode(data).decode("ascii")), min_size=1,
                             max_size=4), TEXTS)
  def testAnyParts(self, texts, sha256):
    assembly = parts.Assembly(len(texts), sha256)
    try:
      for (number, text) in enumerate(texts):
        assembly.Add(number, text)
    except errors.ConfdClientError:
      return
    self.assertRaises(errors.ConfdClientError, assembly.Answer)

  @hypothesis.given(st.binary(max_size=200))
  def testFetch(self, data):
    targets.Fetched(data)

  @hypothesis.given(st.lists(st.tuples(
    st.integers(0, 2), st.integers(-1, 3), JSON, st.integers(1, 9),
    st.booleans()), max_size=8), st.none() | st.integers(1, 9))
  def testQuorumQuery(self, received, min_serial):
    candidates = [
      mastercandidate.Candidate(name, [(socket.AF_INET, (name, 1814))])
      for name in ("192.0.2.1", "192.0.2.2", "192.0.2.3")]
    (now, deadline) = (100.0, 110.0)
    run = quorum.QuorumQuery(0, None, candidates[:2], candidates[2:], now,
                             deadline, min_serial)
    run.Outgoing(KEY, now, NOW)
    answers = {}
    for (who, status, answer, serial, later) in received:
      if run.Done(now):
        break
      for asked in list(run.Salts().values()):
        if asked.candidate is candidates[who]:
          run.Receive(asked, wire.ParsedReply(1, status, answer, serial, "x"),
                      (candidates[who].name, 1814), now)
          # A candidate's first reply is the one that counts
          answers.setdefault(who, (status, answer, serial))
      now += 1.0 * later
      run.Outgoing(KEY, now, NOW)
    now = deadline
    self.assertTrue(run.Done(now))
    run.Finish(now)
    try:
      reply = run.Result(now)
    except replies.NoAnswer:
      return
    except replies.ErrorAnswer as err:
      self.assertNotEqual(err.status, 0)
      reply = err.reply
    else:
      self.assertEqual(reply.candidates[0].status, 0)
    best = reply.candidates[0]
    self.assertIn((best.status, best.answer, best.serial), answers.values())
    if replies.IsUnusable(best.status, best.answer):
      # Only where nobody had an answer; of whatever serial, it is none
      self.assertTrue(all(replies.IsUnusable(status, answer)
                          for (status, answer, _) in answers.values()))
    else:
      self.assertLessEqual(min_serial or 0, reply.serial)


_WORDS = st.sampled_from(
  ["not", "and", "or", "in", "(", ")", "==", "!=", "<", ">=", "=~", "!~", "=*",
   "!*", "m/", "/", "/i", "#", "|", "^", "\"", "'", "\\", "*", "?", "[", "{2}",
   "(?", "1", "-1", "1e9", "\n", "\t", "\0", "\ud800"] + test_filters.FIELDS)
_CONDITIONS = st.sampled_from([text for (text, _) in test_filters.SELECTED])


@needs_hypothesis
class TestFilters(unittest.TestCase):
  """Whatever the filter, and whatever the rows: a selection or a clear error.

  """
  @staticmethod
  def _Parse(text):
    return filters.Parse(text, frozenset(["name", "pnode"]))

  @hypothesis.given(st.lists(_WORDS, max_size=12).map(" ".join) |
                    st.lists(_WORDS, max_size=12).map("".join) | TEXTS)
  def testAnyText(self, text):
    fields = test_filters.FIELDS
    try:
      parsed = self._Parse(text)
    except filters.FilterError as err:
      self.assertTrue(str(err))
      return
    parsed.Names()
    if set(parsed.fields) <= set(fields):
      try:
        parsed.Select(fields, test_filters.ROWS)
      except filters.FilterError:
        pass

  @hypothesis.given(st.lists(_CONDITIONS, min_size=1, max_size=4),
                    st.sampled_from([" and ", " or ", " and not "]),
                    st.lists(JSON, min_size=len(test_filters.FIELDS),
                             max_size=len(test_filters.FIELDS)))
  def testAnyValues(self, texts, joint, row):
    parsed = self._Parse(joint.join("(%s)" % text for text in texts))
    try:
      self.assertIn(parsed.Select(test_filters.FIELDS, [row]), [[], [row]])
    except filters.FilterError as err:
      self.assertTrue(str(err))


if __name__ == "__main__":
  unittest.main()
