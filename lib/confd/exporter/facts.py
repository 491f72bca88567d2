#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is known of a cluster at one moment, and asking for it.

L{Facts} change only with the configuration. How the candidates are changes at
any time, and is asked for by itself: L{Confd}.

"""

from __future__ import annotations

import json
import time

from typing import Any, Dict, List, Mapping, NamedTuple

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.export import prometheus_sd
from ganeti.confd.exporter import aside
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import placement


#: Seconds of processor time to look for findings
_CHECK_TIME = 60.0

#: Fields that are needed beside those of L{checks}, L{placement} and
#: L{prometheus_sd}, by table
_FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "role", "group", "offline", "drained", "vm_capable",
                 "pip", "sip", "tags", "pinst_cnt", "sinst_cnt"],
  columns.INSTANCE: ["name", "uuid", "pnode", "snodes", "pnode.group", "os",
                     "hypervisor", "admin_state", "disk_template", "be/maxmem",
                     "be/vcpus", "disk_usage", "nic.ips", "tags"],
  columns.NETWORK: ["name", "network", "network6", "free_count",
                    "reserved_count", "usable_count", "used_count",
                    "external_count"],
  columns.GROUP: ["name", "node_cnt", "pinst_cnt", "alloc_policy"],
  columns.DISK: [],
  }

#: Places of the configuration, as JSON pointers
_CLUSTER_NAME = "/cluster/cluster_name"
_MTIME = "/mtime"

Row = Mapping[str, Any]


def Fields(kind: str) -> List[str]:
  """Lists the fields of a table that are asked for.

  """
  return list(dict.fromkeys(
    name for fields in (_FIELDS, checks.FIELDS, placement.FIELDS,
                        prometheus_sd.FIELDS)
    for name in fields.get(kind, [])))


class Facts(NamedTuple):
  """What a configuration says.

  """
  serial: int
  #: The cluster's own name
  name: str
  #: Of the configuration's format, e.g. 3000000
  version: int
  #: Time of the last change, in seconds since the epoch; None if not known
  mtime: Any
  #: The rows of each table, by kind
  tables: Dict[str, List[Row]]
  findings: List[checks.Finding]


class Confd(NamedTuple):
  """How the candidates are.

  """
  status: clusterstatus.ClusterStatus
  stats: clusterstats.ClusterStats


async def Ask(asker: Any) -> clientlib.Reply[Facts]:
  """Asks for all that a configuration says.

  @param asker: a C{client.AsyncClient} or its like
  @raise errors.ConfdClientError: there is no answer, or another than expected

  """
  reply = await asker.Tables({kind: Fields(kind) for kind in _FIELDS})
  places = {path: (await asker.Config(path, optional=True)).answer
            for path in [*checks.PLACES, _CLUSTER_NAME, _MTIME]}
  statistics = (await asker.Query(protocol.REQ_STATS)).answer
  question = checks.Known(reply.answer, places, statistics, time.time())
  try:
    found = await aside.Make(
      lambda: json.dumps(checks.Check(question)).encode("ascii"), _CHECK_TIME)
  except aside.Failed as err:
    raise errors.ConfdClientError("The checks of the configuration: %s" % err
                                  ) from err
  # Only the checks need disks, which are many, and the networks' long lists of
  # addresses
  tables: Dict[str, List[Row]] = {
    **reply.answer, columns.DISK: [],
    columns.NETWORK: [{field: row[field] for field in _FIELDS[columns.NETWORK]}
                      for row in reply.answer[columns.NETWORK]]}
  findings = [checks.Finding(*i) for i in json.loads(found)]
  result: clientlib.Reply[Facts] = reply.With(
    Facts(reply.serial, str(places[_CLUSTER_NAME]), (await asker.Ping()).answer,
          places[_MTIME], tables, findings))
  return result


async def AskConfd(asker: clientlib.AsyncClient) -> Confd:
  """Asks all candidates how they are.

  @raise errors.ConfdClientError: there is nobody to ask

  """
  return Confd(await asker.Status(), await asker.Stats())
