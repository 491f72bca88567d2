#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What a generation and the supervisor say to each other.

Over two pipes. The supervisor writes one byte for each order; the end of that
pipe means: finish. A loader writes messages, each as a line of JSON; the end
of this pipe means that no process of the generation is left.

"""

from __future__ import annotations


import simplejson

from ganeti.confd import filestate
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Dict, List, Optional, Tuple, Type, Union


#: Orders to a loader
LOAD = b"l"
SERVE = b"s"
RENEW_KEY = b"k"
CHECK = b"c"


if TYPE_CHECKING:
  #: The state of a file, as from L{filestate.FileState}
  _FileState = Optional[Union[filestate.State, filestate.Inaccessible]]


class Files(NamedTuple):
  """The state of both files.

  """
  config: _FileState
  key: _FileState


class Prepared(NamedTuple):
  """A spare loader waits for the order to load.

  """


class Loading(NamedTuple):
  """A spare loader has got that order, and begins.

  """


class Ready(NamedTuple):
  """The files were loaded, and the generation can serve.

  C{cpu} is the processor time that took and C{young} how long the files'
  states may still hide a change (both in seconds); C{key} the key in hex, for
  the watchdog's questions; C{more_warnings} how many more there were.

  """
  serial: int
  files: Files
  key: str
  cpu: float
  young: float
  warnings: List[str]
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
  """Whether the files still hold what was loaded from them.

  """
  same: bool


class Stopped(NamedTuple):
  """No process of the generation reads or answers any more; all of them end.

  """


if TYPE_CHECKING:
  Message = Union[Prepared, Loading, Ready, Failed, WorkerDied, KeyRenewed,
                  Checked, Stopped]

_KINDS: Dict[str, Type[Any]] = {
  kind.__name__: kind
  for kind in (Prepared, Loading, Ready, Failed, WorkerDied, KeyRenewed,
               Checked, Stopped)
  }


def Encode(message: Message) -> bytes:
  """Makes a line of a message.

  """
  fields = message._asdict()
  if "files" in fields:
    fields["files"] = list(fields["files"])
  text: str = simplejson.dumps([type(message).__name__, fields],
                               namedtuple_as_object=False)
  return text.encode("ascii") + b"\n"


def _State(value: Optional[List[Any]]) -> _FileState:
  """Restores the state of a file, which JSON has made a list of.

  """
  if value is None:
    return None
  if len(value) == len(filestate.State._fields):
    return filestate.State(*value)
  return filestate.Inaccessible(*value)


def Decode(line: bytes) -> Message:
  """Makes a message of a line, without its end.

  """
  (name, fields) = simplejson.loads(line)
  if "files" in fields:
    fields["files"] = Files(*map(_State, fields["files"]))
  message: Message = _KINDS[name](**fields)
  return message


def Split(data: bytes) -> Tuple[List[Message], bytes]:
  """Takes what was read from a pipe apart.

  @return: the messages, and the beginning of the next one

  """
  (*lines, rest) = data.split(b"\n")
  return ([Decode(line) for line in lines], rest)
