#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client without a command: a self test, then timings.

What is asked, and the lines that are printed, are those of Ganeti's command of
the same name, whose output scripts may look at.

"""

import time

from ganeti import constants
from ganeti import errors


#: How many items of a list are printed
_MAX_ITEMS = 5


def _Log(text):
  print("- %s" % text, flush=True)


def _LogItems(items):
  for item in items[:_MAX_ITEMS]:
    print("  * %s" % (item, ), flush=True)
  if len(items) > _MAX_ITEMS:
    print("  * ...", flush=True)


def Check(asker):
  """Asks the questions that every cluster has an answer to.

  @type asker: L{sync.Client}
  @raise errors.ConfdClientError: one of them has none, or a wrong one

  """
  _Log("Checking confd results")
  asker.Ping()
  _Log("Ping: OK")
  master = asker.MasterNode().answer
  _Log("Master: OK (%s)" % (master, ))
  _Log("Master: OK (%s)" % (asker.MasterInfo().answer, ))
  role = asker.NodeRole(master).answer
  if role != constants.CONFD_NODE_ROLE_MASTER:
    raise errors.ConfdClientError("Node role for master: wrong: %s" % (role, ))
  _Log("Node role for master: OK")
  _Log("Node primary ip query: OK")
  _LogItems(asker.NodeIps().answer)
  _Log("Master candidates primary IP query: OK")
  _LogItems(asker.MasterCandidates().answer)
  ips = asker.InstanceIps().answer
  _Log("Instance primary IP query: OK")
  _LogItems(ips or ["no IPs received"])
  mapping = asker.NodesOfInstanceIps(ips).answer
  _Log("Instance IP to node IP query: OK")
  _LogItems(mapping or ["no mapping received"])


def Time(asker, requests):
  """Measures how long answers take.

  @type asker: L{sync.Client}
  @type requests: int
  @param requests: how many to measure; 0 for none

  """
  if not requests:
    return
  _Log("Timing tests")
  for (name, ask) in [("ping", asker.Ping),
                      ("instance ips", asker.InstanceIps)]:
    started = time.monotonic()
    for _ in range(requests):
      ask()
    seconds = time.monotonic() - started
    _LogItems(["%.3fms per %s request" % (1000 * seconds / requests, name)])
