#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Lines of a log.

"""

import logging

from ganeti.confd import printable


class Formatter(logging.Formatter):
  """Makes one line of a message, whatever values are in it.

  An exception's traceback follows in lines of its own, in which values are made
  printable as well.

  """
  def formatMessage(self, record: logging.LogRecord) -> str:
    record.message = printable.Printable(record.message)
    return super().formatMessage(record)

  def format(self, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
      record.exc_text = self.formatException(record.exc_info)
    if record.exc_text:
      record.exc_text = "\n".join(map(printable.Printable,
                                      record.exc_text.split("\n")))
    return super().format(record)


def LogTraceback(text: str) -> None:
  """Logs the traceback of a programming error in another process.

  """
  logging.getLogger().handle(logging.makeLogRecord({
    "name": "root", "levelno": logging.ERROR, "levelname": "ERROR",
    "msg": "Programming error", "exc_text": text.rstrip("\n"),
    }))
