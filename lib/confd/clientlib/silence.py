#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The causes of silence, in words.

Facts: a daemon does not reply to a request that it cannot authenticate, or
before it has a configuration, so as to tell strangers nothing. But the daemon
counts such requests: STATS, asked on the daemon's own node, tells most causes
apart. Ganeti's own daemon does not know readers' keys, and does not reply to
requests that are signed with one.

"""

from __future__ import annotations

from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Optional


#: The reason why an answer of a silent candidate is not needed: the candidate's
#: address is not on the cluster's own list of candidates
UNLISTED = "is no master candidate"


class Cause(NamedTuple):
  """A cause of silence.

  """
  #: The cause of silence, as part of a sentence
  text: str
  #: The counter in STATS that the daemon increments for each request that it
  #: does not answer because of this cause; None if there is no such counter
  counter: Optional[str]
  #: Whether the cause exists only for readers' keys
  is_readers: bool = False


#: All causes of silence, the most frequent ones first
CAUSES = (
  Cause("the host or the daemon is down", None),
  Cause("another key", "dropped hmac"),
  Cause("clocks more than five minutes apart", "dropped clock"),
  Cause("no usable configuration (a node that is no master candidate has none)",
        "dropped unconfigured"),
  Cause("a firewall", None),
  Cause("a reader's key that is older than the cluster's key", "dropped hmac",
        is_readers=True),
  Cause("Ganeti's own daemon, which does not know readers' keys", None,
        is_readers=True),
  )


def Causes(is_reader: bool) -> str:
  """Lists the causes as the end of a sentence.

  @param is_reader: whether a reader's key is used

  """
  (*texts, last) = [i.text for i in CAUSES if is_reader or not i.is_readers]
  return "%s, or %s" % (", ".join(texts), last)


def Explain(names: list[str], ports: set[int], is_reader: bool,
            others_answer: bool) -> list[str]:
  """Explains the silence of candidates, and how to find its cause.

  @param names: the silent candidates
  @param ports: the UDP ports that were asked
  @param is_reader: whether a reader's key is used
  @param others_answer: whether another candidate has answered, so that key and
    clock of this machine are right
  @return: lines

  """
  text = "%s %s silent at UDP port %s." % (
    ", ".join(names), "is" if len(names) == 1 else "are",
    " and ".join(map(str, sorted(ports))))
  if others_answer:
    text += (" Others answer, so the key and the clock of this machine are"
             " right.")
  lines = [text, "\"confd-client -a 127.0.0.1 stats\" on such a node tells the"
           " causes apart:"]
  for cause in CAUSES:
    if is_reader or not cause.is_readers:
      if cause.counter is None:
        how = "no counter grows"
      else:
        how = "\"%s\" grows" % cause.counter
      lines.append("- %s: %s" % (cause.text, how))
  return lines
