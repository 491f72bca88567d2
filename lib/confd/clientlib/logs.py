#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Messages to the logger "ganeti.confd", for programs that use C{logging}.

Nothing is logged by default: the logger has a handler that drops messages, so
that Python does not print warnings to stderr.

Rule: this module does not import C{logging}, since the import takes longer than
a question. A program that has not imported C{logging} has no handler, so
messages are dropped.

"""

from __future__ import annotations

import sys

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  import logging
  from typing import Optional


_NAME = "ganeti.confd"

_logger: Optional[logging.Logger] = None


def _Logger() -> Optional[logging.Logger]:
  """Returns the logger, or None if the program does not use C{logging}.

  """
  global _logger # pylint: disable=W0603
  if _logger is None and "logging" in sys.modules:
    module = sys.modules["logging"]
    _logger = module.getLogger(_NAME)
    _logger.addHandler(module.NullHandler())
  return _logger


def IsDebugging() -> bool:
  """Tells whether messages of the level C{DEBUG} are wanted.

  """
  logger = _Logger()
  # 10 is logging.DEBUG. This module does not import logging, since the import
  # takes long.
  return logger is not None and logger.isEnabledFor(10)


def Debug(text: str, *args: object) -> None:
  logger = _Logger()
  if logger is not None:
    logger.debug(text, *args)


def Info(text: str, *args: object) -> None:
  logger = _Logger()
  if logger is not None:
    logger.info(text, *args)


def Warn(text: str, *args: object) -> None:
  logger = _Logger()
  if logger is not None:
    logger.warning(text, *args)
