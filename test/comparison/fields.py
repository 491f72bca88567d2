#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compares our tables with those of Ganeti's query daemon.

The comparison includes the values themselves, and how the commands print them.

"""

import itertools
import json

import clientcommand

from comparison import answers
from comparison import comparer

from ganeti.confd import client
from ganeti.confd.schema import columns

#: Ganeti's names for the kinds of objects in our tables. Ganeti has no name for
#: disks.
KINDS = {
  columns.INSTANCE: "instance",
  columns.NODE: "node",
  columns.GROUP: "group",
  columns.NETWORK: "network",
  }

#: Ganeti's fields for which it has to ask nodes, or that never have a value
NOT_OFFERED = {
  columns.INSTANCE: {"console", "oper_ram", "oper_state", "oper_vcpus",
                     "status"},
  columns.NODE: {"bootid", "cnodes", "cnos", "csockets", "ctotal", "dfree",
                 "disk_state", "dtotal", "hv_state", "mfree", "mnode", "mtotal",
                 "spfree", "sptotal"},
  columns.GROUP: set(),
  columns.NETWORK: set(),
  }

#: The sections of a configuration that the tables list
_SECTIONS = ["nodes", "instances", "nodegroups", "networks", "disks"]

#: Printed tables are compared for one in so many configurations
_PRINTED_EACH = 8


_UUID_SIZE = 36

#: Largest difference that rounding makes to a time (seconds)
_TIME_DEVIATION = 2e-6

#: Ganeti's status of a value that is available
_NORMAL = 0


#: Fields whose lists Ganeti sorts by UUID, and our tables by name
_UNORDERED = {"node_list", "group_list", "inst_list"}


def _IsSame(theirs, ours):
  """Tells whether values are equal, and both or neither are booleans.

  """
  return theirs == ours and isinstance(theirs, bool) == isinstance(ours, bool)


def WhyNot(config):
  """Tells why a configuration is not compared.

  @return: None if the configuration is compared

  """
  if not json.dumps(config, ensure_ascii=False).isascii():
    # Ganeti's query daemon does not send such characters as valid JSON
    return "Other characters than ASCII"
  if any(item.get("uuid") != uuid for section in _SECTIONS
         for (uuid, item) in config[section].items()):
    return "An object under a wrong UUID"
  if any(item.get("name") == "" for section in ("nodes", "instances")
         for item in config[section].values()):
    # Our daemon leaves out objects without a name
    return "Something without a name"
  context = answers.Context(config)
  if context.elsewhere or context.folded:
    # The difference is the one in answers to NODE_INSTANCES
    return "A mirror on two other nodes, or within one"
  if context.torn:
    # Ganeti then ignores the instance's other disks, too
    return "A disk or node that is not there"
  cluster = config["cluster"]
  if not all((cluster.get(name) or {}).get("default")
             for name in ("beparams", "nicparams")):
    # Without defaults, Ganeti ignores even the instances' own parameters
    return "A cluster without defaults"
  if any(node.get("group") not in config["nodegroups"]
         for node in config["nodes"].values()):
    # Without the group, Ganeti shows no parameters of the node
    return "A group that is not there"
  return None


def _IsRounded(theirs, ours):
  """Tells whether two values are the same once Ganeti's daemon has parsed them.

  Ganeti turns texts into numbers and fractions into integers, and rounds times.

  """
  if isinstance(theirs, dict) and isinstance(ours, dict):
    return theirs.keys() == ours.keys() and all(
      _IsRounded(value, ours[key]) for (key, value) in theirs.items())
  if isinstance(theirs, list) and isinstance(ours, list):
    return (len(theirs) == len(ours) and
            all(_IsRounded(*pair) for pair in zip(theirs, ours)))
  if type(theirs) in (int, float) and type(ours) in (int, float):
    return (theirs in (round(ours), float(ours)) or
            abs(theirs - ours) < _TIME_DEVIATION)
  if type(theirs) in (int, float) and isinstance(ours, str):
    return "%g" % theirs == ours
  return _IsSame(theirs, ours)


def IsLeftOut(config, kind, uuid):
  """Tells whether an object has no row in our table.

  """
  if kind != columns.INSTANCE:
    return False
  instance = config["instances"].get(uuid)
  return instance is not None and not (
    instance.get("name") and instance.get("primary_node") in config["nodes"])


def _Print(daemon, kind, names, unit, separator):
  """Runs confd-client.

  @return: list of lines

  """
  args = [] if separator is None else ["--separator", separator]
  result = clientcommand.Run(
    "list", kind + "s", "-o", ",".join(names), "--units", unit, *args,
    daemon=daemon, env=dict(daemon.Environment(), TZ="UTC"), check=True)
  return result.stdout.splitlines()


class Comparison(comparer.QueryComparer):
  """Compares tables.

  """
  def Compare(self, case, daemon, rng):
    """Queries all fields of all objects from both sides.

    """
    reason = WhyNot(case.config)
    if reason is not None:
      self.used[reason] += 1
      return
    self._daemon.Load(case.config)
    with client.Client(["%s:%d" % (daemon.address, daemon.port)],
                       key=daemon.key) as asker:
      for (kind, theirs) in KINDS.items():
        self._CompareTable(case, kind, theirs, asker)
    if self.counts["configurations"] % _PRINTED_EACH == 0:
      for kind in KINDS:
        self._ComparePrinted(case, kind, daemon, rng)
    self.counts["configurations"] += 1

  def _ComparePrinted(self, case, kind, daemon, rng):
    """Compares the commands' output, except blanks at the end of a line.

    """
    names = [name for (name, *_) in self._ganeti.Fields(KINDS[kind])
             if name not in NOT_OFFERED[kind] | _UNORDERED and
             # Leave out fields with parameters, whose keys are in stored order
             not name.endswith(("params", "ipolicy"))]
    names = ["uuid"] + rng.sample(names, min(len(names), 40))
    unit = rng.choice("hmgt")
    for separator in ["\x1f", None]:
      lines = self._ganeti.Print(KINDS[kind], names, unit, separator)
      kept = [line.rstrip(" ") for line in lines
              if not IsLeftOut(case.config, kind, line[:_UUID_SIZE])]
      if separator is None and len(kept) < len(lines):
        # The columns' widths may differ, as lines were left out
        continue
      ours = _Print(daemon, kind, names, unit, separator)
      self.counts["lines"] += len(kept)
      if ours != kept:
        (line, our_line) = next(
          (pair for pair in itertools.zip_longest(kept, ours)
           if pair[0] != pair[1]))
        self.failures.append("%s: %s: prints %r, ours %r" %
                             (case.name, kind, line, our_line))

  def _CompareTable(self, case, kind, theirs, asker):
    offered = {name for (name, *_) in asker.Fields(kind).answer}
    names = ["uuid"]
    for (name, *_) in self._ganeti.Fields(theirs):
      if name in offered:
        names.append(name)
      elif name.startswith(("hv/", "ndp/")):
        # Our tables offer only the parameters that the cluster has
        self.used["A parameter that the cluster does not have"] += 1
      elif name not in NOT_OFFERED[kind]:
        self.failures.append("%s: %s, no field %s" % (case.name, kind, name))
    their_rows = self._ganeti.Query(theirs, names, None)
    if isinstance(their_rows, str):
      self.used["Ganeti's daemon fails"] += 1
      return
    our_rows = {row[0]: row for row in asker.List(kind, names).answer}
    for their_row in their_rows:
      values = [value if status == _NORMAL else None
                for (status, value) in their_row]
      our_row = our_rows.pop(values[0], None)
      if our_row is not None:
        self._CompareRow(case, kind, dict(zip(names, values)),
                         dict(zip(names, our_row)))
      elif IsLeftOut(case.config, kind, values[0]):
        self.used["Planned instances without a node or a name"] += 1
      else:
        self.failures.append("%s: %s %s is in Ganeti's table only" %
                             (case.name, kind, values[0]))
    for uuid in our_rows:
      self.failures.append("%s: %s %s is in our table only" %
                           (case.name, kind, uuid))

  def _CompareRow(self, case, kind, theirs, ours):
    self.counts["values"] += len(theirs)
    for (name, value) in theirs.items():
      if name in _UNORDERED:
        (value, ours[name]) = (sorted(value), sorted(ours[name]))
      if _IsSame(value, ours[name]):
        continue
      if name in ("ctime", "mtime") and (value, ours[name]) == (0, None):
        self.used["A time that is not stored, which is 0 to Ganeti"] += 1
      elif _IsRounded(value, ours[name]):
        self.used["A number of another kind"] += 1
      else:
        self.failures.append("%s: %s %s, %s: %s" % (
          case.name, kind, theirs.get("name"), name,
          answers.Difference(value, ours[name], "it")))
