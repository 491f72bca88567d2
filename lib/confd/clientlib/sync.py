#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The synchronous client: one call, one answer.

"""

from __future__ import annotations

import functools
import os
import threading
import time
import typing
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, Iterable, \
  Literal, Optional, Sequence, TypeVar, Union, overload

from ganeti import errors
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import questions
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import readerkey

if TYPE_CHECKING:
  from ganeti.confd.clientlib import exchange
  from ganeti.confd.clientlib import filters
  from typing_extensions import Concatenate, ParamSpec
  from ganeti.confd.clientlib import follow
  _Arguments = ParamSpec("_Arguments")

# The client has a call named List
_List = typing.List

_Value = TypeVar("_Value")
_Talk = TypeVar("_Talk", bound=talk.Talk)


class _Driver(dialogue.Driver):
  """Takes each step at once: no coroutine is ever suspended.

  """
  async def Run(self, make: Callable[[float], _Talk], deadline: float) -> _Talk:
    current = make(time.monotonic())
    self._post.Begin(current)
    try:
      while not current.Done(time.monotonic()):
        self._post.Send(current)
        self._Receive(current.wakeup - time.monotonic())
      # What has come in meanwhile counts
      self._Receive(0)
    finally:
      self._post.End(current)
    return current

  def _Receive(self, timeout: float) -> None:
    for sock in self._post.channel.Wait(timeout):
      self._post.Receive(sock)

  async def Pause(self, seconds: float) -> None:
    time.sleep(seconds)

  async def Call(self, function: Callable[[], _Value]) -> _Value:
    return function()

  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    function(deadline)

  def Close(self) -> None:
    self._post.channel.Close()


def _Blocking(question: Callable[Concatenate[questions.Questions, _Arguments],
                                 Coroutine[Any, Any, _Value]]
              ) -> Callable[Concatenate[Client, _Arguments], _Value]:
  """Makes a call that blocks of a question that is awaited.

  """
  @functools.wraps(question)
  def _Call(self: Client, /, *args: _Arguments.args,
            **kwargs: _Arguments.kwargs) -> _Value:
    return self._Perform(question(self._questions, *args, **kwargs))
  return _Call


def _Iterating(question: Callable[Concatenate[questions.Questions, _Arguments],
                                  follow.AsyncFollowing]
               ) -> Callable[Concatenate[Client, _Arguments],
                             follow.Following]:
  """Makes an iterator that blocks of one that is awaited.

  """
  @functools.wraps(question)
  def _Call(self: Client, /, *args: _Arguments.args,
            **kwargs: _Arguments.kwargs) -> follow.Following:
    from ganeti.confd.clientlib import follow
    return follow.Following(question(self._questions, *args, **kwargs),
                            self._Perform)
  return _Call


class Client:
  """Asks the master candidates, and returns the freshest answer or raises.

  One object may ask any number of questions, one after the other; it learns
  which candidates there are as time goes by. It may go from thread to thread,
  but is used by one at a time. After a fork both processes may use it.

  What questions raise stands with each, and for all of them with L{Query}.

  """
  def __init__(self, peers: Optional[Sequence[str]] = None,
               key: Union[bytes, str, None] = None,
               key_file: Optional[str] = None,
               port: Optional[int] = None,
               timeout: Optional[float] = None,
               coverage: int = 0,
               max_memory: int = parts.MAX_MEMORY,
               cluster: Optional[str] = None) -> None:
    """Makes a client, which asks nobody yet.

    @param peers: names or addresses of the master candidates, with or without
      a port; None for those that this node knows
    @param key: what is in a file with a key, the cluster's or a reader's
    @param key_file: that file, if C{key} is not given; None for where a node
      has the cluster's key
    @param port: where C{peers} do not say; None for the default
    @param timeout: how long to wait for an answer, in seconds; where one comes
      in parts, for the next part; None for 10
    @param coverage: how many candidates to ask; 0 for
      C{constants.CONFD_DEFAULT_REQ_COVERAGE} or all if they are fewer, -1 for
      all
    @param max_memory: how much memory an answer that comes in parts may take,
      in bytes (about); 1.6 GB by default
    @param cluster: the name of a cluster in the files that confd-client(1)
      describes, for all of the above that is not given; empty for the one that
      environment and files say; None for not to read any
    @raise errors.ConfigurationError: there is no usable key, or something is
      wrong with the settings
    @raise errors.ProgrammerError: an argument is wrong

    """
    self._questions = questions.Questions(
      _Driver, peers=peers, key=key, key_file=key_file, port=port,
      timeout=timeout, coverage=coverage, max_memory=max_memory,
      cluster=cluster)
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

  @property
  def progress(self) -> Optional[Callable[[int, Optional[int]], None]]:
    """None, or a function that is called now and then while an answer comes in
    parts, with how many have come and of how many (None while that is not
    known).

    """
    return self._questions.progress

  @progress.setter
  def progress(self, function: Optional[Callable[[int, Optional[int]], None]]
               ) -> None:
    self._questions.progress = function

  @property
  def reader(self) -> Optional[readerkey.Label]:
    """The label of the reader's key that is asked with; None for the cluster's.

    """
    return self._questions.reader

  def _Perform(self, question: Coroutine[Any, Any, _Value]) -> _Value:
    """Runs a coroutine to its end.

    """
    if self._pid != os.getpid():
      # Who has the lock, if anybody, is a thread of the process before
      self._pid = os.getpid()
      self._busy = threading.Lock()
      self._questions.Forked()
    if not self._busy.acquire(blocking=False):
      question.close()
      raise errors.ProgrammerError("This client is asking already: each thread"
                                   " needs one of its own")
    try:
      question.send(None)
    except StopIteration as stop:
      result: _Value = stop.value
      return result
    finally:
      self._busy.release()
    raise AssertionError("a step was left to an event loop")

  Query = _Blocking(questions.Questions.Query)
  Learn = _Blocking(questions.Questions.Learn)
  Survey = _Blocking(questions.Questions.Survey)
  Status = _Blocking(questions.Questions.Status)
  Stats = _Blocking(questions.Questions.Stats)
  Serial = _Blocking(questions.Questions.Serial)
  Ping = _Blocking(questions.Questions.Ping)
  NodeRole = _Blocking(questions.Questions.NodeRole)
  MasterNode = _Blocking(questions.Questions.MasterNode)
  MasterInfo = _Blocking(questions.Questions.MasterInfo)
  NodeIps = _Blocking(questions.Questions.NodeIps)
  MasterCandidates = _Blocking(questions.Questions.MasterCandidates)
  InstanceIps = _Blocking(questions.Questions.InstanceIps)
  NodeOfInstanceIp = _Blocking(questions.Questions.NodeOfInstanceIp)
  NodesOfInstanceIps = _Blocking(questions.Questions.NodesOfInstanceIps)
  NodeDrbd = _Blocking(questions.Questions.NodeDrbd)
  NodeInstances = _Blocking(questions.Questions.NodeInstances)
  InstanceDisks = _Blocking(questions.Questions.InstanceDisks)
  Config = _Blocking(questions.Questions.Config)
  Collectors = _Blocking(questions.Questions.Collectors)
  if TYPE_CHECKING:
    # What _Blocking says of one with two forms is less than they say
    # pylint: disable=W0613,W0622
    @overload
    def List(self, what: str, fields: Iterable[str],
             filter: Union[str, filters.Filter, None] = None,
             names: Optional[Iterable[str]] = None,
             named: Literal[False] = False
             ) -> exchange.Reply[_List[_List[Any]]]: ...

    @overload
    def List(self, what: str, fields: Iterable[str],
             filter: Union[str, filters.Filter, None] = None,
             names: Optional[Iterable[str]] = None, *, named: Literal[True]
             ) -> exchange.Reply[_List[Dict[str, Any]]]: ...

    def List(self, what: str, fields: Iterable[str],
             filter: Union[str, filters.Filter, None] = None,
             names: Optional[Iterable[str]] = None, named: bool = False
             ) -> exchange.Reply[Any]: ...
  else:
    List = _Blocking(questions.Questions.List)
  Tables = _Blocking(questions.Questions.Tables)
  Fields = _Blocking(questions.Questions.Fields)
  OfflineNodes = _Blocking(questions.Questions.OfflineNodes)
  Instances = _Blocking(questions.Questions.Instances)
  PrimaryNodes = _Blocking(questions.Questions.PrimaryNodes)
  Follow = _Iterating(questions.Questions.Follow)
  FollowQuery = _Iterating(questions.Questions.FollowQuery)
  FollowCall = _Iterating(questions.Questions.FollowCall)
