#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""This package's own version.

configure.ac, setup.py and the scripts in devel/ read it from here.

"""

VERSION = "1.0.0"
