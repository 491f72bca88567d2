#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asking this daemon a question as any client would, for systemd's watchdog.

"""

from __future__ import annotations

from typing import Any


#: Seconds that an answer may take
_TIMEOUT = 2


def Ask(socket_address: Any, key: bytes) -> None:
  """Asks a question.

  @param socket_address: that of the daemon's socket
  @param key: the one that it serves with
  @raise errors.GenericError: it does not answer

  """
  # Here only, as the daemon itself has no use for it
  from ganeti.confd import client

  (address, port) = socket_address[:2]
  with client.Client([address], key=key, port=port, timeout=_TIMEOUT) as asker:
    asker.Ping()
