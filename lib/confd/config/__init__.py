#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the cluster is: the configuration, read and indexed.

"""
