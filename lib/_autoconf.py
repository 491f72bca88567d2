#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What configure decides.

The values here are defaults: for a checkout where nothing has been built, and
for pip, which does not run configure. C{make} puts those of configure in their
place, and makes the module that the build tree and an installation have.

"""

LOCALSTATEDIR = "/var"
SYSCONFDIR = "/etc"
CONFD_USER = "root"
CONFD_GROUP = "root"
