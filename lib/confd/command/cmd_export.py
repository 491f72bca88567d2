#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "export": files for other programs.

Rule 1: a file is replaced only after a complete answer, and only if the new
contents differ from the old ones in more than the serial in the first line.

Rule 2: "watch export" repeats everything that fails, including the command of
--then.

"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time

from types import ModuleType
from typing import Any, Callable, Iterator, NamedTuple, NoReturn, Optional

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd.command import argtypes
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.command import replacefile
from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize


#: The environment variable that passes the serial to the command of --then
_SERIAL_VARIABLE = "CONFD_SERIAL"

_SERIAL_RE = re.compile(b", serials? [0-9, ]+$")

#: At most this many left-out values are reported one by one
_MAX_SAID = 20

#: Seconds until "watch export" repeats an export that failed
_RETRY_SECONDS = 5.0


def _ClusterName(client: clientlib.Client, say: hostlist.Say) -> Optional[str]:
  """Asks for the cluster's name.

  """
  path = "/cluster/cluster_name"
  if (client.reader is not None and
      not client.reader.May(constants.CONFD_REQ_CONFIG_QUERY, path)):
    # Do not report that the cluster's name is missing: the key was made without
    # the right to ask for the name
    return None
  try:
    stored = client.Config(path).answer
  except clientlib.ErrorAnswer as err:
    # Do not fail: the file is useful even without the cluster's name
    say("the cluster's name is left out: %s" % err)
    return None
  name = sanitize.HostName(stored)
  if name is None:
    say("the cluster's name %s is left out" % sanitize.Show(stored))
  return name


def _WithoutSerial(data: bytes) -> bytes:
  """Returns the contents of a file without the serial in the first line.

  """
  (first, newline, rest) = data.partition(b"\n")
  return _SERIAL_RE.sub(b"", first) + newline + rest


def _RunThen(line: str, serial: str) -> int:
  """Runs the command line of --then.

  @return: exit code

  """
  from ganeti.confd.command import child
  code = child.Run(["/bin/sh", "-c", line], {_SERIAL_VARIABLE: serial})
  if code == 0:
    return exitcodes.SUCCESS
  output.Say("The file has changed, but '%s' %s" %
             (line, child.HowItEnded(code)))
  return exitcodes.FAILURE


def _Complain(left_out: list[str], with_json: bool) -> None:
  """Reports what was left out.

  @param with_json: whether the command has --json, which prints all of it

  """
  for text in left_out[:_MAX_SAID]:
    output.Say(text)
  if len(left_out) > _MAX_SAID:
    output.Say("and %d more like these%s" % (
      len(left_out) - _MAX_SAID, "; --json has them all" if with_json else
      "; with --json, an export of a single cluster has them all"))


def _WithFirstLine(module: ModuleType, opts: argparse.Namespace,
                   contents: hostlist.Contents, origin: str, say: hostlist.Say
                   ) -> str:
  """Formats a file, with a comment as first line if the format has comments.

  @param module: the module of the format
  @param origin: clusters and serials, for the comment

  """
  text: str = module.Format(contents, say)
  if module.COMMENT is None:
    return text
  return ("%s confd-client export %s: %s\n%s" %
          (module.COMMENT, opts.format, origin, text))


class _File:
  """The file that is exported, once or repeatedly.

  """
  def __init__(self, opts: argparse.Namespace) -> None:
    self._opts = opts
    # Whether the command of --then has to run: the file has changed since the
    # last run that was successful
    self._is_then_due = False

  def Write(self, make: Callable[[Optional[str]], str], left_out: list[str],
            serial: str) -> int:
    """Prints the contents, or replaces the file.

    @param make: returns the contents; its argument is the text of the file to
      be replaced, or None
    @param left_out: messages, to which C{make} adds
    @param serial: for the command of --then
    @return: exit code

    """
    opts = self._opts
    with_json = not parse.IsMultiCluster(opts)
    if opts.output is None:
      text = make(None)
      _Complain(left_out, with_json)
      sys.stdout.write(text)
      return exitcodes.SUCCESS

    def _Contents(old: Optional[bytes]) -> Optional[bytes]:
      previous = None if old is None else old.decode("ascii", "replace")
      data = make(previous).encode("ascii")
      _Complain(left_out, with_json)
      if old is not None and _WithoutSerial(old) == _WithoutSerial(data):
        return None
      return data
    if replacefile.Replace(opts.output, _Contents):
      self._is_then_due = opts.then is not None
    if not self._is_then_due:
      return exitcodes.SUCCESS
    code = _RunThen(opts.then, serial)
    self._is_then_due = code != exitcodes.SUCCESS
    return code


