#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The package C{ganeti}, as far as ganeti-confd needs it.

Debian's python3-ganeti-rapi contains another part of the package,
C{ganeti.rapi}, which may be below another directory of C{sys.path}.

"""

import os
import sys


# Do the work of C{pkgutil.extend_path} here: an import of C{pkgutil} would
# import C{typing}, too, which takes time
for _path in [os.path.join(entry, __name__) for entry in sys.path]:
  if _path not in __path__ and os.path.isdir(_path):
    __path__.append(_path)
