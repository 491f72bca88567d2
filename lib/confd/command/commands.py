#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The questions of the protocol as commands: what each asks and shows.

Rule: one entry of L{COMMANDS} for each; what it asks is a call of the client
library, what it shows is made from the answer alone.

"""

import collections

import simplejson

from ganeti import constants
from ganeti.confd import protocol


#: A command: C{arguments} for its usage; C{minimum} and C{maximum} number of
#: arguments (None: any); C{ask} called with a L{questions.Questions} and the
#: arguments; C{show} called with the answer and the arguments, returns a
#: L{View}; C{text} one line about it
Command = collections.namedtuple("Command", ["arguments", "minimum", "maximum",
                                             "ask", "show", "text"])

#: What is printed: C{headers} None for plain lines; C{numeric} the indexes of
#: the columns with numbers
View = collections.namedtuple("View", ["headers", "rows", "numeric"])


def _Table(headers, rows, numeric=()):
  return View(headers, rows, numeric)


def _ShowLines(answer, _):
  return _Table(None, [[line] for line in answer])


def _ShowValue(answer, _):
  return _Table(None, [[answer]])


def FormatVersion(number):
  """Writes the version of a configuration as Ganeti's releases are called.

  @type number: int
  @param number: e.g. 3010000 for 3.1

  """
  if not isinstance(number, int):
    return number
  return "%d.%d" % (number // 1000000, number // 10000 % 100)


def _ShowPing(answer, _):
  return _Table(None, [["configuration version %s (%s)" %
                        (FormatVersion(answer), answer)]])


def _ShowRole(answer, _):
  return _Table(None, [[protocol.NODE_ROLES.get(answer, answer)]])


def _ShowMasterInfo(answer, _):
  return _Table(["Node", "MasterIP", "NodeIP"], [answer])


def _AskNodeOfIp(asker, *ips):
  if len(ips) == 1:
    return asker.NodeOfInstanceIp(*ips)
  return asker.NodesOfInstanceIps(ips)


def _ShowNodeOfIp(answer, ips):
  if len(ips) == 1:
    return _ShowValue(answer, ips)
  rows = [[ip, node_ip if status == constants.CONFD_REPL_STATUS_OK else None]
          for (ip, (status, node_ip)) in zip(ips, answer)]
  return _Table(["IP", "Node"], rows)


def _ShowNodeInstances(answer, _):
  rows = [[instance.get("name"), role, instance.get("admin_state"),
           instance.get("os")]
          for (role, instances) in zip(["primary", "secondary"], answer)
          for instance in instances]
  return _Table(["Instance", "Role", "State", "OS"], rows)


def _ShowNodeDrbd(answer, _):
  return _Table(["Node", "Minor", "Instance", "Disk", "Role", "PeerNode"],
                answer, numeric=(1, ))


def _ShowDisks(answer, _):
  rows = [[index, disk.get("dev_type"), disk.get("size"), disk.get("mode"),
           disk.get("name"), disk.get("uuid")]
          for (index, disk) in enumerate(answer)]
  return _Table(["Disk", "Type", "Size", "Mode", "Name", "UUID"], rows,
                numeric=(0, 2))


def _ShowConfig(answer, _):
  if isinstance(answer, str):
    return _ShowValue(answer, _)
  text = simplejson.dumps(answer, indent=2, sort_keys=True)
  return _ShowLines(text.splitlines(), _)


def _ShowCollectors(answer, _):
  rows = [[name, "yes" if entry.get("active") else "no",
           "%g" % (entry.get("interval", 0) / 1e6)]
          for (name, entry) in sorted(answer.items())]
  return _Table(["Collector", "Active", "Seconds"], rows, numeric=(2, ))


COMMANDS = {
  "ping": Command("", 0, 0, lambda asker: asker.Ping(), _ShowPing,
                  "see whether anybody answers"),
  "master": Command("", 0, 0, lambda asker: asker.MasterNode(), _ShowValue,
                    "name of the master node"),
  "master-info": Command("", 0, 0, lambda asker: asker.MasterInfo(),
                         _ShowMasterInfo, "the master node's name, the master"
                         " IP, the node's own IP"),
  "node-role": Command("NODE", 1, 1, lambda asker, name: asker.NodeRole(name),
                       _ShowRole, "role of a node"),
  "node-ips": Command("", 0, 0, lambda asker: asker.NodeIps(), _ShowLines,
                      "primary IPs of all nodes"),
  "mc-ips": Command("", 0, 0, lambda asker: asker.MasterCandidates(),
                    _ShowLines, "primary IPs of the master candidates"),
  "instance-ips": Command("[LINK]", 0, 1,
                          lambda asker, *link: asker.InstanceIps(*link),
                          _ShowLines, "IPs of the instances on a link"),
  "node-of-ip": Command("IP...", 1, None, _AskNodeOfIp, _ShowNodeOfIp,
                        "IPs of the nodes that instances' IPs are on"),
  "node-instances": Command("NODE", 1, 1,
                            lambda asker, name: asker.NodeInstances(name),
                            _ShowNodeInstances, "instances of a node"),
  "node-drbd": Command("NODE", 1, 1, lambda asker, name: asker.NodeDrbd(name),
                       _ShowNodeDrbd, "DRBD minors of a node"),
  "instance-disks": Command("INSTANCE", 1, 1,
                            lambda asker, name: asker.InstanceDisks(name),
                            _ShowDisks, "disks of an instance"),
  "config": Command("PATH", 1, 1, lambda asker, path: asker.Config(path),
                    _ShowConfig, "a value of the configuration, e.g."
                    " /cluster/cluster_name"),
  "collectors": Command("", 0, 0, lambda asker: asker.Collectors(),
                        _ShowCollectors, "data collectors"),
  }
