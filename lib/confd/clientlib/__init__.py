#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The parts of the client library: questions, sessions, operations, sockets.

"""
