#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter: a web server for metrics and pages, beside confd.

C{facts} is what is known of a cluster, C{metrics} what of it goes to
Prometheus.

"""

from __future__ import annotations

import sys

from ganeti.confd import printable


#: The modules that nothing else of this package needs
_MODULES = frozenset(["h11", "prometheus_client"])


def Main() -> int:
  """Runs confd-exporter: what its script does, whoever made that.

  @return: exit code; 2 for what to try again is of no use

  """
  try:
    # Takes a while, in which somebody may press Ctrl-C
    from ganeti.confd.exporter import main
  except KeyboardInterrupt:
    return 130
  except ImportError as err:
    if (err.name or "").partition(".")[0] not in _MODULES:
      raise
    sys.stderr.write("confd-exporter: it needs the Python modules h11 and"
                     " prometheus_client (Debian: python3-h11,"
                     " python3-prometheus-client)\n")
    return 2
  except RuntimeError as err:
    # Ganeti's own modules are imported here, and the environment is wrong
    sys.stderr.write("confd-exporter: %s\n" % printable.Printable(str(err)))
    return 2
  return main.Main()
