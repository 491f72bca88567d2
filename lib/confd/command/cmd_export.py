#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "export": files for other programs.

A file is replaced only by what was made of a whole answer, and only if more
than the serial in its first line is different.

With "watch" the file is kept up to date. What goes wrong then is tried again,
the command that is run after a change included.

"""

from __future__ import annotations

import argparse
import importlib
import re
import sys

from types import ModuleType
from typing import Any, Callable, Iterator, List, Optional, Tuple

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd.command import argtypes
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import replacefile
from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize


#: Where a command that is run finds the serial
_SERIAL_VARIABLE = "CONFD_SERIAL"

_SERIAL_RE = re.compile(b", serial [0-9]+$")

#: How many lines tell what is left out
_MAX_SAID = 20


def _ClusterName(asker: clientlib.Client, say: hostlist.Say) -> Optional[str]:
  """Asks for the name of the cluster.

  """
  path = "/cluster/cluster_name"
  if (asker.reader is not None and
      not asker.reader.May(constants.CONFD_REQ_CONFIG_QUERY, path)):
    # Who gave him the key knows
    return None
  try:
    stored = asker.Config(path).answer
  except clientlib.ErrorAnswer as err:
    # Everything else can be told without it
    say("the cluster's name is left out: %s" % err)
    return None
  name = sanitize.HostName(stored)
  if name is None:
    say("the cluster's name %s is left out" % sanitize.Show(stored))
  return name


def _WithoutSerial(data: bytes) -> bytes:
  """Returns the contents of a file, less the serial where it has one.

  """
  (first, newline, rest) = data.partition(b"\n")
  return _SERIAL_RE.sub(b"", first) + newline + rest


def _Then(line: str, serial: int) -> int:
  """Runs a command line.

  @return: exit code

  """
  from ganeti.confd.command import child
  code = child.Run(["/bin/sh", "-c", line], {_SERIAL_VARIABLE: str(serial)})
  if code == 0:
    return exitcodes.SUCCESS
  output.Say("The file has changed, but '%s' %s" %
             (line, child.HowItEnded(code)))
  return exitcodes.FAILURE


def _Complain(left_out: List[str]) -> None:
  for text in left_out[:_MAX_SAID]:
    output.Say(text)
  if len(left_out) > _MAX_SAID:
    output.Say("and %d more like these; --json has them all" %
               (len(left_out) - _MAX_SAID))


def _WithFirstLine(module: ModuleType, opts: argparse.Namespace,
                   source: hostlist.Source, serial: int, say: hostlist.Say
                   ) -> str:
  """Makes a whole file.

  @param module: that of the format

  """
  text: str = module.Format(source, say)
  if module.COMMENT is None:
    return text
  return ("%s confd-client export %s: cluster %s, serial %d\n%s" %
          (module.COMMENT, opts.format, source.cluster or "without a name",
           serial, text))


class _Exporter:
  """Makes one file of tables, once or each time that they change.

  """
  def __init__(self, asker: clientlib.Client, opts: argparse.Namespace) -> None:
    self._asker = asker
    self._opts = opts
    self._module = importlib.import_module(
      "ganeti.confd.export." + argtypes.ExportModule(opts.format))
    self.fields: List[str] = self._module.FIELDS[opts.kind]
    # Whether the file has changed, and the command is yet to be run
    self._is_due = False

  def Export(self, reply: clientlib.Reply[Any]) -> int:
    """Exports a table.

    @return: exit code

    """
    opts = self._opts
    left_out: List[str] = []
    cluster = _ClusterName(self._asker, left_out.append)
    source = hostlist.Source(
      cluster, opts.kind,
      hostlist.Hosts(opts.kind, self.fields, reply.answer, left_out.append))
    if opts.target_port is not None:
      source = source._replace(target_port=opts.target_port)
    if opts.table is not None:
      source = source._replace(table=opts.table)

    def _Make(before: Optional[str]) -> str:
      return _WithFirstLine(self._module, opts, source._replace(before=before),
                            reply.serial, left_out.append)

    if opts.json:
      text = _Make(None)
      output.PrintReply(reply._replace(answer={"text": text,
                                               "left_out": left_out}))
      return exitcodes.SUCCESS
    if opts.output is None:
      text = _Make(None)
      _Complain(left_out)
      sys.stdout.write(text)
      return exitcodes.SUCCESS

    def _Contents(old: Optional[bytes]) -> Optional[bytes]:
      before = None if old is None else old.decode("ascii", "replace")
      data = _Make(before).encode("ascii")
      _Complain(left_out)
      if old is not None and _WithoutSerial(old) == _WithoutSerial(data):
        return None
      return data
    if replacefile.Replace(opts.output, _Contents):
      self._is_due = opts.then is not None
    if not self._is_due:
      return exitcodes.SUCCESS
    code = _Then(opts.then, reply.serial)
    self._is_due = code != exitcodes.SUCCESS
    return code


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Exports instances or nodes.

  """
  exporter = _Exporter(asker, opts)
  with output.Progress(asker):
    reply = asker.List(opts.kind, exporter.fields, filter=opts.filter)
  return exporter.Export(reply)


def Watch(asker: clientlib.Client, opts: argparse.Namespace
          ) -> Tuple[Callable[..., Iterator[clientlib.Change]],
                     Callable[[clientlib.Reply[Any]], int]]:
  """Returns what "watch" has to know.

  @return: what follows the table, and what exports it

  """
  exporter = _Exporter(asker, opts)
  return (lambda trouble: asker.Follow(opts.kind, exporter.fields,
                                       filter=opts.filter, trouble=trouble),
          exporter.Export)
