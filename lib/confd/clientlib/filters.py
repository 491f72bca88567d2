#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's filter language: text to conditions, and which rows meet them.

The grammar (ganeti(7), "Query filters"), loosest first::

  filter     alternative { "or" alternative }
  ...        term { "and" term }
  term       "not" term | "(" filter ")" | condition
  condition  FIELD [ { "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" } VALUE
                   | { "=~" | "!~" } [m]/REGEXP/[is]
                   | { "=*" | "!*" } TEXT ]
           | VALUE [ "not" ] "in" FIELD
  VALUE      TEXT in single or double quotes, or an integer

Facts, as Ganeti's commands behave:
  - A condition on a value that an object does not have holds. Those with "!",
    and "not in", are negations: they do not.
  - A value of another type than the condition is about is an error, once it
    is come to: C{a and b} does not look at b where a does not hold.
  - A host name is equal to its beginning up to a dot.
  - A regular expression is delimited by one of / # ^ |. A backslash makes the
    next character an ordinary one of it: m/a\\/b/ is a/b, m/\\\\d/ is \\d.
  - In a glob neither * nor ? stands for a dot, and it may end before one.
  - If names are all that a filter compares, it finds them as arguments do:
    short names too, and one that is not there is an error.

No I/O; L{FilterError} is all that is raised, whatever the text.

