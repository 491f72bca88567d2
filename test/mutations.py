#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Changes JSON values, one place at a time, in ways that their readers may not
expect.

"""

import copy
import json
import random


def _Nested(levels, wrap):
  value = 1
  for _ in range(levels):
    value = wrap(value)
  return value


#: Values that replace others, among them numbers with more digits than Python
#: parses, and texts with lone surrogates
VALUES = [
  None, True, False, 0, 1, -1, 2, 3, 5, 1.5, -0.0, 1e18, 1e300, 1 << 31,
  (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, 1 << 64, 10 ** 400,
  10 ** 4299, -10 ** 4299,
  "", "x", "0", "5", "1.5", "null", "\n", "\0", "\x1b[31m", "\ud800",
  "a\udc00b\ud800", "\u202e", "a|b,c;d", "x" * 3000, "node1.example.com",
  "192.0.2.1", "::1", "aa:00:00:00:00:01",
  [], {}, [[]], [None], [0, 1], ["x", "x"], [{}], {"": None}, {"x": []},
  {"name": 5}, {"error": 2, "unknown": "field", "value": "x"},
  _Nested(90, lambda value: [value]), _Nested(300, lambda value: [value]),
  _Nested(300, lambda value: {"x": value}), ["x"] * 300,
  {str(i): i for i in range(300)},
  ]

#: Placeholders for JSON text that no Python value has; L{Text} replaces them
_RAW = {
  "@infinite@": "1e999",
  "@long@": "1" * 5000,
  "@deep@": "[" * 3000 + "]" * 3000,
  "@nan@": "NaN",
  }


def Places(value, place=()):
  """Yields the place of each value within a value, a tuple of keys and indexes.

  """
  yield place
  if isinstance(value, dict):
    for (key, item) in value.items():
      yield from Places(item, place + (key, ))
  elif isinstance(value, list):
    for (i, item) in enumerate(value):
      yield from Places(item, place + (i, ))


def Get(value, place):
  for key in place:
    value = value[key]
  return value


def _AsText(value):
  return value if isinstance(value, str) else json.dumps(value)


def _AsNumber(value):
  try:
    return json.loads(value, parse_constant=None)
  except (TypeError, ValueError):
    return 7


def _WithoutOne(rng, value):
  value = copy.copy(value)
  if isinstance(value, dict) and value:
    del value[rng.choice(sorted(value))]
  elif isinstance(value, list) and value:
    del value[rng.randrange(len(value))]
  return value


def _WithOneMore(rng, value):
  value = copy.copy(value)
  if isinstance(value, dict):
    value["more"] = rng.choice(VALUES)
  elif isinstance(value, list):
    value.insert(rng.randrange(len(value) + 1), rng.choice(VALUES))
  return value


def _Moved(rng, value):
  if isinstance(value, list):
    return rng.sample(value, len(value))
  if isinstance(value, dict) and value:
    values = list(value.values())
    return dict(zip(value, rng.sample(values, len(values))))
  return value


def _OneTwice(rng, value):
  if isinstance(value, list) and value:
    return value + [rng.choice(value)]
  return value


#: Ways to change a value: functions that take a random number generator and the
#: value, and return the new value
CHANGES = [
  lambda rng, value: rng.choice(VALUES),
  lambda rng, value: rng.choice(VALUES),
  lambda rng, value: rng.choice(VALUES),
  lambda rng, value: rng.choice(sorted(_RAW)),
  lambda rng, value: [value],
  lambda rng, value: {"value": value},
  lambda rng, value: _AsText(value),
  lambda rng, value: _AsNumber(value),
  lambda rng, value: bool(value),
  lambda rng, value: value * 2 if type(value) in (int, str) else value,
  lambda rng, value: -value if type(value) in (int, float) else value,
  _WithoutOne, _WithoutOne, _WithOneMore, _Moved, _OneTwice,
  ]


def _Put(value, place, new):
  """Returns a copy of a value in which the value at a place is replaced.

  """
  if not place:
    return new
  (key, *rest) = place
  value = copy.copy(value)
  value[key] = _Put(value[key], rest, new)
  return value


def Mutate(rng, value, count=1):
  """Changes a JSON value at random places.

  @param rng: C{random.Random}
  @param count: the number of changes, made one after the other
  @return: the changed value; it may have placeholders that only L{Text} turns
    into JSON

  """
  for _ in range(count):
    place = rng.choice(list(Places(value)))
    value = _Put(value, place, rng.choice(CHANGES)(rng, Get(value, place)))
  return value


def Text(value):
  """Makes the JSON text of a value from L{Mutate}.

  """
  text = json.dumps(value)
  for (placeholder, raw) in _RAW.items():
    text = text.replace(json.dumps(placeholder), raw)
  return text


def All(value, seed=0):
  """Yields a value with each change in each place.

  """
  rng = random.Random(seed)
  for place in list(Places(value)):
    here = Get(value, place)
    for new in VALUES + sorted(_RAW):
      yield _Put(value, place, new)
    for change in CHANGES:
      yield _Put(value, place, change(rng, here))
