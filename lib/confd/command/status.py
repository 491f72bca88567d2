#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How the master candidates are: confd-client's command "status".

All master candidates are asked, those that the cluster itself lists and those
that were given. What they answer is judged by L{Judge}, which does no I/O.

A change takes a moment to reach all candidates: one that is behind is asked
again L{_SETTLE} seconds later, and is behind if it still has not what the
freshest one had at first.

"""

import collections
import time

from ganeti import constants
from ganeti.confd.clientlib import exchange
from ganeti.confd.command import commands


#: Seconds
_SETTLE = 1.0

OK = "OK"
WARNING = "WARNING"
CRITICAL = "CRITICAL"
UNKNOWN = "UNKNOWN"

#: The exit codes of a Nagios plugin
NAGIOS_CODES = {
  OK: 0,
  WARNING: 1,
  CRITICAL: 2,
  UNKNOWN: 3,
  }

#: One candidate: C{round_trip} in seconds, C{serial}, C{behind} (changes) and
#: C{version}, None if it does not answer; C{problem} in words, or None
Row = collections.namedtuple("Row", ["address", "answers", "round_trip",
                                     "serial", "behind", "version", "problem"])

HEADERS = ["Address", "Answers", "RTT", "Serial", "Behind", "Version",
           "Problem"]
NUMERIC = (2, 3, 4)


def _Problem(behind, version, freshest_version):
  if behind:
    return "its configuration is %d change%s behind" % (behind,
                                                        "s"[behind == 1:])
  if version != freshest_version:
    return "its configuration is of another version"
  return None


def _Failure(ping, serial):
  """Says why a candidate is of no use though it answers.

  @type serial: L{exchange.CandidateReply} or None

  """
  for reply in (ping, serial):
    if reply is None:
      return "it has answered only one of two questions"
    if exchange.IsUnusable(reply.status, reply.answer):
      return "has no usable configuration"
    if reply.status != constants.CONFD_REPL_STATUS_OK:
      return "its answers are errors: %s" % (reply.answer, )


def Judge(pings, serials, silent, expected=None):
  """Makes a table of what the candidates answered.

  @type pings: list of L{exchange.CandidateReply}
  @param pings: what they said about the version
  @type serials: list of L{exchange.CandidateReply}
  @param serials: what they said about the serial
  @type silent: dict
  @param silent: who has not answered, and why not or None
  @type expected: int or None
  @param expected: the serial they should have by now; None for the highest
  @rtype: list of L{Row}
  @return: the freshest first, those without an answer last

  """
  serial_of = dict((i.address, i) for i in serials)
  good = [i for i in pings if i.address in serial_of and
          constants.CONFD_REPL_STATUS_OK ==
          i.status == serial_of[i.address].status]
  good.sort(key=lambda i: (-serial_of[i.address].serial, i.address))
  rows = []
  for ping in good:
    serial = serial_of[ping.address].serial
    newest = serial_of[good[0].address].serial if expected is None else expected
    behind = max(0, newest - serial)
    rows.append(Row(ping.address, True, ping.round_trip, serial, behind,
                    ping.answer,
                    _Problem(behind, ping.answer, good[0].answer)))
  for ping in pings:
    if ping not in good:
      rows.append(Row(ping.address, True, ping.round_trip, None, None, None,
                      _Failure(ping, serial_of.get(ping.address))))
  for (address, reason) in sorted(silent.items()):
    rows.append(Row(address, False, None, None, None, None,
                    reason or "no answer: host or daemon down, another key,"
                    " wrong clock, or no configuration"))
  return rows


def Ask(asker):
  """Asks all candidates how they are.

  @type asker: L{sync.Client}
  @rtype: list of L{Row}

  """
  asker.Learn()
  (pings, silent) = asker.Survey(constants.CONFD_REQ_PING)
  answering = [i.address for i in pings]
  (serials, _) = asker.Survey(*exchange.SERIAL_QUESTION, only=answering)
  rows = Judge(pings, serials, silent)
  if any(row.behind for row in rows):
    time.sleep(_SETTLE)
    (later, _) = asker.Survey(*exchange.SERIAL_QUESTION, only=answering)
    rows = Judge(pings, later, silent, max(row.serial or 0 for row in rows))
  return rows


def State(rows):
  """Sums a table up.

  @rtype: string
  @return: L{OK}; L{WARNING} if something is wrong; L{CRITICAL} if nobody has
    an answer

  """
  if not any(row.serial is not None for row in rows):
    return CRITICAL
  if any(row.problem for row in rows):
    return WARNING
  return OK


def NagiosLine(rows):
  """Makes the line that a Nagios plugin prints.

  @rtype: string

  """
  good = [row for row in rows if row.serial is not None]
  text = "%d of %d master candidates answer" % (len(good), len(rows))
  if good:
    text += ", serial %d" % good[0].serial
  problems = ["%s: %s" % (row.address, row.problem)
              for row in rows if row.problem]
  numbers = "answering=%d;;;0;%d" % (len(good), len(rows))
  if good:
    numbers += (" behind=%d;;;0 rtt=%.6fs;;;0" %
                (max(row.behind for row in good),
                 max(row.round_trip for row in good)))
  line = "; ".join(["CONFD %s - %s" % (State(rows), text)] + problems)
  return "%s | %s" % (line.replace("|", "/").replace("\n", " "), numbers)


def Cells(row):
  """Makes the cells of a printed table.

  @rtype: list

  """
  return [row.address, "yes" if row.answers else "no",
          None if row.round_trip is None else
          "%.1fms" % (row.round_trip * 1000),
          row.serial, row.behind, commands.FormatVersion(row.version),
          row.problem or ""]
