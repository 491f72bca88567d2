#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The differences between two answers to one question.

An answer is any JSON value. Its items are those of a list or an object; each
has a key, which identifies the item in the next answer:

  - in an object, the item's name;
  - in a table, the object's name (for a disk, the UUID);
  - in other lists, the key that L{_ITEM_KEYS} has for the question, else the
    item's UUID or name, else the whole item;
  - any other answer is one item with the key C{None}.

"""

from __future__ import annotations

from ganeti import constants
from ganeti.confd.clientlib import replies
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Hashable, Iterable, Optional

  #: Maps the keys of an answer's items to the items
  Items = dict[Hashable, Any]


class Changed(NamedTuple):
  """An item before and after.

  """
  #: the item's value in the previous answer
  old: Any
  #: the item's value in the new answer
  new: Any


class Change(NamedTuple):
  """An answer, and the differences from the answer before.

  The dictionaries "came", "went" and "changed" have the items by key.

  """
  #: The newest reply to the question that is followed, as the client's method
  #: for this question returns it
  reply: replies.Reply[Any]
  #: The serial of the previous answer; None in the first change
  old_serial: Optional[int]
  #: Items that the previous answer does not have; in the first change, all
  #: items
  came: dict[Any, Any]
  #: Items of the previous answer that the new answer does not have
  went: dict[Any, Any]
  #: Items that both answers have, with different values
  changed: dict[Any, Changed]


def Compare(reply: replies.Reply[Any], old_serial: Optional[int], old: Items,
            new: Items) -> Change:
  """Compares the items of two answers.

  """
  return Change(
    reply, old_serial,
    {key: item for (key, item) in new.items() if key not in old},
    {key: item for (key, item) in old.items() if key not in new},
    {key: Changed(old[key], item) for (key, item) in new.items()
     if key in old and old[key] != item})


def IsEmpty(change: Change) -> bool:
  """Tells whether there is no difference.

  """
  return not (change.came or change.went or change.changed)


def _NaturalKey(item: Any) -> Hashable:
  """Returns the key of an item of a list.

  """
  if isinstance(item, dict):
    for name in ("uuid", "name"):
      if isinstance(item.get(name), str):
        return str(item[name])
  if isinstance(item, (dict, list)):
    return wire.EncodeJson(item)
  return item # type: ignore[no-any-return]


def _AsKey(value: Any) -> Hashable:
  """Returns a hashable equivalent of any value.

  """
  try:
    hash(value)
  except TypeError:
    return wire.EncodeJson(value)
  return value # type: ignore[no-any-return]


def ByKeys(keys: Iterable[Any], items: Iterable[Any]) -> Items:
  """Combines keys and items; a repeated key gets a number.

  """
  result: Items = {}
  counts: dict[Hashable, int] = {}
  for (key, item) in zip(map(_AsKey, keys), items):
    count = counts[key] = counts.get(key, 0) + 1
    result[key if count == 1 else (key, count)] = item
  return result


def ByNaturalKeys(answer: Any) -> Items:
  """Splits any answer into items.

  """
  if isinstance(answer, dict):
    return dict(answer)
  if isinstance(answer, list):
    return ByKeys([_NaturalKey(item) for item in answer], answer)
  return {None: answer}


def _PerIp(query: Any, answer: Any) -> Items:
  if isinstance(answer, list):
    return ByKeys(query[constants.CONFD_REQQ_IPLIST], answer)
  return ByNaturalKeys(answer)


def _PerMinor(_: Any, answer: Any) -> Items:
  return ByKeys([(row[0], row[1]) for row in answer], answer)


def _PerRole(_: Any, answer: Any) -> Items:
  (primary, secondary) = answer
  return {(role, _NaturalKey(item)): item
          for (role, items) in (("primary", primary), ("secondary", secondary))
          for item in items}


def _PerPosition(_: Any, answer: Any) -> Items:
  """Splits an answer in which each position has its own meaning.

  """
  if isinstance(answer, list):
    return dict(enumerate(answer))
  return ByNaturalKeys(answer)


#: Maps types of requests to functions that split the answer into items
_ITEM_KEYS: dict[int, Callable[[Any, Any], Items]] = {
  constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: _PerIp,
  constants.CONFD_REQ_CLUSTER_MASTER: _PerPosition,
  constants.CONFD_REQ_NODE_DRBD: _PerMinor,
  constants.CONFD_REQ_NODE_INSTANCES: _PerRole,
  }


def OfQuestion(rtype: int, query: Any, answer: Any) -> Items:
  """Splits the answer to a question into items.

  """
  split = _ITEM_KEYS.get(rtype)
  if split is not None:
    try:
      return split(query, answer)
    except (LookupError, TypeError, ValueError):
      # The answer has another form than C{split} expects: use ByNaturalKeys,
      # which splits answers of any form
      pass
  return ByNaturalKeys(answer)
