#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The main function of ganeti-confd: checks, preparation, start.

Rule: the user who starts the daemon sees each error of the start. The checks
run before the daemon detaches, or in the detached process, which reports the
outcome to the process that the user started and that waits for it.

"""

from __future__ import annotations

import gc
import grp
import logging
import os
import pwd
import socket
import sys

from ganeti import confd
from ganeti import constants
from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import localnode
from ganeti.confd import server
from ganeti.confd.daemon import detach
from ganeti.confd.daemon import log
from ganeti.confd.daemon import options as optionslib
from ganeti.confd.daemon import pidfile
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.daemon import supervisor
from ganeti.confd.daemon import systemd
from ganeti.confd.serving import counters
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Optional, Sequence


def _CheckUser() -> None:
  """Checks that this process runs as the configured user and group.

  @raise errors.ConfigurationError: the process has another user or group

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


def _Listen(options: optionslib.Options) -> socket.socket:
  """Opens the UDP socket.

  @raise errors.ConfigurationError: the socket cannot be opened or bound

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


def _Prepare(options: optionslib.Options
             ) -> tuple[pidfile.PidFile, supervisor.Supervisor]:
  """Opens the log, the pid file and the socket, and makes the supervisor.

  @raise errors.GenericError: one of them cannot be opened, or there is no key

  """
  path = None
  if options.to_file:
    path = options.log_file or localnode.LogFile()
  daemon_log = log.Log(path, options.to_syslog, options.debug)
  key_file = localnode.HmacKeyFile()
  # Check the key, so that an unusable key is an error at the start; each
  # generation reads the key again
  localnode.ReadDaemonKey(key_file)
  path = options.pid_file or localnode.PidFile()
  try:
    # The default directory is below /run, which is empty after a reboot
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
      # Add the terminal handler only now: _ReportInForeground prints earlier
      # errors, which this handler would print a second time
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
  """Checks files for --check.

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
  try:
    options = optionslib.Read(sys.argv[1:])
  except optionslib.Ended as err:
    return err.code
  except errors.ConfigurationError as err:
    detach.Complain(str(err))
    return constants.EXIT_FAILURE
  if options.check is not None:
    return _Check(options.check)
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
  # Exclude imported modules from garbage collection: a collection writes to
  # each object, and copy-on-write would give each process its own copy
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
