#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What of Ganeti's rules is repeated here is what Ganeti has.

Sets of disk types, of hypervisors, and the kinds of parameters: a client may be
where no Ganeti is.

"""

import json
import os
import subprocess
import unittest

from cluster import debian

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
    result = subprocess.run(
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


if __name__ == "__main__":
  unittest.main()
