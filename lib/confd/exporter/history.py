#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The history of clusters, in an SQLite file: the last state, and all changes.

Rule 1: changes are the differences between the stored state and a new
configuration. State and changes are written in one transaction, so no failure
loses a change: the next attempt finds it again.

Rule 2: each transaction has a process and a connection of its own (C{recorder},
C{historyreader}). A connection must not be used after a fork, and the server's
thread must not wait for a disk.

Rule 3: the file has a rollback journal, and not SQLite's write-ahead log. With
a journal, the file alone is the whole history, also on a read-only file system.
A write-ahead log is for connections that last; readers have to write to its
index.

Rule 4: texts from a cluster are stored as JSON. Names may have lone surrogates
and zero bytes, which SQLite's texts cannot have.

"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import urllib.parse

from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, \
  Sequence

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import differences
from ganeti.confd.exporter import forked


#: The file's C{application_id}, by which SQLite tells programs' files apart
#: ("gchi")
_APPLICATION = 0x67636869

#: The version of L{_SCHEMA}
_VERSION = 1

#: The tables. "state" has the last known state of each object; the column
#: "kinds" has the kinds of objects with a state, see L{_Kinds}. A "step" is the
#: difference between two configurations: one or more changes ("entry").
#: "mention" tells which entries are about an object, by name or UUID.
_SCHEMA = """
CREATE TABLE cluster (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, serial INTEGER NOT NULL,
  began REAL NOT NULL, seen REAL NOT NULL, changes INTEGER NOT NULL,
  kinds TEXT NOT NULL);
CREATE TABLE state (
  cluster INTEGER NOT NULL, kind TEXT NOT NULL, uuid TEXT NOT NULL,
  value TEXT NOT NULL, PRIMARY KEY (cluster, kind, uuid)) WITHOUT ROWID;
CREATE TABLE step (
  id INTEGER PRIMARY KEY AUTOINCREMENT, cluster INTEGER NOT NULL,
  since REAL, time REAL NOT NULL, old_serial INTEGER NOT NULL,
  serial INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE INDEX step_cluster ON step (cluster, id);
CREATE INDEX step_time ON step (time);
CREATE TABLE entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT, cluster INTEGER NOT NULL,
  step INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  action TEXT NOT NULL, field TEXT NOT NULL, old TEXT NOT NULL,
  new TEXT NOT NULL);
CREATE INDEX entry_cluster ON entry (cluster, id);
CREATE INDEX entry_step ON entry (step);
CREATE TABLE mention (
  cluster INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  entry INTEGER NOT NULL,
  PRIMARY KEY (cluster, name, kind, entry)) WITHOUT ROWID;
CREATE INDEX mention_entry ON mention (entry);
"""

#: Seconds that a process waits while other processes read or write the file
_PATIENCE = 10.0

#: The JSON text of a value in an entry is cut to this many characters
_MAX_VALUE = 2000

#: If two states were seen at most this many seconds apart, the change between
#: them gets a single time, and not a period
_MAX_GAP = 5.0

#: While the file is too large, the oldest steps of the cluster that takes the
#: most space are deleted: 1/_PRUNED of the cluster's steps at a time
_PRUNED = 50

_DAY = 86400.0

#: The greatest integer that SQLite can store
_MAX_INTEGER = (1 << 63) - 1

#: No stored time is later than this one (seconds since the epoch, year 9892)
_MAX_TIME = 2.5e11

#: Parts of SQLite's messages about a damaged file, and the text that replaces
#: such a message
_DAMAGES = ("malformed", "Could not decode", "unsupported file format")
_DAMAGED = "its contents are damaged"

#: The remedy for an error, by a part of the error's text
_REMEDIES = {
  "locked": "another program has it open; close that program",
  "full": "make room on its file system",
  "readonly": "make it and its directory writable for the user of"
              " confd-exporter",
  "Read-only": "make its file system writable",
  _DAMAGED: "move it away, and a new one is begun",
  "not a database": "it is damaged, or another program's; move it away, or"
                    " choose another file",
  "No such": "make its directory, or choose another file",
  "Permission": "make it and its directory writable for the user of"
                " confd-exporter",
  "unable to open": "make its directory writable for the user of"
                    " confd-exporter",
  "directory": "choose a file",
  "I/O": "check its disk and file system",
  }


