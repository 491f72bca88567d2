#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The values that configure decides.

The values here are defaults: for a checkout where nothing has been built, and
for pip, which does not run configure. For the build tree and an installation,
C{make} makes a copy of this module with configure's values in their place.

"""

LOCALSTATEDIR = "/var"
SYSCONFDIR = "/etc"
CONFD_USER = "root"
CONFD_GROUP = "root"
