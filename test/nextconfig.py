#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A configuration as Ganeti's main branch writes it.

Facts, of April 2026 (3.2.0~alpha1), beside what Ganeti 3.1 writes: the version
is 3020000; network interfaces have a further mode, "ext", whose scripts may
need no link, and "routed" may have none; cluster and groups have a parameter of
disks, "user-id" of rbd. Confd's protocol and the objects are as before.

"""

import testutils


VERSION = 3020000

#: The instances' ips by link
LINKS = {
  "": ["198.51.100.1", "198.51.100.2", "198.51.100.4"],
  "br0": ["198.51.100.3"],
  }


def Make(serial=32):
  """Makes the configuration.

  """
  instances = [
    testutils.MakeInstance(1, 1, disks=[1],
                           nics=["198.51.100.1", ("198.51.100.2", "")]),
    testutils.MakeInstance(2, 2, disks=[2],
                           nics=[("198.51.100.3", "br0"), "198.51.100.4"]),
    ]
  nics = instances[0]["nics"] + instances[1]["nics"]
  nics[1]["nicparams"]["mode"] = "routed"
  nics[2]["nicparams"].update(mode="bridged", vlan="")
  config = testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True),
           testutils.MakeNode(2, master_candidate=True)],
    instances=instances, version=VERSION, serial_no=serial,
    disks=[testutils.MakeDisk(i, dev_type="rbd",
                              logical_id=["rbd", "volume%d" % i])
           for i in (1, 2)],
    cluster={
      "nicparams": {"default": {"mode": "ext", "link": "", "vlan": ""}},
      "diskparams": {"rbd": {"pool": "rbd", "access": "kernelspace",
                             "user-id": ""}},
      "candidate_pool_size": 10})
  (group, ) = config["nodegroups"].values()
  group["diskparams"] = {"rbd": {"user-id": "ganeti"}}
  return config
