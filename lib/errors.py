#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The exceptions of Ganeti that confd raises, for machines without Ganeti.

Where Ganeti is installed, its own C{ganeti.errors} serves instead, so that
scripts catch the classes they know.

"""


class GenericError(Exception):
  """Base of all errors of Ganeti.

  """


class ProgrammerError(GenericError):
  """A function was called in a way that it does not allow.

  """


class ConfigurationError(GenericError):
  """The configuration cannot be used.

  """


class SignatureError(GenericError):
  """A signed message is malformed or not authentic.

  """


class UdpDataSizeError(GenericError):
  """A payload is too large for a datagram.

  """


class ConfdMagicError(GenericError):
  """A datagram does not begin with confd's fourcc.

  """


class ConfdClientError(GenericError):
  """The confd client was misused, or got no usable answer.

  """
