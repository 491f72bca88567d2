#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Statistics of the daemons, from the answers of all of them.

Fact: daemons may be of several versions. A value that an older daemon does not
report is None or missing; a value that only a newer daemon reports is in
C{everything}.

"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional, Sequence

from ganeti import constants
from ganeti.confd.clientlib import silence
from ganeti.confd.clientlib.replies import CandidateReply
from ganeti.confd.protocol import wire
from ganeti.confd.schema import naturalorder


#: The section of the answer to STATS that is about the configuration, and has
#: no counters
_CONFIG = "config"


class DaemonStats(NamedTuple):
  """The statistics of one daemon.

  """
  #: the candidate's address, as given to the client or learned from the cluster
  address: str
  #: version of the daemon
  version: Optional[str]
  #: seconds since the daemon's start
  uptime: Optional[float]
  #: number of worker processes
  workers: Optional[int]
  #: memory of all processes of the daemon, in bytes; None if the system does
  #: not report it
  memory: Optional[int]
  #: serial of the configuration in use
  serial: Optional[int]
  #: seconds since the configuration was loaded
  age: Optional[float]
  #: seconds that loading the configuration took
  load_time: Optional[float]
  #: groups of counters, which count from the daemon's start: C{queries},
  #: C{replies}, C{dropped} and so on (C{doc/protocol.rst}, STATS)
  counters: dict[str, dict[str, Optional[int]]]
  #: the whole answer to STATS, as the daemon sent it
  everything: dict[str, Any]
  #: hash of the configuration's text: the same for all candidates that have the
  #: same configuration
  digest: Optional[str] = None
  #: whether the daemon could not load a newer configuration
  stale: Optional[bool] = None


class ClusterStats(NamedTuple):
  """The statistics of all daemons.

  """
  #: the highest serial in all replies; None if there is no reply
  serial: Optional[int]
  #: the daemons that have sent statistics, by address
  daemons: list[DaemonStats]
  #: all replies; some may be errors
  replies: list[CandidateReply]
  #: the candidates that have not replied: maps a candidate's address to the
  #: reason of its silence, or to None if the reason is unknown
  silent: dict[str, Optional[str]]

  @property
  def failed(self) -> list[CandidateReply]:
    """The replies without statistics.

    """
    known = {i.address for i in self.daemons}
    return [i for i in self.replies if i.address not in known]

  @property
  def missing(self) -> list[str]:
    """The addresses of the candidates without statistics.

    An address that is no master candidate any more is not one of them.

    """
    return [i.address for i in self.failed] + [
      address for (address, reason) in self.silent.items()
      if reason != silence.UNLISTED]


def _Get(answer: Mapping[str, Any], name: str, kind: Any) -> Any:
  """Returns a value of an answer.

  @return: None if the value is missing, or has another type

  """
  value = answer.get(name)
  return value if isinstance(value, kind) else None


def _Counters(answer: Mapping[str, Any]) -> dict[str, dict[str, Optional[int]]]:
  return {group: {name: value for (name, value) in values.items()
                  if value is None or wire.IsPlainInt(value)}
          for (group, values) in answer.items()
          if group != _CONFIG and isinstance(values, dict)}


def Read(address: str, answer: Mapping[str, Any]) -> DaemonStats:
  """Converts the answer of a daemon.

  """
  config: Mapping[str, Any] = _Get(answer, _CONFIG, dict) or {}
  number = (int, float)
  return DaemonStats(address, _Get(answer, "version", str),
                     _Get(answer, "uptime", number),
                     _Get(answer, "workers", int), _Get(answer, "memory", int),
                     _Get(config, "serial", int), _Get(config, "age", number),
                     _Get(config, "load_time", number), _Counters(answer),
                     dict(answer), _Get(config, "digest", str),
                     _Get(config, "stale", bool))


def Gather(replies: Sequence[CandidateReply],
           silent: Mapping[str, Optional[str]]) -> ClusterStats:
  """Combines the replies of all daemons.

  """
  def _Order(address: str) -> list[Any]:
    return naturalorder.NaturalKey(address)

  replies = sorted(replies, key=lambda i: _Order(i.address))
  daemons = [Read(i.address, i.answer) for i in replies
             if i.status == int(constants.CONFD_REPL_STATUS_OK) and
             isinstance(i.answer, dict)]
  return ClusterStats(max((i.serial for i in replies), default=None), daemons,
                      replies, {i: silent[i] for i in sorted(silent,
                                                             key=_Order)})
