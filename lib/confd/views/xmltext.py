#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Escapes text for HTML and SVG.

"""

import html

from ganeti.confd import printable


def Escape(text: str) -> str:
  """Escapes a text, for content and for attribute values in quotes.

  """
  return html.escape(printable.Printable(text))
