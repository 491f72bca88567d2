#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "list-fields": lists the fields of a table.

"""

from __future__ import annotations

import argparse


from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import filters
from ganeti.confd.command import argtypes
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.schema import columns


#: Maps the types of fields to the names that Ganeti's commands print for the
#: types
_TYPE_NAMES = {
  columns.TEXT: "Text",
  columns.NUMBER: "Number",
  columns.FLOAT: "Floating-point number",
  columns.UNIT: "Storage size",
  columns.BOOL: "Boolean",
  columns.TIMESTAMP: "Timestamp",
  columns.OTHER: "Custom",
  }


def _Expand(words: list[str], known: list[str]) -> list[str]:
  """Replaces each pattern by the fields that match it.

  @return: fields without duplicates, and patterns that match no field

  """
  result: list[str] = []
  for word in words:
    found = []
    if filters.IsGlob(word):
      # Import fnmatch here, as it is needed only for patterns
      import fnmatch # pylint: disable=C0415
      found = fnmatch.filter(known, word)
    result.extend(found or [word])
  return list(dict.fromkeys(result))


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Lists the fields.

  """
  reply = client.Fields(opts.kind)
  known = {row[0]: row for row in reply.answer}
  names = _Expand(opts.fields, list(known)) if opts.fields else list(known)
  shown = [known[name] for name in names if name in known]
  answer = [{"name": name, "title": title, "type": kind, "text": text}
            for (name, title, kind, text) in shown]
  if opts.json:
    output.PrintReply(reply._replace(answer=answer))
  elif opts.json_lines:
    output.PrintLines(answer)
  else:
    output.Printer(opts).Print(
      ["Name", "Type", "Title", "Description"],
      [[name, _TYPE_NAMES.get(kind, kind), title, text]
       for (name, title, kind, text) in shown])
  unknown = [name for name in names if name not in known]
  for name in unknown:
    output.Say("no such field: '%s'%s" %
               (name, argtypes.DidYouMean(name, list(known))))
  return exitcodes.FAILURE if unknown else exitcodes.SUCCESS
