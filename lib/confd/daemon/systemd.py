#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Notifies systemd that the daemon is ready, and that it is alive.

Facts: systemd passes the address of a socket in C{NOTIFY_SOCKET}. A datagram to
that socket has lines such as C{READY=1}, see sd_notify(3). C{WATCHDOG_USEC}
has the interval in microseconds within which C{WATCHDOG=1} has to arrive again
and again; otherwise systemd restarts the service, see sd_watchdog_enabled(3).
Without these variables nothing is sent.

"""

from __future__ import annotations

import logging
import os
import socket

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Mapping, Optional


#: Number of test requests in each interval of the watchdog, so that one lost
#: reply does not make systemd restart the daemon
_TRIALS = 3


class Notifier:
  """Sends notifications to systemd, if systemd started the daemon.

  @ivar interval: seconds between two test requests, each of which feeds the
    watchdog if the daemon answers; None without a watchdog

  """
  def __init__(self, environ: Mapping[str, str]) -> None:
    """@param environ: the environment variables

    """
    self._address = environ.get("NOTIFY_SOCKET", "")
    # systemd writes "@" for the null byte at the start of an abstract address,
    # see unix(7)
    if self._address.startswith("@"):
      self._address = "\0" + self._address[1:]
    # Open the socket at the start: later there may be no free descriptor
    self._socket: Optional[socket.socket] = None
    if self._address:
      self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.interval: Optional[float] = None
    usec = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    if self._address and usec.isdigit() and pid == str(os.getpid()):
      self.interval = int(usec) / 1000000 / _TRIALS

  def Ready(self) -> None:
    self._Send("READY=1")

  def Stopping(self) -> None:
    self._Send("STOPPING=1")

  def Alive(self) -> None:
    self._Send("WATCHDOG=1")

  def _Send(self, text: str) -> None:
    if self._socket is None:
      return
    try:
      self._socket.sendto(text.encode("ascii"), socket.MSG_DONTWAIT,
                          self._address)
    except OSError as err:
      logging.error("Cannot tell systemd %s over %s: %s", text,
                    self._address.replace("\0", "@"), err.strerror)
