#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's filter language: parses filters, and selects rows by them.

The grammar (ganeti(7), "Query filters"), operators of lowest precedence first::

  filter     alternative { "or" alternative }
  ...        term { "and" term }
  term       "not" term | "(" filter ")" | condition
  condition  FIELD [ { "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" } VALUE
                   | { "=~" | "!~" } [m]/REGEXP/[is]
                   | { "=*" | "!*" } TEXT ]
           | VALUE [ "not" ] "in" FIELD
  VALUE      TEXT in single or double quotes, or an integer

Facts, as Ganeti's commands behave:
  - A condition on a value that an object does not have is true. A condition
    with "!" or "not in" is the negation of another one, so it is false then.
  - A value of another type than the condition needs is an error, but only if
    the condition is evaluated: C{a and b} skips b if a is false.
  - A host name is equal to each beginning of it that ends before a dot.
  - A regular expression is delimited by one of / # ^ |. A backslash is removed,
    and the character after it has no meaning for the parser: m/a\\/b/ is a/b,
    m/\\\\d/ is \\d.
  - In a glob neither * nor ? matches a dot, and a glob matches a host name if
    it matches a beginning of the name that ends before a dot.
  - A filter that only compares names works like a list of names as arguments:
    short names are found, and an unknown name is an error.

Rule: no I/O, and L{FilterError} is the only exception, for any text.

"""

from __future__ import annotations

import abc
import json
import functools
import operator
import re
import threading
import warnings
from typing import Any, Callable, Iterable, NoReturn, Optional, Sequence

from ganeti import errors
from ganeti.confd import printable


#: The field that holds an object's name
NAME = "name"

_DELIMITERS = "/#^|"
_FLAGS = {
  "i": re.IGNORECASE,
  "s": re.DOTALL,
  }

#: Maps the letter of an escape sequence in a regular expression to the
#: character; a backslash before any other character is removed
_ESCAPES = {
  "t": "\t",
  "n": "\n",
  "f": "\f",
  "r": "\r",
  }

#: A function that returns the value of a field, given the field's name
_Get = Callable[[str], Any]

#: An argument with a character of _FILTER_CHARS is taken for a filter, and any
#: other with a character of _GLOB_CHARS for a glob: no name has such characters
_FILTER_CHARS = frozenset("()\"'<>=!~/\\ \t\n\r\f\v")
_GLOB_CHARS = frozenset("*?")

# Match adjacent asterisks together: if each was translated by itself, they
# would cause exponential backtracking
_GLOB_RE = re.compile(r"\*+|\?|[^*?]+")
_GLOB = {
  "*": "[^.]*",
  "?": "[^.]",
  }


class FilterError(errors.GenericError):
  """A filter that cannot be parsed or applied.

  @ivar filter: the text of the filter; None if the filter has no text
  @ivar line: the number of the line of the fault, from 1; None if the filter
    can be parsed
  @ivar column: the number of the character in that line, from 1; None if the
    filter can be parsed
  @ivar field: the field whose value the filter does not fit; None if the filter
    cannot be parsed

  """
  # pylint: disable=W0622
  def __init__(self, text: str = "", filter: Optional[str] = None,
               line: Optional[int] = None, column: Optional[int] = None,
               field: Optional[str] = None) -> None:
    errors.GenericError.__init__(self, text)
    self.filter = filter
    self.line = line
    self.column = column
    self.field = field


def _PointAt(text: str, position: int, why: str) -> FilterError:
  """Makes an error message that points at a place in a filter.

  @param position: index of a character

  """
  start = text.rfind("\n", 0, position) + 1
  (line, _, _) = text[start:].partition("\n")
  before = printable.Printable(text[start:position])
  column = position - start + 1
  return FilterError("The filter cannot be understood: %s, at column %d\n%s\n"
                     "%s^" % (why, column, printable.Printable(line),
                              " " * len(before)),
                     text, text.count("\n", 0, start) + 1, column)


def _Describe(value: Any) -> str:
  """Describes a value in an error message.

  """
  text = repr(value)
  return text if len(text) < 60 else text[:60] + "..."


# In all conditions None stands for a value that an object does not have

class _Expression(abc.ABC):
  """A condition, or several joined by operators.

  """
  @abc.abstractmethod
  def Fields(self) -> list[str]:
    """Returns the names of the fields that the condition needs.

    """

  @abc.abstractmethod
  def Holds(self, get: _Get) -> bool:
    """Tells whether the condition is true for an object.

    @raise FilterError: a value has the wrong type

    """


class _Condition(_Expression):
  """A condition on one field.

  """
  def __init__(self, field: str) -> None:
    self.field = field

  def Fields(self) -> list[str]:
    return [self.field]

  def Holds(self, get: _Get) -> bool:
    value = get(self.field)
    return value is None or self._Test(value)

  @abc.abstractmethod
  def _Test(self, value: Any) -> bool:
    """Tells whether the condition is true for a value that is not None.

    """

  def _Refuse(self, value: Any, what: Optional[str]) -> NoReturn:
    raise FilterError("The filter cannot be applied: %s is %s, not %s" %
                      (self.field, _Describe(value), what), field=self.field)


class _IsTrue(_Condition):
  """A field alone: true if its value is true.

  """
  def _Test(self, value: Any) -> bool:
    if not isinstance(value, bool):
      self._Refuse(value, "true or false")
    return value


def _TypeName(value: Any) -> Optional[str]:
  """Returns the common name of types whose values can be compared.

  """
  if isinstance(value, str):
    return "a text"
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    return "a number"
  return None


#: Maps the operators that compare two values to functions
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
  "==": operator.eq,
  "=": operator.eq,
  "<": operator.lt,
  "<=": operator.le,
  ">": operator.gt,
  ">=": operator.ge,
  }

#: Lock for pyparsing's parsers, which are not thread-safe: a parser tries how
#: many arguments each parse action takes, and all threads change the number
#: that is tried next
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
  """True if a list has an item.

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
  """True if a text matches a regular expression.

  """
  def __init__(self, field: str, regexp: re.Pattern[str]) -> None:
    _Condition.__init__(self, field)
    self._search = regexp.search

  def _Test(self, value: Any) -> bool:
    if not isinstance(value, str):
      self._Refuse(value, "a text")
    return self._search(value) is not None


