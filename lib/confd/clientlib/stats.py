#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the daemons tell about themselves, from the answers of all of them.

Fact: daemons may be of several versions. What one does not tell is None or
missing, and what only a newer one tells is in C{everything}.

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, \
  Optional, Sequence

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import exchange
from ganeti.confd.protocol import wire
from ganeti.confd.schema import naturalorder

if TYPE_CHECKING:
  from ganeti.confd.clientlib import questions


#: The part about the configuration, which has no counters
_CONFIG = "config"


class DaemonStats(NamedTuple):
  """What one daemon tells about itself.

  """
  #: as it was given or learned
  address: str
  version: Optional[str]
  #: seconds
  uptime: Optional[float]
  #: number of processes that answer
  workers: Optional[int]
  #: of all processes, in bytes; None where the system does not tell
  memory: Optional[int]
  #: of the configuration that it serves
  serial: Optional[int]
  #: seconds since that was loaded
  age: Optional[float]
  #: seconds that loading it took
  load_time: Optional[float]
  #: C{queries}, C{replies}, C{dropped} and so on (C{doc/protocol.rst}, STATS):
  #: each a dictionary of numbers since the daemon's start
  counters: Dict[str, Dict[str, Optional[int]]]
  #: the answer as it came
  everything: Dict[str, Any]
  #: of the text of the configuration that it serves
  digest: Optional[str] = None
  #: whether a newer configuration could not be loaded
  stale: Optional[bool] = None


class ClusterStats(NamedTuple):
  """What all daemons tell about themselves.

  """
  #: the highest one; None where nobody has told any
  serial: Optional[int]
  #: those that have told it, by address
  daemons: List[DaemonStats]
  #: all replies; some may be errors
  replies: List[exchange.CandidateReply]
  #: who has not answered, and why as far as that is known, else None
  silent: Dict[str, Optional[str]]

  @property
  def failed(self) -> List[exchange.CandidateReply]:
    """The replies that have no counters.

    """
    known = {i.address for i in self.daemons}
    return [i for i in self.replies if i.address not in known]


def _Get(answer: Mapping[str, Any], name: str, kind: Any) -> Any:
  """Takes a value out of an answer.

  @return: None where there is none of this type

  """
  value = answer.get(name)
  return value if isinstance(value, kind) else None


def _Counters(answer: Mapping[str, Any]) -> Dict[str, Dict[str, Optional[int]]]:
  return {group: {name: value for (name, value) in values.items()
                  if value is None or wire.IsPlainInt(value)}
          for (group, values) in answer.items()
          if group != _CONFIG and isinstance(values, dict)}


def Read(address: str, answer: Mapping[str, Any]) -> DaemonStats:
  """Reads the answer of a daemon.

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


def Gather(replies: Sequence[exchange.CandidateReply],
           silent: Mapping[str, Optional[str]]) -> ClusterStats:
  """Makes one result of all replies.

  """
  def _Order(address: str) -> List[Any]:
    return naturalorder.NaturalKey(address)

  replies = sorted(replies, key=lambda i: _Order(i.address))
  daemons = [Read(i.address, i.answer) for i in replies
             if i.status == int(constants.CONFD_REPL_STATUS_OK) and
             isinstance(i.answer, dict)]
  return ClusterStats(max((i.serial for i in replies), default=None), daemons,
                      replies, {i: silent[i] for i in sorted(silent,
                                                             key=_Order)})


async def Ask(asker: questions.Questions) -> ClusterStats:
  """Asks all daemons.

  """
  return Gather(*await asker.Survey(protocol.REQ_STATS))
