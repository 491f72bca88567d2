#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the words of a command line mean: from words to values.

Each function takes one word, and raises C{argparse.ArgumentTypeError} for one
that is wrong.

"""

from __future__ import annotations

import argparse
import re

from typing import Callable, Dict, List, Sequence

from ganeti.confd import numerals


#: What "list" and "list-fields" know; the singular does, too
KINDS = ("instances", "nodes", "groups", "networks", "disks")

#: What there are limits of, before it is a warning or critical
LIMITS = ("silent", "behind")

#: What can be exported, and into which formats
EXPORTED = ("instances", "nodes")
FORMATS = ("ansible", "dnsmasq", "hosts", "nftables", "prometheus-sd",
           "ssh-config")

#: Units of sizes: what fits, MiB, GiB, TiB
UNITS = ("h", "m", "g", "t")


def Number(what: str, make: Callable[[str], float], least: float,
           most: float) -> Callable[[str], float]:
  """Makes a function that reads a number within limits.

  @param what: what is expected, for the message

  """
  def _Read(text: str) -> float:
    try:
      value = make(text)
    except ValueError:
      value = None
    # Nothing is within limits for what is no number
    if value is None or not least <= value <= most:
      raise argparse.ArgumentTypeError("not %s: '%s'" % (what, text))
    return value
  return _Read


def Port(text: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise argparse.ArgumentTypeError("not a port: '%s'" % text) from None


def DidYouMean(word: str, known: Sequence[str]) -> str:
  """Proposes a word that is there for one that is not.

  @return: the end of a sentence; empty where nothing is like it

  """
  # Who types well need not wait for it
  import difflib
  found = difflib.get_close_matches(word, known, 1)
  return "; did you mean '%s'?" % found[0] if found else ""


def _Singular(text: str, known: Sequence[str]) -> str:
  """Returns the singular of a plural that is known; the singular will do, too.

  """
  for kind in known:
    singular = kind[:-1]
    if text in (kind, singular):
      return singular
  raise argparse.ArgumentTypeError("not one of %s: '%s'%s" %
                                   (", ".join(known), text,
                                    DidYouMean(text, known)))


def Kind(text: str) -> str:
  """Makes a word of C{columns.KINDS} of one of L{KINDS}.

  """
  return _Singular(text, KINDS)


def Exported(text: str) -> str:
  """Makes a word of C{columns.KINDS} of one of L{EXPORTED}.

  """
  return _Singular(text, EXPORTED)


def Format(text: str) -> str:
  """Takes one of L{FORMATS}.

  """
  if text not in FORMATS:
    raise argparse.ArgumentTypeError("not a format: '%s'%s" %
                                     (text, DidYouMean(text, FORMATS)))
  return text


def ExportModule(name: str) -> str:
  """Returns the module of a format, by its name in C{ganeti.confd.export}.

  """
  return name.replace("-", "_")


def Table(text: str) -> str:
  """Takes what nftables takes for the name of a table.

  """
  if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,99}", text):
    raise argparse.ArgumentTypeError("not the name of a table: '%s'" % text)
  return text


def Separator(text: str) -> str:
  """Takes a separator that can be escaped where a value holds it.

  """
  if not text or text[0] == "\\" or (text[0].isascii() and text[0].isalnum()):
    raise argparse.ArgumentTypeError(
      "not a separator: '%s'; it has to begin with something else than a"
      " letter, a digit or a backslash" % text)
  return text


def SortField(text: str) -> str:
  """Takes a field, and nothing that other programs take for the reverse order.

  """
  if text.startswith("-"):
    raise argparse.ArgumentTypeError("not a field: '%s'; the last one first is"
                                     " --sort=%s --reverse" %
                                     (text, text.lstrip("-")))
  return text


def ClusterNames(text: str) -> List[str]:
  """Reads names such as "berlin,paris".

  """
  names = [name.strip() for name in text.split(",")]
  if not all(names):
    raise argparse.ArgumentTypeError("not names of clusters: '%s'" % text)
  return names


def Limits(text: str) -> Dict[str, int]:
  """Reads limits such as "silent=1,behind=5".

  """
  limits = {}
  for part in text.split(","):
    (what, _, number) = part.partition("=")
    try:
      if what not in LIMITS:
        raise ValueError(what)
      limits[what] = numerals.Parse(number, 0, 10 ** 9 - 1)
    except ValueError:
      raise argparse.ArgumentTypeError(
        "not %s: '%s'" % (" or ".join("%s=NUMBER" % i for i in LIMITS), part)
        ) from None
  return limits
