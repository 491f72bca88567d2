#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks whether the daemon could load a configuration and a key.

"""

from __future__ import annotations

import sys

from ganeti import constants
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import humanize
from ganeti.confd import localnode
from ganeti.confd import printable
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.daemon import detach
from ganeti.confd.daemon import process
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Optional


def _CheckConfig(path: str) -> list[str]:
  """Loads a configuration.

  @return: lines that describe it, then its warnings
  @raise errors.ConfigurationError: the configuration is unusable

  """
  # If memory runs out while a large file is loaded, the kernel must kill this
  # process, and not the node's daemon
  process.SetOomScore(process.OOM_FIRST)
  with filestate.Open(path) as config:
    snapshot = snapshotlib.Load(config)
  counts = ", ".join([
    humanize.Count(len(snapshot.nodes.items), "node"),
    humanize.Count(len(snapshot.groups.items), "group"),
    humanize.Count(len(snapshot.instances.items), "instance"),
    humanize.Count(len(snapshot.disks.items), "disk"),
    humanize.Count(len(snapshot.networks.items), "network")])
  # Escape the warnings, as names in them may hold any character
  return ["%s: serial %d, version %d, %s" %
          (path, snapshot.serial, snapshot.version, counts)] + [
            "Warning: %s" % ascii(text)[1:-1] for text in snapshot.warnings]


def _CheckKey(path: str) -> list[str]:
  """Reads a key.

  @return: lines that describe it, then its warnings
  @raise errors.ConfigurationError: the key is unusable

  """
  (key, _) = localnode.ReadDaemonKey(path)
  warning = localnode.KeyWarning(path)
  return ["%s: a key of %d bytes" % (path, len(key))] + (
    [] if warning is None else ["Warning: %s" % warning])


def Run(config: Optional[str] = None, key: Optional[str] = None) -> int:
  """Prints whether the daemon could load its files.

  @param config: path of a configuration; None for the files of this node
  @param key: path of a key; None for no key, if C{config} is given
  @return: exit code

  """
  if sys.stdout:
    # Escape characters that cannot be encoded: a path may hold any bytes
    sys.stdout.reconfigure(errors="backslashreplace") # type: ignore
  code: int = constants.EXIT_SUCCESS
  checks = []
  if config is None:
    (config, key) = (localnode.ConfigFile(), localnode.HmacKeyFile())
  checks.append((_CheckConfig, config))
  if key is not None:
    checks.append((_CheckKey, key))
  for (check, path) in checks:
    try:
      for line in check(path):
        print(printable.Printable(line))
    except errors.ConfigurationError as err:
      detach.Complain(str(err))
      code = constants.EXIT_FAILURE
    except MemoryError:
      detach.Complain("%s: not enough memory" % path)
      code = constants.EXIT_FAILURE
  return code
