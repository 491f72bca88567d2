#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client: finds the key, and runs a command.

Rule 1: the user reads a sentence about any error, and never a traceback. With
--json the sentence is C{{"error": TEXT}} on standard output.

Rule 2: options override the settings. The module C{clientlib.settings} is
imported only if there is a settings file.

Rule 3: only the modules that the command needs are imported, since scripts run
many short commands.

"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import os
import sys

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import localnode
from ganeti.confd.clientlib import endpoint
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.protocol import keyfile
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Optional, Sequence, TextIO
  from ganeti.confd.clientlib import settings
  from ganeti.confd.command import multicluster


#: Seconds to wait for an answer that tells whether a key is right
_KEY_TIMEOUT = 3.0


def _ParsePeers(opts: argparse.Namespace) -> Optional[list[str]]:
  """Parses the value of the option --address.

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
  """Returns the settings of the cluster to ask.

  @return: None if there are no settings

  """
  names = opts.clusters
  if names is None and not localnode.HasClientSettings():
    return None
  from ganeti.confd.clientlib import settings as settingslib

  def _IsGiven(*attributes: str) -> bool:
    return any(getattr(opts, i, None) is not None for i in attributes)

  return settingslib.Choose(names[0] if names is not None else "",
                            _IsGiven("addresses") and
                            _IsGiven("hmac", "hmac_file"))


def _Client(opts: argparse.Namespace, cluster: Optional[settings.Cluster],
            coverage: int, key: Optional[bytes] = None,
            max_timeout: Optional[float] = None) -> clientlib.Client:
  """Makes a client.

  @param cluster: the settings for options that are not given
  @param max_timeout: upper limit of the timeout, in seconds

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
  client = clientlib.Client(peers=peers, key=key,
                            key_file=_Either("hmac_file", "key_file"),
                            port=_Either("port", "port"), timeout=timeout,
                            coverage=coverage)
  if client.reader is not None:
    from ganeti.confd.command import rights
    rights.Check(client.reader, opts)
  return client


def _KeyFile(opts: argparse.Namespace) -> str:
  """Returns the path of the key, for a command that sends no request.

  """
  path: Optional[str] = opts.hmac_file
  if path is None and opts.command == commandline.SHOW_KEY:
    path = opts.file
  if path is None:
    cluster = _Settings(opts)
    path = None if cluster is None else cluster.key_file
  return localnode.HmacKeyFile() if path is None else path


def _IsAnswered(opts: argparse.Namespace, cluster: Optional[settings.Cluster],
                key: bytes) -> bool:
  """Tells whether a daemon answers a request that is signed with a key.

  """
  with _Client(opts, cluster, 0, key, _KEY_TIMEOUT) as client:
    try:
      client.Ping()
    except clientlib.NoAnswer:
      return False
    except clientlib.ErrorAnswer:
      # An answer that is an error shows, too, that the key is right
      pass
  return True


