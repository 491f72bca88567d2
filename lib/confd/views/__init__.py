#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Views: what can be seen in the tables that C{list} gives.

Pure functions: rows of tables in, findings out. Nothing here asks a daemon or
prints.

"""
