#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command C{python3 -m ganeti.confd.testing}: serves a configuration on the
loopback device, to try clients on a machine without Ganeti.

"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile

from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import numerals
from ganeti.confd.testing import configuration
from ganeti.confd.testing import fake
from ganeti.confd.testing import loopback
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Optional, Sequence


_PROGRAM = "python3 -m ganeti.confd.testing"

_HEAD = """\
Serving the cluster %(cluster)s, serial %(serial)d, on the loopback device:
%(candidates)s
  port           %(port)d
  key file       %(key)s
  configuration  %(config)s (is read again when it changes)

On a command line:

  confd-client -a 127.0.0.1 -p %(port)d --hmac-file %(key)s list instances

In Python:

  from ganeti.confd import client

  with client.Client(["127.0.0.1"], port=%(port)d,
                     key_file=%(key)r) as confd:
    print(confd.MasterNode().answer)

Ctrl-C ends it.
"""


def _Parse(args: Optional[Sequence[str]]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog=_PROGRAM, allow_abbrev=False,
    description="Serves a configuration on the loopback device, as the master"
    " candidates of a cluster do. For tests only: the key is known to"
    " everybody.")
  parser.add_argument("config", nargs="?", metavar="CONFIG",
                      help="a config.data of Ganeti, which is only read;"
                      " without it, a small example is served")
  parser.add_argument("-p", "--port", type=_Port, default=0,
                      help="the UDP port; by default any free one")
  parser.add_argument("--version", action="version",
                      version="%%(prog)s (ganeti-confd) %s" % _version.VERSION)
  return parser.parse_args(args)


def _Port(text: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise argparse.ArgumentTypeError("not a port: '%s'" % text) from None


def _Say(text: str) -> None:
  print(text, flush=True)


def Main(args: Optional[Sequence[str]] = None) -> int:
  """Runs the command.

  @param args: the arguments; None for those of the process
  @return: the exit code

  """
  options = _Parse(args)
  with tempfile.TemporaryDirectory(prefix="ganeti-confd-testing.") as directory:
    key_file = os.path.join(directory, "hmac.key")
    with open(key_file, "wb") as stream:
      stream.write(fake.KEY)
    path = options.config
    if path is None:
      path = os.path.join(directory, "config.data")
      with open(path, "w", encoding="ascii") as text:
        json.dump(configuration.MakeConfig(), text, indent=2)
    try:
      server = loopback.Server(path, fake.KEY, options.port)
    except errors.ConfigurationError as err:
      print("%s: %s: %s" % (_PROGRAM, path, err), file=sys.stderr)
      return 1
    except OSError as err:
      print("%s: cannot serve %s at port %s: %s" %
            (_PROGRAM, path, options.port or "any", err.strerror or err),
            file=sys.stderr)
      return 1
    # Let SIGTERM raise KeyboardInterrupt, so that the temporary directory is
    # removed
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
      _Say(_HEAD % {
        "cluster": server.cluster, "serial": server.candidates[0].serial,
        "candidates": "\n".join("  %-14s %s" % (i.address, i.name)
                                for i in server.candidates),
        "port": server.port, "key": key_file, "config": path,
        })
      server.Run(_Say)
    except KeyboardInterrupt:
      pass
    finally:
      server.Close()
  return 0


if __name__ == "__main__":
  sys.exit(Main())
