#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The queries of confd: computes status and answer from snapshot and request.

Each function of L{_HANDLERS} takes a snapshot and a query, any JSON value, and
returns (status, answer). The caller must not change an answer, only serialise
it: answers may be parts of the snapshot, and packed (L{packed}).

"""

from __future__ import annotations

import re

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.config import inventory
from ganeti.confd.config import lenient
from ganeti.confd.config import packed as packedlib
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import wire
from ganeti.confd.serving import waiting
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterator, Union

  #: The status, which is one of C{constants.CONFD_REPL_STATUSES}, and the
  #: answer, a JSON value
  Result = tuple[int, Any]


_INDEX_RE = re.compile("0|[1-9][0-9]*")
_BAD_ESCAPE_RE = re.compile("~(?![01])")


def _Ok(answer: Any) -> Result:
  return (constants.CONFD_REPL_STATUS_OK, answer)


def _Ping(snapshot: snapshotlib.Snapshot, _: Any) -> Result:
  return _Ok(snapshot.version)


def _NodeRole(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers NODE_ROLE_BYNAME: the role of a node.

  The answer is never BAD_ARGUMENT, whose number is also that of the role
  "offline": ganeti-watcher does not check the status, and would shut down the
  node's instances.

  """
  node = snapshot.FindNode(query) if isinstance(query, str) else None
  if node is None:
    return protocol.UNKNOWN_ENTRY
  return _Ok(node.role)


