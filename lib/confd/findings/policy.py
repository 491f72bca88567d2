#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of instance policies, and of the instances that violate them.

Facts, from Ganeti's C{objects.InstancePolicy} and C{cmdlib.common}:
  - A policy has pairs of specifications, a minimum and a maximum ("minmax"). An
    instance has to be within one of the pairs.
  - A policy also has the allowed disk templates and two ratios. Only the
    cluster's policy has a standard specification ("std"), which has to be
    within a pair, too.
  - Values that a group's policy lacks are taken from the cluster's policy.
  - Ganeti does not check the number of disks of an instance without disks.
  - On a node with exclusive storage, an instance's spindle use is the sum of
    its disks' spindles.

"""

from __future__ import annotations

import collections

from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd.findings import data
from ganeti.confd.findings import parameters
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "group.uuid", "ndp/exclusive_storage"],
  columns.GROUP: ["name", "uuid", "custom_ipolicy", "ipolicy"],
  columns.INSTANCE: ["name", "pnode", "snodes", "custom_beparams", "nic.modes"],
  columns.DISK: ["instance", "dev_type", "size", "spindles"],
  }
POINTERS = [data.CLUSTER]

_MINMAX = "minmax"
_MIN = "min"
_MAX = "max"
_STD = "std"
_TEMPLATES = "disk-templates"
_RATIOS = ["spindle-ratio", "vcpu-ratio"]
_KEYS = frozenset([_MINMAX, _STD, _TEMPLATES, *_RATIOS])

_SPECIFICATIONS = ["cpu-count", "disk-count", "disk-size", "memory-size",
                   "nic-count", "spindle-use"]
_KINDS = dict.fromkeys(_SPECIFICATIONS, parameters.INTEGER)

_DISKLESS = "diskless"
_ALL_TEMPLATES = frozenset(["blockdev", _DISKLESS, "drbd", "ext", "file",
                            "gluster", "plain", "rbd", "sharedfile"])

#: Keys of policies from before Ganeti 2.9; such policies are not checked
_OLD_KEYS = frozenset([_MIN, _MAX])

#: The name of a property that a policy limits, and the value that an instance
#: has for this property; None if the value is not known
_Value = tuple[str, Optional[float]]


def _SpecificationProblems(name: str, stored: Any) -> Iterator[str]:
  """Yields a sentence about each fault of a specification.

  """
  for problem in parameters.Problems(stored, _KINDS):
    yield "%s: %s" % (name, problem)
  missing = [key for key in _SPECIFICATIONS if key not in data.Object(stored)]
  if missing:
    yield "%s lacks %s" % (name, ", ".join(missing))


def _IsWithin(stored: Mapping[str, Any], least: Mapping[str, Any],
              greatest: Mapping[str, Any]) -> bool:
  try:
    return all(least[key] <= stored.get(key, least[key]) <= greatest[key]
               for key in _SPECIFICATIONS)
  except (LookupError, TypeError):
    # Report nothing here: another check reports the missing or malformed value
    return True


def _MinMaxProblems(pairs: Any, std: Any, is_cluster: bool) -> Iterator[str]:
  """Yields a sentence about each fault of a policy's specifications.

  """
  if not isinstance(pairs, list) or not pairs:
    yield "%s is empty" % _MINMAX
    return
  if is_cluster:
    yield from _SpecificationProblems(_STD, std)
  fits = False
  for (index, pair) in enumerate(pairs):
    pair = data.Object(pair)
    for key in (_MIN, _MAX):
      if key in pair:
        yield from _SpecificationProblems("%s/%d/%s" % (_MINMAX, index, key),
                                          pair[key])
      else:
        yield "%s/%d lacks %s" % (_MINMAX, index, key)
    (least, greatest) = (data.Object(pair.get(key)) for key in (_MIN, _MAX))
    for key in _SPECIFICATIONS:
      (low, high) = (least.get(key), greatest.get(key))
      if isinstance(low, int) and isinstance(high, int) and low > high:
        yield "%s/%d: the minimum of %s is %d, more than the maximum %d" % (
          _MINMAX, index, key, low, high)
    fits = fits or _IsWithin(data.Object(std), least, greatest)
  if is_cluster and not fits:
    yield "%s is not within any pair of %s" % (_STD, _MINMAX)


def _PolicyProblems(policy: Mapping[str, Any], is_cluster: bool
                    ) -> Iterator[str]:
  """Yields a sentence about each fault of a policy.

  """
  if _OLD_KEYS.intersection(policy):
    return
  if _MINMAX in policy:
    yield from _MinMaxProblems(policy[_MINMAX], policy.get(_STD), is_cluster)
  if _TEMPLATES in policy:
    templates = policy[_TEMPLATES]
    if not isinstance(templates, list) or not templates:
      yield "%s is empty" % _TEMPLATES
    else:
      for item in templates:
        if not data.IsIn(item, _ALL_TEMPLATES):
          yield "%s: %s is not a disk template" % (_TEMPLATES,
                                                   data.Quote(item))
  for key in _RATIOS:
    if isinstance(policy.get(key, 0.0), bool) or \
       not isinstance(policy.get(key, 0.0), (int, float)):
      yield "%s is %s, not a number" % (key, data.Quote(policy[key]))
  for key in policy:
    if key not in _KEYS:
      yield "%s is not a known key" % key


@registry.Register(
  "invalid-policy", registry.CRITICAL,
  "An instance policy is incomplete or contradicts itself",
  "gnt-cluster modify or gnt-group modify, with --ipolicy-...")
def _InvalidPolicy(config: data.ConfigData) -> registry.Found:
  of_cluster = list(_PolicyProblems(
    data.Object(config.cluster.get("ipolicy")), True))
  for problem in of_cluster:
    yield ("cluster", problem)
  for group in config.groups:
    if group["custom_ipolicy"]:
      for problem in _PolicyProblems(group["ipolicy"], False):
        # Do not repeat the faults of the cluster's policy for each group
        if problem not in of_cluster:
          yield ("group %s" % group["name"], problem)


def _Outside(values: Sequence[_Value], pair: Any) -> list[str]:
  """Returns a sentence about each value outside of a pair of specifications.

  """
  result = []
  (least, greatest) = (data.Object(data.Object(pair).get(key))
                       for key in (_MIN, _MAX))
  for (name, value) in values:
    if value is None:
      continue
    (key, _, _) = name.partition("/")
    (low, high) = (least.get(key, value), greatest.get(key, value))
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and \
       not low <= value <= high:
      result.append("%s is %s, not in the range %s to %s" %
                    (name, value, low, high))
  return result


def _Violations(policy: Mapping[str, Any], types: frozenset[str],
                values: Sequence[_Value]) -> list[str]:
  """Returns a sentence about each way in which an instance violates a policy.

  @param types: the instance's disk types
  @param values: the instance's values

  """
  pairs = policy.get(_MINMAX)
  nothing: list[str] = []
  outside = min((_Outside(values, pair)
                 for pair in (pairs if isinstance(pairs, list) else [])),
                key=len, default=nothing)
  allowed = policy.get(_TEMPLATES, list(_ALL_TEMPLATES))
  return ["disk type %s is not allowed" % kind
          for kind in sorted(types or [_DISKLESS])
          if isinstance(allowed, list) and kind not in allowed] + outside


class _Shape(NamedTuple):
  """The properties of an instance that a policy limits.

  """
  #: The UUID of the instance's group
  group: str
  #: The instance's disk types
  types: frozenset[str]
  memory: Optional[float]
  cpus: Optional[float]
  nics: int
  spindles: Optional[float]
  sizes: tuple[Optional[float], ...]

  def Values(self) -> list[_Value]:
    """Returns the properties as names and values.

    """
    return [("memory-size", self.memory), ("cpu-count", self.cpus),
            ("nic-count", self.nics), ("spindle-use", self.spindles),
            ("disk-count", len(self.sizes) or None),
            *(("disk-size/%d" % index, size)
              for (index, size) in enumerate(self.sizes))]


def _Number(value: Any) -> Optional[float]:
  return value if isinstance(value, (int, float)) else None


def _Shapes(config: data.ConfigData) -> Iterator[tuple[str, _Shape]]:
  """Yields each instance's name and shape.

  """
  groups = {node["name"]: node["group.uuid"] for node in config.nodes}
  exclusive = data.ExclusiveNodes(config)
  types = data.DiskTypes(config.disks)
  disks: dict[str, list[data.Row]] = collections.defaultdict(list)
  for disk in config.disks:
    if disk["instance"] is not None:
      disks[disk["instance"]].append(disk)
  nothing: frozenset[str] = frozenset()
  for (instance, backend) in data.Backend(config):
    name = instance["name"]
    mine = disks[name]
    spindles = backend.get("spindle_use")
    if exclusive and not exclusive.isdisjoint([instance["pnode"],
                                               *instance["snodes"]]):
      counts = [disk["spindles"] for disk in mine]
      spindles = None if None in counts else sum(counts)
    yield (name, _Shape(
      groups[instance["pnode"]], types.get(name, nothing),
      _Number(backend.get("maxmem")), _Number(backend.get("vcpus")),
      len(instance["nic.modes"]), _Number(spindles),
      tuple(disk["size"] for disk in mine)))


@registry.Register(
  "policy-violation", registry.WARNING,
  "An instance violates its group's policy",
  "gnt-instance modify INSTANCE, or gnt-group modify --ipolicy-...")
def _PolicyViolation(config: data.ConfigData) -> registry.Found:
  policies = {group["uuid"]: group["ipolicy"] for group in config.groups}
  # Cache the violations by shape, as many instances have the same shape
  found: dict[_Shape, list[str]] = {}
  for (name, shape) in _Shapes(config):
    if shape not in found:
      found[shape] = _Violations(policies.get(shape.group, {}), shape.types,
                                 shape.Values())
    if found[shape]:
      yield (name, "; ".join(found[shape]))
