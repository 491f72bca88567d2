#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Types of arguments, for the annotations of programs.

"""

from __future__ import annotations

from typing import Callable, Literal, Optional


#: The name of a table, singular or plural
TableName = Literal["instance", "node", "group", "network", "disk",
                    "instances", "nodes", "groups", "networks", "disks"]

#: A function that is called with an error when errors begin, and with None when
#: they are over
ErrorCallback = Callable[[Optional[Exception]], None]

#: A function that is called with the number of parts downloaded so far, and the
#: number of all parts (None while unknown)
ProgressCallback = Callable[[int, Optional[int]], None]
