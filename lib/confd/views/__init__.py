#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What can be made of the cluster's tables: findings, plans, drawings.

Rule: pure functions. Rows come as mappings from the names of fields to values,
as C{client.Client.List} can give them; nothing here asks, prints or waits.

"""
