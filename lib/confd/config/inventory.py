#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables of instances, nodes, groups, networks and disks: request QUERY.

A query is C{{"what": W, "fields": [NAME, ...], "names": [NAME, ...]}}, W one
of L{columns.KINDS}. The answer is C{{"fields": [NAME, ...], "rows": [[VALUE,
...], ...]}}: one row per name, in the order asked, or without C{names} one for
each object there is, by name. A value that an object does not have is null.

Without C{fields} the answer is C{{"fields": [[NAME, TITLE, TYPE, TEXT],
...]}}, the fields there are.

An error that is about one word of the query names it: status 1, answer
C{{"error": E, "unknown": "what", "field" or "name", "value": WORD}}, where E
is C{constants.CONFD_ERROR_UNKNOWN_ENTRY} for a name and
C{constants.CONFD_ERROR_ARGUMENT} else. Any other malformed query is answered
with that last number alone, as all malformed queries are.

"""

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.config import columns
from ganeti.confd.config import fields as fieldslib
from ganeti.confd.config import lenient


#: A query for more cells than this takes long
_MANY_CELLS = 1000


def _Ok(answer):
  return (constants.CONFD_REPL_STATUS_OK, answer)


def _Unknown(code, what, value):
  return (constants.CONFD_REPL_STATUS_ERROR,
          {"error": code, "unknown": what, "value": value})


def _IsTexts(value):
  return isinstance(value, list) and all(isinstance(i, str) for i in value)


def TakesLong(query):
  """Tells whether a query asks for so much that it takes long.

  @param query: any JSON value
  @rtype: bool

  """
  query = lenient.Dict(query)
  if query.get("fields") is None:
    return False
  names = query.get("names")
  return names is None or \
    len(lenient.List(names)) * len(lenient.List(query["fields"])) > _MANY_CELLS


def Answer(snapshot, query):
  """Answers a query.

  @type snapshot: L{snapshot.Snapshot}
  @param query: any JSON value
  @rtype: tuple of (int, any JSON value)
  @return: status and answer, see the head of this module

  """
  if not isinstance(query, dict):
    return protocol.BAD_ARGUMENT
  (what, names, fields) = (query.get("what"), query.get("names"),
                           query.get("fields"))
  if not (isinstance(what, str) and (names is None or _IsTexts(names)) and
          (fields is None or _IsTexts(fields))):
    return protocol.BAD_ARGUMENT
  if what not in columns.KINDS:
    return _Unknown(constants.CONFD_ERROR_ARGUMENT, "what", what)
  if fields is None:
    return _Ok({"fields": fieldslib.All(snapshot, what)})

  functions = []
  for name in fields:
    getter = fieldslib.Find(snapshot, what, name)
    if getter is None:
      return _Unknown(constants.CONFD_ERROR_ARGUMENT, "field", name)
    functions.append(getter.get)

  directory = fieldslib.Objects(snapshot, what)
  if names is None:
    items = directory.items
  else:
    items = []
    for name in names:
      item = directory.Find(name)
      if item is None:
        return _Unknown(constants.CONFD_ERROR_UNKNOWN_ENTRY, "name", name)
      items.append(item)
  return _Ok({"fields": fields,
              "rows": [[get(snapshot, item) for get in functions]
                       for item in items]})
