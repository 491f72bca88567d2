#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses and indexes the cluster configuration, and makes tables of it.

"""
