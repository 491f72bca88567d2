#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""ganeti-confd's command line, checks and start.

The order: what can be wrong is found out before the daemon detaches, or
reported to who started it by the process that detached.

"""

from __future__ import annotations

import argparse
import gc
import grp
import ipaddress
import logging
import os
import pwd
import socket
import sys
from typing import Callable, Optional, Sequence, Tuple

from ganeti import confd
from ganeti import constants
from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import counters
from ganeti.confd import localnode
from ganeti.confd import numerals
from ganeti.confd import server
from ganeti.confd.daemon import detach
from ganeti.confd.daemon import log
from ganeti.confd.daemon import pidfile
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.daemon import supervisor
from ganeti.confd.daemon import systemd


_MAX_DEFAULT_WORKERS = 4

(_SYSLOG_NO, _SYSLOG_YES, _SYSLOG_ONLY) = ("no", "yes", "only")


def _Address(text: str) -> str:
  try:
    return str(ipaddress.ip_address(text))
  except ValueError:
    raise argparse.ArgumentTypeError("%r is no IPv4 or IPv6 address" % text)


def _Number(least: int, most: int) -> Callable[[str], int]:
  def _Parse(text: str) -> int:
    try:
      return numerals.Parse(text, least, most)
    except ValueError:
      raise argparse.ArgumentTypeError("%r is no number from %d to %d" %
                                       (text, least, most))
  return _Parse


def _ParseArguments(argv: Sequence[str]) -> argparse.Namespace:
  """Parses the command line.

  @param argv: arguments without the program's name

  """
  parser = argparse.ArgumentParser(
    prog=constants.CONFD, allow_abbrev=False,
    description="Answers questions about the configuration of a Ganeti"
    " cluster, from any master candidate. See ganeti-confd(8).")
  parser.add_argument("-f", "--foreground", action="store_true",
                      help="do not detach from the terminal; log there too")
  parser.add_argument("-d", "--debug", action="store_true",
                      help="log more")
  parser.add_argument("-p", "--port", type=_Number(1, 65535),
                      help="UDP port to listen on (default: %s in the services"
                      " database, else %d)" % (constants.CONFD,
                                               constants.DEFAULT_CONFD_PORT))
  parser.add_argument("-b", "--bind", metavar="ADDRESS", type=_Address,
                      help="address to listen on (default: all addresses of"
                      " the cluster's primary IP family)")
  parser.add_argument("--workers", metavar="N", type=_Number(1, 256),
                      default=min(_MAX_DEFAULT_WORKERS,
                                  len(os.sched_getaffinity(0))),
                      help="number of processes that answer (default here:"
                      " %(default)s)")
  parser.add_argument("--syslog", choices=(_SYSLOG_NO, _SYSLOG_YES,
                                           _SYSLOG_ONLY),
                      default=_SYSLOG_NO,
                      help="log to syslog too, or only there (--syslog alone:"
                      " yes; default: no)")
  parser.add_argument("--no-user-checks", action="store_true",
                      help="run as any user and group, not only as %s:%s" %
                      (constants.CONFD_USER, constants.CONFD_GROUP))
  parser.add_argument("--pid-file", metavar="FILE",
                      help="default: %s.pid in Ganeti's run directory" %
                      constants.CONFD)
  parser.add_argument("--log-file", metavar="FILE",
                      help="default: %s.log in Ganeti's log directory" %
                      constants.DAEMONS_LOGBASE[constants.CONFD])
  parser.add_argument("--check", metavar="FILE", nargs="*",
                      help="load a configuration, and a key, as the daemon"
                      " would; say what is in it and what is wrong; exit with 0"
                      " or 1 (a configuration, then a key; default: those of"
                      " this node)")
  parser.add_argument("-V", "--version", action="version",
                      version="%s %s" % (constants.CONFD, _version.VERSION))
  # A value only with "=", as the packaged daemon has it
  options = parser.parse_args(["--syslog=" + _SYSLOG_YES if arg == "--syslog"
                               else arg for arg in argv])
  if options.check and len(options.check) > 2:
    parser.error("--check takes a configuration and a key, not %r as well" %
                 options.check[2])
  return options


def _CheckUser() -> None:
  """Refuses to run as anybody but the configured user and group.

  @raise errors.ConfigurationError: this is another one

  """
  wanted = (constants.CONFD_USER, constants.CONFD_GROUP)
  try:
    ids = (pwd.getpwnam(wanted[0]).pw_uid, grp.getgrnam(wanted[1]).gr_gid)
  except KeyError as err:
    raise errors.ConfigurationError("Cannot check the user: %s. Is Ganeti"
                                    " installed? See --no-user-checks." %
                                    err.args[0])
  if ids != (os.getuid(), os.getgid()):
    raise errors.ConfigurationError(
      "%s has to run as user %s and group %s (ids %d and %d), not with the ids"
      " %d and %d; see --no-user-checks" %
      ((constants.CONFD, ) + wanted + ids + (os.getuid(), os.getgid())))


def _ReportInForeground(error: Optional[str]) -> None:
  if error is not None:
    detach.Complain(error)


def _Listen(options: argparse.Namespace) -> socket.socket:
  """Opens the socket.

  @raise errors.ConfigurationError: it cannot be had

  """
  address = options.bind
  if address is None:
    address = localnode.AnyAddress()
  port = options.port or localnode.DefaultPort()
  try:
    return server.OpenSocket(address, port)
  except OSError as err:
    raise errors.ConfigurationError("Cannot listen on %s, UDP port %d: %s" %
                                    (address, port, err.strerror))


def _Prepare(options: argparse.Namespace
             ) -> Tuple[pidfile.PidFile, supervisor.Supervisor]:
  """Takes hold of all that the daemon needs.

  """
  path = None
  if options.syslog != _SYSLOG_ONLY:
    path = options.log_file or localnode.LogFile()
  daemon_log = log.Log(path, options.syslog != _SYSLOG_NO, options.debug)
  key_file = localnode.HmacKeyFile()
  # A generation reads it again; without a key there is no use in starting
  localnode.ReadDaemonKey(key_file)
  path = options.pid_file or localnode.PidFile()
  try:
    # It is on a file system that is empty after a reboot
    os.makedirs(os.path.dirname(path), exist_ok=True)
  except OSError as err:
    raise errors.ConfigurationError("Cannot make the directory of the pid file"
                                    " %s: %s" % (path, err.strerror))
  pid_file = pidfile.PidFile(path)
  process.HoldSignals()
  pid_file.Acquire()
  try:
    sock = _Listen(options)
    shared = counters.Counters(setuplib.RowsNeeded(options.workers))
    setup = setuplib.Setup(localnode.ConfigFile(), key_file, sock,
                           options.workers, shared, daemon_log)
    keeper = pidfile.Keeper(pid_file)
    if options.foreground:
      # What is wrong before this is told without it
      daemon_log.AddTerminal()
    daemon_log.CountIn(shared.Row(0), counters.INDEX[counters.LOG_LOST])
    logging.info("%s %s listens on %s, UDP port %d", constants.CONFD,
                 _version.VERSION, *sock.getsockname()[:2])
    notifier = systemd.Notifier(os.environ)
    return (pid_file, supervisor.Supervisor(setup, keeper, notifier,
                                            daemon_log.Reopen))
  except BaseException:
    pid_file.Remove()
    raise


def _Check(paths: Sequence[str]) -> int:
  """Looks at files, and starts nothing.

  @return: exit code

  """
  from ganeti.confd.daemon import checkconf
  try:
    code = checkconf.Run(*paths)
    sys.stdout.flush()
    return code
  except (errors.GenericError, OSError) as err:
    detach.Complain(str(err))
    return constants.EXIT_FAILURE


def Main() -> int:
  """Runs the daemon.

  @return: exit code

  """
  detach.TakeStandardStreams()
  options = _ParseArguments(sys.argv[1:])
  if options.check is not None:
    return _Check(options.check)
  for name in ("pid_file", "log_file"):
    # The daemon changes to another directory
    if getattr(options, name):
      setattr(options, name, os.path.abspath(getattr(options, name)))
  os.umask(0o027)

  report: Callable[[Optional[str]], None] = _ReportInForeground
  try:
    if not options.no_user_checks:
      _CheckUser()
    localnode.ConfigFile()
    if not options.foreground:
      report = detach.Detach()
    (pid_file, master) = _Prepare(options)
  except (errors.GenericError, OSError) as err:
    if logging.getLogger().hasHandlers():
      logging.error("Cannot start: %s", err)
    report(str(err))
    return constants.EXIT_FAILURE
  # All that was imported stays as it is: the collector need not look at it,
  # which would also copy the pages that all processes share
  gc.collect()
  gc.freeze()
  try:
    report(None)
    master.Run()
  except Exception: # pylint: disable=W0718
    logging.exception("Stopping because of a programming error; %s",
                      confd.PLEASE_REPORT)
    return constants.EXIT_FAILURE
  finally:
    pid_file.Remove()
    logging.info("Stopped")
  return constants.EXIT_SUCCESS
