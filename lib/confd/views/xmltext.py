#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Text in markup: HTML and SVG.

"""

import html

from ganeti.confd import printable


def Escape(text: str) -> str:
  """Escapes a text, also for a value in quotes.

  """
  return html.escape(printable.Printable(text))
