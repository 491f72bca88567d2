#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "export": files for other programs.

A file is replaced only by what was made of a whole answer, and only if more
than the serial in its first line is different.

"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys

from types import ModuleType
from typing import List, Optional

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd.command import conversions
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import replacefile
from ganeti.confd.export import entries
from ganeti.confd.export import words


#: Where a command that is run finds the serial
_SERIAL_VARIABLE = "CONFD_SERIAL"

_SERIAL_RE = re.compile(b", serial [0-9]+$")

#: How many lines tell what is left out
_MAX_SAID = 20


def _ClusterName(asker: clientlib.Client, say: entries.Say) -> Optional[str]:
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
  name = words.HostName(stored)
  if name is None:
    say("the cluster's name %s is left out" % words.Show(stored))
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
  import subprocess
  code = subprocess.call(line, shell=True,
                         env=dict(os.environ, **{_SERIAL_VARIABLE:
                                                 str(serial)}))
  if code == 0:
    return exitcodes.SUCCESS
  output.Say("The file has changed, but '%s' ended with exit code %d" %
             (line, code))
  return exitcodes.FAILURE


def _Complain(left_out: List[str]) -> None:
  for text in left_out[:_MAX_SAID]:
    output.Say(text)
  if len(left_out) > _MAX_SAID:
    output.Say("and %d more like these; --json has them all" %
               (len(left_out) - _MAX_SAID))


def _WithFirstLine(module: ModuleType, opts: argparse.Namespace,
                   source: entries.Source, serial: int, say: entries.Say
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


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Exports instances or nodes.

  """
  kind = opts.kind
  module = importlib.import_module("ganeti.confd.export." +
                                   conversions.ExportModule(opts.format))
  fields = module.FIELDS[kind]
  left_out: List[str] = []
  with output.Progress(asker):
    reply = asker.List(kind, fields, filter=opts.filter)
    cluster = _ClusterName(asker, left_out.append)
  source = entries.Source(
    cluster, kind,
    entries.Hosts(kind, fields, reply.answer, left_out.append))
  if opts.target_port is not None:
    source = source._replace(target_port=opts.target_port)
  if opts.table is not None:
    source = source._replace(table=opts.table)

  def _Make(before: Optional[str]) -> str:
    return _WithFirstLine(module, opts, source._replace(before=before),
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
  if replacefile.Replace(opts.output, _Contents) and opts.then is not None:
    return _Then(opts.then, reply.serial)
  return exitcodes.SUCCESS
