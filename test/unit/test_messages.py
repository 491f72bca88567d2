#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.messages"""

import unittest

from ganeti.confd import filestate
from ganeti.confd.daemon import messages


_STATE = filestate.State(1, 2, 3, 4, 5)

_MESSAGES = [
  messages.Ready(7, messages.Files(_STATE, _STATE), "abcd", 0.25, 0.0, [], 0),
  messages.Ready(7, messages.Files(_STATE, _STATE), "abcd", 0.25, 2.1,
                 ["odd \u2028 \n text"], 3),
  messages.Failed("no \"good\"\n", messages.Files(None, _STATE), 1.5),
  messages.Failed("", messages.Files(filestate.Inaccessible(13), None), 0.0),
  messages.WorkerDied(1234),
  messages.KeyRenewed("00ff"),
  messages.Prepared(),
  messages.Loading(),
  messages.Checked(True),
  messages.Checked(False),
  messages.Stopped(),
  ]


class TestMessages(unittest.TestCase):
  def testThereAndBack(self):
    for message in _MESSAGES:
      line = messages.Encode(message)
      self.assertEqual(line.count(b"\n"), 1)
      found = messages.Decode(line[:-1])
      self.assertEqual(found, message)
      # Equal tuples may be of different types
      self.assertIs(type(found), type(message))
      if hasattr(message, "files"):
        self.assertEqual([type(i) for i in found.files],
                         [type(i) for i in message.files])

  def testEachKind(self):
    self.assertEqual({type(message) for message in _MESSAGES},
                     set(messages._KINDS.values()))

  def testCutAnywhere(self):
    data = b"".join(map(messages.Encode, _MESSAGES))
    for size in (1, 7, 100, len(data)):
      found = []
      rest = b""
      for start in range(0, len(data), size):
        (more, rest) = messages.Split(rest + data[start:start + size])
        found.extend(more)
      self.assertEqual(found, _MESSAGES)
      self.assertEqual(rest, b"")

  def testOrdersDiffer(self):
    orders = [messages.LOAD, messages.SERVE, messages.RENEW_KEY, messages.CHECK]
    self.assertEqual(len(set(orders)), 4)
    # One byte each: the pipe has no ends between them
    self.assertEqual({len(order) for order in orders}, {1})


if __name__ == "__main__":
  unittest.main()
