#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings, plans and drawings, made of the cluster's tables.

Rule: all functions are pure. A row is a mapping from field names to values, as
C{client.Client.List} returns it. Nothing in this subpackage sends a request,
prints or waits.

"""
