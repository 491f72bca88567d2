#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Where Ganeti keeps its files, for machines without Ganeti.

Names and values are those of Ganeti's C{ganeti.pathutils}. The environment
variable C{GANETI_ROOTDIR} is put before every path, as in Ganeti's virtual
clusters. Ganeti's own module also requires C{GANETI_HOSTNAME} then; this module
does not.

"""

import os

from ganeti import _autoconf


def _RootDir() -> str:
  """Returns the prefix of every path.

  @return: empty, or a normalized absolute directory
  @raise RuntimeError: the variable holds a relative path (the class that
    Ganeti's module raises)

  """
  rootdir = os.environ.get("GANETI_ROOTDIR", "")
  if not rootdir:
    return ""
  if not os.path.isabs(rootdir):
    raise RuntimeError("GANETI_ROOTDIR must be an absolute path, not '%s'" %
                       rootdir)
  return os.path.normpath(rootdir).rstrip("/")


_LOCALSTATEDIR = _RootDir() + _autoconf.LOCALSTATEDIR

DATA_DIR = _LOCALSTATEDIR + "/lib/ganeti"
CONF_DIR = _RootDir() + _autoconf.SYSCONFDIR + "/ganeti"
RUN_DIR = _LOCALSTATEDIR + "/run/ganeti"
LOG_DIR = _LOCALSTATEDIR + "/log/ganeti"

CLUSTER_CONF_FILE = DATA_DIR + "/config.data"
CONFD_HMAC_KEY = DATA_DIR + "/hmac.key"
