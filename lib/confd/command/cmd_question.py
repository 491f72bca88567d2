#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The commands that are one question of the protocol: what each asks and shows.

Rule: one entry of L{QUESTIONS} for each; what it asks is a call of the client
library, what it shows is made from the answer alone.

"""

from __future__ import annotations

import argparse

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import changes
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output


class View(NamedTuple):
  """What is printed.

  """
  #: None for plain lines
  headers: Optional[List[str]]
  rows: Sequence[Sequence[Any]]
  #: The indexes of the columns with numbers
  numeric: Sequence[int] = ()


def _Same(answer: Any, _: argparse.Namespace) -> Any:
  return answer


class Question(NamedTuple):
  """A question of the protocol.

  C{show} and C{tell} are called with the answer, which has its form
  (C{clientlib.forms}). What is stored in the objects of the configuration may
  be of any type.

  """
  ask: Callable[[clientlib.Client, argparse.Namespace], clientlib.Reply[Any]]
  show: Callable[[Any, argparse.Namespace], View]
  #: Makes the answer that is printed with --json, where things have names
  tell: Callable[[Any, argparse.Namespace], Any] = _Same
  #: By which columns "watch" finds a row again; none where there is one only
  keys: Sequence[int] = ()


def _Lines(answer: Any, _: argparse.Namespace) -> View:
  return View(None, [[line] for line in answer])


def _Value(answer: Any, _: argparse.Namespace) -> View:
  return View(None, [[answer]])


def FormatVersion(number: Any) -> Any:
  """Writes the version of a configuration as Ganeti's releases are called.

  @param number: e.g. 3010000 for 3.1; what is no number stays as it is

  """
  if not isinstance(number, int):
    return number
  return "%d.%d" % (number // 1000000, number // 10000 % 100)


def _ShowPing(answer: Any, _: argparse.Namespace) -> View:
  return View(None, [["configuration version %s (%s)" %
                      (FormatVersion(answer), answer)]])


def _ShowRole(answer: Any, _: argparse.Namespace) -> View:
  return View(None, [[clientlib.NODE_ROLES.get(answer, answer)]])


def _TellRole(answer: Any, _: argparse.Namespace) -> Any:
  return {"role": clientlib.NODE_ROLES[answer], "number": answer}


def TellMasterInfo(answer: Any) -> Any:
  (node, master_ip, node_ip) = answer
  return {"node": node, "master_ip": master_ip, "node_ip": node_ip}


def _ShowMasterInfo(answer: Any, _: argparse.Namespace) -> View:
  return View(["Node", "MasterIP", "NodeIP"], [answer])


def _AskNodeOfIp(asker: clientlib.Client,
                 opts: argparse.Namespace) -> clientlib.Reply[Any]:
  if len(opts.ips) == 1:
    return asker.NodeOfInstanceIp(opts.ips[0])
  return asker.NodesOfInstanceIps(opts.ips)


def TellNodesOfIps(ips: Sequence[str], answer: Any) -> Any:
  return [{"ip": ip, "node_ip":
           node if status == constants.CONFD_REPL_STATUS_OK else None}
          for (ip, (status, node)) in zip(ips, answer)]


def _TellNodeOfIp(answer: Any, opts: argparse.Namespace) -> Any:
  if len(opts.ips) == 1:
    return answer
  return TellNodesOfIps(opts.ips, answer)


def _ShowNodeOfIp(answer: Any, opts: argparse.Namespace) -> View:
  if len(opts.ips) == 1:
    return _Value(answer, opts)
  return View(["IP", "Node"], [[row["ip"], row["node_ip"]]
                               for row in TellNodesOfIps(opts.ips, answer)])


def _ShowNodeInstances(answer: Any, _: argparse.Namespace) -> View:
  rows = [[instance.get("name"), role, instance.get("admin_state"),
           instance.get("os")]
          for (role, instances) in zip(["primary", "secondary"], answer)
          for instance in instances]
  return View(["Instance", "Role", "State", "OS"], rows)


def _TellNodeInstances(answer: Any, _: argparse.Namespace) -> Any:
  (primary, secondary) = answer
  return {"primary": primary, "secondary": secondary}


def _TellNodeDrbd(answer: Any, _: argparse.Namespace) -> Any:
  return [{"node": node, "minor": minor, "instance": instance, "disk": disk,
           "role": role, "peer": peer}
          for (node, minor, instance, disk, role, peer) in answer]


def _ShowNodeDrbd(answer: Any, _: argparse.Namespace) -> View:
  return View(["Node", "Minor", "Instance", "Disk", "Role", "PeerNode"],
              answer, numeric=[1])


def _ShowDisks(answer: Any, _: argparse.Namespace) -> View:
  rows = [[index, disk.get("dev_type"), disk.get("size"), disk.get("mode"),
           disk.get("name"), disk.get("uuid")]
          for (index, disk) in enumerate(answer)]
  return View(["Disk", "Type", "Size", "Mode", "Name", "UUID"], rows,
              numeric=[0, 2])


def _AskConfig(asker: clientlib.Client,
               opts: argparse.Namespace) -> clientlib.Reply[Any]:
  try:
    return asker.Config(opts.path)
  except clientlib.ErrorAnswer as err:
    if opts.path == "/":
      raise clientlib.ErrorAnswer("%s; all of the configuration is config \"\""
                                  % err, err.reply) from err
    raise


def _ShowConfig(answer: Any, opts: argparse.Namespace) -> View:
  if isinstance(answer, str):
    return _Value(answer, opts)
  return _Lines(output.FormatJson(answer).splitlines(), opts)


def _ShowCollectors(answer: Any, _: argparse.Namespace) -> View:
  rows = [[name, "yes" if entry["active"] else "no",
           "%g" % (entry["interval"] / 1e6)]
          for (name, entry) in sorted(answer.items())]
  return View(["Collector", "Active", "Seconds"], rows, numeric=[2])


QUESTIONS: Dict[str, Question] = {
  "ping": Question(lambda asker, _: asker.Ping(), _ShowPing),
  "master": Question(lambda asker, _: asker.MasterNode(), _Value),
  "master-info": Question(lambda asker, _: asker.MasterInfo(),
                          _ShowMasterInfo,
                          lambda answer, _: TellMasterInfo(answer)),
  "node-role": Question(lambda asker, opts: asker.NodeRole(opts.node),
                        _ShowRole, _TellRole),
  "node-ips": Question(lambda asker, _: asker.NodeIps(), _Lines, keys=[0]),
  "mc-ips": Question(lambda asker, _: asker.MasterCandidates(), _Lines,
                     keys=[0]),
  "instance-ips": Question(lambda asker, opts: asker.InstanceIps(opts.link),
                           _Lines, keys=[0]),
  "node-of-ip": Question(_AskNodeOfIp, _ShowNodeOfIp, _TellNodeOfIp, [0]),
  "node-instances": Question(
    lambda asker, opts: asker.NodeInstances(opts.node), _ShowNodeInstances,
    _TellNodeInstances, [0, 1]),
  "node-drbd": Question(lambda asker, opts: asker.NodeDrbd(opts.node),
                        _ShowNodeDrbd, _TellNodeDrbd, [0, 1]),
  "instance-disks": Question(
    lambda asker, opts: asker.InstanceDisks(opts.instance), _ShowDisks,
    keys=[5]),
  "config": Question(_AskConfig, _ShowConfig, keys=[0]),
  "collectors": Question(lambda asker, _: asker.Collectors(),
                         _ShowCollectors, keys=[0]),
  }


class Item(NamedTuple):
  """A row of an answer, for "watch".

  """
  titles: Optional[List[str]]
  cells: Sequence[Any]
  #: As it is printed with --json; None where it is not
  value: Any


def _Values(told: Any, rows: Sequence[Sequence[Any]]) -> List[Any]:
  """Finds what is printed with --json for each row.

  """
  values: List[Any] = [told]
  if isinstance(told, list):
    values = told
  elif isinstance(told, dict) and len(rows) != 1:
    values = list(told.values())
    if all(isinstance(i, list) for i in values):
      values = [item for items in values for item in items]
  if len(values) == len(rows):
    return values
  return [list(row) for row in rows]


def Items(question: Question, answer: Any, opts: argparse.Namespace,
          is_told: bool) -> changes.Items:
  """Takes an answer apart, for "watch".

  @param is_told: whether it is printed with --json
  @return: L{Item}s by key

  """
  if opts.question == "config" and isinstance(answer, (dict, list)):
    # Not by lines
    return {key: Item(["Key", "Value"],
                      [key, output.FormatJson(value, indent=None)], value)
            for (key, value) in changes.ByNaturalKeys(answer).items()}
  view = question.show(answer, opts)
  values: List[Any] = [None] * len(view.rows)
  if is_told:
    values = _Values(question.tell(answer, opts), view.rows)
  keys = question.keys if isinstance(answer, (dict, list)) else ()
  found = [tuple(row[i] for i in keys) if len(keys) > 1 else
           row[keys[0]] if keys else None for row in view.rows]
  return changes.ByKeys(found, [Item(view.headers, row, value) for
                                (row, value) in zip(view.rows, values)])


def Show(question: Question, answer: Any, opts: argparse.Namespace) -> None:
  """Prints an answer for people.

  """
  view = question.show(answer, opts)
  output.Printer(opts).Print(view.headers, view.rows, view.numeric)


def Tell(question: Question, answer: Any, opts: argparse.Namespace) -> Any:
  """Makes what is printed of an answer with --json.

  @param answer: None for none

  """
  return None if answer is None else question.tell(answer, opts)


def _IsOnNoNic(asker: clientlib.Client, link: str) -> bool:
  """Tells whether there is no NIC on a link on which there are no IPs.

  The answer to C{instance-ips} is an empty list for that, and for a link whose
  NICs have no IPs. Only this project's daemon, which puts the serial into its
  reply to a ping, can tell the two apart.

  """
  try:
    if asker.reader is None and asker.Ping().serial == 0:
      return True
    rows = asker.List("instance", ["nic.links"]).answer
  except (clientlib.NoAnswer, clientlib.ErrorAnswer):
    # Of a reader: not permitted
    return True
  return not any(link in links for (links, ) in rows)


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Asks one of the questions, and prints the answer.

  """
  question = QUESTIONS[opts.command]
  link = getattr(opts, "link", None)
  with output.Progress(asker):
    reply = question.ask(asker, opts)
    # All that may go wrong comes before anything is printed
    is_unknown = (link is not None and not reply.answer and
                  _IsOnNoNic(asker, link))
  if opts.json:
    output.PrintReply(reply.With(question.tell(reply.answer, opts)))
  else:
    Show(question, reply.answer, opts)
  if is_unknown:
    output.Say("no instance has an IP on the link '%s'" % link)
    return exitcodes.FAILURE
  return exitcodes.SUCCESS
