#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Packs the client for machines without Ganeti; pyproject.toml has the rest.

Where Ganeti's own modules are missing, those in lib/ stand in for them, as in
an installation without Ganeti. The daemon is not packed: it runs on nodes only.

"""

import os
import re

import setuptools
from setuptools.command import build_py


_HERE = os.path.dirname(os.path.abspath(__file__))

#: Modules and packages of ganeti.confd that only the daemon uses. Those that
#: make answers are packed, for ganeti.confd.testing.
_DAEMON = frozenset(["daemon", "server"])


def _Version():
  """Returns the version.

  """
  with open(os.path.join(_HERE, "lib", "confd", "_version.py"),
            encoding="utf-8") as fd:
    return re.search(r'^VERSION = "(.*)"$', fd.read(), re.M).group(1)


def _Packages():
  """Lists the packages below lib/, which is C{ganeti}.

  """
  packages = ["ganeti"] + ["ganeti." + name for name in
                           setuptools.find_packages(os.path.join(_HERE, "lib"))]
  return [name for name in packages
          if name[len("ganeti.confd."):] not in _DAEMON]


class _BuildPy(build_py.build_py):
  """Takes the client's modules.

  """
  def find_package_modules(self, package, package_dir):
    return [(package, module, path) for (package, module, path)
            in build_py.build_py.find_package_modules(self, package,
                                                      package_dir)
            if ("%s.%s" % (package, module))[len("ganeti.confd."):] not in
            _DAEMON]


setuptools.setup(
  version=_Version(),
  license="BSD-2-Clause",
  packages=_Packages(),
  package_dir={"ganeti": "lib"},
  package_data={"ganeti": ["py.typed"],
                "ganeti.confd": ["py.typed"],
                "ganeti.confd.command": ["completion.bash", "completion.zsh"],
                "ganeti.confd.exporter": ["*.css", "*.js", "*.svg"]},
  cmdclass={"build_py": _BuildPy})
