#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Formats log messages: each is one line, whatever values are in it.

"""

import logging

from ganeti.confd import printable


class Formatter(logging.Formatter):
  """Formats a message as one line, and escapes the values in it.

  The lines of an exception's traceback follow, escaped one by one.

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
  """Logs the traceback of a programming error that another process has met.

  @param text: the traceback's lines

  """
  logging.getLogger().handle(logging.makeLogRecord({
    "name": "root", "levelno": logging.ERROR, "levelname": "ERROR",
    "msg": "Programming error", "exc_text": text.rstrip("\n"),
    }))
