#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What systemd is told: that the daemon is ready, and that it is alive.

Facts: systemd names a socket in C{NOTIFY_SOCKET}, to which lines of the form
C{READY=1} are sent as one datagram (sd_notify(3)), and in C{WATCHDOG_USEC} the
microseconds within which C{WATCHDOG=1} has to come again and again, or it
restarts the service (sd_watchdog_enabled(3)). Without them, nothing is told.

"""

from __future__ import annotations

import logging
import os
import socket
from typing import Mapping, Optional


#: How many times per watchdog period the daemon is tried: one trial may fail
_TRIALS = 3


class Notifier:
  """Speaks to systemd, where that started the daemon.

  @ivar interval: seconds between two trials that feed the watchdog, None
    where there is no watchdog

  """
  def __init__(self, environ: Mapping[str, str]) -> None:
    """@param environ: environment variables

    """
    self._address = environ.get("NOTIFY_SOCKET", "")
    # A name that begins with @ is one of the abstract namespace
    if self._address.startswith("@"):
      self._address = "\0" + self._address[1:]
    # Opened now: later there may be no descriptor left
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
