#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The numbers and names of the confd protocol that Ganeti does not define.

The numbers and names that Ganeti defines are in C{ganeti.constants}. This
project's cannot be there, since on a node that module is Ganeti's.

"""

from __future__ import annotations

from ganeti import constants


#: Numbers in answers have the range of signed 64-bit integers: they are at
#: least -NUMBER_END, and less than NUMBER_END
NUMBER_END = 1 << 63

#: Types of requests that Ganeti's own daemon does not know
REQ_QUERY = 64
REQ_STATS = 65
REQ_WAIT = 66

#: The kinds of tables that requests of type QUERY ask for
KINDS = ("instance", "node", "group", "network", "disk")

#: Maps the names of request types, which logs, counters and clients use, to the
#: types
REQUEST_TYPES = {
  "ping": constants.CONFD_REQ_PING,
  "node-role": constants.CONFD_REQ_NODE_ROLE_BYNAME,
  "node-of-ip": constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
  "master": constants.CONFD_REQ_CLUSTER_MASTER,
  "node-ips": constants.CONFD_REQ_NODE_PIP_LIST,
  "mc-ips": constants.CONFD_REQ_MC_PIP_LIST,
  "instance-ips": constants.CONFD_REQ_INSTANCES_IPS_LIST,
  "node-drbd": constants.CONFD_REQ_NODE_DRBD,
  "node-instances": constants.CONFD_REQ_NODE_INSTANCES,
  "instance-disks": constants.CONFD_REQ_INSTANCE_DISKS,
  "config": constants.CONFD_REQ_CONFIG_QUERY,
  "collectors": constants.CONFD_REQ_DATA_COLLECTORS,
  "query": REQ_QUERY,
  "stats": REQ_STATS,
  "wait": REQ_WAIT,
  }

ALL_REQUESTS = frozenset(REQUEST_TYPES.values())

#: Maps Ganeti's numbers for the roles of nodes to names
NODE_ROLES = {
  constants.CONFD_NODE_ROLE_MASTER: "master",
  constants.CONFD_NODE_ROLE_CANDIDATE: "candidate",
  constants.CONFD_NODE_ROLE_OFFLINE: "offline",
  constants.CONFD_NODE_ROLE_DRAINED: "drained",
  constants.CONFD_NODE_ROLE_REGULAR: "regular",
  }

# Error codes of this project, in addition to Ganeti's constants.CONFD_ERROR_*

#: The answer does not fit a datagram; the client may ask for it in parts
ERROR_TOO_LARGE = 3
#: The reader's key lacks the right for this question, or has expired
ERROR_NOT_PERMITTED = 4
#: The daemon has too many pending WAIT requests
ERROR_TOO_MANY = 5

# Error replies, as tuples of status and error code
UNKNOWN_ENTRY = (constants.CONFD_REPL_STATUS_ERROR,
                 constants.CONFD_ERROR_UNKNOWN_ENTRY)
INTERNAL_ERROR = (constants.CONFD_REPL_STATUS_ERROR,
                  constants.CONFD_ERROR_INTERNAL)
BAD_ARGUMENT = (constants.CONFD_REPL_STATUS_ERROR,
                constants.CONFD_ERROR_ARGUMENT)
TOO_LARGE = (constants.CONFD_REPL_STATUS_ERROR, ERROR_TOO_LARGE)
NOT_PERMITTED = (constants.CONFD_REPL_STATUS_ERROR, ERROR_NOT_PERMITTED)
TOO_MANY = (constants.CONFD_REPL_STATUS_ERROR, ERROR_TOO_MANY)
NOT_IMPLEMENTED = (constants.CONFD_REPL_STATUS_NOTIMPLEMENTED, None)

#: Minimum length of a cluster's key (bytes); only C{client.ConfdClient},
#: Ganeti's own interface, accepts shorter keys
MIN_KEY_SIZE = 16

#: Maximum length of an answer that is sent in parts (bytes of JSON text): twice
#: the length of all fields of 100,000 instances
MAX_ANSWER = 1 << 30

#: Maximum size of a request that all daemons accept, Ganeti's own among them
#: (bytes)
MAX_PORTABLE_REQUEST = 4096

#: Takes the place of each secret in an answer
REDACTED = "<redacted>"
