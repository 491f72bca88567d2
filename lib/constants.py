#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The constants of Ganeti that confd needs, for machines without Ganeti.

Names and values are those of Ganeti 3.0's C{ganeti.constants}; where Ganeti is
installed, its own module serves instead of this one. Request types and errors
that Ganeti does not have are in C{ganeti.confd.protocol}.

"""

from ganeti import _autoconf


CONFD = "ganeti-confd"
CONFD_USER = _autoconf.CONFD_USER
CONFD_GROUP = _autoconf.CONFD_GROUP
DEFAULT_CONFD_PORT = 1814
DAEMONS_LOGBASE = {
  CONFD: "conf-daemon",
  }

IP4_ADDRESS_ANY = "0.0.0.0"
IP6_ADDRESS_ANY = "::"

EXIT_SUCCESS = 0
EXIT_FAILURE = 1

#: Maximum size of a datagram that Ganeti sends or accepts (bytes)
MAX_UDP_DATA_SIZE = 61440

SS_CLUSTER_NAME = "cluster_name"
SS_MASTER_CANDIDATES_IPS = "master_candidates_ips"
SS_MASTER_NODE = "master_node"
SS_NODE_PRIMARY_IPS = "node_primary_ips"
SS_PRIMARY_IP_FAMILY = "primary_ip_family"

CONFD_MAGIC_FOURCC_BYTES = b"plj0"
CONFD_PROTOCOL_VERSION = 1
#: Maximum difference between the clocks of client and daemon (seconds)
CONFD_MAX_CLOCK_SKEW = 300
#: Time for which a client waits for replies (seconds)
CONFD_CLIENT_EXPIRE_TIMEOUT = 10
#: Number of master candidates that a client asks the same question
CONFD_DEFAULT_REQ_COVERAGE = 6
#: Minimum time between two reloads of the configuration (microseconds)
CONFD_CONFIG_RELOAD_RATELIMIT = 250000

CONFD_REQ_PING = 0
CONFD_REQ_NODE_ROLE_BYNAME = 1
CONFD_REQ_NODE_PIP_BY_INSTANCE_IP = 2
CONFD_REQ_CLUSTER_MASTER = 3
CONFD_REQ_NODE_PIP_LIST = 4
CONFD_REQ_MC_PIP_LIST = 5
CONFD_REQ_INSTANCES_IPS_LIST = 6
CONFD_REQ_NODE_DRBD = 7
CONFD_REQ_NODE_INSTANCES = 8
CONFD_REQ_INSTANCE_DISKS = 9
CONFD_REQ_CONFIG_QUERY = 10
CONFD_REQ_DATA_COLLECTORS = 11

#: Ganeti's set of request types, in which 8 is missing; see
#: C{ganeti.confd.protocol}
CONFD_REQS = frozenset([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11])

CONFD_REQQ_LINK = "0"
CONFD_REQQ_IP = "1"
CONFD_REQQ_IPLIST = "2"
CONFD_REQQ_FIELDS = "3"

CONFD_REQFIELD_NAME = 0
CONFD_REQFIELD_IP = 1
CONFD_REQFIELD_MNODE_PIP = 2

CONFD_NODE_ROLE_MASTER = 0
CONFD_NODE_ROLE_CANDIDATE = 1
CONFD_NODE_ROLE_OFFLINE = 2
CONFD_NODE_ROLE_DRAINED = 3
CONFD_NODE_ROLE_REGULAR = 4

CONFD_REPL_STATUS_OK = 0
CONFD_REPL_STATUS_ERROR = 1
CONFD_REPL_STATUS_NOTIMPLEMENTED = 2
CONFD_REPL_STATUSES = frozenset([
  CONFD_REPL_STATUS_OK,
  CONFD_REPL_STATUS_ERROR,
  CONFD_REPL_STATUS_NOTIMPLEMENTED,
  ])

CONFD_ERROR_UNKNOWN_ENTRY = 0
CONFD_ERROR_INTERNAL = 1
CONFD_ERROR_ARGUMENT = 2

DATA_COLLECTOR_C_P_U_LOAD = "cpu-avg-load"
DATA_COLLECTOR_DISK_STATS = "diskstats"
DATA_COLLECTOR_DRBD = "drbd"
DATA_COLLECTOR_INST_STATUS = "inst-status-xen"
DATA_COLLECTOR_LV = "lv"
DATA_COLLECTOR_XEN_CPU_LOAD = "xen-cpu-avg-load"
DATA_COLLECTOR_NAMES = frozenset([
  DATA_COLLECTOR_C_P_U_LOAD,
  DATA_COLLECTOR_DISK_STATS,
  DATA_COLLECTOR_DRBD,
  DATA_COLLECTOR_INST_STATUS,
  DATA_COLLECTOR_LV,
  DATA_COLLECTOR_XEN_CPU_LOAD,
  ])
#: Default time between two runs of a data collector of the monitoring daemon
#: (seconds)
MOND_TIME_INTERVAL = 5
