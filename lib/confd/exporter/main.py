#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter's command line and start.

"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import sys

from typing import Any, Optional, Sequence

from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import localnode
from ganeti.confd import loglines
from ganeti.confd import numerals
from ganeti.confd import printable
from ganeti.confd.clientlib import settings
from ganeti.confd.exporter import collecting
from ganeti.confd.exporter import collector
from ganeti.confd.exporter import connections
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import recorder
from ganeti.confd.exporter import watcher
from ganeti.confd.exporter import web


PROGRAM = "confd-exporter"

#: The default address to listen on, to which only this host can connect
_ADDRESS = "127.0.0.1"
_PORT = 9814

#: Defaults of --history-days and --history-size (MiB)
_HISTORY_DAYS = 400
_HISTORY_SIZE = 256

#: The largest values of --history-days and --history-size: a century, and a TiB
_MAX_DAYS = 36500
_MAX_SIZE = 1 << 20

#: The name of the cluster if the settings name no cluster
_LOCAL = "local"

#: The environment variable in which systemd passes the directory of the keys
_CREDENTIALS = "CREDENTIALS_DIRECTORY"

#: The value of --cluster that stands for all clusters of the settings
_ALL = "all"


def _Listen(text: str) -> tuple[str, int]:
  """Parses ADDRESS:PORT.

  """
  (address, _, port) = text.rpartition(":")
  if address.startswith("[") and address.endswith("]"):
    address = address[1:-1]
  try:
    # Port 0 stands for any free port
    number = numerals.Parse(port, 0, 65535)
  except ValueError:
    number = None
  if number is None or not address:
    raise argparse.ArgumentTypeError("not ADDRESS:PORT: '%s'" % text)
  return (address, number)


def _Positive(most: int, text: str) -> int:
  """Parses a number that is greater than zero.

  """
  try:
    return numerals.Parse(text, 1, most)
  except ValueError:
    raise argparse.ArgumentTypeError("not a number from 1 to %d: '%s'" %
                                     (most, text)) from None


def _ParseArguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog=PROGRAM, allow_abbrev=False,
    description="Serves metrics and pages about Ganeti clusters, from what"
    " confd answers. See confd-exporter(8).")
  parser.add_argument("--listen", metavar="ADDRESS:PORT", type=_Listen,
                      default=(_ADDRESS, _PORT),
                      help="where to serve (default: %s:%d)" % (_ADDRESS,
                                                                _PORT))
  parser.add_argument("--cluster", metavar="NAME[,NAME...]",
                      help="which of the clusters in the settings (default: all"
                      " of them; this node's where there are no settings)")
  parser.add_argument("--no-instances", action="store_true",
                      help="no metrics for each instance")
  parser.add_argument("--history", metavar="FILE",
                      help="record the changes of the clusters in this SQLite"
                      " file (default: none is recorded)")
  parser.add_argument("--history-days", metavar="DAYS", default=_HISTORY_DAYS,
                      type=functools.partial(_Positive, _MAX_DAYS),
                      help="delete changes that are so many days older than the"
                      " latest one (default: %d)" % _HISTORY_DAYS)
  parser.add_argument("--history-size", metavar="MIB", default=_HISTORY_SIZE,
                      type=functools.partial(_Positive, _MAX_SIZE),
                      help="while the file is larger, delete the oldest changes"
                      " of the cluster that takes most of it (default: %d)" %
                      _HISTORY_SIZE)
  parser.add_argument("--version", action="version",
                      version="%s (ganeti-confd) %s" % (PROGRAM,
                                                        _version.VERSION))
  return parser.parse_args(argv)


def _Settings(names: Optional[str]) -> dict[str, collector.Settings]:
  """Returns the arguments of clients, by cluster.

  @param names: the clusters' names, as on the command line
  @raise errors.ConfigurationError: the settings are wrong

  """
  if names is None and not localnode.HasClientSettings():
    return {_LOCAL: {}}
  known = settings.Read()
  wanted = list(known.clusters) if names in (None, _ALL) else [
    name.strip() for name in str(names).split(",")]
  for name in wanted:
    known.Find(name)
  if not wanted:
    return {_LOCAL: {}}
  return {name: {"cluster": name, **_KeyOfService(name)} for name in wanted}


def _KeyOfService(name: str) -> dict[str, str]:
  """Returns the key that systemd passes to the service, as a client's argument.

  The key takes precedence over the settings, which may have another key for
  users of the same cluster.

  """
  directory = os.environ.get(_CREDENTIALS)
  path = os.path.join(directory or "", "keys_%s.key" % name)
  return {"key_file": path} if directory and os.path.exists(path) else {}


def _Url(sock: Any) -> str:
  (address, port) = sock.getsockname()[:2]
  return "http://%s:%d/" % ("[%s]" % address if ":" in address else address,
                            port)


async def _Serve(options: argparse.Namespace,
                 clusters: dict[str, collector.Settings]) -> None:
  """Serves until a signal comes.

  @raise OSError: the address cannot be bound

  """
  stop = asyncio.Event()
  loop = asyncio.get_running_loop()
  for signum in (signal.SIGTERM, signal.SIGINT):
    loop.add_signal_handler(signum, stop.set)
  watchers = [watcher.Watcher(name) for name in clusters]
  recording = None
  if options.history is not None:
    recording = recorder.Recorder(watchers, recorder.Options(
      options.history, history.Limits(options.history_days,
                                      options.history_size << 20)))
    # Ignore the error: if the lock's file cannot be opened, the recorder tries
    # again before it writes
    with contextlib.suppress(forked.BadRequest):
      recording.Lock()
  server = web.Server(watchers, not options.no_instances, recording)
  # Exclude all objects made so far from garbage collection, which writes to
  # each object and so would copy all memory pages that are shared with forked
  # processes (copy-on-write)
  gc.collect()
  gc.freeze()
  everybody = connections.Connections(server.Answer)
  server.cut = everybody.CutSlowest
  sockets = await everybody.Serve(*options.listen)
  try:
    logging.info("%s %s listens on %s", PROGRAM, _version.VERSION,
                 ", ".join(map(_Url, sockets)))
    tasks = [asyncio.ensure_future(i.Run()) for i in (
      collecting.Collector(watchers, clusters), recording) if i is not None]
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait([stopped, *tasks],
                       return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
      if task.done():
        # Raise the task's exception: only a programming error ends a task
        task.result()
      task.cancel()
  finally:
    everybody.CutAll()


def _Complain(text: str) -> None:
  sys.stderr.write("%s: %s\n" % (PROGRAM, printable.Printable(text)))


def Main(argv: Optional[Sequence[str]] = None) -> int:
  """Runs the program.

  @return: exit code

  """
  options = _ParseArguments(argv)
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(loglines.Formatter("%(levelname)s %(message)s"))
  logging.basicConfig(level=logging.INFO, handlers=[handler])
  try:
    asyncio.run(_Serve(options, _Settings(options.cluster)))
  except errors.GenericError as err:
    _Complain(str(err))
    return 2
  except OSError as err:
    _Complain("Cannot listen on %s, port %d: %s" %
              (options.listen + (err.strerror or err, )))
    return 1
  return 0
