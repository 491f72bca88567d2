#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter: a web server for metrics and pages about clusters.

There are two processes. The daemons tell the collector of changes
(C{collector}). The server answers requests (C{web}), and forks a process for
whatever takes long (C{forked}).

"""

from __future__ import annotations

import sys

from ganeti.confd import printable


#: Modules that only this part of the package needs
_MODULES = frozenset(["h11", "prometheus_client"])


def Main() -> int:
  """Runs confd-exporter.

  @return: exit code; 2 where another try would fail, too

  """
  try:
    # The import takes long enough for a Ctrl-C
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
