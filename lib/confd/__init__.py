#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Confd: questions about a cluster's configuration, answered over UDP.

This package has the modules that programs may import, C{client}, C{server} and
C{querylib}, and the small modules that daemon and clients share: a node's own
files (C{localnode}, C{filestate}), and text for people. The rest is in
subpackages:

  - C{protocol}: numbers and names, datagrams, answers in parts, keys.
  - C{schema}: the fields of tables, and the order of names, which the daemon
    and its clients both know.
  - C{config}: the configuration: parsed, indexed, and as tables.
  - C{serving}: from a datagram to the reply, for C{server} and C{querylib}.
  - C{daemon}: the processes of ganeti-confd, and their dealings with the
    system.
  - C{clientlib}: the implementation of C{client}.
  - C{findings}: the checks of a configuration.
  - C{views}: plans and drawings, made from tables.
  - C{export}: files for other programs, made from tables.
  - C{command}: the command confd-client, and the hook of "gnt-cluster verify".
  - C{exporter}: the web server confd-exporter.

Pure code computes with bytes and values, and touches no socket, clock, file or
log: C{protocol}, C{schema}, C{config}, C{querylib}, C{serving},
C{daemon.policy}, the operations and the filters of C{clientlib}, C{findings},
C{views} and C{export}. test/unit/test_subpackages.py checks the imports of all
modules against the order of the subpackages.

"""

from __future__ import annotations

from ganeti import constants
from ganeti import errors


#: Request to users, for messages about programming errors
PLEASE_REPORT = "please report it, as ganeti-confd(8) says"


def PackMagic(payload: bytes) -> bytes:
  """Prepends confd's fourcc to a payload.

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

  The form is a list of rows [node name, minor, instance name, disk name, role,
  peer node name].

  """
  return (isinstance(value, list) and
          all(isinstance(row, list) and len(row) == len(_DRBD_ROW) and
              all(isinstance(item, kind) and not isinstance(item, bool)
                  for (item, kind) in zip(row, _DRBD_ROW))
              for row in value))
