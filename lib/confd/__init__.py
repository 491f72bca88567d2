#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Confd: questions about a cluster's configuration, answered over UDP.

The package is in two halves. Pure code (C{wire}, C{parts}, C{replay},
C{snapshot}, C{querylib}, C{inventory} and C{fields} of the daemon's;
C{exchange}, C{fetch}, C{filters} and what makes tables of answers of the
client's) knows bytes and values, and no socket, clock, file or log. The rest
(C{server}, C{client}, ...) meets the world.

"""

from ganeti import constants
from ganeti import errors


def PackMagic(payload):
  """Puts confd's fourcc before a payload.

  @type payload: bytes
  @rtype: bytes

  """
  return constants.CONFD_MAGIC_FOURCC_BYTES + payload


def UnpackMagic(payload):
  """Checks and removes confd's fourcc.

  @type payload: bytes
  @rtype: bytes
  @raise errors.ConfdMagicError: the payload does not begin with the fourcc

  """
  magic = constants.CONFD_MAGIC_FOURCC_BYTES
  if not payload.startswith(magic):
    raise errors.ConfdMagicError("Datagram begins with %r, not with %r" %
                                 (payload[:len(magic)], magic))
  return payload[len(magic):]


_DRBD_ROW = (str, int, str, str, str, str)


def HTNodeDrbd(value):
  """Tells whether a value has the form of an answer to a NODE_DRBD query.

  That is a list of rows [node name, minor, instance name, disk name, role,
  peer node name].

  @rtype: bool

  """
  return (isinstance(value, list) and
          all(isinstance(row, list) and len(row) == len(_DRBD_ROW) and
              all(isinstance(item, kind) and not isinstance(item, bool)
                  for (item, kind) in zip(row, _DRBD_ROW))
              for row in value))
