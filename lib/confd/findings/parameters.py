#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of parameters: their types, and their allowed values.

Facts, from Ganeti's C{utils.ForceDictType}:
  - For a number Ganeti also takes a string that int() or float() can read.
  - For a boolean Ganeti takes any value that is no string, and the strings
    "true", "false" and "".
  - For a size Ganeti also takes a string with a unit.
  - For a string Ganeti also takes False, which means the empty string.

Ganeti checks filled parameters; the checks here look at each place where a
parameter is set.

"""

from __future__ import annotations

import re

from typing import Any, Iterator, Mapping

from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "custom_ndparams"],
  columns.GROUP: ["name", "custom_ndparams", "custom_diskparams"],
  columns.INSTANCE: ["name", "custom_beparams", "custom_nicparams"],
  }
POINTERS = [data.CLUSTER]

_TEXT = "text"
_TEXT_OR_NOTHING = "text or nothing"
_BOOL = "boolean"
_SIZE = "size"
INTEGER = "integer"
_FLOAT = "number"

#: Maps the names of parameters to their types
Kinds = Mapping[str, str]

_BE: Kinds = {
  "always_failover": _BOOL,
  "auto_balance": _BOOL,
  "maxmem": _SIZE,
  # Ganeti before 2.6 had this parameter in place of maxmem and minmem
  "memory": _SIZE,
  "minmem": _SIZE,
  "spindle_use": INTEGER,
  "vcpus": INTEGER,
  }
_NIC: Kinds = {
  "link": _TEXT,
  "mode": _TEXT,
  "vlan": _TEXT,
  }
_ND: Kinds = {
  "cpu_speed": _FLOAT,
  "exclusive_storage": _BOOL,
  "oob_program": _TEXT,
  "ovs": _BOOL,
  "ovs_link": _TEXT_OR_NOTHING,
  "ovs_name": _TEXT_OR_NOTHING,
  "spindle_count": INTEGER,
  "ssh_port": INTEGER,
  }

#: Node parameters that Ganeti refuses for a single node: only a group or the
#: cluster can have them
_ND_GLOBALS = ["exclusive_storage"]

#: All modes that a network interface can have in Ganeti; "ext" is new in Ganeti
#: 3.2
_NIC_MODES = frozenset(["auto", "bridged", "ext", "openvswitch", "pool",
                        "routed"])
_BRIDGED = "bridged"

#: The disk types with a parameter C{access}, and the values of that parameter
_WITH_ACCESS = ["ext", "gluster", "rbd"]
_ACCESS = "access"
_ACCESS_MODES = frozenset(["kernelspace", "userspace"])

_SIZE_RE = re.compile(r"[.\d]+\s*[a-zA-Z]*", re.ASCII)


def _Is(value: Any, convert: Any) -> bool:
  try:
    convert(value)
  except (TypeError, ValueError, OverflowError):
    return False
  return True


def _Fits(value: Any, kind: str) -> bool:
  """Tells whether Ganeti takes a value for a parameter of a type.

  """
  if kind == INTEGER:
    return _Is(value, int)
  if kind == _FLOAT:
    return _Is(value, float)
  if kind == _SIZE:
    return _SIZE_RE.fullmatch(str(value)) is not None
  if kind == _BOOL:
    return (not isinstance(value, str) or
            value.lower() in ("", "false", "true"))
  return (isinstance(value, str) or value is False or
          (value is None and kind == _TEXT_OR_NOTHING))


def Problems(params: Any, kinds: Kinds) -> Iterator[str]:
  """Yields a sentence about each wrong parameter.

  """
  if not isinstance(params, dict):
    yield "not a JSON object"
    return
  for (name, value) in params.items():
    # Test for a valid integer first, as nearly all values are valid integers
    if type(value) is int and value >= 0 and \
       kinds.get(name) in (_SIZE, INTEGER):
      continue
    if name not in kinds:
      yield "%s is not a known parameter" % name
    elif not _Fits(value, kinds[name]):
      yield "%s is %s, not of type %s" % (name, data.Quote(value), kinds[name])


def _NicProblems(own: Any, default: Mapping[str, Any]) -> Iterator[str]:
  """Yields a sentence about each wrong parameter of a network interface.

  """
  yield from Problems(own, _NIC)
  filled = dict(default, **own) if isinstance(own, dict) else default
  mode = filled.get("mode", _BRIDGED)
  if mode is False:
    mode = ""
  if isinstance(mode, str) and mode not in _NIC_MODES:
    yield "mode is %s, not one of %s" % (data.Quote(mode),
                                         data.Join(_NIC_MODES))
  if mode == _BRIDGED and not filled.get("link", True):
    yield "link is empty although mode is bridged"


def _AccessProblems(params: Any) -> Iterator[str]:
  """Yields a sentence about each wrong parameter of disks.

  """
  for kind in _WITH_ACCESS:
    value = data.Object(data.Object(params).get(kind)).get(_ACCESS)
    if value is not None and not data.IsIn(value, _ACCESS_MODES):
      yield "%s of %s is %s, not one of %s" % (
        _ACCESS, kind, data.Quote(value), data.Join(_ACCESS_MODES))


def _OfCluster(cluster: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
  default = {name: data.Object(cluster.get(name)).get("default", {})
             for name in ("beparams", "nicparams")}
  nic_default = default["nicparams"]
  for (what, problems) in [
      ("beparams", Problems(default["beparams"], _BE)),
      ("nicparams", _NicProblems(nic_default, {})),
      ("ndparams", Problems(data.Object(cluster.get("ndparams")), _ND)),
      ("diskparams", _AccessProblems(cluster.get("diskparams")))]:
    for problem in problems:
      yield ("cluster", "%s: %s" % (what, problem))


def _OfGroup(group: data.Row) -> Iterator[tuple[str, str]]:
  for problem in Problems(group["custom_ndparams"], _ND):
    yield ("group %s" % group["name"], "ndparams: " + problem)
  for problem in _AccessProblems(group["custom_diskparams"]):
    yield ("group %s" % group["name"], "diskparams: " + problem)


def _OfNode(node: data.Row) -> Iterator[tuple[str, str]]:
  for problem in Problems(node["custom_ndparams"], _ND):
    yield (node["name"], "ndparams: " + problem)
  for name in _ND_GLOBALS:
    if name in node["custom_ndparams"]:
      yield (node["name"], "ndparams: %s can be set for groups and the cluster"
             " only" % name)


@registry.Register(
  "invalid-parameter", registry.CRITICAL,
  "A parameter has a value that Ganeti does not take",
  "gnt-cluster, gnt-group, gnt-node or gnt-instance modify, with another value")
def _InvalidParameter(config: data.ConfigData) -> registry.Found:
  yield from _OfCluster(config.cluster)
  for group in config.groups:
    yield from _OfGroup(group)
  for node in config.nodes:
    yield from _OfNode(node)
  nic_default = data.Object(data.Object(
    config.cluster.get("nicparams")).get("default"))
  for instance in config.instances:
    if instance["custom_beparams"]:
      for problem in Problems(instance["custom_beparams"], _BE):
        yield (instance["name"], "beparams: " + problem)
    for (index, own) in enumerate(instance["custom_nicparams"]):
      # Skip interfaces that have only the cluster's parameters
      if own:
        for problem in _NicProblems(own, nic_default):
          yield ("%s, nic/%d" % (instance["name"], index), problem)
