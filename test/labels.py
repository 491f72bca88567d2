#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Labels of readers' keys, implemented independently from doc/protocol.rst.

The implementation uses nothing of the package but the list of request types, so
that a mistake in the package is not hidden by the same mistake here.

"""

import datetime
import re

from ganeti.confd import protocol


_TYPES = {"list" if name == "query" else name: number
          for (name, number) in protocol.REQUEST_TYPES.items()}
_KINDS = ["instance", "node", "group", "network", "disk"]

_LABEL_RE = re.compile("[a-z0-9][-a-z0-9._]{0,62}:([a-z/,-]+):"
                       "([0-9]{8}|never)")


def IsLabel(text):
  """Tells whether a JSON value is a valid label.

  """
  if not isinstance(text, str) or len(text) > 255:
    return False
  match = _LABEL_RE.fullmatch(text)
  if match is None:
    return False
  (what, until) = match.groups()
  if until != "never":
    try:
      datetime.datetime.strptime(until, "%Y%m%d")
    except ValueError:
      return False
  if what == "all":
    return True
  names = what.split(",")
  kinds = ["list/%ss" % kind for kind in _KINDS]
  return (all(name in kinds or name in _TYPES for name in names) and
          all(one < two for (one, two) in zip(names, names[1:])) and
          not ("list" in names and set(names) & set(kinds)))


def IsPermitted(label, rtype, query, now):
  """Tells whether a question may be asked with the key of a label.

  @param label: a valid label
  @param rtype: the type in the request, a number

  """
  (_, what, until) = label.split(":")
  if until != "never":
    end = (datetime.datetime.strptime(until, "%Y%m%d").replace(
      tzinfo=datetime.timezone.utc) - datetime.datetime(
        1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds() + 86400
    if now >= end:
      return False
  if what == "all":
    return True
  for name in what.split(","):
    (name, _, kind) = name.partition("/")
    if _TYPES[name] == rtype and type(rtype) is int:
      if not kind or (isinstance(query, dict) and
                      query.get("what") == kind[:-1]):
        return True
  return False


#: Labels for tests that work with any valid label
SOME = ["a:all:never", "grafana:list,ping,stats:20991231", "a:ping:20991231",
        "a:list/instances,list/nodes:never", "a:all:20000101",
        "a:config,node-role:never", "x" * 63 + ":stats:never"]

#: Pieces that are joined to texts that are nearly labels
PIECES = sorted(_TYPES) + ["list/%ss" % kind for kind in _KINDS] + [
  "all", "query", "list/", ":", ":", ":", ",", ",", ",", "never", "20991231",
  "20000229", "20010229", "00000000", "a", "A", "-", ".", "_", "0", " ", "\n",
  "\0", "\xe4", "\ud800", "\uff10"]