class Limits(NamedTuple):
  """The most that the file may hold.

  """
  #: The greatest age of a change (days)
  days: int
  #: The greatest size of the file (bytes)
  size: int


class Moment(NamedTuple):
  """The times of a configuration, by the clock of this host.

  """
  #: When the configuration was received
  now: float
  #: When the previous configuration was last known to be current; None if the
  #: time is not known, so that the time in the file is used
  known_until: Optional[float]
  #: The serial of the previous configuration. C{known_until} does not apply to
  #: a stored state with another serial, e.g. after a backup has been put back.
  serial: Optional[int] = None


class Recorded(NamedTuple):
  """The result of a transaction.

  """
  #: The number of all changes of the cluster so far
  changes: int
  #: When the history of the cluster began, by the clock of this host
  began: float
  #: Why the file is larger than its limit; None if the file is not larger
  problem: Optional[str]


class Confirmed(NamedTuple):
  """The result of L{Touch}.

  """
  #: Whether the file has the cluster's current state
  is_stored: bool
  #: Why the file is larger than its limit, see L{Recorded}
  problem: Optional[str]


class Entry(NamedTuple):
  """A change as it is stored, see C{differences.Change}.

  """
  id: int
  #: When the change was seen (seconds since the epoch)
  time: float
  #: The change happened between this time and C{time}; None if the change
  #: happened at C{time}
  since: Optional[float]
  #: The configuration's serial before and after
  old_serial: int
  serial: int
  kind: str
  name: Any
  action: str
  field: Optional[str]
  old: Any
  new: Any


class Selection(NamedTuple):
  """The entries to read.

  """
  #: Read at most this number of entries
  limit: int
  #: Read only entries with a lower id; None for all
  before: Optional[int] = None
  #: Read only entries about the object of this name or UUID; empty for all
  name: str = ""
  #: Whether C{name} may be only the first label of the object's host name
  is_short: bool = False
  #: Read only entries about objects of this kind; empty for all
  kind: str = ""
  #: Other names and UUIDs of the object; the entries about these are read, too
  others: Sequence[str] = ()


class Found(NamedTuple):
  """Entries, the latest first.

  """
  entries: list[Entry]
  #: Whether there are earlier entries
  has_more: bool
  #: When the history of the cluster began; None if nothing is recorded yet
  began: Optional[float]


#: Maps each kind of objects with stored states to None if the states were
#: current at the time "seen". A kind that the key no longer permits to ask for
#: is mapped to the time when its states were last current, and to the
#: configuration's serial at that time.
_Kinds = dict[str, Optional[tuple[float, int]]]


def Explain(path: str, err: Exception) -> str:
  """Returns the text of an error, with a remedy.

  """
  text = (err.strerror if isinstance(err, OSError) else None) or str(err)
  # A ValueError means a damaged file, too: a value in it is wrong, or Python's
  # sqlite3 could not decode the text of SQLite's error
  if isinstance(err, ValueError) or any(part in text for part in _DAMAGES):
    text = _DAMAGED
  for (part, remedy) in _REMEDIES.items():
    if part in text:
      text += " (%s)" % remedy
      break
  return "%s: %s" % (path, text)


@contextlib.contextmanager
def _Open(path: str) -> Iterator[sqlite3.Connection]:
  """Opens the file, and closes it.

  Readers open the file for writing, too, if that is permitted: after kill -9,
  the first process that opens the file has to roll a transaction back.

  @raise forked.BadRequest: there is an error; the text has a remedy

  """
  try:
    connection = sqlite3.connect(
      "file://%s?mode=rw" % urllib.parse.quote(os.fsencode(
        os.path.abspath(path))), _PATIENCE, isolation_level=None, uri=True)
    with contextlib.closing(connection):
      yield connection
  except (sqlite3.Error, OSError, ValueError) as err:
    raise forked.BadRequest(Explain(path, err)) from err


def _CheckTypes(types: type, *values: Any) -> None:
  """Checks the types of stored values: a damaged file may have others.

  @raise ValueError: a value has another type

  """
  if not all(isinstance(value, types) for value in values):
    raise ValueError("A value has another type")


def _CheckTimes(*values: Any) -> None:
  """Checks stored times.

  @raise ValueError: a value is no time

  """
  if not all(isinstance(value, (int, float)) and abs(value) <= _MAX_TIME
             for value in values):
    raise ValueError("A value is no time")


