#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What asking takes: questions, candidates, exchanges, sockets.

"""
