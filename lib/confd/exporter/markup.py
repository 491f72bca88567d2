#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""HTML in which all text is escaped.

"""

from __future__ import annotations

from typing import Iterable, Union

from ganeti.confd.views import xmltext


class Markup(str):
  """HTML that is escaped already.

  """


Content = Union[str, int, float, None, Iterable["Content"]]

#: Elements without an end tag
_EMPTY = frozenset(["input", "link", "meta"])


def _Write(content: Content) -> str:
  if content is None:
    return ""
  if isinstance(content, Markup):
    return content
  if isinstance(content, str):
    return xmltext.Escape(content)
  if isinstance(content, (int, float)):
    return str(content)
  return "".join(_Write(item) for item in content)


def E(tag: str, *content: Content, **attributes: Union[str, int, bool, None]
      ) -> Markup:
  """Makes an element.

  @param content: texts are escaped, L{Markup} is not; lists are joined
  @param attributes: attributes that are None or False are left out. In names,
    an underscore at the end is left out, and others become dashes.

  """
  head = tag
  for (name, value) in attributes.items():
    if value is None or value is False:
      continue
    name = name.rstrip("_").replace("_", "-")
    head += " " + name
    if value is not True:
      head += '="%s"' % xmltext.Escape(str(value))
  if tag in _EMPTY:
    return Markup("<%s>" % head)
  return Markup("<%s>%s</%s>" % (head, _Write(content), tag))


def Join(*content: Content) -> Markup:
  return Markup(_Write(content))