def _Serial(serial: int) -> int:
  """Returns a serial number as it is stored.

  A hostile cluster may send any number.

  """
  return max(-_MAX_INTEGER, min(serial, _MAX_INTEGER))


def _LoadKinds(text: Any) -> _Kinds:
  """Reads the column "kinds".

  @raise ValueError: the column is damaged

  """
  _CheckTypes(str, text)
  found = json.loads(text)
  _CheckTypes(dict, found)
  kinds: _Kinds = {}
  for (kind, mark) in found.items():
    if mark is None:
      kinds[kind] = None
    else:
      _CheckTypes(list, mark)
      (seen, serial) = mark
      _CheckTimes(seen)
      _CheckTypes(int, serial)
      kinds[kind] = (seen, _Serial(serial))
  return kinds


def _Number(connection: sqlite3.Connection, query: str, *values: Any) -> int:
  """Returns the number that a query finds.

  """
  return int(connection.execute(query, values).fetchone()[0])


def _Insert(connection: sqlite3.Connection, statement: str, *values: Any
            ) -> int:
  """Inserts a row, and returns its id.

  """
  number = connection.execute(statement, values).lastrowid
  assert number is not None
  return number


def _Check(connection: sqlite3.Connection, path: str) -> bool:
  """Tells whether the file has the tables.

  @raise forked.BadRequest: the file is another program's, or of a later version

  """
  application = _Number(connection, "PRAGMA application_id")
  version = _Number(connection, "PRAGMA user_version")
  if application == _APPLICATION and version == _VERSION:
    return True
  if application == _APPLICATION:
    raise forked.BadRequest(
      "%s: its format has version %d, and this confd-exporter knows version %d"
      " (choose another file, or use a later confd-exporter)" %
      (path, version, _VERSION))
  if application or version or _Number(
      connection, "SELECT COUNT(*) FROM sqlite_master"):
    raise forked.BadRequest("%s: it is another program's (choose another file)"
                            % path)
  return False


@contextlib.contextmanager
def _Transaction(connection: sqlite3.Connection) -> Iterator[None]:
  """Writes everything or nothing.

  """
  connection.execute("BEGIN IMMEDIATE")
  try:
    yield
    connection.execute("COMMIT")
  except BaseException:
    # Test for a transaction first: after some errors, SQLite has already rolled
    # back by itself
    if connection.in_transaction:
      connection.execute("ROLLBACK")
    raise


@contextlib.contextmanager
def _Write(path: str, may_write: Callable[[], bool]
           ) -> Iterator[sqlite3.Connection]:
  """Opens the file for a transaction, and makes the tables of a new file.

  @param may_write: tells whether to write; called with SQLite's lock held
  @raise forked.BadRequest: nothing was written; the text says why

  """
  try:
    # Create the file here, as SQLite would make it readable for everybody
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
  except OSError as err:
    raise forked.BadRequest(Explain(path, err)) from err
  with _Open(path) as connection:
    connection.execute("PRAGMA synchronous = FULL")
    if not _Check(connection, path):
      # Return the pages of deleted entries to the file system. The setting has
      # no effect unless it is made before the first table.
      connection.execute("PRAGMA auto_vacuum = FULL")
    with _Transaction(connection):
      if not may_write():
        raise forked.BadRequest("%s: another process writes by now" % path)
      if not _Check(connection, path):
        for statement in _SCHEMA.split(";"):
          connection.execute(statement)
        connection.execute("PRAGMA application_id = %d" % _APPLICATION)
        connection.execute("PRAGMA user_version = %d" % _VERSION)
      yield connection


def _Cut(value: Any) -> str:
  """Returns a value as JSON, if need be as the first part of its JSON.

  """
  text = json.dumps(value)
  return text if len(text) <= _MAX_VALUE else json.dumps(
    text[:_MAX_VALUE] + "...")


def _CutAll(value: Any) -> str:
  """Like L{_Cut}; of a dictionary, each value is cut on its own.

  """
  if not isinstance(value, dict):
    return _Cut(value)
  return json.dumps({name: json.loads(_Cut(item))
                     for (name, item) in value.items()})


