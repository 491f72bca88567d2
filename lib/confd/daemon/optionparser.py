#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The parser of ganeti-confd's command line.

Rule: only L{options} imports this module, and only in a child, so that argparse
takes no memory in the daemon.

"""

from __future__ import annotations

import argparse
import ipaddress
import os

from ganeti import constants
from ganeti.confd import _version
from ganeti.confd import numerals
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Sequence


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


def Parse(argv: Sequence[str]) -> dict[str, Any]:
  """Parses the command line.

  @param argv: arguments without the program's name
  @return: the fields of L{options.Options}, with values for JSON
  @raise SystemExit: the command line is wrong, or asks for help or version

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
  # As in Ganeti's own daemon, "--syslog" alone means "yes", and a value has to
  # follow "=": in "--syslog only", the word "only" is not the option's value
  options = parser.parse_args(["--syslog=" + _SYSLOG_YES if arg == "--syslog"
                               else arg for arg in argv])
  for name in ("pid_file", "log_file"):
    # Make paths absolute, as the daemon changes its working directory
    if getattr(options, name):
      setattr(options, name, os.path.abspath(getattr(options, name)))
  if options.check and len(options.check) > 2:
    parser.error("--check takes a configuration and a key, not %r as well" %
                 options.check[2])
  values = vars(options)
  syslog = values.pop("syslog")
  return dict(values, to_file=syslog != _SYSLOG_ONLY,
              to_syslog=syslog != _SYSLOG_NO)
