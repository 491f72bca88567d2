#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is wrong with confd: a hook of "gnt-cluster verify".

Facts: Ganeti runs the hook on all nodes of a group at once, as root and with
no environment but its own variables. What a hook prints is shown only if it
fails; then verify fails.

Rule 1: each master candidate looks at itself: does its daemon answer with the
node's key, and from the file that is there? The daemon follows the file if it
has loaded contents that were in the file during this look, or if it began to
load after this look had begun, so that what it has is no older. Contents are
compared by their digest, as the times of a file may be the same for different
contents. The packaged daemon does not tell (it has no STATS).

Rule 2: only the master looks at others, or each fault would be reported by all
nodes: does each candidate answer it, and with its own serial?

Rule 3: look again before you speak. The configuration may change at any moment,
many times a second, and loading it takes a while. So a difference counts only
if it is still there some time later, and each side may have what the other had
at any look so far. Who does not answer, or with an error, is asked once more.

Nodes that are no candidates have nothing to answer with; on them there is
nothing to check.

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


#: Seconds between two looks at what differs
_PAUSE = 0.2

#: Seconds until a difference counts: so long, and some times what the daemon
#: takes to load a configuration (it spaces loads out by five times that), but
#: not longer than the limit
_SETTLE = 3.0
_SETTLE_LOADS = 6
_SETTLE_MAX = 60.0

#: Seconds that an answer to STATS may be old
_STATS_AGE = 1.0

#: Seconds for an answer
_TIMEOUT = 3.0


def _IsOwnAddress(address: str) -> bool:
  """Tells whether an address is one of this machine.

  To itself a machine talks from the address it talks to.

  """
  family = socket.AF_INET6 if ":" in address else socket.AF_INET
  try:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
      # Nothing is sent
      sock.connect((address, constants.DEFAULT_CONFD_PORT))
      return bool(sock.getsockname()[0] == address)
  except OSError:
    return False


def _Digest(path: str) -> Optional[str]:
  """Returns the digest of what is in a file; None if it cannot be read now.

  """
  try:
    return filestate.DigestFile(path)
  except errors.ConfigurationError:
    return None


def _FormatTime(seconds: float) -> str:
  try:
    return time.strftime("%F %T", time.localtime(seconds))
  except (OSError, OverflowError, ValueError):
    # Too large for a date, or infinite
    return "%s seconds after 1970" % seconds


class Checker:
  """Looks at the master candidates from one of them.

  """
  def __init__(self, asker: sync.Client, names: dict[str, str], own: str):
    """@param names: the candidates, address to node name
    @param own: the address of this node, one of those

    """
    self._asker = asker
    self._names = names
    self._own = own
    self._settle = _SETTLE

  def _AskOnce(self, addresses: list[str], rtype: int, query: Any
               ) -> tuple[dict[str, replylib.CandidateReply],
                          dict[str, Optional[str]]]:
    (replies, silent) = self._asker.Survey(rtype, query, only=addresses)
    return ({i.address: i for i in replies}, silent)

  def _Ask(self, addresses: list[str], rtype: int, query: Any = None
           ) -> tuple[dict[str, replylib.CandidateReply],
                      dict[str, Optional[str]]]:
    """Asks some candidates, and once more those that do not answer.

    @return: replies by address; of the silent, address to what the network
      said, if it did

    """
    (replies, silent) = self._AskOnce(addresses, rtype, query)
    again = [i for i in addresses if i not in replies or
             replies[i].status != constants.CONFD_REPL_STATUS_OK]
    if again:
      time.sleep(_PAUSE)
      (more, silent) = self._AskOnce(again, rtype, query)
      replies.update(more)
      # Who has answered once is not silent
      silent = {i: reason for (i, reason) in silent.items() if i not in replies}
    return (replies, silent)

  def _Silence(self, address: str, reason: Optional[str], meaning: str,
               whom: str = "") -> str:
    """Says that a candidate does not answer.

    @param reason: what the network said
    @param meaning: what it means if that said nothing

    """
    return ("%s: ganeti-confd does not answer%s at %s: %s" %
            (self._names[address], whom, address, reason or meaning))

  def _Error(self, address: str, answer: Any) -> str:
    return ("%s: ganeti-confd answers with an error: %s" %
            (self._names[address], answer))

  def _AskOwn(self, rtype: int, meaning: str
              ) -> tuple[Optional[replylib.CandidateReply], list[str]]:
    """Asks this node's daemon.

    @param meaning: as L{_Silence}'s
    @return: its reply if that is an answer, and what is wrong

    """
    (replies, silent) = self._Ask([self._own], rtype)
    if self._own not in replies:
      return (None, [self._Silence(self._own, silent.get(self._own), meaning)])
    reply = replies[self._own]
    if reply.status != constants.CONFD_REPL_STATUS_OK:
      return (None, [self._Error(self._own, reply.answer)])
    return (reply, [])

  def CheckOwn(self) -> list[str]:
    """Looks at this node.

    @return: what is wrong

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
      # Only the packaged daemon has no serial there
      return faults
    return self._CheckOwnContents(config_file)

  def _CheckOwnContents(self, config_file: str) -> list[str]:
    """Looks whether the daemon follows this node's file.

    @return: what is wrong

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
    """Asks for serials.

    @return: address to serial, and what is wrong

    """
    (replies, silent) = self._Ask(addresses, *quorum.SERIAL_QUESTION)
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
    """Looks at the other candidates, from the master.

    @return: what is wrong

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
    """Finds those that have another serial than the master.

    Serials grow: a candidate that now has what the master had at first is only
    late, and so is the master the other way round.

    @param first: serials by address at the first look
    @param last: those at the last look
    @return: addresses

    """
    if self._own not in first:
      # That fault has been told
      return []
    return [address for address in first
            if last[address] != last[self._own] and
            (last[address] < first[self._own] or
             first[address] > last[self._own])]


def Check(master: Optional[str] = None,
          port: Optional[int] = None) -> list[str]:
  """Looks at this node, and from the master at all others.

  @param master: the name of the master node; None for what this node knows
  @param port: None for the default
  @return: what is wrong, an item for each fault
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
    asker = sync.Client(peers=candidates, port=port, timeout=_TIMEOUT)
  except errors.ConfigurationError as err:
    return ["%s: %s" % (names[own], err)]
  with asker:
    checker = Checker(asker, names, own)
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
    # Ganeti makes one line of several, and escapes of other characters
    text = printable.Printable(" ".join(fault.split()))
    print(text.encode("ascii", "backslashreplace").decode("ascii"))
  return constants.EXIT_FAILURE if faults else constants.EXIT_SUCCESS
