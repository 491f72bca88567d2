#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compares our answers with those of Ganeti's confd.

The expected answer of our daemon is derived from Ganeti's: the question is
first rewritten as one that Ganeti's confd understands, and Ganeti's answer is
then changed according to the table of differences in the protocol's
description. Any other difference is a fault.

Each of the functions in C{_REWRITES}, C{_CHANGES} and C{_EXCUSES} implements a
row of that table; its docstring is the name of the row. A test compares the
two.

"""

import json
import re
import typing

import reference
import testutils

from comparison import asking
from comparison import comparer
from comparison import judges
from comparison import questions

(OK, ERROR, NOT_IMPLEMENTED) = range(3)
(UNKNOWN_ENTRY, _, ARGUMENT) = range(3)

#: Answers for an unknown name and for a malformed query: status and error
UNKNOWN = (ERROR, UNKNOWN_ENTRY)
MALFORMED = (ERROR, ARGUMENT)

#: Largest difference that rounding makes to a time (seconds)
_TIME_DEVIATION = 2e-6

#: Types of requests whose query is a name or a JSON pointer
_TEXT_TYPES = questions.NODE_TYPES + [questions.INSTANCE_DISKS,
                                      questions.CONFIG]


class Question(typing.NamedTuple):
  type: typing.Any
  query: typing.Any


class Answer(typing.NamedTuple):
  status: typing.Any
  answer: typing.Any


SILENCE = Answer(*asking.SILENCE[:2])


# Differences in questions. Each function takes a question, and returns the
# question to ask Ganeti's confd instead, or the expected answer if Ganeti's
# confd need not be asked, or None if the difference does not apply.

def _UnknownType(question):
  """Unknown type of request"""
  if question.type not in range(12):
    return Answer(NOT_IMPLEMENTED, None)
  return None


def _Ignored(question):
  """Query where it is ignored"""
  if question.type in questions.NO_QUERY_TYPES and question.query is not None:
    return question._replace(query=None)
  return None


def _OneIp(question):
  """2, a string"""
  if question.type == questions.NODE_OF_IP and isinstance(question.query, str):
    return question._replace(query={"1": question.query})
  return None


def _NoText(question):
  """3, an empty string"""
  if question.type == questions.MASTER and question.query == "":
    return question._replace(query=None)
  return None


def _FieldsAsText(question):
  """3, fields as strings"""
  if question.type == questions.MASTER and isinstance(question.query, dict):
    fields = question.query.get("3")
    if isinstance(fields, list) and any(i in ("0", "1", "2") for i in fields):
      return question._replace(query=dict(question.query, **{"3": [
        int(i) if i in ("0", "1", "2") else i for i in fields]}))
  return None


def _Fractions(question):
  """3, fields such as 0.0"""
  if question.type == questions.MASTER and isinstance(question.query, dict):
    fields = question.query.get("3")
    if isinstance(fields, list) and any(isinstance(i, float) for i in fields):
      return Answer(*MALFORMED)
  return None


#: The keys of a query that are known, by type of request
_KEYS = {questions.NODE_OF_IP: ["0", "1", "2"], questions.MASTER: ["3"]}


def _UnknownKeys(question):
  """Unknown keys in request or query"""
  keys = _KEYS.get(question.type, [])
  if keys and isinstance(question.query, dict):
    query = {key: question.query[key] for key in keys if key in question.query}
    if query != question.query:
      return question._replace(query=query)
  return None


def _IsTexts(value):
  return isinstance(value, list) and all(isinstance(i, str) for i in value)


def _IsProper(question):
  """Tells whether a query is of the kind that the type of request needs.

  """
  query = question.query
  if question.type in _TEXT_TYPES:
    return isinstance(query, str)
  if question.type == questions.INSTANCE_IPS:
    return query is None or isinstance(query, str)
  if question.type == questions.MASTER:
    fields = query.get("3") if isinstance(query, dict) else query
    return fields is None or (isinstance(query, dict) and
                              isinstance(fields, list) and
                              all(type(i) is int and i in range(3)
                                  for i in fields))
  if question.type == questions.NODE_OF_IP:
    return isinstance(query, dict) and (
      isinstance(query.get("0", ""), (str, type(None))) and
      isinstance(query.get("1", ""), (str, type(None))) and
      (query.get("1") is not None or query.get("2") is None or
       _IsTexts(query["2"])))
  return True


def _WrongKind(question):
  """Query of the wrong kind"""
  if not _IsProper(question):
    if question.type == questions.NODE_ROLE:
      return Answer(*UNKNOWN)
    return Answer(*MALFORMED)
  return None


def _ListBesideIp(question):
  """Query of the wrong kind"""
  # If the query has "1", the value of "2" is ignored
  query = question.query
  if (question.type == questions.NODE_OF_IP and isinstance(query, dict) and
      query.get("1") is not None and "2" in query):
    return question._replace(query={key: query[key] for key in query
                                    if key != "2"})
  return None


_REWRITES = [_UnknownType, _Ignored, _OneIp, _NoText, _FieldsAsText, _Fractions,
             _UnknownKeys, _WrongKind, _ListBesideIp]


def Rewrite(question):
  """Rewrites a question as one that Ganeti's confd understands.

  @return: the question, or an answer; and the functions that were applied

  """
  used = []
  for function in _REWRITES:
    result = function(question)
    if result is not None:
      used.append(function)
      if isinstance(result, Answer):
        return (result, used)
      question = result
  return (question, used)


# Differences in answers. Each function takes a context, the question, and the
# answer of Ganeti's confd, and returns the expected answer of our daemon, or
# None if the difference does not apply.

class Context:
  """The properties of a configuration on which the differences depend.

  """
  def __init__(self, config):
    self.config = config
    self._reference = reference.Reference(config)
    self.stored = reference.Redact(config)
    self._whole = {}
    if not json.dumps(config, ensure_ascii=False).isascii():
      self._whole = {_Shortened(text): text for text in _Texts(config)}
    self.torn = self._FindInstances(self._IsTorn)
    self.folded = self._FindInstances(self._IsFolded)
    self.elsewhere = self._FindInstances(self._IsElsewhere)

  def Whole(self, value):
    """Restores the texts that Ganeti's confd has shortened, see L{_Shortened}.

    """
    if isinstance(value, str):
      return self._whole.get(value, value)
    if isinstance(value, list):
      return [self.Whole(item) for item in value]
    if isinstance(value, dict):
      return {self.Whole(key): self.Whole(item)
              for (key, item) in value.items()}
    return value

  def _FindInstances(self, predicate):
    """Returns the UUIDs and names of the instances that satisfy a predicate.

    """
    found = set()
    for (uuid, instance) in self.config["instances"].items():
      if predicate(instance):
        found.update([uuid, instance.get("uuid"), instance.get("name") or ""])
    return found

  def Disks(self, instance):
    """Returns the disks of an instance, with None for each missing disk.

    """
    return [self.config["disks"].get(uuid)
            for uuid in instance.get("disks") or []]

  def _Mirrors(self, instance):
    """Yields the pairs of nodes of an instance's mirrored disks.

    """
    todo = [disk for disk in self.Disks(instance) if disk]
    while todo:
      disk = todo.pop()
      if disk["dev_type"] == "drbd":
        yield disk["logical_id"][:2]
      todo.extend(disk.get("children") or [])

  def _IsTorn(self, instance):
    nodes = self.config["nodes"]
    return (None in self.Disks(instance) or
            instance.get("primary_node") not in [None, *nodes] or
            any(node not in nodes for pair in self._Mirrors(instance)
                for node in pair))

  def _IsFolded(self, instance):
    return any(one == other for (one, other) in self._Mirrors(instance))

  def _IsElsewhere(self, instance):
    primary = instance.get("primary_node")
    return primary is not None and any(
      primary not in pair for pair in self._Mirrors(instance))

  def IsMasterThere(self):
    return self.config["cluster"]["master_node"] in self.config["nodes"]

  def Role(self, name):
    return Answer(*self._reference.Role(name))

  def Find(self, kind, name):
    """Finds the key of an object by any of its names.

    """
    return self._reference.Find(kind, name)

  def NameKey(self, kind, uuid):
    """Returns the sort key of an object in a list that is sorted by name.

    """
    item = self.config[kind].get(uuid, {})
    name = item.get("name") or ""
    return (reference.NaturalKey(name), name, uuid)

  def Instances(self):
    """Lists the instances by name, as (UUID, instance).

    """
    return sorted(self.config["instances"].items(),
                  key=lambda item: self.NameKey("instances", item[0]))

  def Nics(self, link):
    """Lists the nics on a link that have an address, as (ip, instance).

    A parameter of the nic overrides the default, even if it is empty.

    """
    default = self.config["cluster"]["nicparams"]["default"]["link"]
    if link is None:
      link = default
    for (_, instance) in self.Instances():
      for nic in instance.get("nics") or []:
        own = (nic.get("nicparams") or {}).get("link")
        if nic.get("ip") and (default if own is None else own) == link:
          yield (nic["ip"], instance)


def _Characters(context, _, answer):
  """Other characters than ASCII"""
  return Answer(*context.Whole(list(answer)))


def _TwoOfAName(context, question, answer):
  """A name that two objects have"""
  if question.type not in _TEXT_TYPES[:-1] or answer.status != OK:
    return None
  objects = context.config["instances" if question.type ==
                           questions.INSTANCE_DISKS else "nodes"]
  name = question.query
  if name in objects:
    return None
  names = [item.get("name") for item in objects.values()]
  same = [other for other in names if other == name] or [
    other for other in names if other and other.startswith(name + ".")]
  return Answer(*UNKNOWN) if len(same) > 1 else None


def _NoMaster(context, question, answer):
  """A master node that is not there"""
  if context.IsMasterThere() or answer.status != ERROR:
    return None
  if question.type == questions.NODE_ROLE:
    return context.Role(question.query)
  if question.type == questions.MASTER:
    fields = [0]
    if question.query is not None:
      fields = question.query.get("3") or []
    if set(fields) <= {1}:
      master_ip = context.config["cluster"]["master_ip"]
      return Answer(OK, [master_ip] * len(fields))
    return Answer(*UNKNOWN)
  return None


def _MissingDisk(context, question, answer):
  """A disk or node that is not there"""
  if (question.type == questions.INSTANCE_DISKS and answer.status == ERROR):
    uuid = context.Find("instances", question.query)
    if uuid is not None:
      disks = context.Disks(context.stored["instances"][uuid])
      if None in disks:
        return Answer(OK, reference.Redact([disk for disk in disks
                                            if disk is not None]))
  return None


def _UnknownName(context, question, answer):
  """Unknown node or instance"""
  if (question.type in _TEXT_TYPES and answer.status == ERROR and
      re.search("not found|multiple matches", str(answer.answer))):
    kind = ("instances" if question.type == questions.INSTANCE_DISKS else
            "nodes")
    if context.Find(kind, question.query) is None:
      return Answer(*UNKNOWN)
  return None


def _MasterByAnyName(context, question, answer):
  """1, the master"""
  if (question.type == questions.NODE_ROLE and answer.status == OK and
      answer.answer != 0 and context.Find("nodes", question.query) ==
      context.config["cluster"]["master_node"]):
    return answer._replace(answer=0)
  return None


def _Pairs(_, question, answer):
  """2, a list"""
  if (question.type == questions.NODE_OF_IP and answer.status == OK and
      isinstance(answer.answer, list)):
    return answer._replace(answer=[item[:2] for item in answer.answer])
  return None


def _SameIp(context, question, answer):
  """2, one IP several times on a link"""
  def _Node(ip):
    owners = [instance for (other, instance) in
              context.Nics(question.query.get("0")) if other == ip]
    if len(owners) < 2:
      return None
    nodes = [context.config["nodes"].get(instance.get("primary_node"))
             for instance in owners if instance.get("name")]
    ips = [node["primary_ip"] for node in nodes if node is not None]
    return [OK, ips[0]] if ips else list(UNKNOWN)

  if question.type == questions.NODE_OF_IP:
    ip = question.query.get("1")
    if ip is not None:
      node = _Node(ip)
      return node and Answer(*node)
    if answer.status == OK:
      return answer._replace(answer=[
        _Node(ip) or item
        for (ip, item) in zip(question.query.get("2") or [], answer.answer)])
  return None


def _EmptyIp(_, question, answer):
  """2, 6, an empty IP"""
  if question.type == questions.INSTANCE_IPS and answer.status == OK:
    return answer._replace(answer=[ip for ip in answer.answer if ip])
  if question.type == questions.NODE_OF_IP:
    if question.query.get("1") == "":
      return Answer(*UNKNOWN)
    if question.query.get("1") is None and answer.status == OK:
      return answer._replace(answer=[
        item if ip else list(UNKNOWN)
        for (ip, item) in zip(question.query.get("2") or [], answer.answer)])
  return None


def _Sorted(answer, key):
  """Sorts a list; equal keys stay as they are.

  """
  return answer._replace(answer=sorted(answer.answer, key=key))


def _MasterIsCandidate(context, question, answer):
  """5, a master that is no candidate"""
  if question.type == questions.MC_IPS:
    master = context.config["nodes"].get(
      context.config["cluster"]["master_node"])
    if master is not None and not master["master_candidate"]:
      return answer._replace(answer=answer.answer + [master["primary_ip"]])
  return None


def _NodeOrder(context, question, answer):
  """4, 5, order"""
  if question.type in (questions.NODE_IPS, questions.MC_IPS):
    config = context.config
    ips = [node["primary_ip"] for (uuid, node) in sorted(
             config["nodes"].items(),
             key=lambda item: context.NameKey("nodes", item[0]))
           if (question.type == questions.NODE_IPS or node["master_candidate"]
               or uuid == config["cluster"]["master_node"])]
    if sorted(ips) == sorted(answer.answer):
      return answer._replace(answer=ips)
  return None


def _IpOrder(context, question, answer):
  """6, order"""
  if question.type == questions.INSTANCE_IPS and answer.status == OK:
    ips = [ip for (ip, _) in context.Nics(question.query)]
    if not set(answer.answer) <= set(ips):
      # The answers differ by more than their order
      return None
    return _Sorted(answer, ips.index)
  return None


def _DrbdOrder(_, question, answer):
  """7, order"""
  if question.type == questions.NODE_DRBD and answer.status == OK:
    return _Sorted(answer, lambda row: (reference.NaturalKey(row[2]), row[2],
                                        reference.NaturalKey(row[3])))
  return None


def _InstanceOrder(context, question, answer):
  """8, order"""
  if question.type == questions.NODE_INSTANCES and answer.status == OK:
    return answer._replace(answer=[
      sorted(items, key=lambda item: context.NameKey("instances", item["uuid"]))
      for items in answer.answer])
  return None


#: Default values, which Ganeti's confd adds if missing, or leaves out
_DEFAULTS = [None, [], {}, "", False, True, 0, "rw"]


def _IsRewritten(theirs, stored, key=None):
  """Tells whether Ganeti's confd may send one value for a stored value.

  @param theirs: the value that Ganeti's confd has sent
  @param key: the key of both values

  """
  if isinstance(theirs, dict) and isinstance(stored, dict):
    for name in set(theirs) | set(stored):
      if name not in theirs:
        if stored[name] not in _DEFAULTS:
          return False
      elif name not in stored:
        if theirs[name] not in _DEFAULTS:
          return False
      elif not _IsRewritten(theirs[name], stored[name], name):
        return False
    return True
  if isinstance(theirs, list) and isinstance(stored, list):
    if key == "tags":
      return theirs == sorted(set(stored))
    return (len(theirs) == len(stored) and
            all(_IsRewritten(*pair) for pair in zip(theirs, stored)))
  if stored == reference.REDACTED:
    return True
  if isinstance(theirs, (int, float)) and isinstance(stored, (int, float)):
    return (theirs == round(stored) or float(theirs) == float(stored) or
            (key in ("ctime", "mtime") and
             abs(theirs - stored) < _TIME_DEVIATION))
  return (theirs == stored or (theirs in _DEFAULTS and stored is None) or
          # Ganeti's confd turns a text into a number where it expects one
          (type(theirs) is int and str(theirs) == stored))


def _InstancesAsStored(context, question, answer):
  """8, 9, 10, objects"""
  if question.type == questions.NODE_INSTANCES and answer.status == OK:
    result = []
    for items in answer.answer:
      stored = [context.stored["instances"].get(item["uuid"])
                for item in items]
      if not _IsRewritten(items, stored):
        return None
      result.append(stored)
    return answer._replace(answer=result)
  return None


def _DisksAsStored(context, question, answer):
  """8, 9, 10, objects"""
  if question.type == questions.INSTANCE_DISKS and answer.status == OK:
    stored = [context.stored["disks"].get(item["uuid"])
              for item in answer.answer]
    if _IsRewritten(answer.answer, stored):
      return answer._replace(answer=stored)
  return None


def Lookup(value, pointer):
  """Follows a JSON pointer (RFC 6901).

  @raise LookupError: the pointer is malformed, or no value is there

  """
  (before, *tokens) = pointer.split("/")
  if before or re.search("~(?![01])", pointer):
    raise LookupError(pointer)
  for token in tokens:
    if isinstance(value, list):
      if not re.fullmatch("0|[1-9][0-9]*", token):
        raise LookupError(pointer)
      value = value[int(token)]
    elif isinstance(value, dict):
      value = value[token.replace("~1", "/").replace("~0", "~")]
    else:
      raise LookupError(pointer)
  return value


def _PlaceAsStored(context, question, answer):
  """8, 9, 10, objects"""
  if question.type != questions.CONFIG or not isinstance(question.query, str):
    return None
  try:
    stored = Lookup(context.stored, question.query)
  except LookupError:
    if answer.status == OK and answer.answer in _DEFAULTS:
      return Answer(*MALFORMED)
    return None
  parts = question.query.split("/")
  if answer.status != OK:
    return Answer(OK, stored) if stored in _DEFAULTS else None
  if parts[-2] == "tags" and stored in Lookup(context.stored,
                                              "/".join(parts[:-1])):
    return answer._replace(answer=stored)
  if _IsRewritten(answer.answer, stored, parts[-1]):
    return answer._replace(answer=stored)
  return None


def _Whole(context, question, answer):
  """10, an empty string"""
  if question == (questions.CONFIG, "") and answer == MALFORMED:
    return Answer(OK, context.stored)
  return None


def _ListIndex(context, question, answer):
  """10, a number in a list"""
  if question.type == questions.CONFIG and answer.status == OK:
    (before, _, index) = question.query.rpartition("/")
    try:
      value = Lookup(context.stored, before)
    except LookupError:
      return None
    if (isinstance(value, list) and index[:1].isdigit() and
        not re.fullmatch("0|[1-9][0-9]*", index)):
      return Answer(*MALFORMED)
  return None


def _NoPointer(_, question, answer):
  """10, wrong escapes, empty keys"""
  if (question.type == questions.CONFIG and answer.status == OK and
      re.search("~(?![01])|//", question.query)):
    return Answer(*MALFORMED)
  return None


_CHANGES = [_Characters, _NoMaster, _MissingDisk, _UnknownName, _TwoOfAName,
            _MasterByAnyName, _Pairs, _SameIp, _EmptyIp, _MasterIsCandidate,
            _NodeOrder, _IpOrder, _DrbdOrder, _InstanceOrder,
            _InstancesAsStored, _DisksAsStored, _PlaceAsStored, _Whole,
            _ListIndex, _NoPointer]


# Differences that are excused. Each function takes the context, the question,
# and both answers, and returns the parts of the two answers that have to be
# equal.

def _Without(question, answer, names):
  """Leaves instances out of an answer.

  @param names: the names and UUIDs of the instances

  """
  if question.type == questions.NODE_DRBD and answer.status == OK:
    return answer._replace(answer=[row for row in answer.answer
                                   if row[2] not in names])
  if question.type == questions.NODE_INSTANCES and answer.status == OK:
    return answer._replace(answer=[[item for item in items
                                    if item["uuid"] not in names]
                                   for items in answer.answer])
  return answer


def _WithoutTorn(context, question, *both):
  """A disk or node that is not there"""
  if question.type == questions.NODE_DRBD and both[0].status == ERROR:
    # Ganeti's daemon lists no disks of that node at all, not even those of
    # other instances
    return [_Without(question, answer._replace(status=OK), context.torn)
            for answer in both[1:]] * 2 if context.torn else both
  return [_Without(question, answer, context.torn) for answer in both]


def _WithoutFolded(context, question, *both):
  """7, 8, a mirror within one node"""
  return [_Without(question, answer, context.folded) for answer in both]


def _WithoutElsewhere(context, question, *both):
  """8, a mirror on two other nodes"""
  if question.type == questions.NODE_INSTANCES:
    return [_Without(question, answer, context.elsewhere) for answer in both]
  return both


def _OtherUuid(context, question, *both):
  """An object under a wrong UUID"""
  if question.type != questions.CONFIG and any(
      item.get("uuid") != uuid
      for section in ("nodes", "instances", "disks")
      for (uuid, item) in context.config[section].items()):
    return (None, None)
  return both


def _Twins(context, question, *both):
  """A name that two objects have"""
  # The order of two objects with the same name is undefined
  names = [instance.get("name")
           for instance in context.config["instances"].values()]
  if (question.type in (questions.NODE_OF_IP, questions.NODE_DRBD) and
      any(names.count(name) > 1 for name in set(names) if name)):
    return (None, None)
  return both


def _NoName(context, question, *both):
  """A configuration with a fault"""
  # Our daemon leaves out objects without a name
  if question.type != questions.CONFIG and any(
      item.get("name") == "" for section in ("nodes", "instances")
      for item in context.config[section].values()):
    return (None, None)
  return both


def _Unreadable(_context, _question, theirs, ours):
  """Other characters than ASCII"""
  if theirs.status == asking.UNREADABLE[0]:
    return (None, None)
  return (theirs, ours)


_EXCUSES = [_WithoutTorn, _WithoutFolded, _WithoutElsewhere, _OtherUuid,
            _Twins, _NoName, _Unreadable]


#: The names of the rows that this module implements
ROWS = list(dict.fromkeys(function.__doc__ for function in
                          _REWRITES + _CHANGES + _EXCUSES))


def _Texts(value):
  """Yields all texts in a value.

  """
  if isinstance(value, str):
    yield value
  elif isinstance(value, list):
    for item in value:
      yield from _Texts(item)
  elif isinstance(value, dict):
    yield from value
    for item in value.values():
      yield from _Texts(item)


def _Shortened(value):
  """Truncates each character to a byte, as Ganeti's confd does.

  """
  if isinstance(value, str):
    return "".join(chr(ord(char) & 0xff) for char in value)
  if isinstance(value, list):
    return [_Shortened(item) for item in value]
  if isinstance(value, dict):
    return {_Shortened(key): _Shortened(item) for (key, item) in value.items()}
  return value


def Difference(expected, got, path="answer"):
  """Describes the first difference between two values.

  """
  if isinstance(expected, dict) and isinstance(got, dict):
    keys = [key for key in [*expected, *got] if key not in expected or
            key not in got or expected[key] != got[key]]
    (expected, got) = ({key: value[key] for key in keys[:3] if key in value}
                       for value in (expected, got))
    if len(keys) == 1 and len(expected) == len(got):
      (key, ) = keys
      return Difference(expected[key], got[key], "%s[%r]" % (path, key))
  elif (isinstance(expected, (list, tuple)) and
        isinstance(got, (list, tuple)) and len(expected) == len(got)):
    for (index, (one, other)) in enumerate(zip(expected, got)):
      if one != other:
        return Difference(one, other, "%s[%d]" % (path, index))
  return "%s is %.300s, not %.300s" % (path, got, expected)


def _Change(context, question, answer):
  """Turns the answer of Ganeti's confd into the one expected of our daemon.

  @return: the expected answer, and the functions that changed something

  """
  used = []
  if answer.status in (OK, ERROR):
    for function in _CHANGES:
      changed = function(context, question, answer)
      if changed is not None and changed != answer:
        answer = changed
        used.append(function)
  return (answer, used)


class Comparison(comparer.Comparer):
  """Compares answers.

  @ivar used: how often each row of the table was needed
  @ivar failures: differences that no row explains, as texts

  """
  def __init__(self, config):
    """Starts Ganeti's confd.

    @param config: a configuration that Ganeti's confd accepts

    """
    comparer.Comparer.__init__(self)
    self._confd = judges.Confd(config)
    self._confd.Start()
    self._asker = asking.Asker(self._confd, asking.UnpackGanetis)

  def Close(self):
    self._asker.Close()
    self._confd.Kill()

  def _Load(self, config):
    """Loads a configuration into Ganeti's confd, which has to accept it.

    """
    if not self._confd.Load(config):
      raise AssertionError("Ganeti's confd changes its mind")
    testutils.WaitFor(
      lambda: self._asker.Value("/serial_no") == config["serial_no"],
      "Ganeti's confd answers from its new configuration")

  def Compare(self, case, daemon, rng):
    """Asks both sides about a configuration.

    """
    self._Load(case.config)
    asked = list(map(Question._make, questions.Make(case.config, rng)))
    if not self.counts["configurations"]:
      asked.extend(map(Question._make, questions.FORMS))
    rewritten = [Rewrite(question) for question in asked]
    todo = [question for (question, _) in rewritten
            if isinstance(question, Question)]
    theirs = dict(zip(map(repr, todo), self._asker.Ask(todo)))
    context = Context(case.config)
    asker = asking.Asker(daemon)
    try:
      replies = asker.Ask(asked)
    finally:
      asker.Close()
    for (question, (other, rows), reply) in zip(asked, rewritten, replies):
      if isinstance(other, Question):
        (expected, more) = _Change(context, other,
                                   Answer(*theirs[repr(other)][:2]))
        rows = rows + more
      else:
        expected = other
      got = Answer(*reply[:2])
      for function in _EXCUSES:
        if got != expected:
          (expected, got) = function(context, other, expected, got)
          if got == expected:
            rows = rows + [function]
      self.used.update(function.__doc__ for function in rows)
      if got != expected:
        self.failures.append("%s: asked %r: %s" % (
          case.name, tuple(question), Difference(expected, got)))
      elif reply[2] != case.config["serial_no"]:
        self.failures.append("%s: asked %r, serial %s" %
                             (case.name, tuple(question), reply[2]))
    self.counts["questions"] += len(asked)
    self.counts["configurations"] += 1
