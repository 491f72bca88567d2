#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The forms of answers: the types that a reply to each request may have.

An authentic reply may still have any contents: its sender may be a broken
daemon, a daemon of another version, or any other program that has the key.

Rule 1: a reply is used only after a check by L{Fault}. C{transport} checks each
reply to a pending request, C{download} checks by L{AnswerFault} the answer that
it has joined from parts, and C{client} checks replies for its callbacks.

Rule 2: the form of each answer is that of C{doc/protocol.rst}. Additions of
newer daemons are accepted: keys of an object, fields, counters, error codes.
Not accepted are another length of a list whose length is fixed, and another
type of a table's field.

Rule 3: a number has 64 bits, and values are nested L{MAX_DEPTH} levels deep at
most. (C{wire} guarantees that all texts are Unicode, and all numbers finite.)

"""

from __future__ import annotations

import functools
import itertools

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, Mapping, Optional, Sequence


#: Maximum depth of lists and objects within a value
MAX_DEPTH = 100

#: Values in error messages are cut to this many characters
_MAX_SHOWN = 40


class Question(NamedTuple):
  """A request, as far as the form of its answer depends on it.

  """
  rtype: int
  #: the request's query: any JSON value
  query: Any
  #: the number of the part of the answer that was asked for; None for the whole
  #: answer
  part: Optional[int] = None


if TYPE_CHECKING:
  #: A place within a value, the form required there, and the value there
  _Part = tuple[str, "_Form", Any]


class _Form:
  """A set of values that are accepted.

  L{Fits} checks many values at a time, such as the cells of a column.

  """
  def __init__(self, text: str) -> None:
    """@param text: the name of the form, such as "a text"

    """
    self.text = text

  def Fits(self, values: Sequence[Any]) -> bool:
    """Tells whether all values have this form.

    """
    raise NotImplementedError

  def Parts(self, value: Any) -> Iterable[_Part]:
    """Lists the places within a value that may have a fault.

    """
    # pylint: disable=W0613
    return ()

  def Fault(self, value: Any, place: str) -> str:
    """Describes where and why a value does not have the form.

    @param place: the place of the value, for the message

    """
    for (where, form, part) in self.Parts(value):
      if not form.Fits([part]):
        return form.Fault(part, place + where)
    return "%s: %s instead of %s" % (place, _Show(value), self.text)


def _Show(value: Any) -> str:
  """Describes a value, in printable ASCII.

  """
  if isinstance(value, dict):
    return "an object"
  if isinstance(value, list):
    return "a list of %d" % len(value)
  if isinstance(value, str):
    value = value[:_MAX_SHOWN + 1]
  text = wire.EncodeJson(value)
  return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


class _Typed(_Form):
  """Values of certain Python types.

  """
  def __init__(self, text: str, *kinds: type) -> None:
    _Form.__init__(self, text)
    self._kinds = frozenset(kinds)

  def Fits(self, values: Sequence[Any]) -> bool:
    # Compare exact types, since isinstance regards a boolean as an integer
    return self._kinds.issuperset(map(type, values))


class _Number(_Typed):
  """Numbers within bounds.

  """
  def __init__(self, text: str, least: int, end: int, *kinds: type) -> None:
    _Typed.__init__(self, text, *kinds)
    self._least = least
    self._end = end

  def Fits(self, values: Sequence[Any]) -> bool:
    return _Typed.Fits(self, values) and (
      not values or (self._least <= min(values) and max(values) < self._end))


class _Exactly(_Form):
  """One given value.

  """
  def __init__(self, value: Any) -> None:
    _Form.__init__(self, "what was asked for" if isinstance(value, list) else
                   _Show(value))
    self._value = value

  def Fits(self, values: Sequence[Any]) -> bool:
    return all(value == self._value for value in values)


class _Either(_Form):
  """Values of any of several forms.

  """
  def __init__(self, *forms: _Form) -> None:
    _Form.__init__(self, " or ".join(form.text for form in forms))
    self._forms = forms

  def Fits(self, values: Sequence[Any]) -> bool:
    return all(any(form.Fits([value]) for form in self._forms)
               for value in values)


class _OrNull(_Form):
  """Values of a form, or null.

  """
  def __init__(self, form: _Form) -> None:
    _Form.__init__(self, form.text + " or null")
    self._form = form

  def Fits(self, values: Sequence[Any]) -> bool:
    return self._form.Fits([value for value in values if value is not None])

  def Parts(self, value: Any) -> Iterable[_Part]:
    return self._form.Parts(value)


class _List(_Form):
  """Lists of any length.

  """
  def __init__(self, item: _Form, text: str = "a list") -> None:
    _Form.__init__(self, text)
    self._item = item

  def Fits(self, values: Sequence[Any]) -> bool:
    return (_LIST.Fits(values) and
            self._item.Fits(list(itertools.chain.from_iterable(values))))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, list):
      for (i, item) in enumerate(value):
        yield ("[%d]" % i, self._item, item)


class _Row(_Form):
  """Lists of a fixed length, with a form for each position.

  """
  def __init__(self, *items: _Form) -> None:
    _Form.__init__(self, "a list of %d" % len(items))
    self._items = items

  def Fits(self, values: Sequence[Any]) -> bool:
    return (_LIST.Fits(values) and
            {len(self._items)}.issuperset(map(len, values)) and
            all(form.Fits([value[i] for value in values])
                for (i, form) in enumerate(self._items)))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, list) and len(value) == len(self._items):
      for (i, (form, item)) in enumerate(zip(self._items, value)):
        yield ("[%d]" % i, form, item)


class _Any(_Form):
  """Any values that are not nested too deeply.

  """
  def __init__(self) -> None:
    _Form.__init__(self, "at most %d levels of lists and objects" % MAX_DEPTH)

  def Fits(self, values: Sequence[Any]) -> bool:
    return _IsShallow(values, MAX_DEPTH)


def _IsShallow(values: Iterable[Any], levels: int) -> bool:
  """Tells whether values have at most C{levels} levels of lists and objects.

  """
  for value in values:
    kind = type(value)
    if kind is dict:
      if not (levels and _IsShallow(value.values(), levels - 1)):
        return False
    elif kind is list:
      if not (levels and _IsShallow(value, levels - 1)):
        return False
  return True


class _Object(_Form):
  """Objects; unknown keys may have any value.

  """
  def __init__(self, required: Mapping[str, _Form],
               optional: Optional[Mapping[str, _Form]] = None) -> None:
    _Form.__init__(self, "an object")
    self._required = required
    self._known = {**required, **(optional or {})}

  def Fits(self, values: Sequence[Any]) -> bool:
    return (_DICT.Fits(values) and _ANY.Fits(values) and
            all(value.keys() >= self._required.keys() for value in values) and
            all(form.Fits([value[key] for value in values if key in value])
                for (key, form) in self._known.items()))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, dict):
      yield ("", _ANY, value)
      for (key, form) in self._known.items():
        if key in value:
          yield (".%s" % key, form, value[key])
        elif key in self._required:
          yield (".%s" % key, _MISSING, None)


class _Missing(_Form):
  """The form in place of a key that is missing.

  """
  def __init__(self) -> None:
    _Form.__init__(self, "")

  def Fits(self, values: Sequence[Any]) -> bool:
    return False

  def Fault(self, value: Any, place: str) -> str:
    return "%s is missing" % place


class _Objects(_Form):
  """Objects with any keys, whose values all have one form.

  """
  def __init__(self, item: _Form) -> None:
    _Form.__init__(self, "an object")
    self._item = item

  def Fits(self, values: Sequence[Any]) -> bool:
    return (_DICT.Fits(values) and
            all(self._item.Fits(list(value.values())) for value in values))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, dict):
      for (key, item) in value.items():
        yield ("[%s]" % _Show(key), self._item, item)


_ANY = _Any()
_MISSING = _Missing()
_DICT = _Typed("an object", dict)
_LIST = _Typed("a list", list)
_NULL = _Typed("null", type(None))
_TEXT = _Typed("a text", str)
_BOOL = _Typed("true or false", bool)
_COUNT = _Number("an integer from 0 on", 0, protocol.NUMBER_END, int)
_NUMBER = _Number("a number", -protocol.NUMBER_END, protocol.NUMBER_END, int,
                  float)
_OBJECT = _Object({})
_TEXTS = _List(_TEXT, "a list of texts")
_OBJECTS = _List(_OBJECT, "a list of objects")


# Tables

def _Cells() -> dict[str, dict[str, _Form]]:
  """Returns the forms of fields whose type in C{columns} is too general.

  By the type alone, null would be accepted for any field.

  """
  from ganeti.confd.schema import columns
  names = _List(_OrNull(_TEXT), "a list of texts and nulls")
  numbers = _List(_OrNull(_NUMBER), "a list of numbers and nulls")
  common = {"name": _TEXT, "uuid": _TEXT, "tags": _TEXTS}
  return {
    columns.INSTANCE: {
      **common,
      "network_port": _OrNull(_NUMBER),
      "nic.count": _COUNT,
      "disk.count": _COUNT,
      **dict.fromkeys(["snodes", "snodes.group", "snodes.group.uuid"], _TEXTS),
      **dict.fromkeys(["beparams", "custom_beparams", "hvparams",
                       "custom_hvparams", "osparams", "custom_osparams"],
                      _OBJECT),
      "custom_nicparams": _OBJECTS,
      **{item.names: names for item in columns.NICS},
      **{item.names: names if item.kind == columns.TEXT else numbers
         for item in columns.DISKS},
      },
    columns.NODE: {
      **common,
      "role": _TEXT,
      "pinst_cnt": _COUNT,
      "sinst_cnt": _COUNT,
      **dict.fromkeys(["ndparams", "custom_ndparams"], _OBJECT),
      **dict.fromkeys(["pinst_list", "sinst_list"], _TEXTS),
      },
    columns.GROUP: {
      **common,
      "node_cnt": _COUNT,
      "pinst_cnt": _COUNT,
      **dict.fromkeys(["ipolicy", "custom_ipolicy", "diskparams",
                       "custom_diskparams", "ndparams", "custom_ndparams"],
                      _OBJECT),
      **dict.fromkeys(["node_list", "pinst_list", "networks"], _TEXTS),
      },
    columns.NETWORK: {
      **common,
      **dict.fromkeys(["gateway", "network6", "gateway6", "mac_prefix"],
                      _OrNull(_TEXT)),
      **dict.fromkeys(["free_count", "reserved_count", "usable_count",
                       "used_count", "external_count", "group_cnt",
                       "inst_cnt"], _COUNT),
      **dict.fromkeys(["inst_list", "ip_list"], _TEXTS),
      # The groups that use the network: each one's name, mode, link and VLAN
      "group_list": _List(_Row(_TEXT, _TEXT, _TEXT, _TEXT)),
      },
    columns.DISK: {
      "attached": _COUNT,
      "port": _OrNull(_NUMBER),
      "minors": numbers,
      "minors.shared": _List(_Row(_TEXT, _NUMBER)),
      **dict.fromkeys(["nodes", "volumes", "volumes.shared"], _TEXTS),
      },
    }


@functools.lru_cache(maxsize=None)
def _Tables() -> tuple[dict[str, dict[str, _Form]], dict[Optional[str], _Form]]:
  """Returns the forms of fields, by table and name, and by type.

  """
  # Imported here: few questions are for tables
  from ganeti.confd.schema import columns
  by_kind: dict[Optional[str], _Form] = {
    columns.TEXT: _OrNull(_TEXT),
    columns.BOOL: _OrNull(_BOOL),
    }
  for kind in (columns.NUMBER, columns.FLOAT, columns.UNIT, columns.TIMESTAMP):
    by_kind[kind] = _OrNull(_NUMBER)
  return (_Cells(), by_kind)


@functools.lru_cache(maxsize=1024)
def _Cell(what: str, field: str) -> _Form:
  """Returns the form of a field's values.

  """
  from ganeti.confd.schema import columns
  table = columns.TABLES.get(what)
  if table is None:
    return _ANY
  name = table.aliases.get(field, field)
  if any(name.startswith(params.prefix) for params in table.params):
    # A parameter may have a value of any type, since users set it
    return _ANY
  (cells, by_kind) = _Tables()
  form = cells[what].get(name)
  if form is None:
    form = by_kind.get(columns.Describe(what, name).kind, _ANY)
  return form


class _Table(_Form):
  """Answers to a query for a table.

  """
  def __init__(self, what: str, fields: list[str], count: Optional[int]
               ) -> None:
    """@param count: the number of rows; None for any number

    """
    _Form.__init__(self, "a table")
    self._fields = fields
    self._forms = [_Cell(what, field) for field in fields]
    self._frame = _Object({"fields": _Exactly(fields)})
    self._rows = _Rows(len(fields), count)

  def Fits(self, values: Sequence[Any]) -> bool:
    return all(self._FitsOne(value) for value in values)

  def _FitsOne(self, value: Any) -> bool:
    # Check the cells column by column, which is faster than row by row
    if not (isinstance(value, dict) and self._frame.Fits([
        {key: item for (key, item) in value.items() if key != "rows"}]) and
            self._rows.Fits([value.get("rows")])):
      return False
    return all(form.Fits([row[i] for row in value["rows"]])
               for (i, form) in enumerate(self._forms))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, dict):
      yield from self._frame.Parts(value)
      if "rows" not in value:
        yield (".rows", _MISSING, None)
      yield (".rows", self._rows, value.get("rows"))
      # The rows have the right length here: the frame and the rows were yielded
      # before, and Fault stops at the first part that does not fit
      for (i, row) in enumerate(value["rows"]):
        for (field, form, cell) in zip(self._fields, self._forms, row):
          yield (".rows[%d], %s" % (i, field), form, cell)


class _Rows(_Form):
  """The rows of a table: only their number and their lengths are checked.

  """
  def __init__(self, width: int, count: Optional[int]) -> None:
    _Form.__init__(self, "rows of %d" % width if count is None else
                   "%d rows of %d" % (count, width))
    self._width = width
    self._count = count

  def Fits(self, values: Sequence[Any]) -> bool:
    return _LIST.Fits(values) and all(
      self._count in (None, len(rows)) and _LIST.Fits(rows) and
      {self._width}.issuperset(map(len, rows)) for rows in values)


_FIELDS = _Object({"fields": _List(_Row(_TEXT, _TEXT, _TEXT, _TEXT))})


def _IsTexts(value: Any) -> bool:
  return isinstance(value, list) and _TEXT.Fits(value)


def _QueryForm(query: Any) -> _Form:
  """Returns the form of the answer to QUERY.

  """
  if not (isinstance(query, dict) and isinstance(query.get("what"), str)):
    return _ANY
  (what, fields, names) = (query["what"], query.get("fields"),
                           query.get("names"))
  if fields is None:
    return _FIELDS
  if not (_IsTexts(fields) and (names is None or _IsTexts(names))):
    return _ANY
  return _TableForm(what, tuple(fields), None if names is None else len(names))


# Cached, since the answers of all candidates to a question have the same form
@functools.lru_cache(maxsize=8)
def _TableForm(what: str, fields: tuple[str, ...], count: Optional[int]
               ) -> _Form:
  return _Table(what, list(fields), count)


# Questions that are not for tables

_ROLE = _Number("the number of a role", 0, len(protocol.NODE_ROLES), int)

#: The answer in an error reply: a code, or a text from Ganeti's own daemons.
#: Ganeti's daemons before 2.5 send a text with the status "not implemented",
#: too.
_ERROR = _Either(_COUNT, _TEXT)

_WORD_ERROR = _Object({"error": _COUNT}, {"unknown": _TEXT, "duplicate": _TEXT,
                                          "value": _TEXT})

#: The forms of answers that are errors, by status
_ERRORS: dict[int, _Form] = {
  constants.CONFD_REPL_STATUS_ERROR: _ERROR,
  constants.CONFD_REPL_STATUS_NOTIMPLEMENTED: _Either(_COUNT, _TEXT, _NULL),
  }


class _NodeOfIp(_Form):
  """Answers for one of several IPs: status and answer.

  Ganeti's own daemon adds a serial.

  """
  def __init__(self) -> None:
    _Form.__init__(self, "status and answer")

  def Fits(self, values: Sequence[Any]) -> bool:
    return all(
      type(value) is list and len(value) in (2, 3) and
      _COUNT.Fits(value[:1]) and
      (_TEXT if value[0] == constants.CONFD_REPL_STATUS_OK else
       _OrNull(_ERROR)).Fits([value[1]]) and _COUNT.Fits(value[2:])
      for value in values)


class _PerItem(_Form):
  """Lists with an item for each item of the query.

  """
  def __init__(self, item: _Form, asked: Any) -> None:
    """@param asked: the list in the query; any other value counts as empty

    """
    self._count = len(asked) if isinstance(asked, list) else 0
    _Form.__init__(self, "a list of %d" % self._count)
    self._list = _List(item)

  def Fits(self, values: Sequence[Any]) -> bool:
    return (self._list.Fits(values) and
            {self._count}.issuperset(map(len, values)))

  def Parts(self, value: Any) -> Iterable[_Part]:
    if isinstance(value, list) and len(value) == self._count:
      yield from self._list.Parts(value)


def _NodeOfIpForm(query: Any) -> _Form:
  if (isinstance(query, dict) and
      query.get(constants.CONFD_REQQ_IP) is None):
    return _PerItem(_NodeOfIp(), query.get(constants.CONFD_REQQ_IPLIST))
  return _TEXT


def _MasterForm(query: Any) -> _Form:
  if isinstance(query, dict):
    return _PerItem(_TEXT, query.get(constants.CONFD_REQQ_FIELDS))
  return _TEXT


def _ConfigForm(query: Any) -> _Form:
  return _COUNT if query == "/serial_no" else _ANY


_COUNTERS = _Objects(_OrNull(_COUNT))

_STATS = _Object({
  "version": _TEXT,
  "config": _Object({
    "serial": _COUNT,
    }, {
    "mtime": _NUMBER,
    "size": _COUNT,
    "load_time": _NUMBER,
    "age": _NUMBER,
    "warnings": _COUNT,
    "inode": _COUNT,
    "digest": _TEXT,
    "stale": _BOOL,
    }),
  }, {
  "uptime": _NUMBER,
  "workers": _COUNT,
  "memory": _OrNull(_COUNT),
  **dict.fromkeys(["queries", "replies", "dropped", "reloads", "restarts",
                   "waiting", "log"], _COUNTERS),
  })


def _Always(form: _Form) -> Callable[[Any], _Form]:
  return lambda _: form


#: Maps types of requests to functions that return the form of the answer to a
#: query
_FORMS: dict[int, Callable[[Any], _Form]] = {
  # Ganeti's daemons before 2.5 answer a ping with "ok"
  constants.CONFD_REQ_PING: _Always(_Either(_COUNT, _Exactly("ok"))),
  constants.CONFD_REQ_NODE_ROLE_BYNAME: _Always(_ROLE),
  constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: _NodeOfIpForm,
  constants.CONFD_REQ_CLUSTER_MASTER: _MasterForm,
  constants.CONFD_REQ_NODE_PIP_LIST: _Always(_TEXTS),
  constants.CONFD_REQ_MC_PIP_LIST: _Always(_TEXTS),
  constants.CONFD_REQ_INSTANCES_IPS_LIST: _Always(_TEXTS),
  constants.CONFD_REQ_NODE_DRBD: _Always(
    _List(_Row(_TEXT, _COUNT, _TEXT, _TEXT, _TEXT, _TEXT))),
  constants.CONFD_REQ_NODE_INSTANCES: _Always(_Row(_OBJECTS, _OBJECTS)),
  constants.CONFD_REQ_INSTANCE_DISKS: _Always(_OBJECTS),
  constants.CONFD_REQ_CONFIG_QUERY: _ConfigForm,
  constants.CONFD_REQ_DATA_COLLECTORS: _Always(
    _Objects(_Object({"active": _BOOL, "interval": _NUMBER}))),
  protocol.REQ_QUERY: _QueryForm,
  protocol.REQ_STATS: _Always(_STATS),
  protocol.REQ_WAIT: _Always(_COUNT),
  }


def AnswerFault(rtype: int, query: Any, answer: Any) -> Optional[str]:
  """Describes the fault of a complete answer that is no error.

  @return: None if the answer is well-formed

  """
  make = _FORMS.get(rtype)
  form = _ANY if make is None else make(query)
  return None if form.Fits([answer]) else form.Fault(answer, "answer")


def _ErrorFault(question: Question, status: int, answer: Any) -> Optional[str]:
  form = _ERRORS[status]
  if question.rtype == protocol.REQ_QUERY and isinstance(answer, dict):
    form = _WORD_ERROR
  return None if form.Fits([answer]) else form.Fault(answer, "answer")


def Fault(question: Question, reply: wire.ParsedReply) -> Optional[str]:
  """Describes the fault of a reply.

  @return: None if the reply is well-formed

  """
  (version, status, answer, serial, _, part) = reply
  if type(version) is not int or version != constants.CONFD_PROTOCOL_VERSION:
    return "protocol: %s instead of %d" % (_Show(version),
                                           constants.CONFD_PROTOCOL_VERSION)
  if not 0 <= serial < protocol.NUMBER_END:
    return _COUNT.Fault(serial, "serial")
  if status != constants.CONFD_REPL_STATUS_OK:
    if status not in _ERRORS:
      return "status: %s instead of 0, 1 or 2" % _Show(status)
    if part is not None:
      return "an error that is a part"
    return _ErrorFault(question, status, answer)
  if question.part is None:
    if part is not None:
      return "a part instead of the whole answer"
    return AnswerFault(question.rtype, question.query, answer)
  if part is None:
    return "a whole answer instead of part %d" % question.part
  if not _TEXT.Fits([answer]):
    return _TEXT.Fault(answer, "answer")
  return None
