#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The differences between two configurations, object by object.

Rule 1: a state holds the values that are set for an object itself, and neither
inherited nor computed ones. So a new default of the cluster is one change of
the cluster, and not a change of each instance.

Rule 2: an object is identified by its UUID, so a new name is a change of the
object. Disks and network interfaces are parts of their instance, with UUIDs of
their own: a part that moves to another index has not changed.

Rule 3: states are made of rows that daemons have sent as answers, which never
hold secrets.

"""

from __future__ import annotations

import json

from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Optional

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import rowstore
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: The kind of a change in the cluster's own settings
CLUSTER = "cluster"

#: All kinds of changes, in the order in which L{Compare} lists changes
KINDS = (CLUSTER, columns.GROUP, columns.NETWORK, columns.NODE,
         columns.INSTANCE)

#: All values of C{Change.action}
ACTIONS = (ADDED, REMOVED, CHANGED) = ("added", "removed", "changed")

#: Maps each kind of object to the fields of its table that are part of the
#: state of an object
_FIELDS: dict[str, list[str]] = {
  columns.NODE: ["role", "group", "pip", "sip", "vm_capable", "master_capable",
                 "powered", "tags"],
  columns.INSTANCE: ["pnode", "snodes", "admin_state", "admin_state_source",
                     "forthcoming", "os", "hypervisor", "disk_template",
                     "tags"],
  columns.GROUP: ["alloc_policy", "tags"],
  columns.NETWORK: ["network", "gateway", "network6", "gateway6", "mac_prefix",
                    "external_reservations", "group_list", "tags"],
  }

#: Maps each kind of object to fields, and each field to a prefix. The fields
#: hold the parameters that are set for the object itself; a state has these
#: parameters under names with the prefix, as in "be/maxmem".
_PARAMETERS: dict[str, dict[str, str]] = {
  columns.NODE: {"custom_ndparams": "ndparams"},
  columns.INSTANCE: {"custom_beparams": "be", "custom_hvparams": "hv",
                     "custom_osparams": "os"},
  columns.GROUP: {"custom_ipolicy": "ipolicy", "custom_ndparams": "ndparams",
                  "custom_diskparams": "diskparams"},
  columns.NETWORK: {},
  }

#: The fields of a disk that an instance's state contains. C{index} and C{uuid}
#: are left out: they identify the disk.
_DISK_FIELDS = ["name", "dev_type", "size", "mode", "spindles"]

#: Maps each value of a network interface to the field of the instance that
#: lists this value for all interfaces
_NIC_FIELDS = {"name": "nic.names", "mac": "nic.macs", "ip": "nic.ips",
               "network": "nic.networks.names"}
_NIC_UUIDS = "nic.uuids"

#: The fields that every disk, or every network interface, has
_PART_FIELDS = frozenset([*_DISK_FIELDS, *_NIC_FIELDS])

_NIC_PARAMETERS = "custom_nicparams"

#: Fields whose values are names of other objects, each with the kind of the
#: other objects
REFERENCES = {
  (columns.NODE, "group"): columns.GROUP,
  (columns.INSTANCE, "pnode"): columns.NODE,
  (columns.INSTANCE, "snodes"): columns.NODE,
  }

#: The suffix of a field that has the network of a network interface, as in
#: "nic/0/network"
_NIC_NETWORK = "/network"

#: The name of a nested parameter has at most this many parts; a value that is
#: nested more deeply is compared as a whole
_MAX_DEPTH = 5

#: Settings that the cluster's state leaves out: the roles of nodes already tell
#: which node is the master
_LEFT_OUT = frozenset(["master_node"])


class State(NamedTuple):
  """The state of an object.

  """
  name: Any
  #: The values that are set for the object, by field
  values: dict[str, Any]
  #: Maps the UUIDs of disks and network interfaces to their names, such as
  #: "disk/0", and their values
  parts: dict[str, tuple[str, dict[str, Any]]]


class Change(NamedTuple):
  """A change of an object.

  """
  kind: str
  name: Any
  #: The object's UUID, or its name if it has no UUID; None for the cluster
  uuid: Any
  #: L{ADDED}, L{REMOVED} or L{CHANGED}
  action: str
  #: The field that has changed; None if the object was added or removed
  field: Optional[str]
  #: The field's values before and after the change. If an object, disk or
  #: network interface was added or removed: all its values.
  old: Any
  new: Any


#: Identifies an object: its kind, and its UUID as JSON
Key = tuple[str, str]

_CLUSTER_KEY: Key = (CLUSTER, "null")


def _List(value: Any) -> list[Any]:
  return value if isinstance(value, list) else []


def _Flatten(prefix: str, value: Any, depth: int = 1
             ) -> Iterator[tuple[str, Any]]:
  """Yields the values in nested dictionaries, each with its path.

  """
  if not isinstance(value, dict) or depth >= _MAX_DEPTH:
    yield (prefix, value)
  else:
    for (name, item) in value.items():
      yield from _Flatten("%s/%s" % (prefix, name), item, depth + 1)


def _Nics(row: rowstore.Row) -> Iterator[tuple[Any, str, dict[str, Any]]]:
  """Yields the UUID, the name and the values of each network interface.

  """
  fields = [_NIC_UUIDS, _NIC_PARAMETERS, *_NIC_FIELDS.values()]
  for (index, (uuid, parameters, *values)) in enumerate(zip(
      *(_List(row[field]) for field in fields))):
    found = dict(zip(_NIC_FIELDS, values))
    if isinstance(parameters, dict):
      found.update(parameters)
    yield (uuid, "nic/%d" % index, found)


def _Disks(rows: Iterable[rowstore.Row]
           ) -> Iterator[tuple[Any, str, dict[str, Any]]]:
  """Yields the UUID, the name and the values of each disk.

  """
  for row in rows:
    yield (row["uuid"], "disk/%s" % row["index"],
           {field: row[field] for field in _DISK_FIELDS})


def _SortTags(values: dict[str, Any]) -> None:
  """Sorts the tags, whose order has no meaning.

  """
  if "tags" in values:
    values["tags"] = sorted(i for i in _List(values["tags"])
                            if isinstance(i, str))


def _MakeState(kind: str, row: rowstore.Row, disks: Iterable[rowstore.Row]
               ) -> State:
  values = {field: row[field] for field in _FIELDS[kind]}
  for (field, prefix) in _PARAMETERS[kind].items():
    if row[field]:
      values.update(_Flatten(prefix, row[field]))
  _SortTags(values)
  parts: dict[str, tuple[str, dict[str, Any]]] = {}
  if kind == columns.INSTANCE:
    for (uuid, name, found) in [*_Nics(row), *_Disks(disks)]:
      parts[uuid if isinstance(uuid, str) else name] = (name, found)
  return State(row["name"], values, parts)


def _Needed(kind: str) -> list[str]:
  fields = ["uuid", "name", *_FIELDS[kind], *_PARAMETERS[kind]]
  if kind == columns.INSTANCE:
    fields += [_NIC_UUIDS, _NIC_PARAMETERS, *_NIC_FIELDS.values()]
  return fields


def _ClusterState(config: clusterstate.ClusterConfig) -> State:
  values = dict(pair for (name, value) in config.cluster.items()
                if name not in _LEFT_OUT for pair in _Flatten(name, value))
  values["version"] = config.version
  _SortTags(values)
  return State(config.name, values, {})


def KnownKinds(config: clusterstate.ClusterConfig) -> set[str]:
  """Returns the kinds of objects that the key permits to ask for.

  Disks are parts of instances, so instances are not known without their disks.

  """
  kinds = {kind for kind in KINDS[1:] if config.Knows(kind)}
  if config.knows_cluster:
    kinds.add(CLUSTER)
  if not config.Knows(columns.DISK):
    kinds.discard(columns.INSTANCE)
  return kinds


def States(config: clusterstate.ClusterConfig) -> Iterator[tuple[Key, State]]:
  """Yields the state of each object of L{KnownKinds}.

  """
  known = KnownKinds(config)
  if CLUSTER in known:
    yield (_CLUSTER_KEY, _ClusterState(config))
  disks: dict[Any, list[rowstore.Row]] = {}
  for row in config.tables[columns.DISK].Rows(
      ["uuid", "index", "instance", *_DISK_FIELDS]):
    disks.setdefault(row["instance"], []).append(row)
  for kind in KINDS[1:]:
    if kind not in known:
      continue
    counts: dict[str, int] = {}
    for row in config.tables[kind].Rows(_Needed(kind)):
      # Make the keys unique: in a broken configuration an object may have no
      # UUID, or the UUID of another object
      uuid = row["uuid"] if isinstance(row["uuid"], str) else row["name"]
      count = counts[str(uuid)] = counts.get(str(uuid), 0) + 1
      key = json.dumps(uuid if count == 1 else [uuid, count])
      yield ((kind, key), _MakeState(kind, row, disks.get(row["name"], [])))


def Dump(state: State) -> str:
  """Returns a state as JSON; equal texts are equal states.

  """
  return json.dumps(state)


def Load(text: str) -> State:
  """Reads a state that L{Dump} has written.

  @raise ValueError: the text is damaged

  """
  try:
    (name, values, parts) = json.loads(text)
    return State(name, dict(values), {uuid: (str(label), dict(found))
                                      for (uuid, (label, found))
                                      in parts.items()})
  except (AttributeError, TypeError) as err:
    raise ValueError("No state: %s" % err) from err


def _Whole(state: State) -> dict[str, Any]:
  """Returns all values of a state, without those that are not set.

  """
  whole = {field: value for (field, value) in state.values.items()
           if value not in (None, [], "")}
  for (name, values) in state.parts.values():
    whole.update(("%s/%s" % (name, field), value)
                 for (field, value) in values.items() if value is not None)
  return whole


def _ChangedFields(kind: str, old: State, new: State
                   ) -> Iterator[tuple[str, Any, Any]]:
  """Yields the fields that differ, with the values before and after.

  """
  fixed = frozenset(_FIELDS.get(kind, []))
  if old.name != new.name:
    yield ("name", old.name, new.name)
  yield from _ChangedValues("", old.values, new.values, fixed)
  for uuid in dict.fromkeys([*old.parts, *new.parts]):
    (before, after) = (old.parts.get(uuid), new.parts.get(uuid))
    if before is None and after is not None:
      yield (after[0], None, after[1])
    elif before is not None and after is None:
      yield (before[0], before[1], None)
    elif before is not None and after is not None:
      yield from _ChangedValues(
        after[0] + "/", before[1], after[1], _PART_FIELDS)


def _ChangedValues(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any],
                   fixed: frozenset[str]) -> Iterator[tuple[str, Any, Any]]:
  """Yields the values that differ.

  @param fixed: the fields that every state has, set or not: if the old state or
    the new one lacks such a field, another version has written it

  """
  for field in dict.fromkeys([*old, *new]):
    if field in fixed and not (field in old and field in new):
      continue
    if old.get(field) != new.get(field):
      yield (prefix + field, old.get(field), new.get(field))


def _IsRename(kind: str, change: tuple[str, Any, Any],
              renamed: Mapping[tuple[str, Any], Any]) -> bool:
  """Tells whether a field has changed only as another object has a new name.

  """
  (field, old, new) = change
  is_network = field.endswith(_NIC_NETWORK)
  target = columns.NETWORK if is_network else REFERENCES.get((kind, field))
  if target is None:
    return False
  names = [renamed.get((str(target), name), name) if isinstance(name, str)
           else name for name in (old if isinstance(old, list) else [old])]
  return bool(names == (new if isinstance(old, list) else [new]))


def Compare(old: Mapping[Key, str], new: Mapping[Key, str]) -> list[Change]:
  """Lists the changes between two configurations.

  @param old: the states before, from L{Dump}
  @param new: the states after
  @raise ValueError: a state is damaged

  """
  pairs = [(kind, json.loads(uuid), Load(old[kind, uuid]), Load(text))
           for ((kind, uuid), text) in new.items()
           if old.get((kind, uuid), text) != text]
  renamed = {(kind, before.name): after.name
             for (kind, _, before, after) in pairs
             if isinstance(before.name, str)}
  changes = [
    Change(kind, after.name, uuid, CHANGED, *change)
    for (kind, uuid, before, after) in pairs
    for change in _ChangedFields(kind, before, after)
    if not _IsRename(kind, change, renamed)]
  for (states, others, action) in [(old, new, REMOVED), (new, old, ADDED)]:
    for ((kind, uuid), text) in states.items():
      if (kind, uuid) not in others:
        state = Load(text)
        whole = _Whole(state)
        changes.append(Change(
          kind, state.name, json.loads(uuid), action, None,
          *((whole, None) if action == REMOVED else (None, whole))))
  changes.sort(key=lambda change: (KINDS.index(change.kind),
                                   naturalorder.AnyKey(change.name)))
  return changes


def Mentioned(change: Change) -> set[tuple[str, Any]]:
  """Lists the kinds and names of the objects that a change is about.

  """
  found = {(change.kind, name) for name in (change.name, change.uuid)
           if isinstance(name, str)}
  if change.field == "name":
    found.update((change.kind, name) for name in (change.old, change.new)
                 if isinstance(name, str))
  for ((kind, field), target) in REFERENCES.items():
    if kind != change.kind:
      continue
    for value in (change.old, change.new):
      if change.field is None and isinstance(value, dict):
        value = value.get(field)
      elif change.field != field:
        continue
      found.update((target, name) for name in
                   (value if isinstance(value, list) else [value])
                   if isinstance(name, str))
  return found