class _Not(_Expression):
  """True if a condition is false.

  """
  def __init__(self, part: _Expression) -> None:
    self._part = part

  def Fields(self) -> list[str]:
    return self._part.Fields()

  def Holds(self, get: _Get) -> bool:
    return not self._part.Holds(get)


class _Joined(_Expression):
  """Several conditions joined by an operator.

  @ivar parts: list of conditions

  """
  def __init__(self, parts: list[_Expression]) -> None:
    self.parts = parts

  def Fields(self) -> list[str]:
    return [field for part in self.parts for field in part.Fields()]


class _And(_Joined):
  """True if all of several conditions are true.

  """
  def Holds(self, get: _Get) -> bool:
    return all(part.Holds(get) for part in self.parts)


class _Or(_Joined):
  """True if at least one of several conditions is true.

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

  @raise ValueError: the text is no regular expression; the message says why

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
  """Translates a glob for host names to a regular expression.

  """
  parts = [_GLOB.get(part[0]) or re.escape(part)
           for part in _GLOB_RE.findall(pattern)]
  return re.compile(r"^%s(\..*)?$" % "".join(parts))


# Parse actions take tokens of type Any, since pyparsing does not annotate
# tokens

def _FindRegexp(text: str, position: int, tokens: Any) -> re.Pattern[str]:
  import pyparsing
  (regexp, flags) = tokens
  try:
    return _CompileRegexp(_UnescapeRegexp(regexp[1:-1]), flags)
  except ValueError as err:
    raise pyparsing.ParseFatalException(text, position, str(err))


def _FieldCondition(tokens: Any, hostnames: frozenset[str]) -> _Expression:
  if len(tokens) == 1:
    return _IsTrue(tokens[0])
  (field, symbol, value) = tokens
  if symbol in _NEGATED:
    return _Not(_FieldCondition([field, _NEGATED[symbol], value], hostnames))
  if symbol in ("=~", "=*"):
    return _Matches(field, value)
  return _Compare(field, symbol, value, field in hostnames)


def _InCondition(tokens: Any) -> _Expression:
  (value, *negated, field) = tokens
  condition = _Contains(field, value)
  return _Not(condition) if negated else condition


def _Join(make: Callable[[list[_Expression]], _Expression]
          ) -> Callable[[Any], _Expression]:
  """Returns a parse action that joins conditions if there are several.

  """
  def _JoinTokens(tokens: Any) -> _Expression:
    nodes: list[_Expression] = list(tokens)
    return nodes[0] if len(nodes) == 1 else make(nodes)
  return _JoinTokens


@functools.lru_cache(maxsize=8)
def _BuildParser(hostnames: frozenset[str]) -> Any:
  """Builds the parser, whose result is one condition.

  """
  import pyparsing
  # The type is Any, since only a part of pyparsing is annotated
  pyp: Any = pyparsing

  # Unlike "+", the operator "-" in the grammar below prevents backtracking, so
  # that a syntax error is reported at its place
  field = pyp.Regex(r"[A-Za-z][A-Za-z0-9_/.]*").set_name("a field")
  # Give numbers and texts the same name: an error message has the name of one
  # of the two, and which one depends on the version of pyparsing
  what = "text in quotes, or an integer"
  number = pyp.Regex(r"[-+]?[0-9]{1,1000}").set_name(what)
  number.set_parse_action(lambda tokens: int(tokens[0]))
  text = pyp.Regex(r'"(?:[^"\n\r\\]|\\.|"")*"|' +
                   r"'(?:[^'\n\r\\]|\\.|'')*'",
                   re.DOTALL)
  text.set_name("text in quotes")
  text.set_parse_action(lambda tokens: tokens[0][1:-1])
  value = (number | text.copy().set_name(what)).set_name(what)

  delimited = "|".join(r"%s(?:[^%s\\\n\r]|\\.)*%s" % (3 * (re.escape(i), ))
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
  # Use "+" after "not", to allow backtracking: a field may be named "not"
  term <<= ((pyp.Keyword("not").suppress() + term).set_parse_action(
              lambda tokens: _Not(tokens[0])) |
            pyp.Literal("(").suppress() - whole -
            pyp.Literal(")").suppress().set_name("\")\"") |
            by_field | by_value).set_name("a condition")
  conjunction = term + (pyp.Keyword("and").suppress() - term)[...]
  conjunction.set_parse_action(_Join(_And))
  whole <<= (conjunction +
             (pyp.Keyword("or").suppress() - conjunction)[...]
             ).set_parse_action(_Join(_Or))
  parser = whole + pyp.StringEnd().set_name("\"and\", \"or\" or the end")
  return parser.parse_with_tabs()


def IsFilter(text: str) -> bool:
  """Tells whether an argument is a filter rather than a name.

  """
  return not _FILTER_CHARS.isdisjoint(text)


def IsGlob(text: str) -> bool:
  """Tells whether an argument is a glob rather than a name.

  """
  return not _GLOB_CHARS.isdisjoint(text)


class Filter:
  """A parsed filter.

  @ivar fields: list of the names of the fields that the filter needs, each once

  """
  def __init__(self, condition: _Expression, text: Optional[str] = None
               ) -> None:
    """@param text: the text that was parsed, for errors; None if there is none

    """
    self._condition = condition
    self._text = text
    self.fields = list(dict.fromkeys(condition.Fields()))

  def Names(self) -> Optional[list[str]]:
    """Returns the names that the filter compares.

    @return: None if the filter does anything else than to compare names

    """
    parts = [self._condition]
    names = []
    while parts:
      part = parts.pop()
      if isinstance(part, _Or):
        parts.extend(reversed(part.parts))
      elif (isinstance(part, _Compare) and part.field == NAME and
            part.operator in _EQUALITY and isinstance(part.other, str)):
        names.append(part.other)
      else:
        return None
    return names

  def AsCondition(self) -> Filter:
    """Returns a filter that selects the same rows, but has no L{Names}.

    """
    return Filter(_And([self._condition]), self._text)

  def And(self, other: Filter) -> Filter:
    """Returns a filter for the rows that both filters select.

    """
    return Filter(_And([self._condition, other._condition]))

  def Select(self, fields: Sequence[str], rows: Iterable[list[Any]]
             ) -> list[list[Any]]:
    """Returns the rows for which the filter is true.

    @param fields: the fields of the rows, which include those of the filter
    @raise FilterError: a value has the wrong type

    """
    columns = {name: index for (index, name) in enumerate(fields)}

    def _Holds(row: list[Any]) -> bool:
      return self._condition.Holds(lambda name: row[columns[name]])
    try:
      return [row for row in rows if _Holds(row)]
    except FilterError as err:
      err.filter = self._text
      raise
    except RecursionError:
      raise FilterError("The filter is nested too deeply", self._text)


def Parse(text: str, hostnames: frozenset[str] = frozenset()) -> Filter:
  """Parses a filter.

  @param hostnames: names of the fields that hold host names
  @raise FilterError: the text is no filter; the message shows the place

  """
  # Imported here: only filters need the module, and the import takes long
  try:
    import pyparsing
  except ImportError:
    raise FilterError("Filters need the Python module pyparsing (Debian package"
                      " python3-pyparsing)")
  try:
    with _PARSING:
      (condition, ) = _BuildParser(hostnames).parse_string(text)
    return Filter(condition, text)
  except pyparsing.ParseBaseException as err:
    raise _PointAt(text, err.loc, err.msg)
  except RecursionError:
    raise FilterError("The filter is nested too deeply", text)


def ParseArguments(names: Iterable[str], field: str = NAME) -> Filter:
  """Makes a filter of names and globs.

  @param field: the field that holds the names

  """
  conditions: list[_Expression] = []
  for name in names:
    if IsGlob(name):
      conditions.append(_Matches(field, GlobRegexp(name)))
    else:
      conditions.append(_Compare(field, "==", name, True))
  return Filter(_Or(conditions))
