#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How the master candidates are, from what each of them answers.

All are asked, those that the cluster itself lists and those that were given.
What they answer is judged by L{Judge}, which does no I/O.

A change takes a moment to reach all candidates: one that is behind is asked
again L{_SETTLE} seconds later, and is behind if it still has not what the
freshest one had at first.

Fact: Ganeti raises the serial number with each change, and copies the file to
the candidates as it is. Two candidates with one serial number and different
texts have had different masters: a failover without voting may leave two
masters that both go on.

Fact: the packaged daemon puts 0 for a serial into its reply to a ping. It has
neither tables nor counters, so it is not asked for them: it would be waited
for.

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, List, \
  Mapping, NamedTuple, Optional, Sequence, Tuple

from ganeti import constants
from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import reader as readerlib
from ganeti.confd.clientlib import stats as statslib
from ganeti.confd.protocol import readerkey
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder

if TYPE_CHECKING:
  from ganeti.confd.clientlib import questions


#: Seconds
_SETTLE = 1.0

_NODE_FIELDS = ["name", "pip", "role"]

_SILENCE = ("no answer: host or daemon down, another key, wrong clock, or no"
            " configuration")


class CandidateStatus(NamedTuple):
  """How one candidate is.

  """
  #: as it was given or learned
  address: str
  #: whether it answers, be it with an error
  answers: bool
  #: seconds; None where it does not answer
  round_trip: Optional[float]
  #: of its configuration; None where it has not told one
  serial: Optional[int]
  #: how many changes
  behind: Optional[int]
  #: of the configuration's format, e.g. 3000000
  version: Optional[int]
  #: what is wrong, in words; None where all is well
  problem: Optional[str]
  #: the node's; None where nobody can tell, as Ganeti's own daemon cannot
  name: Optional[str] = None
  #: the node's, a word of C{client.NODE_ROLES}; None likewise
  role: Optional[str] = None
  #: version of the daemon; None for Ganeti's own
  daemon: Optional[str] = None
  #: whether the client was given it, and has not only learned it
  given: bool = True
  #: whether another candidate has the same serial and another configuration;
  #: False where nobody can tell, as Ganeti's own daemon cannot
  diverges: bool = False
  #: whether a newer configuration could not be loaded; False where nobody can
  #: tell
  stale: bool = False


class ClusterStatus(NamedTuple):
  """How all candidates are.

  """
  #: the highest one; None where nobody has told any
  serial: Optional[int]
  #: the freshest first, those without an answer last
  candidates: List[CandidateStatus]
  #: to the question for the serial, the freshest first
  replies: List[exchange.CandidateReply]
  #: who has not answered at all, and why as far as that is known, else None
  silent: Dict[str, Optional[str]]


_Replies = Sequence[exchange.CandidateReply]


def _Problem(behind: int, version: Any, freshest_version: Any
             ) -> Optional[str]:
  if behind == 1:
    return "its configuration is 1 change behind"
  if behind:
    return "its configuration is %d changes behind" % behind
  if version != freshest_version:
    return "its configuration is of another version"
  return None


def _Failure(ping: exchange.CandidateReply,
             serial: Optional[exchange.CandidateReply]) -> str:
  """Says why a candidate is of no use though it answers.

  @param serial: its reply to the question for the serial

  """
  if serial is None:
    return "it has answered only one of two questions"
  # The first one that is an error says why
  reply = ping if not _IsAnswer(ping) else serial
  if (reply.status, reply.answer) == protocol.NOT_PERMITTED:
    return "not permitted to ask it"
  if exchange.IsUnusable(reply.status, reply.answer):
    return "has no usable configuration"
  return "its answers are errors: %s" % (reply.answer, )


def _IsAnswer(reply: exchange.CandidateReply) -> bool:
  return reply.status == int(constants.CONFD_REPL_STATUS_OK)


def Judge(pings: _Replies, serials: _Replies,
          silent: Mapping[str, Optional[str]],
          expected: Optional[int] = None,
          reader: Optional[readerkey.Label] = None) -> List[CandidateStatus]:
  """Makes a table of what the candidates answered.

  @param pings: what they said about the version
  @param serials: what they said about the serial
  @param silent: who has not answered, and why not if that is known
  @param expected: the serial they should have by now; None for the highest
  @param reader: with whose key they were asked; None for the cluster's
  @return: the freshest first, those without an answer last

  """
  serial_of = {i.address: i for i in serials}

  def _IsGood(ping: exchange.CandidateReply) -> bool:
    serial = serial_of.get(ping.address)
    return serial is not None and _IsAnswer(ping) and _IsAnswer(serial)

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
                                _Problem(behind, ping.answer, good[0].answer)))
  for ping in pings:
    if ping not in good:
      rows.append(CandidateStatus(ping.address, True, ping.round_trip, None,
                                  None, None,
                                  _Failure(ping, serial_of.get(ping.address))))
  for address in sorted(silent, key=naturalorder.NaturalKey):
    rows.append(CandidateStatus(address, False, None, None, None, None,
                                silent[address] or _SILENCE +
                                (readerlib.SILENCE if reader else "")))
  return rows


