#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the daemon and its clients both know of tables, without a configuration.

"""
