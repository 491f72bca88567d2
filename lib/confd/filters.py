#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The old place of L{FilterError}, which is part of L{client} now.

"""

# pylint: disable=W0611
from ganeti.confd.clientlib.filters import FilterError
