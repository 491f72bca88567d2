#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The processes of ganeti-confd, and what they share with the system.

"""
