#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The package C{ganeti}, as far as ganeti-confd needs it.

Debian's python3-ganeti-rapi has another part of it, C{ganeti.rapi}, perhaps in
another directory where the interpreter looks.

"""

import pkgutil


__path__ = pkgutil.extend_path(__path__, __name__)
