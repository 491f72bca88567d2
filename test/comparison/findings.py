#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compares our findings with Ganeti's verification of the configuration.

"""

import re

from comparison import comparer
from comparison import judges

from ganeti.confd import client
from ganeti.confd.command import cmd_check
from ganeti.confd.views import checks

_PARAMETER = "invalid-parameter"
_POLICY = "invalid-policy"
_REFERENCE = "missing-reference"
_UUID = "wrong-uuid"

#: Ganeti's messages, each with our check that finds the same. The group of the
#: regular expression matches the object that the message is about, which our
#: finding names, too. Without a group, one finding covers all such messages.
_MESSAGES = [(re.compile(regexp, re.DOTALL), name) for (regexp, name) in [
  (r"instance '(.*)' is indexed by wrong UUID", _UUID),
  (r"Node '(.*)' is indexed by wrong UUID", _UUID),
  (r"node group '(.*)' \(uuid: '.*'\) indexed by wrong uuid", _UUID),
  (r"disk '.*' is indexed by wrong UUID", _UUID),
  (r"instance '.*' has invalid (primary|secondary) node", _REFERENCE),
  (r"Instance '.*' has invalid disk", _REFERENCE),
  (r"Node '.*' has invalid group", _REFERENCE),
  (r"instance '.*' has NIC \d+ mac (.*) duplicate", "duplicate-mac"),
  (r"has invalid (nicparams|beparams|ndparams): ", _PARAMETER),
  (r"Invalid value of '.*:access'", _PARAMETER),
  (r"has some global parameters set", _PARAMETER),
  (r"has invalid (instance policy|ipolicy/)", _POLICY),
  (r"Instance '(.*)' has wrongly named disks", "disk-name"),
  (r"disk .* error: Disk access mode", "disk-mode"),
  (r"tcp/udp port (.*) has duplicates", "duplicate-port"),
  (r"Highest used port mismatch", "highest-port"),
  (r"Master node is not a master candidate", "master-no-candidate"),
  (r"Not enough master candidates", "few-candidates"),
  (r"Node (.*) state is invalid", "node-state"),
  (r"node group '(.*)' \(uuid: '.*'\) has uuid-like name", "group-name"),
  (r"duplicate node group name '(.*)'", "duplicate-name"),
  (r"IP address \w+:.*/(.*)/[^/]* is used by multiple owners", "duplicate-ip"),
  (r"IP address (.*) is used by multiple owners", "duplicate-node-ip"),
  ]]

#: Name of the counter of Ganeti's messages, for our check that finds the same
TELLS = "told: %s"

#: Our checks that find the same as a message of Ganeti's
TOLD = frozenset(name for (_, name) in _MESSAGES)

#: For checks of ours without a message in Ganeti's verification of the
#: configuration, the reason; L{_VERIFY} if another part of
#: C{gnt-cluster verify} finds the fault
_VERIFY = "gnt-cluster verify finds it in another way"
_NOBODY = "Ganeti does not look"
OURS_ONLY = {
  "address-outside-network": _NOBODY,
  "disk-attached-twice": _NOBODY,
  "disk-detached": _VERIFY,
  "disk-elsewhere": _NOBODY,
  "duplicate-minor": _NOBODY,
  "duplicate-secret": _NOBODY,
  "duplicate-volume": _VERIFY,
  "exclusion-tag": _NOBODY,
  "exclusive-storage": _VERIFY,
  "forthcoming": _NOBODY,
  "instance-has-node-address": _NOBODY,
  "instance-on-drained-node": _NOBODY,
  "instance-on-incapable-node": _VERIFY,
  "instance-on-offline-node": _VERIFY,
  "memory-bounds": _NOBODY,
  "mirror-missing": _NOBODY,
  "mirror-offline": _VERIFY,
  "network-full": _NOBODY,
  "network-nearly-full": _NOBODY,
  "network-not-connected": _NOBODY,
  "network-overlap": _NOBODY,
  "nic-not-reserved": _NOBODY,
  "not-enabled": _NOBODY,
  # Ganeti's daemon checks this itself before it writes a configuration
  "nothing-enabled": "not in this verification",
  "policy-violation": _VERIFY,
  "primary-is-secondary": _NOBODY,
  "reserved-without-nic": _NOBODY,
  "several-mirrors": _VERIFY,
  "split-groups": _VERIFY,
  "unreserved-address": _NOBODY,
  }

#: Likewise for checks of which Ganeti finds only a part: the check, a regular
#: expression that matches the findings that Ganeti lacks, and the reason
_OURS_IN_PART = [
  ("missing-reference", "network", _NOBODY),
  ("duplicate-ip", "on network", "Ganeti does not look at several links"),
  ("duplicate-name", "node|instance", _NOBODY),
  ("wrong-uuid", "^network ", _NOBODY),
  ("missing-reference", "^configuration 1 object ", "ours leaves out what has"
   " no name, Ganeti does not"),
  ]

#: Checks of ours, each with another check that finds the same fault instead
_INSTEAD = {
  # To Ganeti, a disk of two instances uses its port twice
  "duplicate-port": "disk-attached-twice",
  # Our daemon finds an object by either of its UUIDs
  "missing-reference": "wrong-uuid",
  }


def _Place(message):
  """Finds the entry for a message.

  @return: the check, and the object that the message is about; None if there is
    no entry

  """
  for (regexp, name) in _MESSAGES:
    match = regexp.search(message)
    if match:
      return (name, match.group(1) if regexp.groups and name not in
              (_REFERENCE, _PARAMETER, _POLICY) else "")
  return None


def Tidy(config):
  """Removes planned instances that lack something, and null parameters.

  Ganeti's verification fails on both, and our tables leave the former out.

  """
  instances = config["instances"]
  for (uuid, instance) in list(instances.items()):
    if not ("name" in instance and "primary_node" in instance):
      del instances[uuid]
      for disk in instance.get("disks", []):
        del config["disks"][disk]
    for nic in instance.get("nics", []):
      nic["nicparams"] = {
        key: value for (key, value) in (nic.get("nicparams") or {}).items()
        if value is not None}


def _WhyOurs(finding):
  """Returns the reason why Ganeti need not find a fault that our daemon finds.

  @return: None if Ganeti has to find the fault, too

  """
  for (name, regexp, reason) in _OURS_IN_PART:
    if finding.check == name and re.search(regexp, finding.subject + " " +
                                           finding.text):
      return reason
  return OURS_ONLY.get(finding.check)


class Comparison(comparer.Comparer):
  """Compares findings.

  """
  Adapt = staticmethod(Tidy)

  def __init__(self, _):
    comparer.Comparer.__init__(self)
    self._ganeti = judges.Ganeti()

  def Close(self):
    self._ganeti.Close()

  def Compare(self, case, daemon, _):
    """Verifies a configuration.

    """
    messages = self._ganeti.Verify(case.config)
    with client.Client(["%s:%d" % (daemon.address, daemon.port)],
                       key=daemon.key) as asker:
      found = checks.Check(cmd_check.Fetch(asker, checks.FIELDS).config)
    self.counts["configurations"] += 1
    self.counts["findings"] += len(found)
    if isinstance(messages, str):
      self.used["Ganeti's verification fails itself"] += 1
      return
    self.counts["messages"] += len(messages)
    expected = set()
    for message in messages:
      place = _Place(message)
      if place is None:
        self.failures.append("%s: no check for: %s" % (case.name, message))
        continue
      (name, subject) = place
      expected.add(name)
      self.used[TELLS % name] += 1
      if any(finding.check == name and
             subject in finding.subject + " " + finding.text
             for finding in found):
        continue
      if any(finding.check == _INSTEAD.get(name) for finding in found):
        self.used["%s instead of %s" % (_INSTEAD[name], name)] += 1
      elif "'None'" in message:
        self.used["a planned instance without a name or a node"] += 1
      else:
        self.failures.append("%s: %s does not find: %s" % (case.name, name,
                                                          message))
    for finding in found:
      reason = _WhyOurs(finding)
      if reason is not None:
        self.used["%s: %s" % (finding.check, reason)] += 1
      elif finding.check not in expected:
        self.failures.append("%s: only ours finds: %s, %s %s" % (
          case.name, finding.check, finding.subject, finding.text))
