#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The state of the master candidates, derived from their replies.

L{questions.Questions.Status} asks all candidates, the given ones and those that
the cluster lists. Their replies are evaluated here, without I/O.

Fact: Ganeti raises the serial number with each change, and copies the file to
the candidates unchanged. So two candidates with the same serial number and
different texts got these from different masters: a failover without voting may
leave two active masters.

"""

from __future__ import annotations

from typing import Any, Container, Mapping, NamedTuple, Optional, Sequence

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import keyrights
from ganeti.confd.clientlib import replies as replylib
from ganeti.confd.clientlib import silence
from ganeti.confd.clientlib.replies import CandidateReply
from ganeti.confd.protocol import readerkey
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: The fields of nodes that L{AddNames} needs
NODE_FIELDS = ["name", "pip", "role"]

#: C{CandidateStatus.problem} of a candidate that is silent for an unknown
#: reason
_SILENT = "silent"


class CandidateStatus(NamedTuple):
  """The state of one candidate.

  """
  #: the candidate's address, as given to the client or learned from the cluster
  address: str
  #: whether the candidate has replied; the reply may be an error
  answers: bool
  #: round-trip time in seconds; None if there is no reply
  round_trip: Optional[float]
  #: serial of the configuration; None if the candidate has not reported one
  serial: Optional[int]
  #: how many changes of the configuration the candidate lacks
  behind: Optional[int]
  #: version of the configuration's format, e.g. 3000000
  version: Optional[int]
  #: description of the candidate's problem; None if there is none
  problem: Optional[str]
  #: name of the node; None if unknown: Ganeti's own daemon reports the name of
  #: the master only
  name: Optional[str] = None
  #: role of the node, a word of C{client.NODE_ROLES}; None if unknown
  role: Optional[str] = None
  #: version of the daemon; None for Ganeti's own daemon
  daemon: Optional[str] = None
  #: whether the candidate was given to the client or is in this node's files,
  #: and was not only learned from the cluster
  given: bool = True
  #: whether another candidate has the same serial, but another configuration;
  #: False if unknown: Ganeti's own daemon does not report the digest
  diverges: bool = False
  #: whether the daemon could not load a newer configuration; False if unknown
  stale: bool = False
  #: whether the candidate's daemon is Ganeti's own; None if unknown
  packaged: Optional[bool] = None
  #: hash of the configuration's text: the same for all candidates that have the
  #: same configuration; None if unknown: Ganeti's own daemon does not report it
  digest: Optional[str] = None
  #: False if the candidate is silent, and missing in the cluster's own list of
  #: candidates: the address was given by mistake, or its node is no master
  #: candidate any more
  listed: bool = True


class ClusterStatus(NamedTuple):
  """The state of all candidates.

  """
  #: the highest serial in all replies; None if there is no reply
  serial: Optional[int]
  #: the state of each candidate, from the freshest to the stalest; candidates
  #: without an answer are last
  candidates: list[CandidateStatus]
  #: the replies to the question for the serial, the freshest first
  replies: list[CandidateReply]
  #: the candidates that have not replied: maps a candidate's address to the
  #: reason of its silence, or to None if the reason is unknown
  silent: dict[str, Optional[str]]
  #: lines of text with possible causes of silence, if a candidate is silent for
  #: an unknown reason
  hints: list[str] = []


_Replies = Sequence[CandidateReply]


def _Problem(behind: int, version: Any, freshest_version: Any
             ) -> Optional[str]:
  if behind == 1:
    return "its configuration is 1 change behind"
  if behind:
    return "its configuration is %d changes behind" % behind
  if version != freshest_version:
    return "its configuration is of another version"
  return None


def _Failure(ping: CandidateReply,
             serial: Optional[CandidateReply],
             reader: Optional[readerkey.Label], now: float) -> str:
  """Describes why a candidate that replies is of no use.

  @param serial: its reply to the question for the serial
  @param reader: see L{FromReplies}
  @param now: see L{FromReplies}

  """
  if serial is None:
    return "it has answered only one of two questions"
  # At least one of the two replies is an error. Describe the reply to the ping
  # if it is one, else the reply to the question for the serial.
  reply = ping if not IsAnswer(ping) else serial
  if (reply.status, reply.answer) == protocol.NOT_PERMITTED:
    if reader is not None and reader.HasEnded(now):
      return keyrights.HowLong(reader, now)
    return "not permitted to ask it"
  if replylib.IsUnusable(reply.status, reply.answer):
    return "has no usable configuration"
  return ("its answers are errors: %s" %
          replylib.DescribeFailure(reply.status, reply.answer))


def IsAnswer(reply: CandidateReply) -> bool:
  """Tells whether a reply is no error.

  """
  return reply.status == int(constants.CONFD_REPL_STATUS_OK)


def FromReplies(pings: _Replies, serials: _Replies,
                silent: Mapping[str, Optional[str]],
                expected: Optional[int] = None,
                reader: Optional[readerkey.Label] = None,
                now: float = 0.0) -> list[CandidateStatus]:
  """Derives the state of each candidate from the replies.

  @param pings: replies with the version
  @param serials: replies with the serial
  @param silent: the candidates without a reply, and why if that is known
  @param expected: the serial that all should have by now; None for the highest
  @param reader: the reader's key that was used; None for the cluster's
  @param now: the time, in seconds since the epoch
  @return: the freshest first, those without an answer last

  """
  serial_of = {i.address: i for i in serials}
  for ping in pings:
    reply = serial_of.get(ping.address)
    if (reply is not None and IsAnswer(ping) and ping.serial and
        reply.status == int(constants.CONFD_REPL_STATUS_NOTIMPLEMENTED)):
      # The daemon does not implement the question for the serial: take the
      # serial of its reply to the ping instead. (A ping with serial 0 is from
      # Ganeti's own daemon, and does not tell the configuration's serial.)
      serial_of[ping.address] = ping

  def _IsGood(ping: CandidateReply) -> bool:
    serial = serial_of.get(ping.address)
    return serial is not None and IsAnswer(ping) and IsAnswer(serial)

  pings = sorted(pings, key=lambda i: naturalorder.NaturalKey(i.address))
  good = [i for i in pings if _IsGood(i)]
  good.sort(key=lambda i: serial_of[i.address].serial, reverse=True)
  rows = []
  for ping in good:
    serial = serial_of[ping.address].serial
    newest = serial_of[good[0].address].serial if expected is None else expected
    behind = max(0, newest - serial)
    rows.append(CandidateStatus(ping.address, True, ping.round_trip, serial,
                                behind, ping.answer,
                                _Problem(behind, ping.answer, good[0].answer),
                                packaged=reader is None and ping.serial == 0))
  for ping in pings:
    if ping not in good:
      rows.append(CandidateStatus(ping.address, True, ping.round_trip, None,
                                  None, None,
                                  _Failure(ping, serial_of.get(ping.address),
                                           reader, now)))
  for address in sorted(silent, key=naturalorder.NaturalKey):
    rows.append(CandidateStatus(address, False, None, None, None, None,
                                silent[address] or _SILENT))
  return rows


def AddNames(rows: Sequence[CandidateStatus], servers: Mapping[str, str],
             nodes: Sequence[Sequence[Any]]) -> list[CandidateStatus]:
  """Adds the name and the role of each candidate's node.

  @param servers: the address of each candidate to the sender of its reply
  @param nodes: rows of the table of nodes, with L{NODE_FIELDS}

  """
  known = {key: (name, role) for (name, ip, role) in nodes
           for key in (name, ip)}
  result = []
  for row in rows:
    (host, _) = endpoint.Parse(row.address, 0)
    found = known.get(servers.get(row.address, host)) or known.get(host)
    if found is not None:
      (name, letter) = found
      role = columns.ROLES.get(letter)
      row = row._replace(name=name, role=role)
    result.append(row)
  return result


def MarkUnlisted(rows: Sequence[CandidateStatus], names: Container[str]
                 ) -> list[CandidateStatus]:
  """Marks the silent candidates that the cluster does not list.

  @param names: addresses of candidates that the cluster does not list

  """
  def _Mark(row: CandidateStatus) -> CandidateStatus:
    if row.answers or row.address not in names:
      return row
    problem = silence.UNLISTED
    if row.role is not None:
      problem += ": its role is %s" % row.role
    return row._replace(listed=False, problem=problem)
  return [_Mark(row) for row in rows]


def Hints(rows: Sequence[CandidateStatus], default_port: int,
          reader: Optional[readerkey.Label]) -> list[str]:
  """Explains the silence of candidates, if its reason is not known.

  @param default_port: the port of addresses without one
  @param reader: see L{FromReplies}

  """
  names = [row.address for row in rows if row.problem == _SILENT]
  if not names:
    return []
  return silence.Explain(
    names, {endpoint.Parse(name, default_port)[1] for name in names},
    reader is not None, any(row.answers for row in rows))


def FindDivergence(daemons: Sequence[clusterstats.DaemonStats]
                   ) -> dict[str, list[str]]:
  """Finds candidates with the same serial number but different configurations.

  @return: the address of each such candidate to the addresses of those that
    differ from it

  """
  # Skip Ganeti's own daemons and older versions of this project's daemon, which
  # report no digest
  known = [i for i in daemons if i.digest is not None]
  result = {}
  for one in known:
    others = [i.address for i in known
              if i.serial == one.serial and i.digest != one.digest]
    if others:
      result[one.address] = others
  return result


def _DivergenceText(address: str, others: Sequence[str],
                    masters: Mapping[str, str]) -> str:
  """Describes that configurations differ.

  @param masters: the address of each candidate to the master that it names

  """
  text = ("its configuration is another than that of %s, with the same serial"
          " number" % ", ".join(others))
  master = masters.get(address)
  elsewhere = {masters[i] for i in others if i in masters} - {master}
  if master is not None and elsewhere:
    text += ("; its master is %s, and there it is %s" %
             (master, ", ".join(sorted(elsewhere))))
  return text


def AddStats(rows: Sequence[CandidateStatus],
             daemons: Sequence[clusterstats.DaemonStats],
             masters: Mapping[str, str]) -> list[CandidateStatus]:
  """Adds the versions and problems that the daemons' statistics show.

  @param masters: the address of each candidate to the master that it names

  """
  known = {i.address: i for i in daemons}
  divergence = FindDivergence(daemons)
  newest = masters.get(rows[0].address) if rows else None
  result = []
  for row in rows:
    daemon = known.get(row.address)
    if daemon is not None:
      others = divergence.get(row.address, [])
      problems = [row.problem] if row.problem else []
      if others:
        problems.append(_DivergenceText(row.address, others, masters))
      elif (row.behind and newest is not None and
            masters.get(row.address, newest) != newest):
        problems.append("its master is %s, and that of the freshest one is %s" %
                        (masters[row.address], newest))
      if daemon.stale:
        problems.append("it could not load the newest configuration: its log"
                        " says why")
      row = row._replace(daemon=daemon.version, diverges=bool(others),
                         stale=bool(daemon.stale), digest=daemon.digest,
                         problem="; ".join(problems) or None)
    result.append(row)
  return result
