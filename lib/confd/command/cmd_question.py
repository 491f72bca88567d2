#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The commands that ask one question of the protocol.

Rule: each command is an entry of L{QUESTIONS}. The entry asks with one call of
the client library, and the output is made of the answer alone.

"""

from __future__ import annotations

import argparse

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import changes
from ganeti.confd.clientlib import sync
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import result
from ganeti.confd.command import table
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Coroutine, Iterator, Optional, Sequence
  from ganeti.confd.clientlib import questions
  from ganeti.confd.command import multicluster
  from ganeti.confd.command import watched


def _Same(answer: Any, _: argparse.Namespace) -> Any:
  return answer


class Question(NamedTuple):
  """A question of the protocol.

  The client library has checked the form of the answers that C{view} and
  C{to_json} get (C{clientlib.forms}). But a value of an object in the
  configuration may be of any type.

  """
  #: Coroutine function that sends the question and returns the reply
  ask: Callable[[questions.Questions, argparse.Namespace],
                Coroutine[Any, Any, clientlib.Reply[Any]]]
  #: Converts an answer to a table
  view: Callable[[Any, argparse.Namespace], table.Table]
  #: Converts an answer to the JSON value that --json prints, in which all
  #: values have names
  to_json: Callable[[Any, argparse.Namespace], Any] = _Same
  #: The indexes of the columns by which "watch" identifies a row; none if the
  #: table has only one row
  keys: Sequence[int] = ()


def _Lines(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(None, [[line] for line in answer])


def _Value(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(None, [[answer]])


def FormatVersion(number: Any) -> Any:
  """Formats a configuration's version like the version of a Ganeti release.

  @param number: e.g. 3010000 for 3.1; anything but a number is returned as is

  """
  if not isinstance(number, int):
    return number
  return "%d.%d" % (number // 1000000, number // 10000 % 100)


def _PingView(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(None, [["configuration version %s (%s)" %
                             (FormatVersion(answer), answer)]])


def _RoleView(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(None, [[clientlib.NODE_ROLES.get(answer, answer)]])


def _RoleToJson(answer: Any, _: argparse.Namespace) -> Any:
  return {"role": clientlib.NODE_ROLES[answer], "number": answer}


def MasterInfoToJson(answer: Any) -> Any:
  (node, master_ip, node_ip) = answer
  return {"node": node, "master_ip": master_ip, "node_ip": node_ip}


def _MasterInfoView(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(["Node", "MasterIP", "NodeIP"], [answer])


async def _AskNodeOfIp(confd: questions.Questions, opts: argparse.Namespace
                       ) -> clientlib.Reply[Any]:
  if len(opts.ips) == 1:
    return await confd.NodeOfInstanceIp(opts.ips[0])
  return await confd.NodesOfInstanceIps(opts.ips)


def NodesOfIpsToJson(ips: Sequence[str], answer: Any) -> Any:
  return [{"ip": ip, "node_ip":
           node if status == constants.CONFD_REPL_STATUS_OK else None}
          for (ip, (status, node)) in zip(ips, answer)]


def _NodeOfIpToJson(answer: Any, opts: argparse.Namespace) -> Any:
  if len(opts.ips) == 1:
    return answer
  return NodesOfIpsToJson(opts.ips, answer)


def _NodeOfIpView(answer: Any, opts: argparse.Namespace) -> table.Table:
  if len(opts.ips) == 1:
    return _Value(answer, opts)
  return table.Table(
    ["IP", "Node"], [[row["ip"], row["node_ip"]]
                     for row in NodesOfIpsToJson(opts.ips, answer)])


def _NodeInstancesView(answer: Any, _: argparse.Namespace) -> table.Table:
  rows = [[instance.get("name"), role, instance.get("admin_state"),
           instance.get("os")]
          for (role, instances) in zip(["primary", "secondary"], answer)
          for instance in instances]
  return table.Table(["Instance", "Role", "State", "OS"], rows)


def _NodeInstancesToJson(answer: Any, _: argparse.Namespace) -> Any:
  (primary, secondary) = answer
  return {"primary": primary, "secondary": secondary}


def _NodeDrbdToJson(answer: Any, _: argparse.Namespace) -> Any:
  return [{"node": node, "minor": minor, "instance": instance, "disk": disk,
           "role": role, "peer": peer}
          for (node, minor, instance, disk, role, peer) in answer]


def _NodeDrbdView(answer: Any, _: argparse.Namespace) -> table.Table:
  return table.Table(["Node", "Minor", "Instance", "Disk", "Role", "PeerNode"],
                     answer, numeric=[1])


def _DisksView(answer: Any, _: argparse.Namespace) -> table.Table:
  rows = [[index, disk.get("dev_type"), disk.get("size"), disk.get("mode"),
           disk.get("name"), disk.get("uuid")]
          for (index, disk) in enumerate(answer)]
  return table.Table(["Disk", "Type", "Size", "Mode", "Name", "UUID"], rows,
                     numeric=[0, 2])


async def _AskConfig(confd: questions.Questions, opts: argparse.Namespace
                     ) -> clientlib.Reply[Any]:
  try:
    return await confd.Config(opts.path)
  except clientlib.ErrorAnswer as err:
    if opts.path == "/":
      raise clientlib.ErrorAnswer("%s; all of the configuration is config \"\""
                                  % err, err.reply) from err
    raise


def _ConfigView(answer: Any, opts: argparse.Namespace) -> table.Table:
  if isinstance(answer, str):
    return _Value(answer, opts)
  lines = output.FormatJson(answer).splitlines()
  return table.Table(None, [[line] for line in lines], is_drawing=True)


def _CollectorsView(answer: Any, _: argparse.Namespace) -> table.Table:
  rows = [[name, "yes" if entry["active"] else "no",
           "%g" % (entry["interval"] / 1e6)]
          for (name, entry) in sorted(answer.items())]
  return table.Table(["Collector", "Active", "Seconds"], rows, numeric=[2])


QUESTIONS: dict[str, Question] = {
  "ping": Question(lambda confd, _: confd.Ping(), _PingView),
  "master": Question(lambda confd, _: confd.MasterNode(), _Value),
  "master-info": Question(lambda confd, _: confd.MasterInfo(),
                          _MasterInfoView,
                          lambda answer, _: MasterInfoToJson(answer)),
  "node-role": Question(lambda confd, opts: confd.NodeRole(opts.node),
                        _RoleView, _RoleToJson),
  "node-ips": Question(lambda confd, _: confd.NodeIps(), _Lines, keys=[0]),
  "mc-ips": Question(lambda confd, _: confd.MasterCandidates(), _Lines,
                     keys=[0]),
  "instance-ips": Question(lambda confd, opts: confd.InstanceIps(opts.link),
                           _Lines, keys=[0]),
  "node-of-ip": Question(_AskNodeOfIp, _NodeOfIpView, _NodeOfIpToJson, [0]),
  "node-instances": Question(
    lambda confd, opts: confd.NodeInstances(opts.node), _NodeInstancesView,
    _NodeInstancesToJson, [0, 1]),
  "node-drbd": Question(lambda confd, opts: confd.NodeDrbd(opts.node),
                        _NodeDrbdView, _NodeDrbdToJson, [0, 1]),
  "instance-disks": Question(
    lambda confd, opts: confd.InstanceDisks(opts.instance), _DisksView,
    keys=[5]),
  "config": Question(_AskConfig, _ConfigView, keys=[0]),
  "collectors": Question(lambda confd, _: confd.Collectors(),
                         _CollectorsView, keys=[0]),
  }


class Item(NamedTuple):
  """A row of an answer, for "watch".

  """
  titles: Optional[Sequence[str]]
  cells: Sequence[Any]
  #: The JSON value that --json prints for the row; None without --json
  json: Any


def _RowsToJson(converted: Any, rows: Sequence[Sequence[Any]]) -> list[Any]:
  """Splits an answer's form with --json into values, one for each row.

  """
  values: list[Any] = [converted]
  if isinstance(converted, list):
    values = converted
  elif isinstance(converted, dict) and len(rows) != 1:
    values = list(converted.values())
    if all(isinstance(i, list) for i in values):
      values = [item for items in values for item in items]
  if len(values) == len(rows):
    return values
  return [list(row) for row in rows]


def _Items(question: Question, answer: Any, opts: argparse.Namespace
           ) -> changes.Items:
  """Splits an answer into items, for "watch".

  @return: L{Item}s by key

  """
  if opts.question == "config" and isinstance(answer, (dict, list)):
    # The rows of this table are lines of JSON text. Make an item of each value
    # instead.
    return {key: Item(["Key", "Value"],
                      [key, output.FormatJson(value, indent=None)], value)
            for (key, value) in changes.ByNaturalKeys(answer).items()}
  view = question.view(answer, opts)
  values: list[Any] = [None] * len(view.rows)
  if opts.json or opts.command_line:
    values = _RowsToJson(question.to_json(answer, opts), view.rows)
  keys = question.keys if isinstance(answer, (dict, list)) else ()
  found = [tuple(row[i] for i in keys) if len(keys) > 1 else
           row[keys[0]] if keys else None for row in view.rows]
  return changes.ByKeys(found, [Item(view.headers, row, value) for
                                (row, value) in zip(view.rows, values)])


def _Show(question: Question, answer: Any, opts: argparse.Namespace) -> None:
  """Prints an answer as a table.

  """
  output.Printer(opts).PrintTable(question.view(answer, opts))


def Watch(client: clientlib.Client, opts: argparse.Namespace
          ) -> watched.Watched:
  """Returns a question for "watch".

  """
  from ganeti.confd.command import watched as watchedlib
  question = QUESTIONS[opts.question]

  def _Start(report_error: watched.ReportError) -> Iterator[clientlib.Change]:
    return client.FollowCall(lambda confd: question.ask(confd, opts),
                             lambda answer: _Items(question, answer, opts),
                             report_error)

  def _ToJson(answer: Any) -> Any:
    return None if answer is None else question.to_json(answer, opts)

  return watchedlib.Watched(
    _Start, lambda answer: _Show(question, answer, opts),
    lambda item: watchedlib.Row(item.titles, item.cells), _ToJson,
    lambda item: item.json)


def _IsUnknownLink(client: clientlib.Client, link: str) -> bool:
  """Tells whether no NIC is on a link, after an empty answer about the link.

  C{instance-ips} has an empty answer for an unknown link, and also for a link
  whose NICs have no IPs. The list of instances tells the two apart. The
  packaged daemon cannot list instances; its reply to a ping has serial 0.

  """
  try:
    if client.reader is None and client.Ping().serial == 0:
      return True
    rows = client.List("instance", ["nic.links"]).answer
  except (clientlib.NoAnswer, clientlib.ErrorAnswer):
    # Treat the link as unknown: the instances could not be listed, perhaps
    # because the reader's key lacks the right to list them
    return True
  return not any(link in links for (links, ) in rows)


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks the question.

  """
  question = QUESTIONS[opts.command]
  link = getattr(opts, "link", None)
  reply = sync.Blocking(question.ask)(client, opts)
  document = output.FormatReply(
    reply.With(question.to_json(reply.answer, opts))) if opts.json else {}
  view = question.view(reply.answer, opts)
  if link is not None and not reply.answer and _IsUnknownLink(client, link):
    return result.Result(document, view, code=exitcodes.FAILURE, remarks=[
      "no instance has an IP on the link '%s'" % link])
  return result.Result(document, view)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Asks several clusters, and prints the answers.

  """
  from ganeti.confd.command import multicluster
  return multicluster.Run(factories, opts, _Ask)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Asks the question, and prints the answer.

  """
  return result.Run(client, opts, _Ask)
