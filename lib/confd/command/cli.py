#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client: finding the key, running a command, exit codes.

Rule 1: whatever happens, the user reads a sentence that names what is wrong,
and no traceback. With --json that is C{{"error": TEXT}} on standard output.

Rule 2: what the command line says is stronger than the settings
(C{clientlib.settings}). Where there are none, nothing is read.

Rule 3: only what the command needs is imported, of this room and of everything
else, since scripts ask many small questions.

"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import os
import sys

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, \
  TextIO

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import localnode
from ganeti.confd.clientlib import endpoint
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.protocol import keyfile

if TYPE_CHECKING:
  from ganeti.confd.clientlib import settings
  from ganeti.confd.command import multicluster


#: Seconds to find out whether a key is the right one
_KEY_TIMEOUT = 3.0


def _ParsePeers(opts: argparse.Namespace) -> Optional[List[str]]:
  """Takes the option --address apart.

  """
  if getattr(opts, "addresses", None) is None:
    return None
  result = [text.strip() for text in opts.addresses.split(",")]
  for peer in result:
    try:
      endpoint.Parse(peer, 0)
    except errors.ConfdClientError as err:
      raise parse.UsageError(str(err), opts.command) from err
  return result


def _Settings(opts: argparse.Namespace) -> Optional[settings.Cluster]:
  """Returns what the settings say about the cluster to ask.

  @return: None where there are no settings

  """
  names = opts.clusters
  if names is None and not localnode.HasClientSettings():
    return None
  from ganeti.confd.clientlib import settings as settingslib
  return settingslib.Choose(names[0] if names is not None else "")


def _Client(opts: argparse.Namespace, cluster: Optional[settings.Cluster],
            coverage: int, key: Optional[bytes] = None,
            max_timeout: Optional[float] = None) -> clientlib.Client:
  """Makes a client.

  @param cluster: for what the command line does not say
  @param max_timeout: upper limit, in seconds

  """
  def _Either(name: str, setting: str) -> Any:
    value = getattr(opts, name, None)
    if value is None and cluster is not None:
      value = getattr(cluster, setting)
    return value

  peers = _ParsePeers(opts)
  if peers is None and cluster is not None:
    peers = cluster.addresses
  timeout = _Either("timeout", "timeout")
  if max_timeout is not None:
    timeout = max_timeout if timeout is None else min(timeout, max_timeout)
  asker = clientlib.Client(peers=peers, key=key,
                           key_file=_Either("hmac_file", "key_file"),
                           port=_Either("port", "port"), timeout=timeout,
                           coverage=coverage)
  if asker.reader is not None:
    from ganeti.confd.command import rights
    rights.Check(asker.reader, opts)
  return asker


def _KeyFile(opts: argparse.Namespace) -> str:
  """Returns where the key is, for a command that asks nobody.

  """
  path: Optional[str] = opts.hmac_file
  if path is None:
    cluster = _Settings(opts)
    path = None if cluster is None else cluster.key_file
  return localnode.HmacKeyFile() if path is None else path


def _IsAnswered(opts: argparse.Namespace, cluster: Optional[settings.Cluster],
                key: bytes) -> bool:
  """Tells whether there is an answer with a key.

  """
  with _Client(opts, cluster, 0, key, _KEY_TIMEOUT) as asker:
    try:
      asker.Ping()
    except clientlib.NoAnswer:
      return False
    except clientlib.ErrorAnswer:
      # That is one
      pass
  return True


def _FindKey(opts: argparse.Namespace, cluster: Optional[settings.Cluster]
             ) -> Optional[bytes]:
  """Finds out what key the user means with --hmac.

  Keys end in a newline, which "$(cat hmac.key)" takes away.

  @return: None for that of a file

  """
  if opts.hmac is None:
    return None
  key = os.fsencode(opts.hmac)
  keyfile.Parse(key, "--hmac")
  if (keyfile.IsReaders(key) or key.endswith(b"\n") or
      _IsAnswered(opts, cluster, key)):
    return key
  output.Say("No answer with the key as it was given; trying once more with a"
             " newline at its end")
  if _IsAnswered(opts, cluster, key + b"\n"):
    return key + b"\n"
  # What that means is the command's to say
  return key


def _Run(opts: argparse.Namespace) -> int:
  """Runs a command.

  @return: exit code

  """
  entry = commandline.Find(opts.command)
  coverage = getattr(opts, "coverage", None)
  if coverage is None:
    # To those that ask all in any case the number is of no concern
    coverage = entry.coverage or 0
  module = importlib.import_module("ganeti.confd.command." + entry.module)
  result: int
  if not entry.asks:
    result = module.RunAlone(opts, _KeyFile(opts))
    return result
  if entry.every_cluster or parse.IsMultiCluster(opts):
    result = module.RunMultiCluster(_Askers(opts, coverage), opts)
    return result
  cluster = _Settings(opts)
  with _Client(opts, cluster, coverage, _FindKey(opts, cluster)) as asker:
    result = module.Run(asker, opts)
  return result


