#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asks several clusters at once, each in a thread of its own.

Rule: a failure of one cluster has no effect on the results of the others.

"""

from __future__ import annotations

import threading

from typing import Any, Callable, Generic, Mapping, Optional, TypeVar, Union

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output


_Value = TypeVar("_Value")

#: Maps the names of clusters to functions that make their clients
ClientFactories = Mapping[str, Callable[[], clientlib.Client]]

#: The reason why a cluster has no result
Failure = Union[errors.GenericError, OSError]


class _Thread(threading.Thread, Generic[_Value]):
  """Asks one cluster.

  """
  def __init__(self, make: Callable[[], clientlib.Client],
               question: Callable[[clientlib.Client], _Value]) -> None:
    # A daemon thread does not delay the program's end after Ctrl-C
    threading.Thread.__init__(self, daemon=True)
    self.error: Optional[BaseException] = None
    self.values: list[_Value] = []
    self._make = make
    self._question = question

  def run(self) -> None:
    try:
      with self._make() as client:
        self.values.append(self._question(client))
    except BaseException as err: # pylint: disable=W0718
      self.error = err


class Results(Generic[_Value]):
  """The results of all clusters.

  @ivar values: results by cluster
  @ivar failures: the reasons why the other clusters have no result

  """
  def __init__(self) -> None:
    self.values: dict[str, _Value] = {}
    self.failures: dict[str, Failure] = {}

  @property
  def code(self) -> int:
    """The exit code of the worst failure.

    """
    if any(isinstance(err, clientlib.NoAnswer)
           for err in self.failures.values()):
      return exitcodes.NO_ANSWER
    return exitcodes.FAILURE if self.failures else exitcodes.SUCCESS

  def Complain(self) -> None:
    """Reports the failures to the user.

    """
    for (name, err) in self.failures.items():
      output.Say("%s: %s" % (name, output.Describe(err)))

  def PrintJson(self, to_json: Callable[[_Value], dict[str, Any]]) -> None:
    """Prints results and failures.

    @param to_json: converts a result to the object for --json

    """
    clusters = {name: to_json(value) for (name, value) in self.values.items()}
    clusters.update((name, {"error": output.Describe(err)})
                    for (name, err) in self.failures.items())
    output.PrintDocument({"clusters": clusters})


def AskAll(factories: ClientFactories,
           question: Callable[[clientlib.Client], _Value]) -> Results[_Value]:
  """Asks several clusters the same question.

  """
  threads = {name: _Thread(make, question)
             for (name, make) in factories.items()}
  for thread in threads.values():
    thread.start()
  result: Results[_Value] = Results()
  for (name, thread) in threads.items():
    thread.join()
    err = thread.error
    if err is None:
      result.values[name] = thread.values[0]
    elif isinstance(err, (errors.GenericError, OSError)):
      result.failures[name] = err
    else:
      raise err
  return result
