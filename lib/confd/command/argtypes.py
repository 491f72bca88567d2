#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The types of arguments and options, which convert the typed text to a value.

Each function takes the text of one argument, and raises
C{argparse.ArgumentTypeError} if the text is wrong.

"""

from __future__ import annotations

import argparse
import re

from ganeti.confd import numerals
from ganeti.confd import protocol
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Iterable, Optional, Sequence


#: The names of tables, as arguments of "list" and "list-fields". The singular
#: forms are valid, too.
KINDS = tuple(kind + "s" for kind in protocol.KINDS)

#: The kinds of objects that "describe" takes
DESCRIBED = ("instance", "node", "group", "network")

#: The numbers that "status --nagios" compares with limits
STATUS_LIMITS = ("silent", "behind", "key")

#: The number that "evacuate --all --nagios" compares with limits
EVACUATE_LIMITS = ("nowhere", )

#: The arguments of "export": the tables that can be exported, and the formats
EXPORTED = ("instances", "nodes")
FORMATS = ("ansible", "dnsmasq", "hosts", "nftables", "prometheus-sd",
           "ssh-config")

#: The shells for which there is completion
SHELLS = ("bash", "zsh")

#: Units of sizes: "h" chooses a unit by the size; the others are MiB, GiB and
#: TiB
UNITS = ("h", "m", "g", "t")


def Number(what: str, make: Callable[[str], float], least: float,
           most: float) -> Callable[[str], float]:
  """Returns a function that parses a number within limits.

  @param what: a phrase for the error message: "not WHAT from LEAST to MOST"

  """
  def _Read(text: str) -> float:
    try:
      value = make(text)
    except ValueError:
      value = None
    # NaN fails this comparison, too
    if value is None or not least <= value <= most:
      raise argparse.ArgumentTypeError("not %s from %s to %s: '%s'" %
                                       (what, least, most, text))
    return value
  return _Read


def Port(text: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise argparse.ArgumentTypeError("not a port: '%s'" % text) from None


def Similar(word: str, known: Iterable[str]) -> Optional[str]:
  """Returns the known word that is most similar to a mistyped one, if any is.

  """
  # Import difflib here, as it is needed only after a typing mistake
  import difflib
  found = difflib.get_close_matches(word, known, 3)
  # Prefer a word that has the letters of the typed word in another order
  found.sort(key=lambda other: sorted(other) != sorted(word))
  return found[0] if found else None


def Proposal(word: Optional[str]) -> str:
  """Returns the end of a sentence that proposes a word; empty for None.

  """
  return "" if word is None else "; did you mean '%s'?" % word


def DidYouMean(word: str, known: Iterable[str]) -> str:
  """Proposes a known word that is similar to a mistyped one.

  @return: the end of a sentence; empty if no known word is similar

  """
  return Proposal(Similar(word, known))


def _Singular(text: str, known: Sequence[str]) -> str:
  """Returns the singular of a known word, given its singular or its plural.

  @param known: singulars or plurals

  """
  for kind in known:
    singular = kind[:-1] if kind.endswith("s") else kind
    if text in (singular, singular + "s"):
      return singular
  raise argparse.ArgumentTypeError("not one of %s: '%s'%s" %
                                   (", ".join(known), text,
                                    DidYouMean(text, known)))


def Kind(text: str) -> str:
  """Converts one of L{KINDS} to one of C{columns.KINDS}.

  """
  return _Singular(text, KINDS)


def Described(text: str) -> str:
  """Converts one of L{DESCRIBED}, or its plural, to one of C{columns.KINDS}.

  """
  return _Singular(text, DESCRIBED)


def Exported(text: str) -> str:
  """Converts one of L{EXPORTED} to one of C{columns.KINDS}.

  """
  return _Singular(text, EXPORTED)


def Format(text: str) -> str:
  """Accepts one of L{FORMATS}.

  """
  if text not in FORMATS:
    raise argparse.ArgumentTypeError(
      "not a format: '%s'%s" % (text, DidYouMean(text, FORMATS) or
                                "; there are %s" % ", ".join(FORMATS)))
  return text


def ExportModule(name: str) -> str:
  """Returns the name of a format's module in C{ganeti.confd.export}.

  """
  return name.replace("-", "_")


def TableName(text: str) -> str:
  """Accepts a name that nftables accepts as the name of a table.

  """
  if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,99}", text):
    raise argparse.ArgumentTypeError(
      "not the name of a table: '%s'; such a name has letters, digits and"
      " underscores" % text)
  return text


def Separator(text: str) -> str:
  """Accepts a separator that C{table} can escape in a cell.

  """
  if not text or text[0] == "\\" or (text[0].isascii() and text[0].isalnum()):
    raise argparse.ArgumentTypeError(
      "not a separator: '%s'; a separator must not begin with a letter, a digit"
      " or a backslash" % text)
  return text


def SortField(text: str) -> str:
  """Accepts a field; refuses "-FIELD", the reverse order in other programs.

  """
  if text.startswith("-"):
    raise argparse.ArgumentTypeError("not a field: '%s'; for the reverse order"
                                     " use --sort=%s --reverse" %
                                     (text, text.lstrip("-")))
  return text


def ClusterNames(text: str) -> list[str]:
  """Parses names of clusters, such as "berlin,paris".

  """
  names = [name.strip() for name in text.split(",")]
  if not all(names):
    raise argparse.ArgumentTypeError("not names of clusters: '%s'" % text)
  return names


def Limits(known: Sequence[str]) -> Callable[[str], dict[str, int]]:
  """Returns a function that parses limits, such as "silent=1,behind=5".

  @param known: the names of the numbers that have limits

  """
  def _Read(text: str) -> dict[str, int]:
    limits = {}
    for part in text.split(","):
      (what, _, number) = part.partition("=")
      try:
        if what not in known:
          raise ValueError(what)
        limits[what] = numerals.Parse(number, 0, 10 ** 9 - 1)
      except ValueError:
        raise argparse.ArgumentTypeError(
          "not %s: '%s'" % (" or ".join("%s=NUMBER" % i for i in known), part)
          ) from None
    return limits
  return _Read
