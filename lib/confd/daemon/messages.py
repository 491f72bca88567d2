#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Messages and orders between a generation and the supervisor.

Each generation has two pipes. On the first the supervisor writes orders, of one
byte each; end of file tells the loader to finish. On the second the loader and
its children write messages, each a line of JSON; end of file tells the
supervisor that no process of the generation is left.

"""

from __future__ import annotations

import json

from ganeti.confd import filestate
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Optional, Union


#: Orders to a loader, of one byte each
LOAD = b"l"
SERVE = b"s"
RENEW_KEY = b"k"
CHECK = b"c"


if TYPE_CHECKING:
  #: The state of a file, as L{filestate.FileState} returns it
  _FileState = Optional[Union[filestate.State, filestate.Inaccessible]]


class Files(NamedTuple):
  """The state of both files.

  """
  config: _FileState
  key: _FileState


class Prepared(NamedTuple):
  """A spare loader is prepared, and waits for the order to load.

  """


class Loading(NamedTuple):
  """A spare loader has got the order to load, and begins.

  """


class Ready(NamedTuple):
  """The files were loaded, and the generation can serve.

  @ivar key: the key in hex, for the watchdog's requests
  @ivar cpu: CPU time that the loader has used so far, in seconds
  @ivar racy_seconds: seconds for which a further change of a file may not show
    in the file's state
  @ivar more_warnings: number of warnings that C{warnings} leaves out

  """
  serial: int
  files: Files
  key: str
  cpu: float
  racy_seconds: float
  warnings: list[str]
  more_warnings: int


class Failed(NamedTuple):
  """The files cannot be used; the loader ends.

  """
  reason: str
  files: Files
  cpu: float


class WorkerDied(NamedTuple):
  """A child of the loader died, and will be replaced.

  """
  pid: int


class KeyRenewed(NamedTuple):
  """The generation serves with another key from now on.

  """
  key: str


class Checked(NamedTuple):
  """The files were checked for changes.

  @ivar same: whether the files still have the contents that were loaded

  """
  same: bool


class Stopped(NamedTuple):
  """The generation neither reads nor answers any more; its processes end.

  """


if TYPE_CHECKING:
  Message = Union[Prepared, Loading, Ready, Failed, WorkerDied, KeyRenewed,
                  Checked, Stopped]

_KINDS: dict[str, type[Any]] = {
  kind.__name__: kind
  for kind in (Prepared, Loading, Ready, Failed, WorkerDied, KeyRenewed,
               Checked, Stopped)
  }


def Encode(message: Message) -> bytes:
  """Encodes a message as a line.

  """
  fields = message._asdict()
  if "files" in fields:
    fields["files"] = list(fields["files"])
  return json.dumps([type(message).__name__, fields]).encode("ascii") + b"\n"


def _State(value: Optional[list[Any]]) -> _FileState:
  """Restores the state of a file from JSON, where it is a list.

  """
  if value is None:
    return None
  if len(value) == len(filestate.State._fields):
    return filestate.State(*value)
  return filestate.Inaccessible(*value)


def Decode(line: bytes) -> Message:
  """Decodes a message.

  @param line: a line as from L{Encode}, without the newline

  """
  (name, fields) = json.loads(line)
  if "files" in fields:
    fields["files"] = Files(*map(_State, fields["files"]))
  message: Message = _KINDS[name](**fields)
  return message


def Split(data: bytes) -> tuple[list[Message], bytes]:
  """Splits data read from a pipe into messages.

  @return: the messages, and the beginning of an incomplete one

  """
  (*lines, rest) = data.split(b"\n")
  return ([Decode(line) for line in lines], rest)
