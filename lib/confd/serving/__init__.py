#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""From a datagram to the reply.

C{server} and C{querylib} belong to these modules, and are in C{ganeti.confd}
itself, under the names that the package promises.

"""