def _Module(opts: argparse.Namespace) -> ModuleType:
  """Imports the module of the format.

  """
  return importlib.import_module("ganeti.confd.export." +
                                 argtypes.ExportModule(opts.format))


def _WithOptions(contents: hostlist.Contents, opts: argparse.Namespace
                 ) -> hostlist.Contents:
  """Adds the values of the options that belong to one format only.

  """
  if opts.target_port is not None:
    contents = contents._replace(target_port=opts.target_port)
  if opts.table is not None:
    contents = contents._replace(table=opts.table)
  return contents


class _Exporter:
  """Exports a table of one cluster, once or repeatedly.

  """
  def __init__(self, client: clientlib.Client, opts: argparse.Namespace
               ) -> None:
    self._client = client
    self._opts = opts
    self._module = _Module(opts)
    self._file = _File(opts)
    self.fields: list[str] = self._module.FIELDS[opts.kind]

  def Export(self, reply: clientlib.Reply[Any]) -> int:
    """Exports a table.

    @return: exit code

    """
    opts = self._opts
    left_out: list[str] = []
    cluster = _ClusterName(self._client, left_out.append)
    contents = _WithOptions(hostlist.Contents(
      cluster, opts.kind,
      hostlist.Hosts(opts.kind, self.fields, reply.answer, left_out.append)),
                            opts)

    def _Make(previous: Optional[str]) -> str:
      return _WithFirstLine(
        self._module, opts, contents._replace(previous=previous),
        "cluster %s, serial %d" % (cluster or "without a name", reply.serial),
        left_out.append)

    if opts.json:
      text = _Make(None)
      output.PrintReply(reply._replace(answer={"text": text,
                                               "left_out": left_out}))
      return exitcodes.SUCCESS
    return self._file.Write(_Make, left_out, str(reply.serial))


class _Part(NamedTuple):
  """The hosts of one of several clusters.

  """
  #: The cluster's name; None if the key does not permit asking for it
  name: Optional[str]
  hosts: list[hostlist.Host]
  serial: int
  left_out: list[str]


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Exports the instances or nodes of several clusters to one file.

  Rule: nothing is written if a cluster does not answer, because the file would
  lose the hosts of that cluster.

  """
  module = _Module(opts)
  fields: list[str] = module.FIELDS[opts.kind]

  def _Ask(client: clientlib.Client) -> _Part:
    left_out: list[str] = []
    reply = client.List(opts.kind, fields, filter=opts.filter)
    hosts = hostlist.Hosts(opts.kind, fields, reply.answer, left_out.append)
    return _Part(_ClusterName(client, left_out.append), hosts, reply.serial,
                 left_out)

  found = multicluster.AskAll(factories, _Ask)
  if found.failures:
    found.Complain()
    output.Say("%s is not written: the hosts of %s would be missing" % (
      "The file" if opts.output is None else opts.output,
      ", ".join(found.failures)))
    return found.code
  parts = found.values
  left_out = ["%s: %s" % (name, text) for (name, part) in parts.items()
              for text in part.left_out]
  hosts = hostlist.Merge(opts.kind, {name: (part.name, part.hosts)
                                     for (name, part) in parts.items()},
                         left_out.append)
  contents = _WithOptions(hostlist.Contents(None, opts.kind, hosts), opts)
  origin = "clusters %s, serials %s" % (
    ", ".join(part.name or name for (name, part) in parts.items()),
    ", ".join(str(part.serial) for part in parts.values()))
  return _File(opts).Write(
    lambda previous: _WithFirstLine(module, opts,
                                    contents._replace(previous=previous),
                                    origin, left_out.append),
    left_out, ",".join(str(part.serial) for part in parts.values()))


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Exports instances or nodes.

  """
  exporter = _Exporter(client, opts)
  with output.Progress(client):
    reply = client.List(opts.kind, exporter.fields, filter=opts.filter)
  return exporter.Export(reply)


def Watch(client: clientlib.Client, opts: argparse.Namespace) -> NoReturn:
  """Exports again at each change of the table.

  """
  from ganeti.confd.command import watched
  exporter = _Exporter(client, opts)

  def _Start(report_error: watched.ReportError) -> Iterator[clientlib.Change]:
    return client.Follow(opts.kind, exporter.fields, filter=opts.filter,
                         on_error=report_error)

  last_error = ""
  while True:
    # Each call of Follow() begins with the present table, so that the next call
    # makes up for an export that has failed
    for change in watched.Follow(_Start):
      try:
        if exporter.Export(change.reply) != exitcodes.SUCCESS:
          break
      except Exception as err: # pylint: disable=W0718
        text = output.Describe(err)
        if text != last_error:
          output.Say("%s; trying again" % text)
        last_error = text
        break
      last_error = ""
    time.sleep(_RETRY_SECONDS)