def NameNodes(rows: Sequence[CandidateStatus], servers: Mapping[str, str],
              nodes: Sequence[Sequence[Any]]) -> List[CandidateStatus]:
  """Says which node each candidate is.

  @param servers: the addresses of candidates to where they answer from
  @param nodes: rows of the table of nodes, see L{_NODE_FIELDS}

  """
  known = {key: (name, role) for (name, ip, role) in nodes
           for key in (name, ip)}
  result = []
  for row in rows:
    (host, _) = candidates.Parse(row.address, 0)
    found = known.get(servers.get(row.address, host)) or known.get(host)
    if found is not None:
      (name, letter) = found
      role = columns.ROLES.get(letter)
      row = row._replace(name=name, role=role)
    result.append(row)
  return result


def FindDivergence(daemons: Sequence[statslib.DaemonStats]
                   ) -> Dict[str, List[str]]:
  """Finds who has another configuration with the same serial number.

  @return: for each of them, the others, by address

  """
  # Daemons of Ganeti's and of older versions tell no digest
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
  """Says in words that configurations differ.

  @param masters: who is the master, as far as candidates have said it

  """
  text = ("its configuration is another than that of %s, with the same serial"
          " number" % ", ".join(others))
  master = masters.get(address)
  elsewhere = {masters[i] for i in others if i in masters} - {master}
  if master is not None and elsewhere:
    text += ("; its master is %s, and there it is %s" %
             (master, ", ".join(sorted(elsewhere))))
  return text


def NoteStats(rows: Sequence[CandidateStatus],
              daemons: Sequence[statslib.DaemonStats],
              masters: Mapping[str, str]) -> List[CandidateStatus]:
  """Adds what the daemons tell about themselves.

  @param masters: who is the master, as far as candidates have said it

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
                         stale=bool(daemon.stale),
                         problem="; ".join(problems) or None)
    result.append(row)
  return result


async def _AskDaemons(asker: questions.Questions,
                      pause: Callable[[float], Awaitable[None]],
                      addresses: Sequence[str], are_behind: bool
                      ) -> Tuple[List[statslib.DaemonStats], Dict[str, str]]:
  """Asks daemons about themselves, and who is the master if that is in doubt.

  @param are_behind: whether some of them are
  @return: what they have told, and the master by address

  """
  async def _Stats() -> List[statslib.DaemonStats]:
    return statslib.Gather(*await asker.Survey(protocol.REQ_STATS,
                                               only=addresses)).daemons

  daemons = await _Stats()
  if FindDivergence(daemons):
    await pause(_SETTLE)
    daemons = await _Stats()
  masters = {}
  if ((are_behind or FindDivergence(daemons)) and
      asker.MayAsk(constants.CONFD_REQ_CLUSTER_MASTER)):
    (replies, _) = await asker.Survey(constants.CONFD_REQ_CLUSTER_MASTER,
                                      only=addresses)
    masters = {i.address: i.answer for i in replies
               if _IsAnswer(i) and isinstance(i.answer, str)}
  return (daemons, masters)


async def Ask(asker: questions.Questions,
              pause: Callable[[float], Awaitable[None]],
              is_given: Callable[[str], bool]) -> ClusterStatus:
  """Asks all candidates how they are.

  @param pause: lets time pass, in seconds
  @param is_given: tells whether the client was given a candidate

  """
  await asker.Learn()
  (pings, silent) = await asker.Survey(constants.CONFD_REQ_PING)
  answering = [i.address for i in pings]
  question = asker.serial_question
  (serials, _) = await asker.Survey(*question, only=answering)
  rows = Judge(pings, serials, silent, reader=asker.reader)
  if any(row.behind for row in rows):
    await pause(_SETTLE)
    expected = max(row.serial for row in rows if row.serial is not None)
    (serials, _) = await asker.Survey(*question, only=answering)
    rows = Judge(pings, serials, silent, expected, asker.reader)
  ours = [i.address for i in pings if _IsAnswer(i) and i.serial]
  # What a reader may not ask is left out
  if ours and asker.MayAsk(protocol.REQ_QUERY, {"what": columns.NODE}):
    try:
      nodes = (await asker.List(columns.NODE, _NODE_FIELDS)).answer
    except errors.ConfdClientError:
      # It is good to know, and no more
      nodes = []
    rows = NameNodes(rows, {i.address: i.server for i in pings}, nodes)
  if ours and asker.MayAsk(protocol.REQ_STATS):
    (daemons, masters) = await _AskDaemons(asker, pause, ours,
                                           any(row.behind for row in rows))
    rows = NoteStats(rows, daemons, masters)
  rows = [row._replace(given=is_given(row.address)) for row in rows]
  return ClusterStatus(rows[0].serial if rows else None, rows, serials, silent)