def _AddEntries(connection: sqlite3.Connection, cluster: int, step: int,
                changes: list[differences.Change]) -> int:
  """Stores changes.

  @return: about how many bytes they take

  """
  size = 0
  for change in changes:
    texts = [json.dumps(change.name), change.action, json.dumps(change.field),
             _CutAll(change.old), _CutAll(change.new)]
    number = _Insert(
      connection, "INSERT INTO entry (cluster, step, kind, name, action, field,"
      " old, new) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", cluster, step, change.kind,
      *texts)
    mentioned = [(cluster, json.dumps(name), kind, number)
                 for (kind, name) in differences.Mentioned(change)]
    connection.executemany("INSERT INTO mention (cluster, name, kind, entry)"
                           " VALUES (?, ?, ?, ?)", mentioned)
    size += sum(map(len, texts)) + sum(len(i[1]) for i in mentioned)
  return size


def _SetStates(connection: sqlite3.Connection, cluster: int,
               old: Mapping[differences.Key, str],
               new: Mapping[differences.Key, str]) -> None:
  connection.executemany(
    "DELETE FROM state WHERE cluster = ? AND kind = ? AND uuid = ?",
    [(cluster, *key) for key in old if key not in new])
  connection.executemany(
    "INSERT OR REPLACE INTO state (cluster, kind, uuid, value)"
    " VALUES (?, ?, ?, ?)",
    [(cluster, *key, text) for (key, text) in new.items()
     if old.get(key) != text])


def _DeleteSteps(connection: sqlite3.Connection, which: str, *values: Any
                 ) -> None:
  """Deletes steps with all their entries.

  @param which: a condition, in SQL

  """
  steps = "SELECT id FROM step WHERE %s" % which
  entries = "SELECT id FROM entry WHERE step IN (%s)" % steps
  connection.execute("DELETE FROM mention WHERE entry IN (%s)" % entries,
                     values)
  connection.execute("DELETE FROM entry WHERE step IN (%s)" % steps, values)
  connection.execute("DELETE FROM step WHERE %s" % which, values)


def _Size(connection: sqlite3.Connection) -> int:
  """Returns the size that the file will have after this transaction (bytes).

  """
  pages = (_Number(connection, "PRAGMA page_count") -
           _Number(connection, "PRAGMA freelist_count"))
  return pages * _Number(connection, "PRAGMA page_size")


def _DeleteOld(connection: sqlite3.Connection, days: int, now: float) -> None:
  """Deletes the steps that are too old when the latest one is recorded.

  The clock may be wrong for a while, e.g. at the start of a host. A clock that
  is ahead deletes nothing until a change is recorded. A step that was recorded
  while the clock was late is kept as long as the steps before it.

  """
  latest = connection.execute("SELECT MAX(time) FROM step WHERE time <= ?",
                              (now, )).fetchone()[0]
  if latest is not None:
    _DeleteSteps(
      connection, "time < ? AND id < (SELECT MIN(id) FROM step"
      " WHERE time BETWEEN ? AND ?)",
      latest - days * _DAY, latest - days * _DAY, latest)


def _StateSizes(connection: sqlite3.Connection) -> dict[int, int]:
  """Returns about how many bytes the state of each cluster takes.

  """
  return dict(connection.execute(
    "SELECT cluster, SUM(LENGTH(uuid) + LENGTH(value)) FROM state"
    " GROUP BY cluster").fetchall())


