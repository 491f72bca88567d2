#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The rights that each command needs, by the questions that it asks.

Rule: L{_NEEDED} is the only place with this knowledge. A command also works if
the key permits no other question.

"""

from __future__ import annotations

import argparse
import time

from typing import Optional

from ganeti import errors
from ganeti.confd.clientlib import keyrights
from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline
from ganeti.confd.protocol import readerkey



#: A placeholder for the right to list the table that the command line names
_LIST_WHAT = "list/WHAT"

#: The right to wait for changes
_WAIT = "wait"

#: The rights for a check of the configuration
_CHECK = ("config", "list/disks", "list/groups", "list/instances",
          "list/networks", "list/nodes", "stats")

#: Maps commands to the rights that they need (C{readerkey.RIGHTS}); None stands
#: for the self test
_NEEDED: dict[Optional[str], tuple[str, ...]] = {
  None: ("instance-ips", "master", "mc-ips", "node-ips", "node-of-ip",
         "node-role", "ping"),
  "ping": ("ping", ),
  "master": ("master", ),
  "master-info": ("master", ),
  "node-role": ("node-role", ),
  "node-ips": ("node-ips", ),
  "mc-ips": ("mc-ips", ),
  "instance-ips": ("instance-ips", ),
  "node-of-ip": ("node-of-ip", ),
  "node-instances": ("node-instances", ),
  "node-drbd": ("node-drbd", ),
  "instance-disks": ("instance-disks", ),
  "config": ("config", ),
  "collectors": ("collectors", ),
  "list": (_LIST_WHAT, ),
  "list-fields": (_LIST_WHAT, ),
  "who-has": ("list/instances", "list/nodes"),
  "map": ("list/instances", "list/nodes"),
  commandline.EXPORT: (_LIST_WHAT, ),
  "check": _CHECK,
  commandline.DESCRIBE: (_LIST_WHAT, ),
  "evacuate": ("config", "list/disks", "list/instances", "list/nodes"),
  "status": ("ping", ),
  "stats": ("stats", ),
  "clusters": ("ping", ),
  commandline.WATCH: ("ping", _WAIT),
  "make-key": (),
  "show-key": (),
  }


#: Maps commands to rights that they can do without: without these rights, a
#: command leaves out a part of its output
_OPTIONAL: dict[Optional[str], tuple[str, ...]] = {
  "who-has": ("master", ),
  # A description contains findings, which need all the rights of a check
  commandline.DESCRIBE: _CHECK,
  "status": ("mc-ips", ),
  }


class NotPermitted(errors.ConfdClientError):
  """The key does not permit the command.

  """


def Needed(name: Optional[str], kind: Optional[str] = None) -> list[str]:
  """Returns the rights that a command needs.

  @param kind: the table that the command line names, one of C{columns.KINDS};
    None for all tables

  """
  what = readerkey.LIST if kind is None else "%s/%ss" % (readerkey.LIST, kind)
  return [what if right == _LIST_WHAT else right for right in _NEEDED[name]]


def LeftOut(label: Optional[readerkey.Label], name: str) -> list[str]:
  """Returns the rights that a key lacks for the whole output of a command.

  @param label: None for the cluster's key

  """
  if label is None:
    return []
  return [right for right in _OPTIONAL.get(name, ())
          if not keyrights.May(label, right)]


def Commands(label: Optional[readerkey.Label]) -> list[str]:
  """Returns the commands that a key permits.

  @param label: None for the cluster's key
  @return: the commands as they are typed; with the name of a table if the key
    permits the command for some tables only

  """
  result = []
  for (name, command) in commandline.COMMANDS.items():
    if not command.asks:
      continue
    if label is None or not Missing(label, name):
      result.append(name)
    elif _LIST_WHAT in _NEEDED[name]:
      kinds = {commandline.EXPORT: argtypes.EXPORTED,
               commandline.DESCRIBE: argtypes.DESCRIBED}.get(name,
                                                             argtypes.KINDS)
      result.extend("%s %s" % (name, kind) for kind in kinds
                    if not Missing(label, name, argtypes.Kind(kind)))
  return result


def Missing(label: readerkey.Label, name: Optional[str],
            kind: Optional[str] = None) -> list[str]:
  """Returns those rights that a command needs and that a key lacks.

  @param kind: as for L{Needed}

  """
  return [right for right in Needed(name, kind)
          if not keyrights.May(label, right)]


def Words() -> list[str]:
  """Returns the words that L{Expand} takes.

  """
  return sorted({readerkey.ALL, *readerkey.RIGHTS,
                 *(name for (name, command) in commandline.COMMANDS.items()
                   if command.asks)})


def Expand(words: list[str]) -> list[str]:
  """Converts words, which are rights or names of commands, to rights.

  The name of a command stands for the rights to the whole output.

  @return: rights in the order of a label
  @raise ValueError: a word is neither a right nor a command

  """
  result = set()
  known = Words()
  for word in words:
    if word in readerkey.RIGHTS or word == readerkey.ALL:
      result.add(word)
    elif word in known:
      result.update(Needed(word), _OPTIONAL.get(word, ()))
    else:
      raise ValueError("neither a question nor a command: '%s'%s" %
                       (word, argtypes.DidYouMean(word, known) or
                        "; choose from %s" % ", ".join(known)))
  if readerkey.ALL in result:
    return [readerkey.ALL]
  # Leave out the rights to list single tables if the right to list all tables
  # is included
  if readerkey.LIST in result:
    result = {right for right in result
              if not right.startswith(readerkey.LIST + "/")}
  return sorted(result)


def Check(label: readerkey.Label, opts: argparse.Namespace) -> None:
  """Refuses a command that a key does not permit.

  The daemons would refuse the requests, too, but not name the missing rights.

  @raise NotPermitted: the key lacks a right, or its last day is over

  """
  now = time.time()
  text = keyrights.Describe(label, now)
  if label.HasEnded(now):
    raise NotPermitted("Not permitted: %s" % text)
  name = opts.command
  kind = getattr(opts, "kind", None)
  if getattr(opts, "question", None) is None:
    missing = Missing(label, name, kind)
  else:
    missing = Missing(label, opts.question, kind)
    if not keyrights.May(label, _WAIT):
      missing.append(_WAIT)
  if missing:
    raise NotPermitted(
      "Not permitted: %s; %s needs %s as well: ask the cluster's administrator"
      " for a key made with --may %s" %
      (text, "the self test" if name is None else name, ", ".join(missing),
       ",".join(sorted({*label.what, *missing}))))
