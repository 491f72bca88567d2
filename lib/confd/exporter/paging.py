#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Divides long tables into pages.

"""

from __future__ import annotations

from typing import Callable, NamedTuple

from ganeti.confd import numerals
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import rowfilter


E = markup.E

#: Maximum number of rows of a table on a page. With usual lengths of names and
#: tags, a page with this many rows takes less than 200 kB.
MAX_ROWS = 200


class Part(NamedTuple):
  """A page of a table.

  """
  #: The number of the page, from 1
  number: int
  #: The number of pages, at least 1
  pages: int

  @property
  def rows(self) -> slice:
    """The rows on the page.

    """
    return slice((self.number - 1) * MAX_ROWS, self.number * MAX_ROWS)


def Find(count: int, number: str) -> Part:
  """Returns the page of a table that a client asks for.

  @param count: the number of rows of the whole table
  @param number: the number of the page; empty for the first
  @raise rowfilter.BadRequest: there is no such page

  """
  pages = max(1, -(-count // MAX_ROWS))
  if not number:
    return Part(1, pages)
  try:
    return Part(numerals.Parse(number, 1, pages), pages)
  except ValueError:
    raise rowfilter.BadRequest("There is no page %s; the pages are 1 to %d" % (
      sanitize.Show(number), pages)) from None


def Turn(part: Part, find_path: Callable[[str], str]) -> markup.Content:
  """Makes links from a page of a table to its other pages, if there are any.

  @param find_path: returns the path of the page with a number

  """
  if part.pages == 1:
    return None
  others = [("First", 1), ("Previous", part.number - 1),
            ("Next", part.number + 1), ("Last", part.pages)]
  return E("p", "Page %d of %d. " % part, [
    [E("a", text, href=find_path(str(other))), " "] for (text, other) in others
    if 1 <= other <= part.pages and other != part.number], class_="turn")
