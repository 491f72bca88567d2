#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asking this daemon a question as any client would, for systemd's watchdog.

"""

from __future__ import annotations

from typing import Any

from ganeti import constants


#: Seconds that an answer may take
_TIMEOUT = 2

_LOOPBACK = {
  constants.IP4_ADDRESS_ANY: "127.0.0.1",
  constants.IP6_ADDRESS_ANY: "::1",
  }


def Ask(socket_address: Any, key: bytes) -> None:
  """Asks a question.

  @param socket_address: that of the daemon's socket
  @param key: the one that it serves with
  @raise errors.GenericError: it does not answer

  """
  # Here only, as the daemon itself has no use for it
  from ganeti.confd import client

  (address, port) = socket_address[:2]
  with client.Client([_LOOPBACK.get(address, address)], key=key, port=port,
                     timeout=_TIMEOUT) as asker:
    asker.Ping()
