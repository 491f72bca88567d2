#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The package C{ganeti}, as far as ganeti-confd needs it.

Debian's python3-ganeti-rapi has another part of it, C{ganeti.rapi}, perhaps in
another directory where the interpreter looks.

"""

import os
import sys


# As C{pkgutil.extend_path} does, which would import C{typing}
for _path in [os.path.join(entry, __name__) for entry in sys.path]:
  if _path not in __path__ and os.path.isdir(_path):
    __path__.append(_path)
