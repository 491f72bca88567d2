#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What has changed from one answer of a question to the next, by key.

An answer is any JSON value. Its items are those of a list or an object; each
has a key, by which it is found again in the next answer:

  - of an object, its name;
  - of a table, its name (of a disk, its UUID);
  - of other lists, what L{_ITEM_KEYS} says of the question, else what is unique
    about it, else all of it;
  - anything else is one item with the key C{None}.

"""

from __future__ import annotations

from typing import Any, Callable, Dict, Hashable, Iterable, NamedTuple, Optional

from ganeti import constants
from ganeti.confd.clientlib import exchange
from ganeti.confd.protocol import wire


#: Items by key
Items = Dict[Hashable, Any]


class Changed(NamedTuple):
  """An item before and after.

  """
  old: Any
  new: Any


class Change(NamedTuple):
  """An answer, and what is different from the one before.

  The three are dictionaries by key.

  """
  #: As the question itself returns it
  reply: exchange.Reply[Any]
  #: Of the configuration that the answer before was from; None at the start
  old_serial: Optional[int]
  #: Items that were not there before; all, at the start
  came: Dict[Any, Any]
  #: Items that are not there any more
  went: Dict[Any, Any]
  #: Items that are another value now
  changed: Dict[Any, Changed]


def Compare(reply: exchange.Reply[Any], old_serial: Optional[int], old: Items,
            new: Items) -> Change:
  """Finds out what is different.

  """
  return Change(
    reply, old_serial,
    {key: item for (key, item) in new.items() if key not in old},
    {key: item for (key, item) in old.items() if key not in new},
    {key: Changed(old[key], item) for (key, item) in new.items()
     if key in old and old[key] != item})


def IsEmpty(change: Change) -> bool:
  """Tells whether nothing is different.

  """
  return not (change.came or change.went or change.changed)


def _NaturalKey(item: Any) -> Hashable:
  """Returns what an item of a list can be known by.

  """
  if isinstance(item, dict):
    for name in ("uuid", "name"):
      if isinstance(item.get(name), str):
        return str(item[name])
  if isinstance(item, (dict, list)):
    return wire.EncodeJson(item)
  return item # type: ignore[no-any-return]


def _AsKey(value: Any) -> Hashable:
  """Makes a key of any value.

  """
  try:
    hash(value)
  except TypeError:
    return wire.EncodeJson(value)
  return value # type: ignore[no-any-return]


def ByKeys(keys: Iterable[Any], items: Iterable[Any]) -> Items:
  """Puts items under keys; where one comes again, it gets a number.

  """
  result: Items = {}
  counts: Dict[Hashable, int] = {}
  for (key, item) in zip(map(_AsKey, keys), items):
    count = counts[key] = counts.get(key, 0) + 1
    result[key if count == 1 else (key, count)] = item
  return result


def ByNaturalKeys(answer: Any) -> Items:
  """Takes any answer apart.

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


def _PerPlace(_: Any, answer: Any) -> Items:
  """Takes an answer apart in which each place has a meaning of its own.

  """
  if isinstance(answer, list):
    return dict(enumerate(answer))
  return ByNaturalKeys(answer)


#: How the answers to some types of question are taken apart
_ITEM_KEYS: Dict[int, Callable[[Any, Any], Items]] = {
  constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: _PerIp,
  constants.CONFD_REQ_CLUSTER_MASTER: _PerPlace,
  constants.CONFD_REQ_NODE_DRBD: _PerMinor,
  constants.CONFD_REQ_NODE_INSTANCES: _PerRole,
  }


def OfQuestion(rtype: int, query: Any, answer: Any) -> Items:
  """Takes the answer of a question apart.

  """
  take = _ITEM_KEYS.get(rtype)
  if take is not None:
    try:
      return take(query, answer)
    except (LookupError, TypeError, ValueError):
      # It has another form than all have
      pass
  return ByNaturalKeys(answer)
