#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which candidates a client asks, at which ports, and for how long.

"""

import contextlib
import unittest

import packaged
import testutils

from ganeti import errors
from ganeti.confd import client


def _Answer(rtype, _):
  return (0, {0: 3000000, 3: "node1", 5: ["127.0.3.1", "127.0.3.2"]}.get(rtype,
                                                                         5), 5)


class _Test(unittest.TestCase):
  def _Candidate(self, *args, **kwargs):
    confd = packaged.Confd(*(args or (_Answer, )), **kwargs)
    self.addCleanup(confd.Stop)
    return confd

  def _Client(self, *peers, **kwargs):
    confd = client.Client(peers, key=testutils.KEY, **kwargs)
    self.addCleanup(confd.Close)
    return confd


class TestPorts(_Test):
  def testLearnedAtThePortOfTheGiven(self):
    """A port that all given candidates have is the learned ones', too."""
    port = testutils.FreePort("127.0.3.1")
    first = self._Candidate(address="127.0.3.1", port=port)
    second = self._Candidate(address="127.0.3.2", port=port)
    confd = self._Client(first.peer, coverage=-1)
    confd.MasterNode()
    confd.Learn()
    testutils.WaitFor(
      lambda: ({i.address for i in confd.MasterNode().candidates} ==
               {first.peer, "127.0.3.2"}), "both candidates answer")
    self.assertIn((3, None), second.requests)

  def testOtherPorts(self):
    """If the given ones have several ports, the client's port is used."""
    port = testutils.FreePort("127.0.3.1")
    first = self._Candidate(address="127.0.3.1", port=port)
    other = self._Candidate(address="127.0.3.1")
    second = self._Candidate(address="127.0.3.2", port=port)
    confd = self._Client(first.peer, other.peer, port=port, coverage=-1)
    confd.MasterNode()

    def _IsAsked():
      confd.Learn()
      confd.MasterNode()
      return (3, None) in second.requests
    testutils.WaitFor(_IsAsked, "the learned candidate is asked")


class TestNotLearning(_Test):
  def test(self):
    port = testutils.FreePort("127.0.3.1")
    first = self._Candidate(address="127.0.3.1", port=port)
    second = self._Candidate(address="127.0.3.2", port=port)
    confd = self._Client(first.peer, port=port, learn=False)
    for _ in range(3):
      confd.MasterNode()
      confd.Learn()
    self.assertEqual([i.address for i in confd.Status().candidates],
                     [first.peer])
    self.assertEqual(second.requests, [])
    self.assertNotIn((5, None), first.requests)
    # The daemon is identified nevertheless
    self.assertIn((0, None), first.requests)

  def testWrong(self):
    with self.assertRaisesRegex(errors.ProgrammerError, "learn must be"):
      self._Client("a", learn=0)


class TestDeadline(_Test):
  def testSilence(self):
    silent = self._Candidate(lambda *_: None)
    confd = self._Client(silent.peer, timeout=3600, deadline=1.5)
    with self.assertRaises(client.NoAnswer) as context:
      confd.MasterNode()
    self.assertGreaterEqual(context.exception.seconds, 1.4)

  def testParts(self):
    """The parts of an answer do not start the time again.

    The candidate says that the answer is too large, and sends no parts.

    """
    stuck = self._Candidate(lambda *_: (1, 3, 5))
    confd = self._Client(stuck.peer, timeout=3600, deadline=1.5)
    with self.assertRaisesRegex(client.NoAnswer, "incomplete"):
      confd.Config("")

  def testWrong(self):
    for value in (-1, "5", True):
      with self.subTest(value=value), \
           self.assertRaisesRegex(errors.ProgrammerError, "deadline must be"):
        self._Client("a", deadline=value)


class TestSilent(_Test):
  def testSilent(self):
    quick = self._Candidate()
    silent = self._Candidate(lambda *_: None)
    dead = "127.0.0.1:%d" % testutils.FreePort()
    confd = self._Client(quick.peer, silent.peer, dead, learn=False)
    for _ in range(2):
      self.assertEqual(confd.MasterNode().silent,
                       {silent.peer: None, dead: "nothing listens there"})


class TestKeyWithoutNewline(_Test):
  def testHint(self):
    silent = self._Candidate(lambda *_: None)
    for (key, is_hinted) in [(testutils.KEY, False),
                             (testutils.KEY.rstrip(b"\n"), True)]:
      with self.subTest(key=key), \
           client.Client([silent.peer], key=key, timeout=3) as confd, \
           self.assertRaises(client.NoAnswer) as context:
        confd.Ping()
      self.assertEqual("newline" in str(context.exception), is_hinted)


class TestClose(_Test):
  def testNames(self):
    """Both clients have the names that contextlib looks for."""
    candidate = self._Candidate()
    with contextlib.closing(client.Client([candidate.peer],
                                          key=testutils.KEY)) as confd:
      confd.MasterNode()
    with self.assertRaisesRegex(errors.ProgrammerError, "closed"):
      confd.MasterNode()
    confd = client.AsyncClient([candidate.peer], key=testutils.KEY)
    confd.close()
    with self.assertRaises(StopIteration):
      confd.aclose().send(None)


if __name__ == "__main__":
  unittest.main()