def _Prune(connection: sqlite3.Connection, path: str, limits: Limits,
           now: float) -> Optional[str]:
  """Deletes changes that are too old, or too many.

  While the file is too large, the oldest steps of the cluster that takes most
  of it are deleted, so that a cluster that changes all the time does not
  displace the history of others. States are never deleted: if the state of the
  largest cluster alone is left, no smaller cluster loses its steps for it.

  @return: why the file is still too large; None if it is not

  """
  _DeleteOld(connection, limits.days, now)
  states: Optional[dict[int, int]] = None
  while _Size(connection) > limits.size:
    if states is None:
      states = _StateSizes(connection)
    steps = {cluster: (size, count) for (cluster, size, count)
             in connection.execute("SELECT cluster, SUM(size), COUNT(*)"
                                   " FROM step GROUP BY cluster")}
    sizes: dict[int, int] = {
      cluster: states.get(cluster, 0) + steps.get(cluster, (0, 0))[0]
      for cluster in {**states, **steps}}
    cluster = max(sizes, key=lambda number: sizes[number], default=0)
    (_, count) = steps.get(cluster, (0, 0))
    if not count:
      return ("%s: it takes more than %d MiB, most of it for the last state of"
              " the clusters (choose a larger --history-size)" %
              (path, limits.size >> 20))
    _DeleteSteps(
      connection, "cluster = ? AND id IN (SELECT id FROM step WHERE cluster = ?"
      " ORDER BY id LIMIT ?)", cluster, cluster, -(-count // _PRUNED))
  return None


def _Since(moment: Moment, seen: float, serial: int) -> float:
  """Returns the time when the stored state was last current.

  @param seen: this time as it is stored
  @param serial: the serial number of the stored state

  """
  if moment.known_until is None or moment.serial is None or \
     _Serial(moment.serial) != serial:
    return seen
  # Ignore a stored time in the future: this host's clock was set back after the
  # time had been stored
  return moment.known_until if seen > moment.now else max(seen,
                                                          moment.known_until)


def _AddSteps(connection: sqlite3.Connection, cluster: int,
              changes: list[differences.Change], now: float, serial: int,
              last_known: Mapping[str, tuple[float, int]]) -> None:
  """Stores changes, one step for all changes that have happened since one time.

  @param last_known: by kind of objects: the time when the stored state was last
    current, and the serial number of that state

  """
  steps: dict[tuple[float, int], list[differences.Change]] = {}
  for change in changes:
    steps.setdefault(last_known[change.kind], []).append(change)
  for ((since, old_serial), found) in steps.items():
    # Compare the absolute value: after the clock was set back a little, the
    # difference is negative
    is_exact = abs(now - since) <= _MAX_GAP
    step = _Insert(
      connection, "INSERT INTO step (cluster, since, time, old_serial,"
      " serial, size) VALUES (?, ?, ?, ?, ?, 0)", cluster,
      None if is_exact else since, now, old_serial, serial)
    connection.execute("UPDATE step SET size = ? WHERE id = ?", (
      _AddEntries(connection, cluster, step, found), step))


def Record(path: str, cluster: str, config: clusterstate.ClusterConfig,
           moment: Moment, limits: Limits,
           may_write: Callable[[], bool] = lambda: True) -> Recorded:
  """Stores the state of a cluster, and its changes since the stored one.

  @param may_write: see L{_Write}
  @raise forked.BadRequest: nothing was stored; the text says why

  """
  kinds: _Kinds = dict.fromkeys(sorted(differences.KnownKinds(config)))
  new = {key: differences.Dump(state)
         for (key, state) in differences.States(config)}
  new_serial = _Serial(config.serial)
  with _Write(path, may_write) as connection:
    known = connection.execute(
      "SELECT id, serial, seen, kinds FROM cluster WHERE name = ?",
      (cluster, )).fetchone()
    if known is None:
      _SetStates(connection, _Insert(
        connection, "INSERT INTO cluster (name, serial, began, seen, changes,"
        " kinds) VALUES (?, ?, ?, ?, 0, ?)", cluster, new_serial, moment.now,
        moment.now, json.dumps(kinds)), {}, new)
    else:
      (number, serial, seen, stored) = known
      _CheckTypes(int, number, serial)
      _CheckTimes(seen)
      # The exporter's key may have other rights than at the last recording. The
      # stored states of a kind that the key no longer permits are kept. The
      # states of a kind that the key permits only now are stored, but are no
      # changes.
      last = (_Since(moment, seen, serial), serial)
      last_known = {kind: mark or last
                    for (kind, mark) in _LoadKinds(stored).items()}
      old = {(kind, uuid): text for (kind, uuid, text) in connection.execute(
        "SELECT kind, uuid, value FROM state WHERE cluster = ?", (number, ))
             if kind in kinds}
      for (key, text) in old.items():
        _CheckTypes(str, *key, text)
      changes = differences.Compare(
        {key: text for (key, text) in old.items() if key[0] in last_known},
        {key: text for (key, text) in new.items() if key[0] in last_known})
      _AddSteps(connection, number, changes, moment.now, new_serial, last_known)
      _SetStates(connection, number, old, new)
      connection.execute(
        "UPDATE cluster SET serial = ?, seen = ?, changes = changes + ?,"
        " kinds = ? WHERE id = ?", (
          new_serial, moment.now, len(changes),
          json.dumps({**last_known, **kinds}), number))
    problem = _Prune(connection, path, limits, moment.now)
    (count, began) = connection.execute(
      "SELECT changes, began FROM cluster WHERE name = ?",
      (cluster, )).fetchone()
    _CheckTypes(int, count)
    _CheckTimes(began)
    return Recorded(count, began, problem)


def Touch(path: str, cluster: str, moment: Moment, limits: Limits,
          may_write: Callable[[], bool] = lambda: True) -> Confirmed:
  """Notes that the stored state of a cluster is still current.

  Somebody may have moved the file away, or put a backup in its place: nothing
  is noted of a state with another serial.

  @param moment: its serial is the one of the current configuration
  @raise forked.BadRequest: nothing was stored; the text says why

  """
  with _Write(path, may_write) as connection:
    found = None
    if moment.serial is not None:
      found = connection.execute(
        "SELECT id, serial, seen FROM cluster WHERE name = ? AND serial = ?",
        (cluster, _Serial(moment.serial))).fetchone()
    is_stored = found is not None
    if found is not None:
      (number, serial, seen) = found
      _CheckTimes(seen)
      connection.execute("UPDATE cluster SET seen = ? WHERE id = ?",
                         (_Since(moment, seen, serial), number))
    return Confirmed(is_stored, _Prune(connection, path, limits, moment.now))


def _Condition(cluster: int, wanted: Selection) -> tuple[str, list[Any]]:
  """Returns the condition for entries, in SQL, with its values.

  """
  conditions = ["entry.cluster = ?"]
  values: list[Any] = [cluster]
  if wanted.before is not None:
    conditions.append("entry.id < ?")
    values.append(wanted.before)
  if wanted.name:
    name = json.dumps(wanted.name)
    names = [name, *map(json.dumps, wanted.others)]
    mention = "cluster = ? AND (name IN (%s)" % ", ".join("?" * len(names))
    values += [cluster, *names]
    if wanted.is_short:
      # Find all names that begin with the label and a dot, as a range: "/" is
      # the character after ".". The slice removes the final quote of the JSON.
      mention += " OR name > ? AND name < ?"
      values += [name[:-1] + ".", name[:-1] + "/"]
    mention += ")"
    if wanted.kind:
      mention += " AND kind = ?"
      values.append(wanted.kind)
    conditions.append("entry.id IN (SELECT entry FROM mention WHERE %s)" %
                      mention)
  elif wanted.kind:
    conditions.append("entry.kind = ?")
    values.append(wanted.kind)
  return (" AND ".join(conditions), values)


def _MakeEntry(row: Sequence[Any]) -> Entry:
  """Makes an entry of a row.

  @raise ValueError: the row is damaged

  """
  (number, time, since, old_serial, serial, kind, name, action, field, old,
   new) = row
  texts = [name, field, old, new]
  _CheckTypes(str, *texts)
  _CheckTypes(int, number, old_serial, serial)
  _CheckTimes(time, *([] if since is None else [since]))
  (name, field, old, new) = map(json.loads, texts)
  entry = Entry(number, time, since, old_serial, serial, kind, name, action,
                field, old, new)
  if not (entry.kind in differences.KINDS
          and entry.action in differences.ACTIONS
          and isinstance(entry.field, (str, type(None)))):
    raise ValueError("A value has another type")
  return entry


def Read(path: str, cluster: str, wanted: Selection) -> Found:
  """Reads some entries.

  @return: no entries if there is no file yet
  @raise forked.BadRequest: the file cannot be read; the text says why

  """
  if not os.path.exists(path):
    return Found([], False, None)
  with _Open(path) as connection:
    connection.execute("PRAGMA query_only = ON")
    known = None
    if _Check(connection, path):
      known = connection.execute("SELECT id, began FROM cluster WHERE name = ?",
                                 (cluster, )).fetchone()
    if known is None:
      return Found([], False, None)
    (number, began) = known
    _CheckTimes(began)
    (condition, values) = _Condition(number, wanted)
    rows = connection.execute(
      "SELECT entry.id, step.time, step.since, step.old_serial, step.serial,"
      " entry.kind, entry.name, entry.action, entry.field, entry.old, entry.new"
      " FROM entry JOIN step ON step.id = entry.step WHERE " + condition +
      " ORDER BY entry.id DESC LIMIT ?", [*values, wanted.limit + 1]).fetchall()
    entries = list(map(_MakeEntry, rows))
  return Found(entries[:wanted.limit], len(entries) > wanted.limit, began)
