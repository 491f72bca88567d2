#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Sends this daemon a request as any client would, for systemd's watchdog.

"""

from __future__ import annotations

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any



#: Time limit for the daemon's reply (seconds)
_TIMEOUT = 2


def Ask(socket_address: Any, key: bytes) -> None:
  """Pings the daemon.

  @param socket_address: the address of the daemon's socket
  @param key: the HMAC key that the daemon serves with
  @raise errors.GenericError: the daemon does not answer

  """
  # Imported here: no other process of the daemon needs the client library
  from ganeti.confd import client

  (address, port) = socket_address[:2]
  with client.Client([address], key=key, port=port, timeout=_TIMEOUT) as asker:
    asker.Ping()
