#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A client that waits for one change of the configuration after the other.

For each change, the client sends a new question, and retransmits it until a
reply comes: the question may have been lost, or the process that kept it may
have been killed.

"""

import collections
import random
import time

import testutils


_WAIT = 66

#: Seconds that a question waits for a change, and seconds between retransmits
_WAIT_SECONDS = 5
_WAIT_AGAIN = 1.0


class Follower:
  """Waits for one change after the other, as clients that follow a cluster do.

  """
  def __init__(self, daemon, seed, patience):
    """@param patience: most seconds until the client is told of a change

    """
    self._asker = daemon.Asker()
    self._key_file = daemon.key_file
    self._chance = random.Random(seed)
    self._patience = patience
    self._serial = 0
    self.counts = collections.Counter()
    self.latencies = collections.Counter()
    self.problems = []

  def Run(self, seconds):
    begin = time.monotonic()
    heard = begin
    while time.monotonic() - begin < seconds:
      now = time.monotonic()
      if self._Wait():
        heard = now
      elif now - heard > self._patience:
        heard = now
        self.counts["lost"] += 1
        self.problems.append("who waits for a change is not told")
    self._asker.Close()

  def _Wait(self):
    """Asks one question, and retransmits it until a reply comes.

    @return: whether a reply came

    """
    rsalt = "%032x" % self._chance.getrandbits(128)
    begin = time.monotonic()
    while time.monotonic() - begin < _WAIT_SECONDS:
      left = max(1, round(begin + _WAIT_SECONDS - time.monotonic()))
      # Sign with the current key
      key = testutils.ReadFile(self._key_file)
      message = testutils.MakeMessage(
        _WAIT, {"serial": self._serial, "seconds": left}, rsalt=rsalt)
      try:
        self._asker.Send(testutils.PackMessage(key, message))
        datagram = self._asker.Receive(_WAIT_AGAIN)
      except OSError:
        self.counts["unsent"] += 1
        continue
      if datagram is not None and self._Take(key, datagram, rsalt):
        return True
    return False

  def _Take(self, key, datagram, rsalt):
    """Handles a reply.

    @return: whether it is a reply to the current question

    """
    try:
      (salt, reply) = testutils.UnpackReply(key, datagram)
    except AssertionError:
      # The reply may be signed with the previous key, or the next one
      return False
    if salt != rsalt:
      return False
    serial = reply["answer"]
    if (reply["status"], serial) != (0, reply["serial"]):
      self.counts["wrong"] += 1
      self.problems.append("to whoever waits: %s" % reply)
    elif serial < self._serial:
      self.counts["older"] += 1
      self.problems.append("waits with serial %d, gets %d" %
                           (self._serial, serial))
    elif serial > self._serial:
      self._serial = serial
      self.counts["followed"] += 1
    else:
      self.counts["told"] += 1
    return True
