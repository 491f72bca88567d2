#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asks several clusters at once, each in a thread of its own.

Rule: a failure of one cluster has no effect on the results of the others.

"""

from __future__ import annotations

import argparse
import queue
import threading

from typing import TYPE_CHECKING, Any, Callable, Generic, Iterator, Mapping, \
  Optional, Sequence, TypeVar, Union

from ganeti import constants
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import plugin
from ganeti.confd.command import result as resultlib
from ganeti.confd.command import table as tablelib


_Value = TypeVar("_Value")

#: Maps the names of clusters to functions that make their clients
ClientFactories = Mapping[str, Callable[[], clientlib.Client]]

#: A generator function that gets a client and the name of the client's cluster,
#: and yields functions to run
Steps = Callable[[clientlib.Client, str], Iterator[Callable[[], None]]]

#: A queue of pairs: the name of a cluster, and either the next function that
#: the cluster's C{Steps} yield or the error with which the C{Steps} ended
if TYPE_CHECKING:
  _StepQueue = queue.Queue[
    tuple[str, Union[Callable[[], None], BaseException]]]

#: The main thread waits for a lock at most this many seconds at a time. A
#: signal that comes just before the thread begins to wait does not interrupt
#: the wait, so Ctrl-C would have no effect until the lock is released.
_SIGNAL_DELAY = 0.5

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


def _IsUnknown(err: Failure) -> bool:
  """Tells whether a cluster lacks the object that the user has named.

  """
  if isinstance(err, clientlib.ErrorAnswer):
    code = err.code
    return (code == constants.CONFD_ERROR_UNKNOWN_ENTRY or
            isinstance(code, dict) and code.get("unknown") == "name")
  return isinstance(err, resultlib.NotFound)


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

  def DropUnknown(self) -> None:
    """Ignores that clusters lack the named object if another cluster has it.

    A name that the user asks for is rarely in all clusters.

    """
    if self.values:
      self.failures = {name: err for (name, err) in self.failures.items()
                       if not _IsUnknown(err)}

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
    while thread.is_alive():
      thread.join(_SIGNAL_DELAY)
    err = thread.error
    if err is None:
      result.values[name] = thread.values[0]
    elif isinstance(err, (errors.GenericError, OSError)):
      result.failures[name] = err
    else:
      raise err
  return result


def _Take(found: _StepQueue) -> tuple[str, Union[Callable[[], None],
                                                 BaseException]]:
  """Takes the next item from a queue.

  """
  while True:
    try:
      return found.get(timeout=_SIGNAL_DELAY)
    except queue.Empty:
      pass


class _StepsThread(threading.Thread):
  """Passes the functions that a cluster yields to the main thread.

  """
  def __init__(self, name: str, make: Callable[[], clientlib.Client],
               steps: Steps, done: _StepQueue) -> None:
    threading.Thread.__init__(self, daemon=True)
    self._cluster = name
    self._make = make
    self._steps = steps
    self._queue = done

  def run(self) -> None:
    try:
      with self._make() as client:
        for step in self._steps(client, self._cluster):
          self._queue.put((self._cluster, step))
    except BaseException as err: # pylint: disable=W0718
      self._queue.put((self._cluster, err))


def RunSteps(factories: ClientFactories, steps: Steps) -> int:
  """Runs, in this thread, the functions that several clusters yield.

  While a function runs, the clusters wait with their next functions. So a slow
  function delays the clusters, and no function is lost.

  @param steps: the generator function, which is called for each cluster
  @return: exit code, when no cluster yields anything more

  """
  # A queue of one item: a thread waits until the queue is empty before it adds
  # its next item
  found: _StepQueue = queue.Queue(1)
  results: Results[None] = Results()
  for (name, make) in factories.items():
    _StepsThread(name, make, steps, found).start()
  while len(results.failures) < len(factories):
    (name, step) = _Take(found)
    if not isinstance(step, BaseException):
      step()
    elif isinstance(step, (errors.GenericError, OSError)):
      results.failures[name] = step
      if not _IsUnknown(step):
        output.Say("%s: %s" % (name, output.Describe(step)))
    else:
      raise step
  for (name, err) in results.failures.items():
    if _IsUnknown(err):
      output.Say("%s: %s" % (name, output.Describe(err)))
  return results.code


def _Row(table: tablelib.Table, row: Sequence[Any],
         headers: Optional[Sequence[str]]) -> Sequence[Any]:
  """Returns a row with a cell for each header, None if the table lacks it.

  """
  if headers is None or table.headers is None or table.headers == headers:
    return row
  cells = dict(zip(table.headers, row))
  return [cells.get(header) for header in headers]


def _PrintTables(results: Mapping[str, resultlib.Result],
                 opts: argparse.Namespace) -> None:
  """Prints the tables of several clusters as one, with a column of clusters.

  """
  printer = output.Printer(opts)
  found = {name: value.table for (name, value) in results.items()
           if value.table is not None}
  if any(table.is_drawing for table in found.values()):
    for (name, table) in found.items():
      output.WriteLine("%s:" % name)
      printer.PrintTable(table)
  elif found:
    # Take the headers of the widest table: some tables may lack a column
    widest = max(found.values(), key=lambda table: len(table.headers or ()))
    headers = widest.headers
    printer.PrintTable(tablelib.Table(
      None if headers is None else ["Cluster", *headers],
      [[name, *_Row(table, row, headers)] for (name, table) in found.items()
       for row in table.rows],
      [index + 1 for index in widest.numeric],
      [colour for table in found.values()
       for colour in table.colours or [None] * len(table.rows)]))
  for (name, value) in results.items():
    resultlib.PrintBelow([("%s: %s" % (name, text), colour)
                          for (text, colour) in value.below], opts)


def _Report(results: Results[resultlib.Result]) -> plugin.Report:
  """Joins the reports of several clusters; a failure is an unknown state.

  """
  reports = {name: value.report for (name, value) in results.values.items()
             if value.report is not None}
  reports.update((name, plugin.Report(plugin.UNKNOWN, output.Describe(err)))
                 for (name, err) in results.failures.items())
  return plugin.Join(reports)


def Run(factories: ClientFactories, opts: argparse.Namespace,
        ask: Callable[[clientlib.Client, argparse.Namespace], resultlib.Result],
        is_plugin: bool = False) -> int:
  """Runs a command for several clusters, and prints the results.

  @param is_plugin: whether the output is that of a plugin
  @return: exit code

  """
  results = AskAll(factories, lambda client: ask(client, opts))
  results.DropUnknown()
  report = _Report(results) if is_plugin else None
  if opts.json:
    results.PrintJson(lambda value: value.document)
  elif report is not None:
    for line in report.Format():
      print(line)
  else:
    _PrintTables(results.values, opts)
    for (name, value) in results.values.items():
      for text in value.remarks:
        output.Say("%s: %s" % (name, text))
    results.Complain()
  if report is not None:
    return report.code
  return max([results.code] + [value.code for value in results.values.values()])
