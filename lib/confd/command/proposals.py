#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Proposes a name in place of a name that no object has.

"""

from __future__ import annotations

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import tables
from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Optional


def Name(word: str, names: Iterable[str]) -> Optional[str]:
  """Returns the name that is most similar to a word, if any is.

  @param word: a full name, or the first label of a host name

  """
  known: dict[str, str] = {}
  for name in names:
    for text in (name, name.partition(".")[0]):
      known.setdefault(text.lower(), name)
  found = argtypes.Similar(word.lower(), known)
  return None if found is None else known[found]


def ForName(client: clientlib.Client, kind: clientlib.TableName,
            err: clientlib.ErrorAnswer) -> clientlib.ErrorAnswer:
  """Adds a proposal to the error that no object has a name.

  @param kind: the kind of the objects
  @return: the same error if it is another error, or if the names are not known

  """
  word: Any = err.value
  if err.unknown != "name" or not isinstance(word, str):
    return err
  try:
    rows = client.List(kind, [tables.KeyField(kind)]).answer
  except errors.ConfdClientError:
    return err
  found = Name(word, (row[0] for row in rows if isinstance(row[0], str)))
  return clientlib.ErrorAnswer(
    "no %s has the name or UUID '%s'%s" %
    (kind, word, argtypes.Proposal(found) or "; \"%s list %ss\" lists them" %
     (commandline.PROGRAM, kind)), err.reply, unknown=err.unknown, value=word)