def _FindKey(opts: argparse.Namespace, cluster: Optional[settings.Cluster]
             ) -> Optional[bytes]:
  """Returns the key that the user means with --hmac.

  Keys end in a newline, but "$(cat hmac.key)" removes the newline. So a key
  without a newline is tried first as it is, and then with a newline.

  @return: None if --hmac is not given

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
  # The command itself will report that no daemon answers
  return key


def _Run(opts: argparse.Namespace) -> int:
  """Runs a command.

  @return: exit code

  """
  if getattr(opts, "completion", None) is not None:
    from ganeti.confd.command import completion
    sys.stdout.write(completion.Script(opts.completion))
    return exitcodes.SUCCESS
  entry = commandline.Find(opts.command)
  coverage = getattr(opts, "coverage", None)
  if coverage is None:
    # entry.coverage is None for commands that always ask all candidates, and
    # ignore the client's coverage
    coverage = entry.coverage or 0
  module = importlib.import_module("ganeti.confd.command." + entry.module)
  result: int
  if not entry.asks:
    result = module.RunAlone(opts, _KeyFile(opts))
    return result
  if entry.every_cluster or parse.IsMultiCluster(opts):
    result = module.RunMultiCluster(_ClientFactories(opts, coverage), opts)
    return result
  cluster = _Settings(opts)
  with _Client(opts, cluster, coverage, _FindKey(opts, cluster)) as client:
    result = module.Run(client, opts)
  return result


def _ClientFactories(opts: argparse.Namespace, coverage: int
                     ) -> multicluster.ClientFactories:
  """Returns a function for each cluster that makes a client.

  """
  from ganeti.confd.clientlib import settings as settingslib
  known = settingslib.Read()
  names = getattr(opts, "clusters", [commandline.ALL_CLUSTERS])
  if names == [commandline.ALL_CLUSTERS]:
    names = list(known.clusters)
    if not names:
      raise errors.ConfigurationError(
        "No cluster is named in %s; a section [cluster NAME] names one" %
        " or ".join(localnode.PossibleClientSettings()))
  return {name: functools.partial(_Client, opts, known.Find(name), coverage)
          for name in names}


class _BlockingFile(io.FileIO):
  """A file whose writes block, even if another process made it non-blocking.

  """
  def write(self, data: Any) -> int:
    while True:
      written: Optional[int] = io.FileIO.write(self, data)
      if written is not None:
        return written
      import select
      select.select([], [self], [])


def _OpenStreams() -> None:
  """Prepares standard output and standard error for any text.

  A stream that the caller has closed is replaced by /dev/null.

  """
  # Always use a buffer: without one (PYTHONUNBUFFERED), Python drops the part
  # of a text that a non-blocking file does not take
  buffer = getattr(sys.stdout, "buffer", None)
  raw = getattr(buffer, "raw", buffer)
  if isinstance(raw, io.FileIO):
    sys.stdout = io.TextIOWrapper(
      io.BufferedWriter(_BlockingFile(raw.fileno(), "w", closefd=False)),
      sys.stdout.encoding, line_buffering=bool(sys.stdout.line_buffering))
  for name in ("stdout", "stderr"):
    if getattr(sys, name) is None:
      setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    getattr(sys, name).reconfigure(errors="backslashreplace")


def _Abandon(stream: TextIO) -> None:
  """Redirects a stream to /dev/null after a write to it has failed.

  Otherwise Python would try to write the rest of the text when it exits.

  """
  # A caller of Main may have replaced the stream by an object without a file
  # descriptor
  with contextlib.suppress(io.UnsupportedOperation):
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _ErrorFormat(argv: Sequence[str], opts: Optional[argparse.Namespace]
                 ) -> str:
  """Returns the format of an error message.

  @param opts: None if the command line could not be parsed
  @return: "nagios", "json" or "text"

  """
  if opts is not None:
    is_nagios = getattr(opts, "nagios", False)
    is_json = (getattr(opts, "json", False) or
               getattr(opts, "json_lines", False))
  else:
    # The command line could not be parsed: look for "--nagios", or one of its
    # abbreviations, among the arguments
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
  """Prints a text in place of an answer.

  @param otherwise: the text for standard error if standard output fails

  """
  try:
    print(text, flush=True)
  except OSError:
    _Abandon(sys.stdout)
    output.Say(otherwise)


def _Fail(form: str, text: str, code: int,
          say: Callable[[str], None] = output.Say) -> int:
  """Prints an error message.

  @param form: return value of L{_ErrorFormat}
  @param say: prints the message if the format is "text"
  @return: exit code

  """
  if form == "nagios":
    from ganeti.confd.command import plugin
    (sentence, *_) = text.split("\n")
    report = plugin.Report(plugin.UNKNOWN, sentence)
    (line, ) = report.Format()
    _Print(line, sentence)
    return report.code
  if form == "json" and _PrintError(text):
    return code
  say(text)
  return code


def _PrintError(text: str) -> bool:
  """Prints an error message in JSON.

  @return: whether it was printed

  """
  try:
    return output.PrintDocument({"error": text}, indent=None)
  except OSError:
    _Abandon(sys.stdout)
    return False


def Main(argv: Optional[Sequence[str]] = None) -> int:
  """Runs the program.

  @param argv: the arguments; None for the arguments of the process
  @return: exit code

  """
  code = _Main(sys.argv[1:] if argv is None else argv)
  for stream in (sys.stdout, sys.stderr):
    try:
      # Flush here, as a failed write may have left text in the buffer: if
      # Python's own flush at exit failed, Python would print the exception
      stream.flush()
    except OSError:
      _Abandon(stream)
  return code


def _Main(argv: Sequence[str]) -> int:
  """Runs a command, and prints a message if it fails.

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
      # argparse has printed the help or the version
      result = exitcodes.SUCCESS
    sys.stdout.flush()
    return result
  except KeyboardInterrupt:
    # Drop the buffered text, as flushing could block on a full pipe that no
    # process reads
    _Abandon(sys.stdout)
    return exitcodes.INTERRUPTED
  except BrokenPipeError:
    _Abandon(sys.stdout)
    return exitcodes.BROKEN_PIPE
  except parse.UsageError as err:
    output.WriteError("usage: %s" % err.usage)
    (text, code) = ("wrong usage: %s" % err, exitcodes.USAGE)
  except clientlib.NoAnswer as err:
    (text, code) = (output.Describe(err), exitcodes.NO_ANSWER)
  except Exception as err: # pylint: disable=W0718
    # Any error is printed as a sentence, never as a traceback (rule 1)
    if isinstance(err, (clientlib.FilterError, localnode.NoKey)):
      say = output.SayLines
    (text, code) = (output.Describe(err), exitcodes.FAILURE)
  return _Fail(_ErrorFormat(argv, opts), text, code, say)
