#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What systemd is told: that the daemon is ready, and that it is alive.

Facts: systemd names a socket in C{NOTIFY_SOCKET}, to which lines of the form
C{READY=1} are sent as one datagram (sd_notify(3)), and in C{WATCHDOG_USEC} the
microseconds within which C{WATCHDOG=1} has to come again and again, or it
restarts the service (sd_watchdog_enabled(3)). Without them, nothing is told.

"""

import logging
import os
import socket

from ganeti import constants


#: How many times per watchdog period the daemon is tried: one trial may fail
_TRIALS = 3

#: Seconds that a trial may take
_TRIAL_TIMEOUT = 2

_LOOPBACK = {
  constants.IP4_ADDRESS_ANY: "127.0.0.1",
  constants.IP6_ADDRESS_ANY: "::1",
  }


class Notifier:
  """Speaks to systemd, where that started the daemon.

  @ivar interval: seconds between two trials that feed the watchdog, None
    where there is no watchdog

  """
  def __init__(self, environ):
    """@param environ: environment variables

    """
    self._socket = environ.get("NOTIFY_SOCKET", "")
    self.interval = None
    usec = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    if self._socket and usec.isdigit() and pid == str(os.getpid()):
      self.interval = int(usec) / 1000000 / _TRIALS

  def Ready(self):
    self._Send("READY=1")

  def Stopping(self):
    self._Send("STOPPING=1")

  def Alive(self):
    self._Send("WATCHDOG=1")

  def _Send(self, text):
    if not self._socket:
      return
    # A name that begins with @ is one of the abstract namespace
    address = self._socket
    if address.startswith("@"):
      address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
      try:
        sock.sendto(text.encode("ascii"), socket.MSG_DONTWAIT, address)
      except OSError as err:
        logging.error("Cannot tell systemd %s over %s: %s", text,
                      self._socket, err.strerror)


def Try(socket_address, key_file):
  """Asks this daemon a question as any client would.

  @param socket_address: that of the daemon's socket
  @type key_file: string
  @raise errors.GenericError: it does not answer

  """
  # Here only, as the daemon itself has no use for it
  from ganeti.confd import client

  (address, port) = socket_address[:2]
  with client.Client([_LOOPBACK.get(address, address)], port=port,
                     key_file=key_file, timeout=_TRIAL_TIMEOUT) as asker:
    asker.Ping()
