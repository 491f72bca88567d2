#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of the arguments of calls, before anything is sent.

Each function returns the value, or raises C{errors.ProgrammerError} with the
argument's name and the type it should have. A text is never accepted as a list
of its characters, nor a boolean as a number.

"""

from __future__ import annotations

import math
import os
from collections import abc

from ganeti import errors
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Mapping, Optional


def Refuse(name: str, expected: str, value: Any) -> errors.ProgrammerError:
  """Makes the error of a wrong argument.

  """
  text = repr(value)
  if len(text) > 60:
    text = text[:60] + "..."
  return errors.ProgrammerError("%s must be %s, not %s" %
                                (name, expected, text))


def Text(name: str, value: Any) -> str:
  if not isinstance(value, str):
    raise Refuse(name, "a text", value)
  return value


def OptionalText(name: str, value: Any) -> Optional[str]:
  return None if value is None else Text(name, value)


def Texts(name: str, value: Any) -> list[str]:
  """Accepts any iterable of texts, except a text or a dictionary.

  """
  if isinstance(value, (str, bytes, bytearray, abc.Mapping)) or \
      not isinstance(value, abc.Iterable):
    raise Refuse(name, "a list of texts", value)
  items = list(value)
  for item in items:
    if not isinstance(item, str):
      raise Refuse(name, "a list of texts", value)
  return items


def OptionalTexts(name: str, value: Any) -> Optional[list[str]]:
  return None if value is None else Texts(name, value)


def Lists(name: str, value: Any) -> dict[str, list[str]]:
  """Accepts a dictionary from text to lists of texts, but not an empty one.

  """
  if not (isinstance(value, abc.Mapping) and value and
          all(isinstance(key, str) for key in value)):
    raise Refuse(name, "lists of texts by name", value)
  return {key: Texts("%s of %s" % (name, key), items)
          for (key, items) in value.items()}


def Boolean(name: str, value: Any) -> bool:
  if not isinstance(value, bool):
    raise Refuse(name, "True or False", value)
  return value


def Integer(name: str, value: Any, least: int, most: Optional[int] = None
            ) -> int:
  if not wire.IsPlainInt(value):
    raise Refuse(name, "an integer", value)
  if value < least:
    raise Refuse(name, "at least %d" % least, value)
  if most is not None and value > most:
    raise Refuse(name, "at most %d" % most, value)
  return int(value)


def Port(name: str, value: Any) -> int:
  return Integer(name, value, 1, 65535)


def Seconds(name: str, value: Any) -> float:
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    raise Refuse(name, "a number of seconds", value)
  try:
    seconds = float(value)
  except OverflowError:
    seconds = math.inf
  if not (math.isfinite(seconds) and seconds >= 0):
    raise Refuse(name, "a number of seconds from 0 on", value)
  return seconds


def Key(name: str, value: Any) -> bytes:
  if isinstance(value, str):
    try:
      return value.encode("utf-8")
    except UnicodeEncodeError:
      raise errors.ProgrammerError("%s is no Unicode text" % name)
  if isinstance(value, (bytes, bytearray)):
    return bytes(value)
  raise errors.ProgrammerError("%s must be bytes or a text" % name)


def OptionalPath(name: str, value: Any) -> Optional[str]:
  if value is None:
    return None
  if isinstance(value, os.PathLike):
    value = os.fspath(value)
  if not isinstance(value, str) or "\0" in value:
    raise Refuse(name, "a path", value)
  return value


def Function(name: str, value: Any) -> Any:
  if not callable(value):
    raise Refuse(name, "a function", value)
  return value


def OptionalFunction(name: str, value: Any) -> Any:
  return None if value is None else Function(name, value)


def Json(name: str, value: Any) -> Any:
  """Accepts any value that can be encoded as JSON.

  """
  try:
    wire.EncodeJson(value)
  except (TypeError, ValueError, RecursionError, OverflowError):
    raise Refuse(name, "a JSON value", value)
  return value
