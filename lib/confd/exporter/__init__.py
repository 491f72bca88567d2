#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter: a web server for metrics and pages about clusters.

There are two processes. The collector (C{collector}) learns of changes from the
daemons. The server answers requests (C{web}), and forks a process for any work
that may take long (C{forked}).

"""

from __future__ import annotations

import sys

from ganeti.confd import printable


#: Libraries that only confd-exporter needs, and that some machines do not have
_MODULES = frozenset(["h11", "prometheus_client"])


def Main() -> int:
  """Runs confd-exporter.

  @return: exit code; 2 if another try would fail, too

  """
  try:
    # Import inside "try": the import takes so long that Ctrl-C may interrupt it
    from ganeti.confd.exporter import main
  except KeyboardInterrupt:
    return 130
  except ImportError as err:
    if (err.name or "").partition(".")[0] not in _MODULES:
      raise
    sys.stderr.write("confd-exporter: needs the Python modules h11 and"
                     " prometheus_client (Debian: python3-h11,"
                     " python3-prometheus-client)\n")
    return 2
  except RuntimeError as err:
    # ganeti.pathutils raises RuntimeError at import if GANETI_ROOTDIR is wrong
    sys.stderr.write("confd-exporter: %s\n" % printable.Printable(str(err)))
    return 2
  return main.Main()
