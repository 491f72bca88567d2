#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The package C{ganeti}, as far as ganeti-confd needs it.

"""
