#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The hook of "gnt-cluster verify": checks confd on each master candidate.

Facts: Ganeti runs the hook on all nodes of a group at once, as root, with only
Ganeti's own environment variables. If a hook fails, verify shows its output and
fails, too.

Rule 1: each master candidate checks its own daemon. The daemon has to answer
with the node's key, and to follow the node's configuration file. A daemon
follows the file if the digest of the loaded configuration is one that the file
had during the check, or if the daemon began to load that configuration after
the check had begun. Modification times are not compared, as different contents
may have the same time. Ganeti's own daemon reports no digest, as it does not
know STATS requests; only its answer is checked.

Rule 2: only the master checks the other candidates, because otherwise all nodes
would report the same fault. Each candidate has to answer the master, with the
master's serial.

Rule 3: a fault is reported only after a second check. The configuration may
change many times a second, and loading it takes a while. So a difference counts
only if it persists for some time, and if neither side has reached a state that
the other side had in an earlier check. A candidate that is silent or answers
with an error is asked a second time.

A node that is no master candidate has no configuration, so the hook checks
nothing on it.

"""

from __future__ import annotations

import os
import socket
import time

from typing import Any, Optional

from ganeti import constants
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd import printable
from ganeti.confd import protocol
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import replies as replylib
from ganeti.confd.clientlib import sync


#: Seconds to wait before a check of the daemons is repeated
_PAUSE = 0.2

#: A difference between two configurations (of a daemon and of the node's file,
#: or of two daemons) is a fault only if it lasts this long (seconds): _SETTLE,
#: plus _SETTLE_LOADS times the time that the daemon takes to load a
#: configuration, but at most _SETTLE_MAX. _SETTLE_LOADS stands for one load,
#: and for the daemon's pause after it, which is five times as long.
_SETTLE = 3.0
_SETTLE_LOADS = 6
_SETTLE_MAX = 60.0

#: An answer to STATS is at most this old (seconds)
_STATS_AGE = 1.0

#: Seconds to wait for an answer
_TIMEOUT = 3.0


def _IsOwnAddress(address: str) -> bool:
  """Tells whether an address is one of this machine's.

  A socket connected to one of this machine's addresses has that address as its
  source address, too.

  """
  family = socket.AF_INET6 if ":" in address else socket.AF_INET
  try:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
      # connect() of a UDP socket sends nothing, but chooses the socket's own
      # address
      sock.connect((address, constants.DEFAULT_CONFD_PORT))
      return bool(sock.getsockname()[0] == address)
  except OSError:
    return False


def _Digest(path: str) -> Optional[str]:
  """Returns the digest of a file's contents; None if it cannot be read now.

  """
  try:
    return filestate.DigestFile(path)
  except errors.ConfigurationError:
    return None


def _FormatTime(seconds: float) -> str:
  try:
    return time.strftime("%F %T", time.localtime(seconds))
  except (OSError, OverflowError, ValueError):
    # The number is too large for a date, or infinite
    return "%s seconds after 1970" % seconds


class Checker:
  """Checks the master candidates, from this node, which is one of them.

  """
  def __init__(self, client: sync.Client, names: dict[str, str], own: str):
    """Initializes this class.

    @param names: from the candidates' addresses to their node names
    @param own: the address of this node

    """
    self._client = client
    self._names = names
    self._own = own
    self._settle = _SETTLE

  def _AskOnce(self, addresses: list[str], rtype: int, query: Any
               ) -> tuple[dict[str, replylib.CandidateReply],
                          dict[str, Optional[str]]]:
    (replies, silent) = self._client.Survey(rtype, query, only=addresses)
    return ({i.address: i for i in replies}, silent)

  def _AskTwice(self, addresses: list[str], rtype: int, query: Any = None
                ) -> tuple[dict[str, replylib.CandidateReply],
                           dict[str, Optional[str]]]:
    """Asks some candidates, and those without a good answer a second time.

    @return: replies by address; and from the addresses of silent candidates to
      an error of the network, or None

    """
    (replies, silent) = self._AskOnce(addresses, rtype, query)
    again = [i for i in addresses if i not in replies or
             replies[i].status != constants.CONFD_REPL_STATUS_OK]
    if again:
      time.sleep(_PAUSE)
      (more, silent) = self._AskOnce(again, rtype, query)
      replies.update(more)
      # A candidate that is silent in the second attempt counts as silent only
      # if it was silent in the first attempt, too
      silent = {i: reason for (i, reason) in silent.items() if i not in replies}
    return (replies, silent)

  def _Silence(self, address: str, reason: Optional[str], meaning: str,
               whom: str = "") -> str:
    """Formats the fault that a candidate does not answer.

    @param reason: the error of the network, or None
    @param meaning: the explanation if C{reason} is None

    """
    return ("%s: ganeti-confd does not answer%s at %s: %s" %
            (self._names[address], whom, address, reason or meaning))

  def _Error(self, address: str, answer: Any) -> str:
    return ("%s: ganeti-confd answers with an error: %s" %
            (self._names[address], answer))

  def _AskOwn(self, rtype: int, meaning: str
              ) -> tuple[Optional[replylib.CandidateReply], list[str]]:
    """Asks this node's daemon.

    @param meaning: as for L{_Silence}
    @return: the reply, or None after a fault; and the faults

    """
    (replies, silent) = self._AskTwice([self._own], rtype)
    if self._own not in replies:
      return (None, [self._Silence(self._own, silent.get(self._own), meaning)])
    reply = replies[self._own]
    if reply.status != constants.CONFD_REPL_STATUS_OK:
      return (None, [self._Error(self._own, reply.answer)])
    return (reply, [])

  def CheckOwn(self) -> list[str]:
    """Checks this node's daemon.

    @return: the faults

    """
    config_file = localnode.ConfigFile()
    state = filestate.FileState(config_file)
    if not isinstance(state, filestate.State):
      return ["%s: %s: %s" % (self._names[self._own], config_file,
                              os.strerror(state[0]) if state else
                              "a master candidate, but there is no such file")]
    (reply, faults) = self._AskOwn(
      constants.CONFD_REQ_PING,
      "it has another key than %s, or no configuration" %
      localnode.HmacKeyFile())
    if reply is None or reply.serial == 0:
      # Serial 0 in a reply to a ping identifies Ganeti's own daemon, of which
      # only the answer is checked (rule 1)
      return faults
    return self._CheckOwnContents(config_file)

  def _CheckOwnContents(self, config_file: str) -> list[str]:
    """Checks whether the daemon follows this node's file.

    @return: the faults

    """
    started = time.monotonic()
    seen = {_Digest(config_file)}
    while True:
      asked = time.monotonic()
      (reply, faults) = self._AskOwn(protocol.REQ_STATS,
                                     "it does answer other questions; see its"
                                     " log")
      if reply is None:
        return faults
      loaded = reply.answer["config"]
      if not loaded.keys() >= {"digest", "load_time", "age", "mtime"}:
        return ["%s: ganeti-confd is of an older version than what is installed"
                " (it says %s); restart it" %
                (self._names[self._own], reply.answer["version"])]
      self._settle = min(_SETTLE + _SETTLE_LOADS * loaded["load_time"],
                         _SETTLE_MAX)
      seen.add(_Digest(config_file))
      began = asked - _STATS_AGE - loaded["age"] - loaded["load_time"]
      if loaded["digest"] in seen or began > started:
        return []
      if asked > started + self._settle:
        return ["%s: ganeti-confd answers from another configuration than %s:"
                " from one with serial %s, last changed %s; see its log" %
                (self._names[self._own], config_file, loaded["serial"],
                 _FormatTime(loaded["mtime"]))]
      time.sleep(_PAUSE)

  def _Serials(self, addresses: list[str]
               ) -> tuple[dict[str, int], list[str]]:
    """Asks for the candidates' serials.

    @return: serials by address, and the faults

    """
    (replies, silent) = self._AskTwice(addresses, *quorum.SERIAL_QUESTION)
    faults = [self._Silence(address, reason, "it has another key or no"
                            " configuration, or a firewall is between them",
                            whom=" the master")
              for (address, reason) in silent.items() if address != self._own]
    serials = {}
    for (address, reply) in replies.items():
      if reply.status == constants.CONFD_REPL_STATUS_OK:
        serials[address] = reply.serial
      elif address != self._own:
        faults.append(self._Error(address, reply.answer))
    return (serials, faults)

  def CheckOthers(self) -> list[str]:
    """Checks the other candidates from the master.

    @return: the faults

    """
    (first, faults) = self._Serials(list(self._names))
    deadline = time.monotonic() + self._settle
    last = first
    while self._Differ(first, last) and time.monotonic() < deadline:
      time.sleep(_PAUSE)
      last = dict(last, **self._Serials(list(first))[0])
    return faults + [
      "%s: ganeti-confd answers from a configuration that is %s than the"
      " master's: serial %d, not %d" %
      (self._names[address],
       "older" if last[address] < last[self._own] else "newer",
       last[address], last[self._own])
      for address in self._Differ(first, last)]

  def _Differ(self, first: dict[str, int], last: dict[str, int]) -> list[str]:
    """Returns the addresses of candidates with another serial than the master.

    Serials only grow. A candidate with a lower serial is merely late if it has
    reached the master's first serial. If a candidate has a higher serial, the
    master is merely late if it has reached the candidate's first serial.

    @param first: serials by address in the first check
    @param last: serials by address in the last check

    """
    if self._own not in first:
      # Report nothing here: another fault says that the master's daemon does
      # not answer
      return []
    return [address for address in first
            if last[address] != last[self._own] and
            (last[address] < first[self._own] or
             first[address] > last[self._own])]


def Check(master: Optional[str] = None,
          port: Optional[int] = None) -> list[str]:
  """Checks this node and, if it is the master, all other candidates.

  @param master: the name of the master node; None for the name in this node's
    files
  @param port: None for the default port
  @return: the faults
  @raise errors.GenericError: the node's own files cannot be read

  """
  candidates = localnode.ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS)
  own = next((i for i in candidates if _IsOwnAddress(i)), None)
  if own is None:
    return []
  addresses = [line.split() for line in
               localnode.ReadSsconf(constants.SS_NODE_PRIMARY_IPS)]
  names = dict((i[1], i[0]) for i in addresses if len(i) == 2)
  names = dict((address, names.get(address, address))
               for address in candidates)
  if master is None:
    master = "".join(localnode.ReadSsconf(constants.SS_MASTER_NODE))
  try:
    client = sync.Client(peers=candidates, port=port, timeout=_TIMEOUT)
  except errors.ConfigurationError as err:
    return ["%s: %s" % (names[own], err)]
  with client:
    checker = Checker(client, names, own)
    faults = checker.CheckOwn()
    if names[own] == master:
      faults.extend(checker.CheckOthers())
    return faults


def Main() -> int:
  """Runs the hook.

  @return: exit code

  """
  try:
    faults = Check(os.environ.get("GANETI_MASTER"))
  except errors.GenericError as err:
    faults = ["%s: %s" % (socket.gethostname(), err)]
  for fault in faults:
    # Print a fault as a line of ASCII: Ganeti would join several lines, and
    # escape all other characters
    text = printable.Printable(" ".join(fault.split()))
    print(text.encode("ascii", "backslashreplace").decode("ascii"))
  return constants.EXIT_FAILURE if faults else constants.EXIT_SUCCESS
