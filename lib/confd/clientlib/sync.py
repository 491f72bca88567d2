#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The synchronous client: one call, one answer.

"""

from __future__ import annotations

import functools
import os
import threading

from ganeti import errors
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import questions
from ganeti.confd.clientlib import session
from ganeti.confd.typed import TYPE_CHECKING, overload

if TYPE_CHECKING:
  from typing import Any, Awaitable, Callable, Coroutine, Iterable, Literal, \
    Optional, TypeVar, Union
  from ganeti.confd import client
  from ganeti.confd.clientlib import follow
  from typing_extensions import Concatenate, ParamSpec

  _Arguments = ParamSpec("_Arguments")
  _Value = TypeVar("_Value")
  _Operation = TypeVar("_Operation", bound=operation.Operation)


class _Driver(session.Driver):
  """Blocks in each step: no coroutine is ever suspended.

  """
  async def Run(self, make: Callable[[float], _Operation], deadline: float
                ) -> _Operation:
    current = make(self.Now())
    self._transport.Begin(current)
    try:
      while not current.Done(self.Now()):
        self._transport.Send(current)
        self._Receive(current.wakeup - self.Now())
      # Also read the replies that have arrived by now: one of them may be
      # fresher than all replies read so far
      self._Receive(0)
    finally:
      self._transport.End(current)
    return current

  def _Receive(self, timeout: float) -> None:
    for sock in self._transport.Wait(timeout):
      self._transport.Receive(sock)

  async def Pause(self, seconds: float) -> None:
    self._transport.Sleep(seconds)

  async def Call(self, function: Callable[[], _Value]) -> _Value:
    return function()

  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    function(deadline)

  def Close(self) -> None:
    self._transport.Close()


class _Questions(questions.Questions):
  """The questions, answered without an event loop.

  """
  _DRIVER = _Driver


def _LikeSession(init: Callable[Concatenate[_Questions, _Arguments], None]
                 ) -> Callable[[Callable[..., None]],
                               Callable[Concatenate[Client, _Arguments], None]]:
  """Decorates a constructor that has the arguments of L{session.Session}.

  """
  def _Decorate(constructor: Callable[..., None]) -> Any:
    return functools.update_wrapper(constructor, init)
  return _Decorate


# Blocking has two signatures for the sake of Jedi, which completes names in
# editors: Jedi 0.20 needs the first one to find the type of a coroutine
# function's result, Jedi 0.18 the second one
@overload
def Blocking(question: Callable[Concatenate[questions.Questions, _Arguments],
                                Coroutine[Any, Any, _Value]]
             ) -> Callable[Concatenate[Client, _Arguments], _Value]: ...


@overload
def Blocking(question: Callable[Concatenate[questions.Questions, _Arguments],
                                Awaitable[_Value]]
             ) -> Callable[Concatenate[Client, _Arguments], _Value]: ...


def Blocking(question: Callable[Concatenate[questions.Questions, _Arguments],
                                Awaitable[_Value]]
             ) -> Callable[Concatenate[Client, _Arguments], _Value]:
  """Converts a coroutine function to a method of L{Client} that blocks.

  """
  @functools.wraps(question)
  def _Call(self: Client, /, *args: _Arguments.args,
            **kwargs: _Arguments.kwargs) -> _Value:
    return self._Perform(question(self._questions, *args, **kwargs))
  return _Call


def _ShowResult(wrapper: Any, result: str) -> None:
  """Has C{help} show another type of result than the wrapped function's.

  C{inspect} takes the signature of a wrapper from C{__wrapped__}: replace this
  attribute by a copy of the wrapped function that has another annotation.

  """
  wrapped = wrapper.__wrapped__
  shown = type(wrapped)(wrapped.__code__, wrapped.__globals__,
                        argdefs=wrapped.__defaults__)
  shown.__annotations__ = dict(wrapped.__annotations__, **{"return": result})
  wrapper.__wrapped__ = shown


def _Iterating(question: Callable[Concatenate[questions.Questions, _Arguments],
                                  follow.AsyncFollowing]
               ) -> Callable[Concatenate[Client, _Arguments],
                             follow.Following]:
  """Converts a method that returns an asynchronous iterator to one that returns
  an iterator that blocks.

  """
  @functools.wraps(question)
  def _Call(self: Client, /, *args: _Arguments.args,
            **kwargs: _Arguments.kwargs) -> follow.Following:
    from ganeti.confd.clientlib import follow
    return follow.Following(question(self._questions, *args, **kwargs),
                            self._Perform)
  _ShowResult(_Call, "client.Following")
  return _Call


class Client:
  """Asks the master candidates, and returns the freshest answer or raises.

  A client may ask any number of questions, one after the other, and learns the
  candidates meanwhile. Several threads may use one client, but not at the same
  time. After a fork both processes may use the client.

  Query() documents the exceptions that all calls may raise; each other call
  documents only those of its own.

  """
  @_LikeSession(_Questions.__init__)
  def __init__(self, *args: Any, **kwargs: Any) -> None:
    self._questions = _Questions(*args, **kwargs)
    self._busy = threading.Lock()
    self._pid = os.getpid()

  def __enter__(self) -> Client:
    return self

  def __exit__(self, *_: object) -> None:
    self.Close()

  def Close(self) -> None:
    """Closes the sockets. Nothing can be asked any more.

    """
    self._questions.Close()

  def close(self) -> None:
    """Does the same as Close(); contextlib.closing calls this name.

    """
    self.Close()

  @property
  def progress(self) -> Optional[client.ProgressCallback]:
    """None, or a function that is called now and then while an answer is
    downloaded in parts, with the number of parts so far and the number of all
    parts (None while that is not known).

    """
    return self._questions.progress

  @progress.setter
  def progress(self, function: Optional[client.ProgressCallback]) -> None:
    self._questions.progress = function

  @property
  def reader(self) -> Optional[client.Label]:
    """The label of the reader's key in use; None for the cluster's key.

    """
    return self._questions.reader

  def _Perform(self, question: Awaitable[_Value]) -> _Value:
    """Runs a coroutine to its end.

    """
    steps = question.__await__()
    if self._pid != os.getpid():
      # In the child after a fork, use a new lock: the old one may be held by a
      # thread that only the parent has
      self._pid = os.getpid()
      self._busy = threading.Lock()
      self._questions.Forked()
    if not self._busy.acquire(blocking=False):
      steps.close()
      raise errors.ProgrammerError("This client is asking already: each thread"
                                   " needs one of its own")
    try:
      steps.send(None)
    except StopIteration as stop:
      result: _Value = stop.value
      return result
    finally:
      self._busy.release()
    raise AssertionError("a step was left to an event loop")

  Query = Blocking(questions.Questions.Query)
  Learn = Blocking(questions.Questions.Learn)
  Survey = Blocking(questions.Questions.Survey)
  Status = Blocking(questions.Questions.Status)
  Stats = Blocking(questions.Questions.Stats)
  Serial = Blocking(questions.Questions.Serial)
  Ping = Blocking(questions.Questions.Ping)
  NodeRole = Blocking(questions.Questions.NodeRole)
  MasterNode = Blocking(questions.Questions.MasterNode)
  MasterInfo = Blocking(questions.Questions.MasterInfo)
  NodeIps = Blocking(questions.Questions.NodeIps)
  MasterCandidates = Blocking(questions.Questions.MasterCandidates)
  InstanceIps = Blocking(questions.Questions.InstanceIps)
  NodeOfInstanceIp = Blocking(questions.Questions.NodeOfInstanceIp)
  NodesOfInstanceIps = Blocking(questions.Questions.NodesOfInstanceIps)
  NodeDrbd = Blocking(questions.Questions.NodeDrbd)
  NodeInstances = Blocking(questions.Questions.NodeInstances)
  InstanceDisks = Blocking(questions.Questions.InstanceDisks)
  Config = Blocking(questions.Questions.Config)
  Collectors = Blocking(questions.Questions.Collectors)
  if TYPE_CHECKING:
    # Blocking cannot express the types of an overloaded function
    # pylint: disable=W0613,W0622
    @overload
    def List(self, what: client.TableName, fields: Iterable[str],
             filter: Optional[str] = None,
             names: Optional[Iterable[str]] = None,
             named: Literal[False] = False
             ) -> client.Reply[list[list[Any]]]: ...

    @overload
    def List(self, what: client.TableName, fields: Iterable[str],
             filter: Optional[str] = None,
             names: Optional[Iterable[str]] = None, *, named: Literal[True]
             ) -> client.Reply[list[dict[str, Any]]]: ...

    def List(self, what: client.TableName, fields: Iterable[str],
             filter: Optional[str] = None,
             names: Optional[Iterable[str]] = None, named: bool = False
             ) -> client.Reply[Any]: ...
  else:
    List = Blocking(questions.Questions.List)
  Tables = Blocking(questions.Questions.Tables)
  Fields = Blocking(questions.Questions.Fields)
  OfflineNodes = Blocking(questions.Questions.OfflineNodes)
  Instances = Blocking(questions.Questions.Instances)
  PrimaryNodes = Blocking(questions.Questions.PrimaryNodes)
  Follow = _Iterating(questions.Questions.Follow)
  FollowQuery = _Iterating(questions.Questions.FollowQuery)
  FollowCall = _Iterating(questions.Questions.FollowCall)
