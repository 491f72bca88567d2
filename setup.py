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

#: Modules and packages of ganeti.confd that only the daemon uses
_DAEMON = frozenset(["answers", "config.fields", "config.inventory",
                     "config.lenient", "config.redaction", "config.snapshot",
                     "config.volumes", "counters", "daemon", "querylib",
                     "replay", "responder", "server", "waiting"])

#: Made from templates of the same name, as make does: module, template
_MADE = [("ganeti._autoconf", "lib/_autoconf.py.in"),
         ("ganeti.confd._version", "lib/confd/_version.py.in")]


def _Read(*path):
  with open(os.path.join(_HERE, *path), encoding="utf-8") as fd:
    return fd.read()


def _Version():
  """Returns the version, which configure.ac has.

  """
  return re.search(r"^AC_INIT\(\[ganeti-confd\], \[([^]]+)\]\)$",
                   _Read("configure.ac"), re.M).group(1)


def _Packages():
  """Lists the packages below lib/, which is C{ganeti}.

  """
  packages = ["ganeti"] + ["ganeti." + name for name in
                           setuptools.find_packages(os.path.join(_HERE, "lib"))]
  return [name for name in packages
          if name[len("ganeti.confd."):] not in _DAEMON]


class _BuildPy(build_py.build_py):
  """Takes the client's modules, and makes what make would make.

  """
  def run(self):
    if getattr(self, "editable_mode", False):
      raise SystemExit("An editable installation has no place for modules that"
                       " are made. Build with make, and set PYTHONPATH to the"
                       " build directory instead.")
    build_py.build_py.run(self)

  def find_package_modules(self, package, package_dir):
    made = [name for (name, _) in _MADE]
    return [(package, module, path) for (package, module, path)
            in build_py.build_py.find_package_modules(self, package,
                                                      package_dir)
            if "%s.%s" % (package, module) not in made and
            ("%s.%s" % (package, module))[len("ganeti.confd."):] not in _DAEMON]

  def build_packages(self):
    build_py.build_py.build_packages(self)
    values = {
      "PACKAGE_VERSION": _Version(),
      "localstatedir": "/var",
      "sysconfdir": "/etc",
      # Nothing here runs as one of them
      "CONFD_USER": "root",
      "CONFD_GROUP": "root",
      }
    for (name, template) in _MADE:
      text = re.sub(r"@(\w+)@", lambda match: values[match.group(1)],
                    _Read(template))
      path = os.path.join(self.build_lib, *name.split(".")) + ".py"
      self.mkpath(os.path.dirname(path))
      with open(path, "w", encoding="utf-8") as fd:
        fd.write(text)

  def get_outputs(self, include_bytecode=True):
    return (build_py.build_py.get_outputs(self, include_bytecode) +
            [os.path.join(self.build_lib, *name.split(".")) + ".py"
             for (name, _) in _MADE])


setuptools.setup(
  version=_Version(),
  license="BSD-2-Clause",
  packages=_Packages(),
  package_dir={"ganeti": "lib"},
  package_data={"ganeti.confd": ["py.typed"]},
  cmdclass={"build_py": _BuildPy})
