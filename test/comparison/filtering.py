#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compares our filters, and the objects that they select, with Ganeti's.

"""

import re

from comparison import comparer
from comparison import fields
from comparison import filtertexts
from comparison import findings

from ganeti.confd import client
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import tables

#: How many filters are made for each configuration and kind of objects
_TEXTS = 30

#: Stands for a text that is not a valid filter, or cannot be applied
ERROR = "error"


def _RegexpTree(field, regexp):
  """Writes a condition on a regular expression.

  Flags are moved out of the expression. Adjacent asterisks of a glob become
  one, as in our parser.

  """
  compiled = re.compile(regexp)
  flags = "".join(flag for (flag, value) in [("i", re.I), ("s", re.S)]
                  if compiled.flags & value)
  text = re.sub(r"^(\(\?[is]+\))+", "", regexp)
  return ["=~", field, flags, re.sub(r"(\[\^\.\]\*)+", "[^.]*", text)]


def _OurTree(node):
  """Writes a condition of ours as Ganeti writes its own.

  """
  # pylint: disable=W0212
  name = type(node).__name__
  if name == "_IsTrue":
    return ["?", node.field]
  if name == "_Compare":
    symbol = "=" if node.operator == "==" else node.operator
    return [symbol, node.field, node.other]
  if name == "_Contains":
    return ["=[]", node.field, node._item]
  if name == "_Matches":
    regexp = node._search.__self__
    flags = "".join(flag for (flag, value) in [("i", re.I), ("s", re.S)]
                    if regexp.flags & value)
    return _RegexpTree(node.field, ("(?%s)" % flags if flags else "") +
                       re.sub(r"^\(\?[is]+\)", "", regexp.pattern))
  if name == "_Not":
    return ["!", _OurTree(node._part)]
  symbol = {"_And": "&", "_Or": "|"}[name]
  return [symbol] + [_OurTree(part) for part in node.parts]


def _GanetisTree(tree):
  """Rewrites a condition of Ganeti's with fewer operators.

  """
  if tree[0] == "=~":
    return _RegexpTree(*tree[1:])
  if tree[0] == "!=":
    return ["!", ["="] + tree[1:]]
  if tree[0] == "==":
    return ["="] + tree[1:]
  if tree[0] in ("!", "&", "|"):
    return [tree[0]] + [_GanetisTree(item) for item in tree[1:]]
  return tree


def _FieldsIn(tree):
  """Yields the fields that a condition tests with the operator "in".

  """
  if tree[0] == "=[]":
    yield tree[1]
  elif tree[0] in ("!", "&", "|"):
    for item in tree[1:]:
      yield from _FieldsIn(item)


#: A regular expression before "and" or "or", which Ganeti takes for its flags
_JOINED_REGEXP = re.compile(r"([/#^|])(\s+(?:and|or)\b)")


class Comparison(comparer.QueryComparer):
  """Compares filters.

  """
  Adapt = staticmethod(findings.Tidy)

  def Compare(self, case, daemon, rng):
    """Applies filters to the tables of a configuration.

    """
    reason = fields.WhyNot(case.config)
    if reason is not None:
      self.used[reason] += 1
      return
    self._daemon.Load(case.config)
    self.counts["configurations"] += 1
    with client.Client(["%s:%d" % (daemon.address, daemon.port)],
                       key=daemon.key) as asker:
      for kind in filtertexts.KINDS:
        names = filtertexts.Texts.FieldsOf(kind)
        rows = asker.List(kind, names).answer
        values = dict(zip(names, zip(*rows)))
        texts = filtertexts.Texts(rng, kind, values)
        todo = [texts.Make() for _ in range(_TEXTS)]
        if self.counts["configurations"] == 1:
          todo.extend(filtertexts.EXAMPLES[kind])
        for text in todo:
          self._CompareOne(case, kind, text, asker, values)

  def _CompareOne(self, case, kind, text, asker, values):
    self.counts["filters"] += 1
    (tree, rows) = self._Ganetis(case, kind, text)
    (our_tree, our_rows) = self._Ours(kind, text, asker)
    if tree == ERROR != our_tree and _JOINED_REGEXP.search(text):
      # Add a flag, with which both sides parse the text as meant
      text = _JOINED_REGEXP.sub(r"\1s\2", text)
      (tree, rows) = self._Ganetis(case, kind, text)
      (our_tree, our_rows) = self._Ours(kind, text, asker)
      self.used["a regular expression before \"and\" or \"or\""] += 1
    if tree == ERROR:
      self.counts["no filters"] += 1
    if tree != our_tree:
      self.failures.append("%s: %s: is to Ganeti %s, to ours %s" %
                           (case.name, text, tree, our_tree))
    elif rows == ERROR != our_rows and any(
        item is None for field in _FieldsIn(tree)
        for value in values.get(field, []) for item in value or []):
      self.used["\"in\" a list with something missing"] += 1
    elif rows != our_rows:
      self.failures.append("%s: %s: selects %s, ours %s" %
                           (case.name, text, rows, our_rows))

  def _Ganetis(self, case, kind, text):
    """Returns Ganeti's tree of a filter, and the names that Ganeti selects.

    """
    parsed = self._ganeti.ParseFilter(text)
    if not parsed:
      return (ERROR, None)
    tree = _GanetisTree(parsed[0])
    rows = self._ganeti.Query(kind, ["name", "uuid"], parsed[0])
    if isinstance(rows, str):
      return (tree, ERROR)
    return (tree, [name for ((_, name), (_, uuid)) in rows
                   if not fields.IsLeftOut(case.config, kind, uuid)])

  @staticmethod
  def _Ours(kind, text, asker):
    """Returns our tree of a filter, and the names that our filter selects.

    """
    try:
      parsed = tables.ParsedFilter(kind, text)
    except filters.FilterError:
      return (ERROR, None)
    tree = _OurTree(parsed._condition) # pylint: disable=W0212
    try:
      return (tree, [name for (name, ) in asker.List(kind, ["name"],
                                                     filter=text).answer])
    except (filters.FilterError, client.ErrorAnswer):
      return (tree, ERROR)
