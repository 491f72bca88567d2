#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client, and the hook of gnt-cluster verify.

"""
