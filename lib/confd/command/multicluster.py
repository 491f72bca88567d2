#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Several clusters at once, each asked in a thread of its own.

What one of them answers, or that it does not, is of no concern to the others.

"""

from __future__ import annotations

import threading

from typing import Any, Callable, Dict, Generic, List, Mapping, Optional, \
  TypeVar, Union

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output


_Value = TypeVar("_Value")

#: Clients by cluster, not made yet
Askers = Mapping[str, Callable[[], clientlib.Client]]

#: What is wrong with one cluster
Failure = Union[errors.GenericError, OSError]


class _Thread(threading.Thread, Generic[_Value]):
  """Asks one cluster.

  """
  def __init__(self, make: Callable[[], clientlib.Client],
               question: Callable[[clientlib.Client], _Value]) -> None:
    # Who interrupts the program does not wait for it
    threading.Thread.__init__(self, daemon=True)
    self.error: Optional[BaseException] = None
    self.values: List[_Value] = []
    self._make = make
    self._question = question

  def run(self) -> None:
    try:
      with self._make() as asker:
        self.values.append(self._question(asker))
    except BaseException as err: # pylint: disable=W0718
      self.error = err


class Answers(Generic[_Value]):
  """What the clusters have answered.

  @ivar values: of those that have, by cluster
  @ivar failures: of the others

  """
  def __init__(self) -> None:
    self.values: Dict[str, _Value] = {}
    self.failures: Dict[str, Failure] = {}

  @property
  def code(self) -> int:
    """The exit code for the worst failure.

    """
    if any(isinstance(err, clientlib.NoAnswer)
           for err in self.failures.values()):
      return exitcodes.NO_ANSWER
    return exitcodes.FAILURE if self.failures else exitcodes.SUCCESS

  def Complain(self) -> None:
    """Tells the user of the failures.

    """
    for (name, err) in self.failures.items():
      output.Say("%s: %s" % (name, output.Describe(err)))

  def PrintJson(self, make: Callable[[_Value], clientlib.Reply[Any]]) -> None:
    """Prints everything, failures too.

    @param make: makes a reply of a value

    """
    clusters = {name: output.FormatReply(make(value))
                for (name, value) in self.values.items()}
    clusters.update((name, {"error": output.Describe(err)})
                    for (name, err) in self.failures.items())
    output.PrintDocument({"clusters": clusters})


def Ask(askers: Askers, question: Callable[[clientlib.Client], _Value]
        ) -> Answers[_Value]:
  """Asks several clusters the same question.

  """
  threads = {name: _Thread(make, question) for (name, make) in askers.items()}
  for thread in threads.values():
    thread.start()
  result: Answers[_Value] = Answers()
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
