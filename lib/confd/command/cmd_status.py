#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "status": the state of the master candidates.

C{clientlib.clusterstatus} asks the candidates; this module summarizes and
prints the result.

With --nagios the state is a warning, or critical, if a number is beyond its
limit. There are three such numbers:
  - the silent candidates, which have not answered with a serial;
  - the changes by which the most outdated candidate is behind, after the
    library has given the candidates a second to catch up;
  - the days until a reader's key ends.
Nagios repeats the command, and decides how long such a state may last.

"""

from __future__ import annotations

import argparse
import time

from typing import Any, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.clientlib import keyrights
from ganeti.confd.command import cmd_question
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import plugin
from ganeti.confd.command import result
from ganeti.confd.command import rights
from ganeti.confd.command import table
from ganeti.confd.protocol import readerkey


_Rows = Sequence[clusterstatus.CandidateStatus]

_HEADERS = ["Address", "Node", "Role", "Daemon", "Answers", "RTT", "Serial",
            "Behind", "Version", "Problem"]
_NUMERIC = (5, 6, 7)

#: The title of a column that is added if configurations with the same serial
#: differ
_DIGEST = "Configuration"

#: Only this many characters of a digest are shown
_DIGEST_LENGTH = 12


#: The default limits of --nagios, by the names in C{argtypes.STATUS_LIMITS}
_LIMITS = plugin.Limits({"silent": 0, "behind": 0, "key": 30}, {})

#: The line about the end of a key is coloured if the key ends in fewer days
#: than this
_SOON = _LIMITS.warning["key"]


class KeyEnd(NamedTuple):
  """The end of the reader's key that is used.

  """
  #: Days from today to the key's last day
  days: int
  #: A phrase that names the reader and the last day
  text: str


def _Numbers(rows: _Rows) -> dict[str, int]:
  """Returns the counts that have limits, by name.

  """
  return {
    "silent": sum(row.serial is None for row in rows if row.listed),
    "behind": max((row.behind or 0 for row in rows), default=0),
    }


def _EndsWithin(key: Optional[KeyEnd], limits: Mapping[str, int]) -> bool:
  """Tells whether a key ends in fewer days than the limit.

  """
  return key is not None and key.days < limits.get("key", 0)


def State(rows: _Rows, limits: plugin.Limits = _LIMITS,
          key: Optional[KeyEnd] = None) -> str:
  """Summarizes the states of all candidates, and of the key.

  @param key: None if the key does not end
  @return: L{plugin.CRITICAL} if no candidate answers, if configurations with
    the same serial differ, if a configuration could not be loaded, or if a
    number is beyond its critical limit; else L{plugin.WARNING} if a number is
    beyond its warning limit, or if a configuration has another version; else
    L{plugin.OK}

  """
  state = limits.StateOf(_Numbers(rows))
  if (all(row.serial is None for row in rows) or
      any(row.diverges or row.stale for row in rows) or
      state == plugin.CRITICAL or _EndsWithin(key, limits.critical)):
    return plugin.CRITICAL
  if (state == plugin.WARNING or _EndsWithin(key, limits.warning) or
      any(row.problem for row in rows
          if row.serial is not None and not row.behind)):
    return plugin.WARNING
  return plugin.OK


def _ExitCode(rows: _Rows) -> int:
  if all(row.serial is None for row in rows):
    return exitcodes.NO_ANSWER
  return exitcodes.SUCCESS if State(rows) == plugin.OK else exitcodes.FAILURE


def Report(rows: _Rows, limits: plugin.Limits = _LIMITS,
           key: Optional[KeyEnd] = None) -> plugin.Report:
  """Makes the report of a Nagios plugin.

  @param key: None if the key does not end

  """
  good = [row for row in rows if row.serial is not None]
  count = sum(row.listed for row in rows)
  text = "%d of %s" % (len(good), "1 master candidate answers" if count == 1
                       else "%d master candidates answer" % count)
  if good:
    text += ", serial %s" % good[0].serial
  values = ["answering=%d;;;0;%d" % (len(good), count)]
  values.extend(limits.Datum(what, number)
                for (what, number) in _Numbers(rows).items()
                if good or what != "behind")
  if good:
    values.append("rtt=%.6fs;;;0" % max(row.round_trip or 0.0 for row in good))
  problems = ["%s: %s" % (row.address, row.problem)
              for row in rows if row.problem]
  if key is not None:
    # Nagios reads "30:" as the range of good numbers, from 30 on
    (warning, critical) = ["%d:" % i["key"] if "key" in i else ""
                           for i in limits]
    values.append("key=%d;%s;%s;0" % (key.days, warning, critical))
    if _EndsWithin(key, limits.warning) or _EndsWithin(key, limits.critical):
      problems.append(key.text)
  return plugin.Report(State(rows, limits, key), "; ".join([text] + problems),
                       values)


def _Cells(row: clusterstatus.CandidateStatus) -> list[Any]:
  round_trip = None
  if row.round_trip is not None:
    round_trip = "%.1fms" % (row.round_trip * 1000)
  return [row.address, row.name, row.role, _Daemon(row),
          "yes" if row.answers else "no", round_trip, row.serial, row.behind,
          cmd_question.FormatVersion(row.version), row.problem or ""]


def _Daemon(row: clusterstatus.CandidateStatus) -> Optional[str]:
  """Returns the version of this project's daemon, or that it is Ganeti's.

  """
  return "Ganeti's" if row.packaged else row.daemon


def _Table(rows: _Rows) -> table.Table:
  """Makes the table, with digests if configurations of one serial differ.

  """
  headers = list(_HEADERS)
  cells = [_Cells(row) for row in rows]
  if any(row.diverges for row in rows):
    headers.insert(-1, _DIGEST)
    for (row, line) in zip(rows, cells):
      line.insert(-1, row.digest and row.digest[:_DIGEST_LENGTH])
  return table.Table(headers, cells, _NUMERIC, [_Colour(row) for row in rows])


def _Colour(row: clusterstatus.CandidateStatus) -> Optional[str]:
  if not row.listed:
    return None
  if row.serial is None or row.diverges or row.stale:
    return "red"
  return "yellow" if row.problem else None


def _KeyEnd(label: Optional[readerkey.Label], now: float) -> Optional[KeyEnd]:
  """Returns when a key ends.

  @param label: None for the cluster's key
  @param now: the time, in seconds since the epoch

  """
  days = None if label is None else label.DaysLeft(now)
  if label is None or days is None:
    return None
  return KeyEnd(days, keyrights.HowLong(label, now))


def _Document(status: clusterstatus.ClusterStatus, key: Optional[KeyEnd]
              ) -> dict[str, Any]:
  """Makes the object for --json.

  """
  # The serial is None if no candidate has answered
  serial: Any = status.serial
  reply: clientlib.Reply[Any] = clientlib.Reply(
    [row._asdict() for row in status.candidates], serial, status.replies,
    status.silent)
  return dict(output.FormatReply(reply),
              key_days=None if key is None else key.days)


def _Only(answer: clusterstatus.ClusterStatus) -> clusterstatus.ClusterStatus:
  """Leaves out the candidates that --address does not name.

  The library asks those candidates as well, to learn the highest serial.

  """
  rows = [row for row in answer.candidates if row.given]
  addresses = {row.address for row in rows}
  return answer._replace(
    candidates=rows,
    hints=answer.hints if any(not row.answers for row in rows) else [],
    replies=[i for i in answer.replies if i.address in addresses],
    silent={address: reason for (address, reason) in answer.silent.items()
            if address in addresses})


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks for the state of the master candidates.

  """
  status = client.Status()
  key = _KeyEnd(client.reader, time.time())
  if opts.only:
    status = _Only(status)
  rows = status.candidates
  document = _Document(status, key)
  lines = list(status.hints)
  lacking = rights.LeftOut(client.reader, opts.command)
  if lacking and not opts.only:
    lines.append("Only the given candidates were asked, as the key does not"
                 " permit %s." % ", ".join(lacking))
  if opts.nagios:
    report = Report(rows, _LIMITS.With(opts), key)
    # Nagios shows further lines as long output
    report = report._replace(lines=lines)
    return result.Result(document, report=report, code=report.code)
  below: list[tuple[str, Optional[str]]] = [(line, None) for line in lines]
  if key is not None:
    below.append((key.text[0].upper() + key.text[1:],
                  "yellow" if key.days < _SOON else None))
  return result.Result(
    document, _Table(rows), code=_ExitCode(rows), below=below)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the state of the master candidates of several clusters.

  """
  return multicluster.Run(factories, opts, _Ask, is_plugin=opts.nagios)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the state of the master candidates.

  """
  return result.Print(_Ask(client, opts), opts)