def _NodeOfIp(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers NODE_PIP_BY_INSTANCE_IP: primary ips of the nodes of instances.

  """
  if isinstance(query, str):
    query = {constants.CONFD_REQQ_IP: query}
  elif not isinstance(query, dict):
    return protocol.BAD_ARGUMENT

  link = query.get(constants.CONFD_REQQ_LINK)
  if link is None:
    link = snapshot.default_link
  elif not isinstance(link, str):
    return protocol.BAD_ARGUMENT
  nodes = snapshot.links.get(link, {})

  def _Lookup(ip: str) -> Result:
    node_ip = nodes.get(ip)
    return protocol.UNKNOWN_ENTRY if node_ip is None else _Ok(node_ip)

  ip = query.get(constants.CONFD_REQQ_IP)
  if ip is not None:
    return _Lookup(ip) if isinstance(ip, str) else protocol.BAD_ARGUMENT

  ips = query.get(constants.CONFD_REQQ_IPLIST)
  if ips is None:
    ips = []
  if not (isinstance(ips, list) and all(isinstance(ip, str) for ip in ips)):
    return protocol.BAD_ARGUMENT
  return _Ok([_Lookup(ip) for ip in ips])


def _MasterName(snapshot: snapshotlib.Snapshot) -> Any:
  return snapshot.master.name if snapshot.master else None


def _MasterIp(snapshot: snapshotlib.Snapshot) -> Any:
  return lenient.Text(snapshot.document["cluster"].get("master_ip"))


def _MasterNodeIp(snapshot: snapshotlib.Snapshot) -> Any:
  return snapshot.master.primary_ip if snapshot.master else None


#: Maps each field of a CLUSTER_MASTER query to the function that returns its
#: value. A query has the field's number, or the number as a string, which
#: Ganeti's own confd-client sends.
_MASTER_FIELDS: dict[Any, Callable[[snapshotlib.Snapshot], Any]] = {
  constants.CONFD_REQFIELD_NAME: _MasterName,
  constants.CONFD_REQFIELD_IP: _MasterIp,
  constants.CONFD_REQFIELD_MNODE_PIP: _MasterNodeIp,
  }
_MASTER_FIELDS.update([(str(number), function)
                       for (number, function) in _MASTER_FIELDS.items()])


def _ClusterMaster(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers CLUSTER_MASTER: the master's name, or the requested fields.

  """
  if query is None or query == "":
    return _MasterField(snapshot, _MasterName)
  if not isinstance(query, dict):
    return protocol.BAD_ARGUMENT

  fields = query.get(constants.CONFD_REQQ_FIELDS)
  if fields is None:
    fields = []
  if not isinstance(fields, list):
    return protocol.BAD_ARGUMENT
  values = []
  for field in fields:
    if not (isinstance(field, str) or wire.IsPlainInt(field)):
      return protocol.BAD_ARGUMENT
    if field not in _MASTER_FIELDS:
      return protocol.BAD_ARGUMENT
    (status, value) = _MasterField(snapshot, _MASTER_FIELDS[field])
    if status != constants.CONFD_REPL_STATUS_OK:
      return (status, value)
    values.append(value)
  return _Ok(values)


def _MasterField(snapshot: snapshotlib.Snapshot,
                 function: Callable[[snapshotlib.Snapshot], Any]) -> Result:
  value = function(snapshot)
  return protocol.UNKNOWN_ENTRY if value is None else _Ok(value)


def _NodeIps(snapshot: snapshotlib.Snapshot, _: Any) -> Result:
  return _Ok(snapshot.node_ips)


def _CandidateIps(snapshot: snapshotlib.Snapshot, _: Any) -> Result:
  return _Ok(snapshot.candidate_ips)


def _InstanceIps(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers INSTANCES_IPS_LIST: the ips of all instances on a link.

  """
  if query is None:
    query = snapshot.default_link
  elif not isinstance(query, str):
    return protocol.BAD_ARGUMENT
  return _Ok(list(snapshot.links.get(query, [])))


def _NodeDrbd(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  if not isinstance(query, str):
    return protocol.BAD_ARGUMENT
  node = snapshot.FindNode(query)
  if node is None:
    return protocol.UNKNOWN_ENTRY
  return _Ok(node.drbd)


def _NodeInstances(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  if not isinstance(query, str):
    return protocol.BAD_ARGUMENT
  node = snapshot.FindNode(query)
  if node is None:
    return protocol.UNKNOWN_ENTRY
  return _Ok([[instance.packed for instance in instances]
              for instances in (node.primary, node.secondary)])


def _InstanceDisks(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  if not isinstance(query, str):
    return protocol.BAD_ARGUMENT
  instance = snapshot.FindInstance(query)
  if instance is None:
    return protocol.UNKNOWN_ENTRY
  return _Ok([disk.packed for disk in instance.disks])


def _ConfigQuery(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers CONFIG_QUERY: the value that a JSON pointer (RFC 6901) refers to.

  """
  if not isinstance(query, str) or _BAD_ESCAPE_RE.search(query):
    return protocol.BAD_ARGUMENT
  (before, *tokens) = query.split("/")
  if before:
    return protocol.BAD_ARGUMENT
  value = snapshot.document
  for token in tokens:
    value = packedlib.Unpack(value)
    if isinstance(value, dict):
      key = token.replace("~1", "/").replace("~0", "~")
      if key not in value:
        return protocol.BAD_ARGUMENT
      value = value[key]
    elif isinstance(value, list):
      # Check the number of digits before int() is called, which takes long if
      # there are very many digits
      if (not _INDEX_RE.fullmatch(token) or
          len(token) > len(str(len(value))) or int(token) >= len(value)):
        return protocol.BAD_ARGUMENT
      value = value[int(token)]
    else:
      return protocol.BAD_ARGUMENT
  return _Ok(value)


def _DataCollectors(snapshot: snapshotlib.Snapshot, _: Any) -> Result:
  return _Ok(snapshot.collectors)


def _Wait(snapshot: snapshotlib.Snapshot, query: Any) -> Result:
  """Answers WAIT: the serial number. L{SecondsToWait} says when to send it.

  """
  if waiting.ParseQuery(query) is None:
    return protocol.BAD_ARGUMENT
  return _Ok(snapshot.serial)


_HANDLERS: dict[Any, Callable[[snapshotlib.Snapshot, Any], Result]] = {
  constants.CONFD_REQ_PING: _Ping,
  constants.CONFD_REQ_NODE_ROLE_BYNAME: _NodeRole,
  constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: _NodeOfIp,
  constants.CONFD_REQ_CLUSTER_MASTER: _ClusterMaster,
  constants.CONFD_REQ_NODE_PIP_LIST: _NodeIps,
  constants.CONFD_REQ_MC_PIP_LIST: _CandidateIps,
  constants.CONFD_REQ_INSTANCES_IPS_LIST: _InstanceIps,
  constants.CONFD_REQ_NODE_DRBD: _NodeDrbd,
  constants.CONFD_REQ_NODE_INSTANCES: _NodeInstances,
  constants.CONFD_REQ_INSTANCE_DISKS: _InstanceDisks,
  constants.CONFD_REQ_CONFIG_QUERY: _ConfigQuery,
  constants.CONFD_REQ_DATA_COLLECTORS: _DataCollectors,
  protocol.REQ_QUERY: inventory.Answer,
  protocol.REQ_WAIT: _Wait,
  }


#: Types of requests whose answer is the same for any query
IGNORES_QUERY = frozenset([
  constants.CONFD_REQ_PING,
  constants.CONFD_REQ_NODE_PIP_LIST,
  constants.CONFD_REQ_MC_PIP_LIST,
  constants.CONFD_REQ_DATA_COLLECTORS,
  ])


class Pieces(NamedTuple):
  """An answer of status OK as JSON text, in pieces.

  @ivar texts: makes each piece when the iterator is advanced

  """
  texts: Iterator[str]


def IsOneAddress(request: wire.Request) -> bool:
  """Tells whether a request asks for the node of one instance's ip.

  Such requests are frequent, and should not use a cache by query: finding the
  answer takes less time than making the query's JSON text, the cache key.

  """
  return (request.type == constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP and
          type(request.query) is dict and
          type(request.query.get(constants.CONFD_REQQ_IP)) is str)


def TakesLong(request: wire.Request) -> bool:
  """Tells whether computing an answer takes long, even if it is small.

  """
  return (request.type == protocol.REQ_QUERY and
          inventory.TakesLong(request.query))


def SecondsToWait(serial: int, request: wire.Request) -> int:
  """Returns how long the answer to a request has to wait, in seconds.

  @param serial: the configuration's serial number
  @return: 0 to answer at once

  """
  if request.type != protocol.REQ_WAIT:
    return 0
  query = waiting.ParseQuery(request.query)
  return query.seconds if query and query.serial == serial else 0


def Answer(snapshot: snapshotlib.Snapshot, request: wire.Request) -> Result:
  """Answers an authentic request.

  """
  handler = _HANDLERS.get(request.type)
  if handler is None:
    return protocol.NOT_IMPLEMENTED
  return handler(snapshot, request.query)


def AnswerInPieces(snapshot: snapshotlib.Snapshot,
                   request: wire.Request) -> Union[Pieces, Result]:
  """Answers an authentic request piece by piece.

  A table is never in memory as a whole.

  @return: pieces, or an error as a result

  """
  if request.type == protocol.REQ_QUERY:
    table = inventory.Select(snapshot, request.query)
    if isinstance(table, inventory.Table):
      return Pieces(table.Texts())
    result = table
  else:
    result = Answer(snapshot, request)
  (status, answer) = result
  if status != constants.CONFD_REPL_STATUS_OK:
    return result
  return Pieces(wire.EncodeInPieces(answer))
