#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs a daemon under load and faults, and checks its behaviour.

Right answers change with each configuration, so that answers whose serial
number is that of another configuration are detected: instances move to another
node whenever the tens of the serial number change. The module L{faults} changes
the configuration and causes faults. Apart from its file, the daemon logs to a
pipe and a syslog that no process reads.

Clients retransmit as the client library does: the same question until there is
a reply, each time signed with the current key and time. One of the clients is
the library itself, which asks for answers in parts, too.

An attacker sends copies of captured requests all the time: some with short
answers, some with long ones, and some that take much work.

"""

import collections
import contextlib
import heapq
import json
import multiprocessing
import os
import random
import select
import time
import traceback
import unittest

import adversity
import testutils

from soak import faults as faultlib
from soak import follower

from ganeti import errors
from ganeti.confd.clientlib import sync


_NODES = 10
_INSTANCES = 100
_FILLER = 6000

_PING = 0
_ROLE = 1
_NODE_OF_IP = 2
_MASTER = 3
_NODE_IPS = 4
_DISKS = 9
_CONFIG = 10
_QUERY = 64
_STATS = 65

#: The share of each kind of bad datagrams in those that a client sends
_BAD_SHARE = 0.01

#: Pauses between retransmits, as in the client library: seconds of the first
#: pause, factor for each further pause, seconds of the longest pause
_RESEND = (0.1, 1.5, 1.0)

#: Seconds after which a question is lost
_PATIENCE = 20.0

#: Likewise, for an answer in parts. All parts have to be from the same
#: configuration, and the process that makes them has the lowest priority.
_PARTS_PATIENCE = 60.0
_PARTS_TIMEOUT = 10.0

#: Number of clients that wait for changes
_FOLLOWERS = 3

#: Seconds between two checks whether the key has changed
_KEY_INTERVAL = 0.1

#: Permitted growth from the first third of the run to the last: a share, and
#: bytes in addition
_GROWTH = (0.1, 8 << 20)

#: Resolution of latencies (seconds)
_LATENCY_UNIT = 0.0001

#: Captured requests: seconds between two captures, number of captures whose
#: copies are sent, and number of addresses that send them
_CAPTURE_INTERVAL = 2.0
_CAPTURES = 10
_ADDRESSES = 8

#: Most answers to copies of one request whose answer is long or takes work, as
#: the manual says; and how many more are permitted: the table has no lock, so a
#: count goes back if a busy machine stops a worker between reading and writing
#: it. In an hour at a load of 40, a request got up to 23 answers.
_LIMIT = 16
_MORE = 16

#: Kinds of bad datagrams
_FORGED = "forged"
_GARBAGE = "garbage"
_STALE = "stale"


def _NodeOf(instance, serial):
  """Returns the number of an instance's node.

  """
  return 1 + (instance + serial // 10) % _NODES


def _IsDrained(serial):
  """Tells whether node5 is drained.

  """
  return serial // 10 % 2 == 0


def _Filler(serial):
  """Makes a value that is so long that it is asked for in parts.

  """
  return ["%d-%d" % (serial // 10, index) for index in range(_FILLER)]


def _Config(serial):
  """Makes a configuration.

  @rtype: bytes

  """
  return json.dumps(testutils.MakeConfig(
    nodes=[testutils.MakeNode(index, master_candidate=index < 4,
                              drained=index == 5 and _IsDrained(serial))
           for index in range(1, _NODES + 1)],
    instances=[testutils.MakeInstance(
      index, _NodeOf(index, serial), disks=[index],
      nics=["198.51.100.%d" % index]) for index in range(_INSTANCES)],
    disks=[testutils.MakeDisk(index) for index in range(_INSTANCES)],
    filler=_Filler(serial),
    long=["x" * 4000],
    networks={testutils.Uuid("1", 1): {
      "name": "net1", "uuid": testutils.Uuid("1", 1), "network": "10.1.0.0/16",
      "ext_reservations": "1" * 65536}},
    serial_no=serial)).encode("ascii")


def _NodeIp(index):
  return "192.0.2.%d" % index


#: Functions from a random number to a question: type, query, and a function
#: from the serial number to the right answer
_QUESTIONS = [
  lambda number: (_PING, None, lambda serial: 3000000),
  lambda number: (_ROLE, "node5.example.com",
                  lambda serial: 3 if _IsDrained(serial) else 4),
  lambda number: (_NODE_OF_IP, {"1": "198.51.100.%d" % number},
                  lambda serial: _NodeIp(_NodeOf(number, serial))),
  lambda number: (_NODE_OF_IP, {"2": ["198.51.100.%d" % number, "x"]},
                  lambda serial: [[0, _NodeIp(_NodeOf(number, serial))],
                                  [1, 0]]),
  lambda number: (_MASTER, {"3": [0, "2"]},
                  lambda serial: ["node1.example.com", _NodeIp(1)]),
  lambda number: (_NODE_IPS, None,
                  lambda serial: [_NodeIp(index)
                                  for index in range(1, _NODES + 1)]),
  lambda number: (_DISKS, "inst%d" % number,
                  lambda serial: [testutils.MakeDisk(number)]),
  lambda number: (_CONFIG, "/serial_no", lambda serial: serial),
  lambda number: (_CONFIG, "/instances/%s/primary_node" %
                  testutils.Uuid("b", number),
                  lambda serial: testutils.Uuid("a", _NodeOf(number, serial))),
  ]


class _Question:
  """A question under way.

  """
  def __init__(self, chance, now, floor):
    (self.rtype, query, self.right) = chance.choice(_QUESTIONS)(
      chance.randrange(_INSTANCES))
    self.rsalt = "%032x" % chance.getrandbits(128)
    self.text = json.dumps({"protocol": 1, "type": self.rtype, "query": query,
                            "rsalt": self.rsalt})
    self.asked = now
    self.floor = floor
    self.pause = _RESEND[0]


class _Client:
  """A client, in a process of its own.

  """
  def __init__(self, daemon, window, pause, seed):
    self._asker = daemon.Asker()
    self._key_file = daemon.key_file
    self._window = window
    self._pause = pause
    self._chance = random.Random(seed)
    self._keys = [daemon.key]
    self._keys_due = 0
    self._open = {}
    # Times of the next retransmits, with the salts
    self._due = []
    self._bad = set()
    self._highest = 0
    self.counts = collections.Counter()
    self.latencies = collections.Counter()
    self.problems = []

  def _ReadKey(self, now):
    if now < self._keys_due:
      return
    self._keys_due = now + _KEY_INTERVAL
    key = testutils.ReadFile(self._key_file)
    if key != self._keys[0]:
      # Keep the old key, with which a reply may have been signed
      self._keys = [key] + self._keys[:1]

  def _Send(self, datagram):
    try:
      self._asker.Send(datagram)
    except OSError:
      # The interface's queue is full, so the datagram counts as lost
      self.counts["unsent"] += 1

  def _SendBad(self, kind):
    rsalt = "%032x" % self._chance.getrandbits(128)
    self._bad.add(rsalt)
    message = testutils.MakeMessage(_PING, rsalt=rsalt)
    if kind == _FORGED:
      datagram = testutils.PackMessage(b"not-the-key-at-all", message)
    elif kind == _STALE:
      datagram = testutils.PackMessage(self._keys[0], message,
                                       "%d" % (time.time() - 400))
    else:
      datagram = bytearray(testutils.PackMessage(self._keys[0], message))
      for _ in range(20):
        datagram[self._chance.randrange(len(datagram))] = \
          self._chance.randrange(256)
      datagram = bytes(datagram[:self._chance.randrange(len(datagram))])
    self.counts[kind] += 1
    self._Send(datagram)

  def _SendQuestion(self, question, now):
    self._Send(testutils.PackText(self._keys[0], "%d" % time.time(),
                                  question.text))
    heapq.heappush(self._due, (now + question.pause, question.rsalt))
    question.pause = min(question.pause * _RESEND[1], _RESEND[2])

  def _Ask(self, now):
    question = _Question(self._chance, now, self._highest)
    self._open[question.rsalt] = question
    self.counts["asked"] += 1
    self._SendQuestion(question, now)

  def _Resend(self, now):
    while self._due and self._due[0][0] <= now:
      (_, rsalt) = heapq.heappop(self._due)
      question = self._open.get(rsalt)
      if question is None:
        continue
      if now - question.asked > _PATIENCE:
        self._Complain("unanswered: %s" % question.text)
        self.counts["lost"] += 1
        del self._open[rsalt]
        continue
      self.counts["resent"] += 1
      self._SendQuestion(question, now)

  def _Complain(self, text):
    if len(self.problems) < 10:
      self.problems.append(text)

  def _Unpack(self, datagram):
    for key in self._keys:
      try:
        return testutils.UnpackReply(key, datagram)
      except AssertionError as err:
        text = str(err)
    # The key may just have changed
    self._keys_due = 0
    self._ReadKey(time.monotonic())
    try:
      return testutils.UnpackReply(self._keys[0], datagram)
    except AssertionError:
      self.counts["wrong"] += 1
      self._Complain("no proper reply: %s" % text)
      return None

  def _Take(self, datagram, now):
    unpacked = self._Unpack(datagram)
    if unpacked is None:
      return
    (rsalt, reply) = unpacked
    if rsalt in self._bad:
      self.counts["bad answered"] += 1
      self._Complain("an answer to a bad datagram: %s" % reply)
      return
    question = self._open.pop(rsalt, None)
    if question is None:
      self.counts["duplicates"] += 1
      return
    self.counts["answered"] += 1
    self.latencies[int((now - question.asked) / _LATENCY_UNIT)] += 1
    serial = reply["serial"]
    right = question.right(serial)
    if ((reply["status"], reply["answer"]) != (0, right) or
        serial % 10 == faultlib.TOO_LARGE):
      self.counts["wrong"] += 1
      self._Complain("%s: %s, not %s" % (question.text, reply, right))
    if serial < question.floor:
      self.counts["older"] += 1
      self._Complain("serial %d after %d" % (serial, question.floor))
    self._highest = max(self._highest, serial)

  def _Receive(self, timeout):
    while True:
      datagram = self._asker.Receive(timeout)
      if datagram is None:
        return
      self._Take(datagram, time.monotonic())
      timeout = 0

  def Run(self, seconds):
    """Asks for some seconds, then waits for the replies still missing.

    """
    end = time.monotonic() + seconds
    while True:
      now = time.monotonic()
      self._ReadKey(now)
      if now >= end and not self._open:
        return
      while now < end and len(self._open) < self._window:
        self._Ask(now)
        for kind in (_FORGED, _GARBAGE, _STALE):
          if self._chance.random() < _BAD_SHARE:
            self._SendBad(kind)
      self._Resend(now)
      if self._pause:
        time.sleep(self._pause)
      self._Receive(0.02)


class _LibraryClient:
  """The client library, which also fetches answers in parts.

  """
  def __init__(self, daemon, pause):
    self._peers = ["%s:%d" % (daemon.address, daemon.port)]
    self._key_file = daemon.key_file
    self._pause = pause
    self._longest = 0.0
    self.counts = collections.Counter()
    self.latencies = collections.Counter()
    self.problems = []

  def Run(self, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      self._AskUntilAnswered()
      time.sleep(max(0.05, self._pause))

  def _AskUntilAnswered(self):
    begin = time.monotonic()
    self.counts["library asked"] += 1
    while True:
      # Make a new client, which reads the key: the key may have changed
      try:
        with sync.Client(peers=self._peers, key_file=self._key_file,
                         timeout=_PARTS_TIMEOUT) as client:
          self._AskOnce(client)
        self._longest = max(self._longest, time.monotonic() - begin)
        self.counts["library, longest s"] = round(self._longest, 1)
        return
      except errors.ConfdClientError as err:
        if time.monotonic() - begin > _PARTS_PATIENCE:
          self.counts["lost"] += 1
          self.problems.append("library: %s" % err)
          return
        self.counts["library asked again"] += 1

  def _AskOnce(self, client):
    reply = client.Config("/filler")
    if reply.answer != _Filler(reply.serial):
      self.counts["wrong"] += 1
      self.problems.append("library: another answer")
    if client.Ping().answer != 3000000:
      self.counts["wrong"] += 1
    self.counts["library answered"] += 1


#: Captured requests, as type, query and part: those that are always answered,
#: since the answer is short and takes no work, and those that are answered only
#: a limited number of times
_UNLIMITED = [
  (_PING, None, testutils.MISSING),
  (_ROLE, "node5", testutils.MISSING),
  ]
_LIMITED = [
  (_CONFIG, "/long", testutils.MISSING),
  (_CONFIG, "/filler", 3),
  (_QUERY, {"what": "network", "names": ["net1"],
            "fields": ["external_reservations"]}, testutils.MISSING),
  (_QUERY, {"what": "instance", "fields": ["name", "pnode", "hvparams"]},
   testutils.MISSING),
  (_STATS, None, testutils.MISSING),
  ]


class _Captor:
  """An attacker who captures requests and replays them all the time.

  """
  def __init__(self, daemon, rate, seed):
    """@param rate: copies a second

    """
    self._askers = [testutils.Asker(daemon.key, daemon.address, daemon.port,
                                    source="127.0.0.%d" % (2 + number))
                    for number in range(_ADDRESSES)]
    self._key_file = daemon.key_file
    self._rate = rate
    self._chance = random.Random(seed)
    # Lists of captured datagrams, the oldest list first
    self._captured = collections.deque(maxlen=_CAPTURES)
    self._answers = {}
    self.counts = collections.Counter()
    self.latencies = collections.Counter()
    self.problems = []

  def _Capture(self):
    key = testutils.ReadFile(self._key_file)
    datagrams = []
    for (limited, questions) in [(True, _LIMITED), (False, _UNLIMITED)]:
      for (rtype, query, part) in questions:
        message = testutils.MakeMessage(
          rtype, query, rsalt="%032x" % self._chance.getrandbits(128),
          part=part)
        if limited:
          self._answers[message["rsalt"].encode("ascii")] = 0
        datagrams.append(testutils.PackMessage(key, message))
    self._captured.append(datagrams)

  def _Send(self):
    datagram = self._chance.choice(self._chance.choice(self._captured))
    self.counts["copies"] += 1
    try:
      self._chance.choice(self._askers).Send(datagram)
    except OSError:
      self.counts["unsent"] += 1

  def _Receive(self):
    """Counts the replies that have come.

    """
    for asker in self._askers:
      while True:
        reply = asker.Receive(timeout=0)
        if reply is None:
          break
        self.counts["copies answered"] += 1
        (_, _, rest) = reply.rpartition(b"\"salt\":\"")
        salt = rest.partition(b"\"")[0]
        if salt in self._answers:
          self._answers[salt] += 1

  def Run(self, seconds):
    begin = time.monotonic()
    capture_due = begin
    sent = 0
    while True:
      now = time.monotonic()
      if now - begin >= seconds:
        break
      if now >= capture_due:
        capture_due += _CAPTURE_INTERVAL
        self._Capture()
      # Limit the number of copies at a time, in case the machine is busy
      for _ in range(min(100, int((now - begin) * self._rate) - sent)):
        self._Send()
      sent = int((now - begin) * self._rate)
      self._Receive()
      time.sleep(0.005)
    time.sleep(1)
    self._Receive()
    self.counts["copies, most answers"] = max(self._answers.values())
    for asker in self._askers:
      asker.Close()


def _RunClient(client, seconds, pipe):
  """The main function of a client's process.

  """
  try:
    client.Run(seconds)
  except Exception: # pylint: disable=W0718
    client.problems.append(traceback.format_exc())
  pipe.send((client.counts, client.latencies, client.problems[:10]))
  pipe.close()


class _Daemon(adversity.DaemonWithStderr):
  """The daemon with unread logs, coarse time stamps, and a memory group.

  @ivar memory: the L{adversity.MemoryGroup}, or None
  @ivar left_out: conditions that this machine does not permit, with the reasons

  """
  def __init__(self, args, stack):
    """@param stack: an C{ExitStack} for the clean-up

    """
    (_, env) = stack.enter_context(adversity.FullSyslog())
    super().__init__(args=["--syslog"] + args, env=env)
    stack.callback(self.Kill)
    (read_fd, self.stderr) = os.pipe()
    for fd in (read_fd, self.stderr):
      stack.callback(os.close, fd)
    adversity.FillUp(self.stderr)
    self.left_out = []
    self.memory = None
    try:
      stack.enter_context(adversity.CoarseStamps(self.datadir))
    except unittest.SkipTest as err:
      self.left_out.append(str(err))
    testutils.WriteFile(self.key_file, self.key)
    self.WriteConfig(_Config(10))
    self.Start()
    try:
      self.memory = adversity.MemoryGroup()
      stack.callback(self._LeaveMemoryGroup)
      self.memory.Kills()
    except unittest.SkipTest as err:
      self.left_out.append(str(err))
      self.memory = None
      return
    self.memory.Add(testutils.ProcessTree(self.proc.pid))

  def _LeaveMemoryGroup(self):
    self.Kill()
    self.memory.Remove()


def Run(seconds, clients, window, pause, fault_interval, copies):
  """Runs clients and faults against a daemon.

  @type seconds: number
  @param clients: number of processes that ask
  @param window: number of questions that each client has in flight
  @param pause: seconds between two iterations of a client
  @param fault_interval: seconds between two faults
  @param copies: number of copies of captured requests in a second
  @rtype: tuple of (dict, string)
  @return: figures, for L{Problems}, and the daemon's log

  """
  with contextlib.ExitStack() as stack:
    daemon = _Daemon(["--workers=2"], stack)
    people = [_Client(daemon, window, pause, seed) for seed in range(clients)]
    people.append(_LibraryClient(daemon, pause))
    people.extend(follower.Follower(daemon, seed, _PATIENCE)
                  for seed in range(_FOLLOWERS))
    if copies:
      people.append(_Captor(daemon, copies, clients))
    context = multiprocessing.get_context("fork")
    running = []
    for client in people:
      (here, there) = context.Pipe(duplex=False)
      proc = context.Process(target=_RunClient, args=(client, seconds, there),
                             daemon=True)
      proc.start()
      there.close()
      running.append((proc, here))
    faults = faultlib.Faults(daemon, _Config, daemon.memory, seconds,
                             fault_interval)
    stack.callback(faults.End)
    started = time.monotonic()
    counts = collections.Counter()
    latencies = collections.Counter()
    problems = []
    waiting = [here for (_, here) in running]
    while waiting or faults.busy:
      faults.Next()
      (ready, _, _) = select.select(waiting, [], [], 0.005)
      for here in ready:
        (some, more, texts) = here.recv()
        counts.update(some)
        latencies.update(more)
        problems.extend(texts)
        waiting.remove(here)
      if time.monotonic() - started > seconds + 2 * _PARTS_PATIENCE:
        problems.append("clients or faults do not end")
        break
    for (proc, _) in running:
      proc.join(1)
      proc.kill()
    faults.End()
    # In the end, the daemon has to serve the last configuration, with the last
    # key
    asker = daemon.Asker()
    stats = testutils.WaitFor(
      lambda: _Stats(asker, faults.serial),
      "the last configuration, %d, is served; %s; the log ends with: %s" %
      (faults.serial, problems + faults.problems, daemon.Log()[-2000:]))
    asker.Close()
    log = daemon.Log()
    problems.extend(faults.problems)
    figures = _Figures(seconds, counts, latencies, problems, faults, stats, log)
    figures["left out"] = daemon.left_out
    daemon.Stop()
    return (figures, log)


def _Stats(asker, serial):
  try:
    reply = asker.Ask(_STATS, timeout=2)
  except (testutils.NoReply, AssertionError):
    return None
  return reply["answer"] if reply["serial"] == serial else None


def _Figures(seconds, counts, latencies, problems, faults, stats, log):
  total = sum(latencies.values())

  def _Percentile(part):
    seen = 0
    for (latency, count) in sorted(latencies.items()):
      seen += count
      if seen >= part * total:
        return round(1000 * _LATENCY_UNIT * latency, 1)
    return None

  figures = {"seconds": seconds}
  for name in ["asked", "answered", "lost", "wrong", "older", "resent",
               "duplicates", "unsent", "library asked", "library answered",
               "library asked again", "library, longest s", _FORGED, _GARBAGE,
               _STALE, "bad answered", "followed", "told", "copies",
               "copies answered",
               "copies, most answers"]:
    figures[name] = counts[name]
  figures["answers per second"] = round(counts["answered"] / seconds)
  figures["latency ms, median"] = _Percentile(0.5)
  figures["latency ms, 99 %"] = _Percentile(0.99)
  figures["latency ms, worst"] = _Percentile(1)
  figures.update(faults.counts)
  figures["faults not had"] = [name for (name, count) in faults.counts.items()
                               if not count]
  figures["newest served after s, most"] = round(faults.settled_after, 1)
  figures["configurations loaded"] = stats["reloads"]["good"]
  figures["loads failed"] = stats["reloads"]["failed"]
  figures["killed for want of memory"] = faults.Kills()
  figures["changed while read"] = log.count("changed while it was read")
  figures["workers replaced"] = stats["restarts"]["workers"]
  figures["generations replaced"] = stats["restarts"]["generations"]
  figures.update(faults.Growth(seconds))
  for (name, value) in stats["dropped"].items():
    figures["dropped %s" % name] = value
  figures["log bytes"] = len(log)
  figures["messages that nobody read"] = stats["log"]["lost"]
  figures["tracebacks"] = log.count("Traceback")
  figures["problems"] = problems[:10]
  return figures


def _Unaccounted(figures):
  """Compares the daemon's counters with the numbers of faults.

  Killing a loader while it loads has one of three effects: the load fails; or,
  if the loader has just loaded and waits to serve, its generation is replaced;
  or, if the loader was told to finish, nothing happens.

  @rtype: list of strings

  """
  either = figures["loaders killed while loading"]
  died = figures["loaders killed"] + figures["loaders killed, workers traced"]
  too_large = figures["configurations that do not fit"]
  no_memory = figures["killed for want of memory"]
  problems = []
  for (name, least, most) in [
      ("generations replaced", died, died + either),
      ("loads failed", too_large,
       no_memory + figures["changed while read"] + either),
      # The least is 0: a worker of a finishing generation is not replaced. The
      # kernel may also kill the process for large answers, if the memory of the
      # killed loader is not free yet.
      ("workers replaced", 0,
       figures["workers killed"] + no_memory - too_large)]:
    if not least <= figures[name] <= most:
      problems.append("%s: %s, not %s to %s" % (name, figures[name], least,
                                                most))
  return problems


def Problems(figures):
  """Lists the figures that are not as expected.

  @rtype: list of strings

  """
  problems = list(figures["problems"])
  for name in ["lost", "wrong", "older", "bad answered", "tracebacks"]:
    if figures[name]:
      problems.append("%s: %s" % (name, figures[name]))
  problems.extend(_Unaccounted(figures))
  if figures["answered"] != figures["asked"] or not figures["asked"]:
    problems.append("%s asked, %s answered" % (figures["asked"],
                                               figures["answered"]))
  if figures["copies, most answers"] > _LIMIT + _MORE:
    problems.append("%d answers to copies of one request" %
                    figures["copies, most answers"])
  if figures["copies"] and not figures["dropped replayed"]:
    problems.append("no copies for the daemon")
  if not (figures["followed"] and figures["told"]):
    problems.append("nobody has waited")
  if figures["library answered"] < 1:
    problems.append("nothing for the client library")
  if not (figures["workers killed"] and figures["configurations loaded"] > 3):
    problems.append("too few faults")
  if not figures["messages that nobody read"]:
    problems.append("somebody reads the logs")
  (part, size) = _GROWTH
  first = figures["memory, first third"]
  if figures["memory, last third"] > first * (1 + part) + size:
    problems.append("memory grows")
  # Permit one more process with its descriptors, which may just have started
  processes = figures["processes, first third"]
  for name in ("descriptors", "processes"):
    first = figures["%s, first third" % name]
    if figures["%s, last third" % name] > first + first / processes:
      problems.append("%s grow" % name)
  return problems