"""

from __future__ import annotations

import abc
import json
import functools
import operator
import re
import threading
import warnings
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, NoReturn, \
  Optional, Sequence

from ganeti import errors
from ganeti.confd import printable


#: The field that holds an object's name
NAME = "name"

_DELIMITERS = "/#^|"
_FLAGS = {
  "i": re.IGNORECASE,
  "s": re.DOTALL,
  }

#: What a backslash makes of a letter, which stays itself else
_ESCAPES = {
  "t": "\t",
  "n": "\n",
  "f": "\f",
  "r": "\r",
  }

#: Returns the value of the field whose name it gets
_Get = Callable[[str], Any]

#: What shows that an argument is a filter, or a pattern, and no name
_FILTER_CHARS = frozenset("()\"'<>=!~/\\ \t\n\r\f\v")
_GLOB_CHARS = frozenset("*?")

# Several asterisks are one: each of them would try all that the others could be
_GLOB_RE = re.compile(r"\*+|\?|[^*?]+")
_GLOB = {
  "*": "[^.]*",
  "?": "[^.]",
  }


class FilterError(errors.GenericError):
  """A filter that cannot be parsed, or not be applied.

  """


def _PointAt(text: str, position: int, why: str) -> FilterError:
  """Makes the error of a place in a filter.

  @param position: index of a character

  """
  start = text.rfind("\n", 0, position) + 1
  (line, _, _) = text[start:].partition("\n")
  before = printable.Printable(text[start:position])
  return FilterError("The filter cannot be understood: %s, at column %d\n%s\n"
                     "%s^" % (why, position - start + 1,
                              printable.Printable(line), " " * len(before)))


def _Describe(value: Any) -> str:
  """Names a value in an error.

  """
  text = repr(value)
  return text if len(text) < 60 else text[:60] + "..."


# None is the value that an object does not have

class _Node(abc.ABC):
  """A condition, or several that are joined.

  """
  @abc.abstractmethod
  def Fields(self) -> List[str]:
    """Returns the names of the fields that are needed.

    """

  @abc.abstractmethod
  def Holds(self, get: _Get) -> bool:
    """Tells whether the condition holds for an object.

    @raise FilterError: a value has another type than is needed

    """


class _Condition(_Node):
  """A condition on one field.

  """
  def __init__(self, field: str) -> None:
    self.field = field

  def Fields(self) -> List[str]:
    return [self.field]

  def Holds(self, get: _Get) -> bool:
    value = get(self.field)
    return value is None or self._Test(value)

  @abc.abstractmethod
  def _Test(self, value: Any) -> bool:
    """Tells whether the condition holds for a value that is there.

    """

  def _Refuse(self, value: Any, what: Optional[str]) -> NoReturn:
    raise FilterError("The filter cannot be applied: %s is %s, not %s" %
                      (self.field, _Describe(value), what))


class _IsTrue(_Condition):
  """A field alone.

  """
  def _Test(self, value: Any) -> bool:
    if not isinstance(value, bool):
      self._Refuse(value, "true or false")
    return value


def _TypeName(value: Any) -> Optional[str]:
  """Returns what two values must have in common to be compared.

  """
  if isinstance(value, str):
    return "a text"
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    return "a number"
  return None


#: What an operator makes of a value and the one it is compared with
_COMPARISONS: Dict[str, Callable[[Any, Any], Any]] = {
  "==": operator.eq,
  "=": operator.eq,
  "<": operator.lt,
  "<=": operator.le,
  ">": operator.gt,
  ">=": operator.ge,
  }

#: A parser of pyparsing serves one thread at a time: it finds out how many
#: arguments its actions take by calling them
_PARSING = threading.Lock()

_EQUALITY = frozenset(["==", "="])

_NEGATED = {
  "!=": "==",
  "!~": "=~",
  "!*": "=*",
  }


class _Compare(_Condition):
  """A field compared with a value.

  """
  def __init__(self, field: str, symbol: str, other: Any, is_hostname: bool
               ) -> None:
    _Condition.__init__(self, field)
    self._is_hostname = is_hostname
    self.operator = symbol
    self.other = other

  def _Test(self, value: Any) -> bool:
    kind = _TypeName(self.other)
    if _TypeName(value) != kind:
      if isinstance(value, list) and self.operator in _EQUALITY:
        kind = "%s; whether it has an item is asked with '%s in %s'" % (
          kind, json.dumps(self.other), self.field)
      self._Refuse(value, kind)
    if self._is_hostname and self.operator in _EQUALITY and kind == "a text":
      return bool((value + ".").startswith(self.other + "."))
    return bool(_COMPARISONS[self.operator](value, self.other))


class _Contains(_Condition):
  """A list has an item.

  """
  def __init__(self, field: str, item: Any) -> None:
    _Condition.__init__(self, field)
    self._item = item

  def _Test(self, value: Any) -> bool:
    if not isinstance(value, list):
      self._Refuse(value, "a list")
    kind = _TypeName(self._item)
    for item in value:
      if item is not None and _TypeName(item) != kind:
        self._Refuse(value, "a list of items each of which is %s" % kind)
    return self._item in value


class _Matches(_Condition):
  """A text matches a regular expression.

  """
  def __init__(self, field: str, regexp: re.Pattern[str]) -> None:
    _Condition.__init__(self, field)
    self._search = regexp.search

  def _Test(self, value: Any) -> bool:
    if not isinstance(value, str):
      self._Refuse(value, "a text")
    return self._search(value) is not None


class _Not(_Node):
  """A condition does not hold.

  """
  def __init__(self, part: _Node) -> None:
    self._part = part

  def Fields(self) -> List[str]:
    return self._part.Fields()

  def Holds(self, get: _Get) -> bool:
    return not self._part.Holds(get)


class _Several(_Node):
  """Conditions joined.

  @ivar parts: list of conditions

  """
  def __init__(self, parts: List[_Node]) -> None:
    self.parts = parts

  def Fields(self) -> List[str]:
    return [field for part in self.parts for field in part.Fields()]


class _All(_Several):
  """All of several conditions hold.

  """
  def Holds(self, get: _Get) -> bool:
    return all(part.Holds(get) for part in self.parts)


class _Any(_Several):
  """One of several conditions holds, or more.

  """
  def Holds(self, get: _Get) -> bool:
    return any(part.Holds(get) for part in self.parts)


# The parser

def _UnescapeRegexp(text: str) -> str:
  return re.sub(r"\\(.)",
                lambda match: _ESCAPES.get(match.group(1), match.group(1)),
                text, flags=re.DOTALL)


def _CompileRegexp(text: str, flags: str) -> re.Pattern[str]:
  """Compiles a regular expression.

  @raise ValueError: it is none; the message says why

  """
  value = 0
  for flag in flags:
    if flag not in _FLAGS:
      raise ValueError("unknown modifier '%s' of the regular expression" % flag)
    value |= _FLAGS[flag]
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")
      return re.compile(text, value)
  except (re.error, OverflowError, RecursionError) as err:
    raise ValueError("not a regular expression (%s)" % err)


def GlobRegexp(pattern: str) -> re.Pattern[str]:
  """Makes a regular expression of a pattern for host names.

  """
  parts = [_GLOB.get(part[0]) or re.escape(part)
           for part in _GLOB_RE.findall(pattern)]
  return re.compile(r"^%s(\..*)?$" % "".join(parts))


# Pyparsing's tokens have no types

def _FindRegexp(text: str, position: int, tokens: Any) -> re.Pattern[str]:
  import pyparsing
  (regexp, flags) = tokens
  try:
    return _CompileRegexp(_UnescapeRegexp(regexp[1:-1]), flags)
  except ValueError as err:
    raise pyparsing.ParseFatalException(text, position, str(err))


def _FieldCondition(tokens: Any, hostnames: FrozenSet[str]) -> _Node:
  if len(tokens) == 1:
    return _IsTrue(tokens[0])
  (field, symbol, value) = tokens
  if symbol in _NEGATED:
    return _Not(_FieldCondition([field, _NEGATED[symbol], value], hostnames))
  if symbol in ("=~", "=*"):
    return _Matches(field, value)
  return _Compare(field, symbol, value, field in hostnames)


def _InCondition(tokens: Any) -> _Node:
  (value, *negated, field) = tokens
  condition = _Contains(field, value)
  return _Not(condition) if negated else condition


def _Join(make: Callable[[List[_Node]], _Node]) -> Callable[[Any], _Node]:
  """Makes a function that joins conditions if there are several.

  """
  def _JoinTokens(tokens: Any) -> _Node:
    nodes: List[_Node] = list(tokens)
    return nodes[0] if len(nodes) == 1 else make(nodes)
  return _JoinTokens


@functools.lru_cache(maxsize=8)
def _BuildParser(hostnames: FrozenSet[str]) -> Any:
  """Makes the parser; what it returns is one condition.

  """
  import pyparsing
  # Not all of it has types
  pyp: Any = pyparsing

  # Where "-" stands instead of "+", what follows must come: the error is
  # there, and nothing else is tried
  field = pyp.Regex(r"[A-Za-z][A-Za-z0-9_/.]*").set_name("a field")
  # Which of a choice is named in an error depends on pyparsing's version
  what = "text in quotes, or an integer"
  number = pyp.Regex(r"[-+]?[0-9]{1,1000}").set_name(what)
  number.set_parse_action(lambda tokens: int(tokens[0]))
  text = pyp.Regex(r'"(?:[^"\n\r\\]|\\.|"")*"|' +
                   r"'(?:[^'\n\r\\]|\\.|'')*'",
                   re.DOTALL)
  text.set_name("text in quotes")
  text.set_parse_action(lambda tokens: tokens[0][1:-1])
  value = (number | text.copy().set_name(what)).set_name(what)

  delimited = "|".join(r"%s(?:[^%s\\\n\r]|\\.)+%s" % (3 * (re.escape(i), ))
                       for i in _DELIMITERS)
  joint = pyp.Keyword("and") | pyp.Keyword("or")
  flags = pyp.Optional(~joint + pyp.Word(pyp.alphas), default="")
  regexp = (pyp.Optional(pyp.Literal("m")).suppress() +
            pyp.Regex(delimited).set_name("a regular expression as in m/.../")
            + flags)
  regexp.set_parse_action(_FindRegexp)
  glob = text.copy().add_parse_action(lambda tokens: GlobRegexp(tokens[0]))
  glob.set_name("a pattern in quotes")

  by_field = field + pyp.Optional(
    pyp.one_of("=~ !~") - regexp | pyp.one_of("=* !*") - glob |
    pyp.one_of(list(_COMPARISONS) + ["!="]) - value)
  by_field.set_parse_action(lambda tokens: _FieldCondition(tokens, hostnames))
  by_value = (value - pyp.Optional(pyp.Literal("not")) -
              pyp.Literal("in").suppress() - field)
  by_value.set_parse_action(_InCondition)

  whole = pyp.Forward()
  term = pyp.Forward()
  # A field may have the name of an operator
  term <<= ((pyp.Keyword("not").suppress() + term).set_parse_action(
              lambda tokens: _Not(tokens[0])) |
            pyp.Literal("(").suppress() - whole -
            pyp.Literal(")").suppress().set_name("\")\"") |
            by_field | by_value).set_name("a condition")
  conjunction = term + (pyp.Keyword("and").suppress() - term)[...]
  conjunction.set_parse_action(_Join(_All))
  whole <<= (conjunction +
             (pyp.Keyword("or").suppress() - conjunction)[...]
             ).set_parse_action(_Join(_Any))
  parser = whole + pyp.StringEnd().set_name("\"and\", \"or\" or the end")
  return parser.parse_with_tabs()


def IsFilter(text: str) -> bool:
  """Tells whether an argument is a filter, and no name.

  """
  return not _FILTER_CHARS.isdisjoint(text)


def IsGlob(text: str) -> bool:
  """Tells whether an argument is a pattern, and no name.

  """
  return not _GLOB_CHARS.isdisjoint(text)


class Filter:
  """A filter, ready to be applied.

  @ivar fields: list of the names of the fields it needs, each once

  """
  def __init__(self, condition: _Node) -> None:
    self._condition = condition
    self.fields = list(dict.fromkeys(condition.Fields()))

  def Names(self) -> Optional[List[str]]:
    """Returns the names that the filter consists of.

    @return: None if there is more to it than names to be equal to

    """
    parts = [self._condition]
    names = []
    while parts:
      part = parts.pop()
      if isinstance(part, _Any):
        parts.extend(reversed(part.parts))
      elif (isinstance(part, _Compare) and part.field == NAME and
            part.operator in _EQUALITY and isinstance(part.other, str)):
        names.append(part.other)
      else:
        return None
    return names

  def AsCondition(self) -> Filter:
    """Returns a filter that L{Names} returns None for, and that selects the
    same.

    """
    return Filter(_All([self._condition]))

  def And(self, other: Filter) -> Filter:
    """Returns a filter for what meets both.

    """
    return Filter(_All([self._condition, other._condition]))

  def Select(self, fields: Sequence[str], rows: Iterable[List[Any]]
             ) -> List[List[Any]]:
    """Returns those of some rows that meet the filter.

    @param fields: what the rows consist of; those of the filter are among it
    @raise FilterError: a value has another type than is needed

    """
    columns = {name: index for (index, name) in enumerate(fields)}

    def _Holds(row: List[Any]) -> bool:
      return self._condition.Holds(lambda name: row[columns[name]])
    try:
      return [row for row in rows if _Holds(row)]
    except RecursionError:
      raise FilterError("The filter is nested too deeply")


def Parse(text: str, hostnames: FrozenSet[str] = frozenset()) -> Filter:
  """Parses a filter.

  @param hostnames: names of the fields that hold host names
  @raise FilterError: it is none; the message shows the place

  """
  # Not above: it takes a while, and names and patterns do without
  try:
    import pyparsing
  except ImportError:
    raise FilterError("Filters need the Python module pyparsing (Debian package"
                      " python3-pyparsing)")
  try:
    with _PARSING:
      (condition, ) = _BuildParser(hostnames).parse_string(text)
    return Filter(condition)
  except pyparsing.ParseBaseException as err:
    raise _PointAt(text, err.loc, err.msg)
  except RecursionError:
    raise FilterError("The filter is nested too deeply")


def ParseArguments(names: Iterable[str], field: str = NAME) -> Filter:
  """Makes a filter of names some of which are patterns.

  @param field: the field that holds the names

  """
  conditions: List[_Node] = []
  for name in names:
    if IsGlob(name):
      conditions.append(_Matches(field, GlobRegexp(name)))
    else:
      conditions.append(_Compare(field, "==", name, True))
  return Filter(_Any(conditions))
