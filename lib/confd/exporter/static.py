#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The style sheet, the script and the icon of all pages.

The files lie beside this module, and are read once, at the start.

"""

from __future__ import annotations

import pkgutil

from typing import NamedTuple


#: The paths at which the server has the style sheet and the script
STYLE = "/style.css"
SCRIPT = "/update.js"
ICON = "/icon.svg"


class File(NamedTuple):
  """A file as it is sent.

  """
  content_type: str
  data: bytes


def _Read(path: str) -> bytes:
  """Reads a file of this package.

  @raise OSError: the installation lacks the file

  """
  data = pkgutil.get_data(__package__, path[1:])
  # pkgutil returns None if the import system cannot read files
  assert data is not None
  return data


def Files() -> dict[str, File]:
  """Reads all files.

  @return: the files, by path
  @raise OSError: the installation lacks a file

  """
  return {
    STYLE: File("text/css; charset=utf-8", _Read(STYLE)),
    SCRIPT: File("text/javascript; charset=utf-8", _Read(SCRIPT)),
    ICON: File("image/svg+xml; charset=utf-8", _Read(ICON)),
    }