def _Askers(opts: argparse.Namespace, coverage: int) -> multicluster.Askers:
  """Returns what makes a client for each of several clusters.

  """
  from ganeti.confd.clientlib import settings as settingslib
  known = settingslib.Read()
  names = getattr(opts, "clusters", [commandline.ALL_CLUSTERS])
  if names == [commandline.ALL_CLUSTERS]:
    names = list(known.clusters)
    if not names:
      raise errors.ConfigurationError(
        "No cluster is named in %s" %
        " or ".join(localnode.PossibleClientSettings()))
  return {name: functools.partial(_Client, opts, known.Find(name), coverage)
          for name in names}


class _Patient(io.FileIO):
  """A file that waits for room, also where somebody has made it non-blocking.

  """
  def write(self, data: Any) -> int:
    while True:
      written: Optional[int] = io.FileIO.write(self, data)
      if written is not None:
        return written
      import select
      select.select([], [self], [])


def _OpenStreams() -> None:
  """Makes sure that there is something to write to, and that it takes any text.

  Whoever closes a stream does not want to know.

  """
  # With PYTHONUNBUFFERED, Python itself drops what there is no room for
  buffer = getattr(sys.stdout, "buffer", None)
  raw = getattr(buffer, "raw", buffer)
  if isinstance(raw, io.FileIO):
    sys.stdout = io.TextIOWrapper(
      io.BufferedWriter(_Patient(raw.fileno(), "w", closefd=False)),
      sys.stdout.encoding, line_buffering=bool(sys.stdout.line_buffering))
  for name in ("stdout", "stderr"):
    if getattr(sys, name) is None:
      setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    getattr(sys, name).reconfigure(errors="backslashreplace")


def _Abandon(stream: TextIO) -> None:
  """Has nothing more written to a stream.

  Python would try once more when it ends, where that has failed.

  """
  # It may be no file, for whoever calls Main
  with contextlib.suppress(io.UnsupportedOperation):
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _Form(argv: Sequence[str], opts: Optional[argparse.Namespace]) -> str:
  """Tells in what form to say that something is wrong.

  @param opts: None where the command line cannot be parsed
  @return: "nagios", "json" or "text"

  """
  if opts is not None:
    is_nagios = getattr(opts, "nagios", False)
    is_json = (getattr(opts, "json", False) or
               getattr(opts, "json_lines", False))
  else:
    # It may be cut short, where it has been typed wrong
    is_nagios = any(len(arg) > len("--n") and
                    "--nagios".startswith(arg.partition("=")[0])
                    for arg in argv)
    is_json = "--json" in argv or "--json-lines" in argv
  if is_nagios:
    return "nagios"
  if is_json:
    return "json"
  return "nagios" if parse.Name(argv) == commandline.CHECK else "text"


def _Print(text: str, otherwise: str) -> None:
  """Prints what there is instead of an answer.

  @param otherwise: what is said where that cannot be printed

  """
  try:
    print(text, flush=True)
  except OSError:
    _Abandon(sys.stdout)
    output.Say(otherwise)


def _Fail(form: str, text: str, code: int,
          say: Callable[[str], None] = output.Say) -> int:
  """Says what is wrong.

  @param form: from L{_Form}
  @param say: writes it, where the form is text
  @return: exit code

  """
  if form == "nagios":
    from ganeti.confd.command import cmd_status
    _Print(output.NagiosText("CONFD %s - %s" % (cmd_status.UNKNOWN, text)),
           text)
    return cmd_status.NAGIOS_CODES[cmd_status.UNKNOWN]
  if form == "json" and _PrintError(text):
    return code
  say(text)
  return code


def _PrintError(text: str) -> bool:
  """Says what is wrong in JSON.

  @return: whether that was possible

  """
  try:
    return output.PrintDocument({"error": text}, indent=None)
  except OSError:
    _Abandon(sys.stdout)
    return False


def Main(argv: Optional[Sequence[str]] = None) -> int:
  """Runs the program.

  @param argv: the arguments; None for those of the process
  @return: exit code

  """
  code = _Main(sys.argv[1:] if argv is None else argv)
  for stream in (sys.stdout, sys.stderr):
    try:
      # What could not be written may have left something behind
      stream.flush()
    except OSError:
      _Abandon(stream)
  return code


def _Main(argv: Sequence[str]) -> int:
  """Runs a command, and says what is wrong.

  """
  opts = None
  say = output.Say
  output.Begin()
  _OpenStreams()
  try:
    try:
      opts = parse.Parse(argv)
      result = _Run(opts)
    except SystemExit:
      # Help or version was asked for
      result = exitcodes.SUCCESS
    sys.stdout.flush()
    return result
  except KeyboardInterrupt:
    # There may be no room, and nobody who reads
    _Abandon(sys.stdout)
    return exitcodes.INTERRUPTED
  except BrokenPipeError:
    _Abandon(sys.stdout)
    return exitcodes.BROKEN_PIPE
  except parse.UsageError as err:
    output.WriteError("usage: %s" % err.usage)
    (text, code) = ("wrong usage: %s" % err, exitcodes.USAGE)
  except clientlib.NoAnswer as err:
    (text, code) = (str(err), exitcodes.NO_ANSWER)
  except Exception as err: # pylint: disable=W0718
    # Rule 1
    if isinstance(err, clientlib.FilterError):
      say = output.SayWithPlace
    (text, code) = (output.Describe(err), exitcodes.FAILURE)
  return _Fail(_Form(argv, opts), text, code, say)
