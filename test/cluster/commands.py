#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compares confd-client with Ganeti's own commands, on a test cluster.

The commands run on the master, with a settings file as on a monitoring host:
the cluster has a name there, and the addresses of the candidates.

"""

import json

from cluster import changing
from cluster import cluster

#: The cluster's name in the settings
_NAME = "here"

_SETTINGS_FILE = "/etc/ganeti/confd-client.conf"

#: The file of a reader's key
_KEY_FILE = "/etc/ganeti/mon.key"

_SETTINGS = """\
[cluster %s]
addresses = %s
key_file = %s/hmac.key
"""

#: Fields whose values are in the configuration, by what is listed
_FIELDS = {
  "nodes": ("gnt-node", "name,role,group,pip,sip,pinst_cnt,sinst_cnt,"
            "pinst_list,offline,drained,master_candidate,serial_no"),
  "instances": ("gnt-instance", "name,pnode,snodes,os,hypervisor,admin_state,"
                "disk_template,be/maxmem,nic.ips,serial_no"),
  }

#: The word that confd-client has for a letter of "gnt-node list -o role"
_ROLES = {"M": "master", "C": "candidate"}


def _List(node, program, what, fields):
  """Returns the rows of a list, each a list of cells.

  """
  output = node.Run(program, "list", *what, "--no-headers", "--separator=|",
                    "-o", fields).stdout
  return [line.split("|") for line in output.splitlines()]


def _Ask(node, *words, check=True):
  """Returns the answer of a command in JSON.

  @param check: whether an exit code other than 0 is an error

  """
  result = node.Run("confd-client", "--cluster=" + _NAME, "--json", *words,
                    check=check)
  return json.loads(result.stdout)["answer"]


def _CheckDescription(test, row):
  """Compares the description of a node with Ganeti's list.

  @param row: the node's values of C{_FIELDS}

  """
  (name, _, group, address, secondary, primaries, *_) = row
  found = _Ask(test.master, "describe", "node", name)
  test.assertEqual((found["kind"], found["name"]), ("node", name))
  properties = found["properties"]
  test.assertEqual((properties["group"], properties["pip"], properties["sip"]),
                   (group, address, secondary))
  test.assertEqual(len(found["sections"]["primary_instances"]), int(primaries))


def _CheckAllClusters(test, nodes):
  """Asks all clusters of the settings, of which there is one.

  """
  result = test.master.Run("confd-client", "--cluster=all", "--json", "list",
                           "nodes", "-o", "name")
  clusters = json.loads(result.stdout)["clusters"]
  test.assertEqual(
    {name: [row["name"] for row in value["answer"]]
     for (name, value) in clusters.items()},
    {_NAME: [name for (name, *_) in nodes]})


def _CheckKeyThatEnds(test):
  """A reader's key that ends soon is a warning of the plugin.

  """
  master = test.master
  master.Run("rm", "-f", _KEY_FILE)
  master.Run("confd-client", "make-key", "mon", _KEY_FILE, "--may=status",
             "--until=10d")
  result = master.Run("confd-client", "--cluster=" + _NAME, "--hmac-file",
                      _KEY_FILE, "status", "--nagios", check=False)
  test.assertEqual(result.returncode, 1, result)
  test.assertRegex(result.stdout, r"\ACONFD WARNING - .*the key of the reader"
                   r" 'mon' ends in \d+ days")


def Check(test, candidates, findings=()):
  """Compares all commands that read with what Ganeti has to say.

  @param test: a L{changing.TestCase}
  @param candidates: the nodes that are master candidates
  @param findings: the names of all checks that find something

  """
  master = test.master
  addresses = [node.address for node in candidates]
  master.Write(_SETTINGS_FILE, (_SETTINGS % (
    _NAME, ", ".join(addresses), changing.DATA_DIR)).encode("ascii"))
  lists = {}
  for (what, (command, fields)) in _FIELDS.items():
    lists[what] = _List(master, command, [], fields)
    test.assertEqual(_List(master, "confd-client", [what], fields), lists[what])

  serial = changing.Config(master)["serial_no"]
  status = _Ask(master, "status")
  test.assertEqual(
    {row["name"]: row["role"] for row in status},
    {name: _ROLES[role] for (name, role, *_) in lists["nodes"]
     if role in _ROLES})
  test.assertEqual(
    [(row["answers"], row["serial"], row["behind"], row["diverges"],
      row["problem"]) for row in status],
    [(True, serial, 0, False, None)] * len(candidates))
  test.assertEqual(
    {address: stats["config"]["serial"]
     for (address, stats) in _Ask(master, "stats").items()},
    dict.fromkeys(addresses, serial))
  found = _Ask(master, "check", check=False)["findings"]
  test.assertEqual({finding["check"] for finding in found}, set(findings))

  (row, ) = _Ask(master, "who-has", cluster.MASTER_IP)
  test.assertEqual((row["what"], row["name"]), ("master IP", master.name))
  for (name, node, *_, ips, _) in lists["instances"]:
    for what in (name, *filter(None, ips.split(","))):
      (row, ) = _Ask(master, "who-has", what)
      test.assertEqual((row["name"], row["node"]["name"]), (name, node))
  _CheckDescription(test, lists["nodes"][0])
  _CheckAllClusters(test, lists["nodes"])
  _CheckKeyThatEnds(test)
  plans = _Ask(master, "evacuate", "--all", check=False)
  test.assertEqual({plan["node"]: plan["instances"] for plan in plans},
                   {name: int(pinst) for (name, _, _, _, _, pinst, *_)
                    in lists["nodes"]})
