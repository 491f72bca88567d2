#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Rules of Ganeti's that are repeated here are still Ganeti's.

Sets of disk types, of hypervisors, the kinds of parameters, and the meaning of
tags: a client may be where no Ganeti is.

"""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import testutils

from cluster import debian

from ganeti.confd.findings import htoolstags
from ganeti.confd.findings import parameters
from ganeti.confd.findings import policy
from ganeti.confd.views import evacuation

_TELL = r"""
import json
from ganeti import constants as c
from ganeti import hypervisor
print(json.dumps({
  "mirrored": sorted(c.DTS_INT_MIRROR),
  "shared": sorted(c.DTS_EXT_MIRROR - {c.DT_DISKLESS}),
  "local": sorted(c.DTS_COPYABLE),
  "templates": sorted(c.DISK_TEMPLATES),
  "still": sorted(name for name in c.HYPER_TYPES
                  if not hypervisor.GetHypervisorClass(name).CAN_MIGRATE),
  "be": c.BES_PARAMETER_TYPES, "nic": c.NICS_PARAMETER_TYPES,
  "nd": c.NDS_PARAMETER_TYPES, "globals": sorted(c.NDC_GLOBALS),
  "specs": sorted(c.ISPECS_PARAMETERS), "keys": sorted(c.IPOLICY_ALL_KEYS),
  "modes": sorted(c.NIC_VALID_MODES), "access": sorted(c.DTS_HAVE_ACCESS),
  "access modes": sorted(c.DISK_VALID_ACCESS_MODES)}))
"""

#: Ganeti's words for kinds of parameters, and ours
_KINDS = {
  "bool": "boolean",
  "float": "number",
  "int": "integer",
  "maybe-string": "text or nothing",
  "size": "size",
  "string": "text",
  }


@unittest.skipUnless(os.path.isdir(debian.PYTHON_DIR), "no Ganeti")
class TestRules(unittest.TestCase):
  maxDiff = None

  @classmethod
  def setUpClass(cls):
    result = testutils.Run(
      ["/usr/bin/python3", "-c", _TELL], stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE, universal_newlines=True, check=True, timeout=60,
      env={"PYTHONPATH": debian.PYTHON_DIR, "PATH": os.environ["PATH"]})
    cls.theirs = json.loads(result.stdout)

  # pylint: disable=W0212
  def _Check(self, name, ours):
    self.assertEqual(sorted(ours), self.theirs[name])

  def testMoves(self):
    self._Check("mirrored", evacuation._MIRRORED)
    self._Check("shared", evacuation._SHARED)
    self._Check("local", evacuation._LOCAL)
    self._Check("still", evacuation._CANNOT_MIGRATE)

  def testParameters(self):
    def _Ours(kinds):
      return {name: _KINDS[kind] for (name, kind) in kinds.items()}
    # "memory" is what Ganeti 2.5 and earlier have
    self.assertEqual({name: kind for (name, kind) in parameters._BE.items()
                      if name != "memory"}, _Ours(self.theirs["be"]))
    self.assertEqual(parameters._NIC, _Ours(self.theirs["nic"]))
    self.assertEqual(parameters._ND, _Ours(self.theirs["nd"]))
    self._Check("globals", parameters._ND_GLOBALS)
    self._Check("access", parameters._WITH_ACCESS)
    self._Check("access modes", parameters._ACCESS_MODES)
    # "auto" is no mode, and taken; "ext" is Ganeti 3.2's
    self.assertEqual(parameters._NIC_MODES - {"auto", "ext"},
                     set(self.theirs["modes"]) - {"ext"})

  def testPolicies(self):
    self._Check("specs", policy._SPECIFICATIONS)
    self._Check("keys", policy._KEYS)
    self._Check("templates", policy._ALL_TEMPLATES)

#: A cluster as hbal(1) reads it: instances on one of two nodes
_CLUSTER = """\
group|g|preferred||

node1|10240|0|6144|102400|98304|4|M|g|1|%s|N|0|1|1.0
node2|10240|0|10240|102400|102400|4|N|g|1|%s|N|0|1|1.0

inst1|1024|1024|1|running|Y|node1||ext||1|1|N
inst2|1024|1024|1|running|Y|node1||ext||1|1|N
inst3|1024|1024|1|running|Y|node1||ext||1|1|N
inst4|1024|1024|1|running|Y|node1||ext||1|1|N

%s

|128,1,1,0,0,0|128,1,1,0,0,0;32768,8,1048576,16,8,12|ext|40.0|320.0
"""

_NODE_TAGS = [[], ["hv:1"], ["hv:2"], ["hv:1", "os:a"], ["hv"], ["hv:1::a"]]

_CLUSTER_TAGS = [
  [],
  ["htools:migration:hv"],
  ["htools:migration:hv", "htools:migration:os"],
  ["htools:migration:hv", "htools:allowmigration:hv:1::hv:2"],
  ["htools:migration:hv", "htools:allowmigration:hv:1::a::hv:2"],
  ["htools:allowmigration:hv:1::hv:2", "migration:hv"],
  ]


@unittest.skipUnless(shutil.which("hbal"), "no hbal")
class TestMigrationTags(unittest.TestCase):
  def test(self):
    """Where tags let instances migrate to, there hbal sends them.

    """
    seen = set()
    for (tags, source, target) in itertools.product(
        _CLUSTER_TAGS, _NODE_TAGS, _NODE_TAGS):
      with self.subTest(tags=tags, source=source, target=target), \
           tempfile.NamedTemporaryFile("w", encoding="ascii") as cluster:
        cluster.write(_CLUSTER % (",".join(source), ",".join(target),
                                  "\n".join(tags)))
        cluster.flush()
        result = testutils.Run(
          ["hbal", "-t", cluster.name, "-C", "-l", "1"],
          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          universal_newlines=True, check=True, timeout=60)
        moves = "gnt-instance migrate" in result.stdout
        seen.add(moves)
        self.assertEqual(htoolstags.Parse(tags).MayMigrate(source, target),
                         moves, result.stdout)
    self.assertEqual(seen, {False, True})


if __name__ == "__main__":
  unittest.main()
