#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""ganeti-confd's command line, checks and start.

The order: what can be wrong is found out before the daemon detaches, or
reported to who started it by the process that detached.

"""

import argparse
import grp
import ipaddress
import logging
import logging.handlers
import os
import pwd
import sys

from ganeti import constants
from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import counters
from ganeti.confd import localnode
from ganeti.confd import server
from ganeti.confd.daemon import generation
from ganeti.confd.daemon import pidfile
from ganeti.confd.daemon import process
from ganeti.confd.daemon import supervisor
from ganeti.confd.daemon import systemd


_MAX_DEFAULT_WORKERS = 4

_LOG_FORMAT = "%(asctime)s: " + constants.CONFD + \
  " pid=%(process)d %(levelname)s %(message)s"
_SYSLOG_FORMAT = constants.CONFD + \
  "[%(process)d]: %(levelname)s %(message)s"
_SYSLOG_SOCKET = "/dev/log"

(_SYSLOG_NO, _SYSLOG_YES, _SYSLOG_ONLY) = ("no", "yes", "only")


def _Address(text):
  try:
    return str(ipaddress.ip_address(text))
  except ValueError:
    raise argparse.ArgumentTypeError("%r is no IPv4 or IPv6 address" % text)


def _Number(least, most):
  def _Parse(text):
    if not (text.isascii() and text.isdigit() and len(text) < 10 and
            least <= int(text) <= most):
      raise argparse.ArgumentTypeError("%r is no number from %d to %d" %
                                       (text, least, most))
    return int(text)
  return _Parse


def _ParseArguments(argv):
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
  parser.add_argument("-V", "--version", action="version",
                      version="%s %s" % (constants.CONFD, _version.VERSION))
  # A value only with "=", as the packaged daemon has it
  return parser.parse_args(["--syslog=" + _SYSLOG_YES if arg == "--syslog"
                            else arg for arg in argv])


def _CheckUser():
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


class _LogFile(logging.handlers.WatchedFileHandler):
  """A log file, which may be renamed, removed or out of reach at any time.

  """
  def emit(self, record):
    # The base class lets errors of opening it again through, and they would
    # end whoever has something to say
    try:
      super().emit(record)
    except OSError:
      self.handleError(record)

  def reopenIfNeeded(self):
    try:
      super().reopenIfNeeded()
    except OSError:
      # The next message tries again
      pass


class _Log:
  """Where log messages go.

  """
  def __init__(self, options):
    self._handlers = []
    self._file_handler = None
    if options.syslog != _SYSLOG_ONLY:
      path = options.log_file or localnode.LogFile()
      try:
        self._file_handler = _LogFile(path, encoding="utf-8",
                                      errors="backslashreplace")
      except OSError as err:
        raise errors.ConfigurationError("Cannot write the log file %s: %s" %
                                        (path, err.strerror))
      self._Add(self._file_handler, _LOG_FORMAT)
    if options.syslog != _SYSLOG_NO:
      try:
        self._Add(logging.handlers.SysLogHandler(
          _SYSLOG_SOCKET, logging.handlers.SysLogHandler.LOG_DAEMON),
                  _SYSLOG_FORMAT)
      except OSError as err:
        raise errors.ConfigurationError("Cannot log to syslog (%s): %s" %
                                        (_SYSLOG_SOCKET, err.strerror))
    # A full disk shall not make messages to a stderr nobody reads
    logging.raiseExceptions = False
    logging.getLogger().setLevel(logging.DEBUG if options.debug else
                                 logging.INFO)

  @staticmethod
  def _Add(handler, text_format):
    handler.setFormatter(logging.Formatter(text_format))
    logging.getLogger().addHandler(handler)

  def AddTerminal(self):
    self._Add(logging.StreamHandler(), _LOG_FORMAT)

  def Reopen(self):
    if self._file_handler:
      self._file_handler.reopenIfNeeded()


def _Detach():
  """Goes on in a process without a terminal.

  @rtype: callable with one argument
  @return: to be called once: with None when the daemon runs, or with the text
    of what is wrong. The process that was started exits accordingly.

  """
  (read_fd, write_fd) = os.pipe2(os.O_CLOEXEC)
  if os.fork():
    os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as report:
      text = report.read()
    # Without a word it died
    if text != _STARTED:
      _Complain(text or "The daemon died while it started; see its log")
      os._exit(constants.EXIT_FAILURE)
    os._exit(constants.EXIT_SUCCESS)
  os.close(read_fd)
  os.setsid()
  if os.fork():
    os._exit(constants.EXIT_SUCCESS)
  os.chdir("/")
  null_fd = os.open(os.devnull, os.O_RDWR)
  for fd in range(3):
    os.dup2(null_fd, fd)
  # Locks and pipes of who started this would live as long as the daemon
  for name in os.listdir("/proc/self/fd"):
    if int(name) not in (0, 1, 2, write_fd):
      try:
        os.close(int(name))
      except OSError:
        # That of the directory itself
        pass

  def _Report(error):
    try:
      with open(write_fd, "w", encoding="utf-8",
                errors="backslashreplace") as report:
        report.write(_STARTED if error is None else error)
    except BrokenPipeError:
      # Who started this did not wait for it
      pass

  return _Report


_STARTED = "started"


def _ReportInForeground(error):
  if error is not None:
    _Complain(error)


def _Complain(text):
  if sys.stderr:
    sys.stderr.write("%s: %s\n" % (constants.CONFD, text))


def _TakeStandardStreams():
  """Opens those of the descriptors 0 to 2 that are closed.

  Else the next files would be opened there.

  """
  fd = 0
  while fd <= 2:
    fd = os.open(os.devnull, os.O_RDWR)
  os.close(fd)


def _Listen(options):
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


def _Prepare(options):
  """Takes hold of all that the daemon needs.

  @return: tuple of pid file and supervisor

  """
  log = _Log(options)
  key_file = localnode.HmacKeyFile()
  # A generation reads it again; without a key there is no use in starting
  localnode.ReadKey(key_file)
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
    shared = counters.Counters(generation.RowsNeeded(options.workers))
    setup = generation.Setup(localnode.ConfigFile(), key_file, sock,
                             options.workers, shared)
    keeper = pidfile.Keeper(pid_file)
    if options.foreground:
      # What is wrong before this is told without it
      log.AddTerminal()
    logging.info("%s %s listens on %s, UDP port %d", constants.CONFD,
                 _version.VERSION, *sock.getsockname()[:2])
    notifier = systemd.Notifier(os.environ)
    return (pid_file, supervisor.Supervisor(setup, keeper, notifier,
                                            log.Reopen))
  except BaseException:
    pid_file.Remove()
    raise


def Main():
  """Runs the daemon.

  @rtype: int
  @return: exit code

  """
  _TakeStandardStreams()
  options = _ParseArguments(sys.argv[1:])
  for name in ("pid_file", "log_file"):
    # The daemon changes to another directory
    if getattr(options, name):
      setattr(options, name, os.path.abspath(getattr(options, name)))
  os.umask(0o027)

  report = _ReportInForeground
  try:
    if not options.no_user_checks:
      _CheckUser()
    localnode.ConfigFile()
    if not options.foreground:
      report = _Detach()
    (pid_file, master) = _Prepare(options)
  except errors.GenericError as err:
    if logging.getLogger().hasHandlers():
      logging.error("Cannot start: %s", err)
    report(str(err))
    return constants.EXIT_FAILURE
  try:
    report(None)
    master.Run()
  except Exception: # pylint: disable=W0718
    logging.exception("Stopping because of a programming error; please report"
                      " it")
    return constants.EXIT_FAILURE
  finally:
    pid_file.Remove()
    logging.info("Stopped")
  return constants.EXIT_SUCCESS
