#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Confd: questions about a cluster's configuration, answered over UDP.

The map of the house. In this room is what daemon and clients share beside the
protocol: what a node has in files (C{localnode}, C{filestate}), and text for
people. Here are, too, the three modules that the package promises: C{client},
and C{server} and C{querylib} with C{responder} and C{answers} between them. The
other rooms:

  - C{protocol}: what goes over the wire. Numbers and names, datagrams, answers
    in parts, keys.
  - C{schema}: the fields of tables, and the order of names. The daemon and its
    clients both know them.
  - C{config}: the configuration, read and indexed, and the tables that are made
    of it.
  - C{daemon}: the processes of ganeti-confd, and what they share with the
    system.
  - C{clientlib}: what asking takes. C{client} is its door.
  - C{views}: what can be made of tables: findings, plans, drawings.
  - C{export}: what other programs read, made of tables.
  - C{command}: the command confd-client, and the hook of "gnt-cluster verify".
  - C{exporter}: the web server confd-exporter.

Pure code (C{protocol}, C{schema}, C{config}, C{querylib}, C{answers}, C{daemon.policy},
the operations of C{clientlib}, C{clientlib.filters}, C{views} and C{export}) knows bytes and values, and no socket, clock, file or log. The rest
meets the world. What may import what is in test/unit/test_rooms.py.

"""

from __future__ import annotations

from ganeti import constants
from ganeti import errors


#: Where to report faults of our own, in words for the log
PLEASE_REPORT = "please report it, as ganeti-confd(8) says"


def PackMagic(payload: bytes) -> bytes:
  """Puts confd's fourcc before a payload.

  """
  return constants.CONFD_MAGIC_FOURCC_BYTES + payload


def UnpackMagic(payload: bytes) -> bytes:
  """Checks and removes confd's fourcc.

  @raise errors.ConfdMagicError: the payload does not begin with the fourcc

  """
  magic = constants.CONFD_MAGIC_FOURCC_BYTES
  if not payload.startswith(magic):
    raise errors.ConfdMagicError("Datagram begins with %r, not with %r" %
                                 (payload[:len(magic)], magic))
  return payload[len(magic):]


_DRBD_ROW = (str, int, str, str, str, str)


def HTNodeDrbd(value: object) -> bool:
  """Tells whether a value has the form of an answer to a NODE_DRBD query.

  That is a list of rows [node name, minor, instance name, disk name, role,
  peer node name].

  """
  return (isinstance(value, list) and
          all(isinstance(row, list) and len(row) == len(_DRBD_ROW) and
              all(isinstance(item, kind) and not isinstance(item, bool)
                  for (item, kind) in zip(row, _DRBD_ROW))
              for row in value))
