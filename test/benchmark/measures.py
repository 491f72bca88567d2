#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The measurements, and how they are made.

Facts: generator and daemons share the machine's cores, whose speed depends on
other load. So daemons take turns, round by round, and the results are ratios of
medians. Requests are signed in advance, since signing costs as much as
answering, but not long before, since they are valid for 300 seconds only. Our
daemon answers copies of a request only a few times if the answer is long, so
each round has many new requests. The first round is for warming up, and is not
counted: before it, our daemon has no cached answers.

"""

import contextlib
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures

import sample
import testutils

from cluster import debian
from ganeti import constants
from ganeti.confd import client
from ganeti.confd import protocol


#: Requests in flight when throughput is measured
_WINDOW = 64

#: Seconds after which requests are signed again
_MAX_AGE = 100

#: Seconds that the first reply to a question may take
_FIRST_REPLY = 5.0

#: Seconds after which a request is lost when throughput is measured
_LOAD_TIMEOUT = 5.0

#: Requests per second when latency is measured, few enough for any daemon
LATENCY_RATE = 1000

#: Seconds between two changes while the configuration changes without pause
_CHANGE_PAUSE = 0.1

#: Seconds to wait for each reply while polling for a change
_REPLY_TIMEOUT = 0.002

#: Pause between a reply and the next question while polling for a change: a
#: share of the time since the change, so that slow loads are not disturbed and
#: fast ones are timed precisely; and the limits of the pause (seconds)
_POLL_PART = 0.02
_POLL_INTERVALS = (0.0002, 0.002)

#: Seconds within which a change has to be seen
_RELOAD_TIMEOUT = 120

#: Seconds between two samples of the memory when the peak is measured; as long
#: as a sample takes, if that is more
_MEMORY_INTERVAL = 0.005

#: How often each of L{SMALL_QUESTIONS} is asked before a daemon is at rest
_FEW_QUESTIONS = 5

#: Seconds that a client waits for an answer in parts
_FETCH_TIMEOUT = 120

#: The niceness of the client that fetches answers in parts
_FETCH_NICE = 19


class BenchmarkError(Exception):
  """The benchmark cannot be run.

  """


class Generator:
  """The load generator, compiled when it is first needed.

  """
  def __init__(self, workdir):
    self._workdir = workdir
    self._program = os.path.join(workdir, "load")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
      raise BenchmarkError("No C compiler; on Debian: apt-get install gcc"
                           " libc6-dev")
    source = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                          "load.c")
    result = subprocess.run([compiler, "-O2", "-o", self._program, source],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False)
    if result.returncode != 0:
      raise BenchmarkError("Cannot compile the load generator; on Debian:"
                           " apt-get install gcc libc6-dev\n%s" %
                           result.stdout.decode("utf-8", "replace"))

  @contextlib.contextmanager
  def Running(self, server, requests, seconds, rate=0, timeout=_LOAD_TIMEOUT):
    """Runs the generator beside the body of a C{with} statement.

    @type requests: L{Requests}
    @param rate: requests per second, 0 for as many as the server can answer
    @param timeout: seconds after which a request is lost
    @return: a dict, to which the outcome is added at the end

    """
    outcome = {}
    cpu = server.Cpu()
    with subprocess.Popen(
        [self._program, server.address, str(server.port), requests.Path(),
         str(seconds), str(_WINDOW), str(rate), str(timeout)],
        stdout=subprocess.PIPE) as proc:
      try:
        yield outcome
        (output, _) = proc.communicate(timeout=seconds + timeout + 60)
      finally:
        proc.kill()
    if proc.returncode != 0:
      raise BenchmarkError("The load generator failed")
    outcome.update(json.loads(output))
    if outcome["received"]:
      outcome["cpu"] = (server.Cpu() - cpu) / outcome["received"] * 1e6

  def Run(self, *args, **kwargs):
    """Runs the generator.

    @return: dict: C{rate} in replies per second, C{p50} to C{worst}
      latencies and C{cpu} the server's CPU time per reply, in microseconds,
      and the other values that the generator prints

    """
    with self.Running(*args, **kwargs) as outcome:
      pass
    return outcome


class Requests:
  """Signed requests of one kind.

  """
  def __init__(self, workdir, rtype, queries, count, label):
    """@param queries: the requests' queries, used in turn
    @type count: int
    @param label: the label of the reader's key to sign with, None for the
      cluster's key

    """
    self._label = label
    self._rtype = rtype
    self._queries = queries
    self._count = count
    (fd, self._path) = tempfile.mkstemp(dir=workdir, prefix="requests.")
    os.close(fd)
    self._turn = 0
    self._signed = None

  def Query(self):
    return self._queries[0]

  def Type(self):
    return self._rtype

  def Renew(self):
    """Makes new requests.

    """
    self._turn += 1
    with open(self._path, "wb") as fobj:
      for number in range(self._count):
        datagram = testutils.PackMessage(
          testutils.KEY, testutils.MakeMessage(
            self._rtype, self._queries[number % len(self._queries)],
            # A salt as long as a UUID
            rsalt="bench-%08x-0000-4000-8000-%06x" % (number, self._turn)),
          label=self._label)
        fobj.write(struct.pack(">I", len(datagram)) + datagram)
    self._signed = time.monotonic()

  def Path(self):
    """Returns the path of a file with the requests, signed not long ago.

    """
    if self._signed is None or time.monotonic() - self._signed > _MAX_AGE:
      self.Renew()
    return self._path


ROLE = "role of a node"
NODE_OF_IP = "node of an instance's ip"
MASTER = "master node"
CANDIDATES = "ips of the master candidates"
NODE_IPS = "ips of all nodes"
INSTANCE_IPS = "ips of all instances"
NODE_INSTANCES = "a node's instances"
NODE_DRBD = "a node's DRBD disks"
DISKS = "an instance's disks"

#: Questions whose answers do not grow with the configuration
SMALL_QUESTIONS = [ROLE, NODE_OF_IP, MASTER, DISKS]

#: All questions, in the order in which they are shown
QUESTIONS = [ROLE, NODE_OF_IP, MASTER, CANDIDATES, NODE_IPS, NODE_DRBD, DISKS,
             INSTANCE_IPS, NODE_INSTANCES]


#: The label of a reader's key, of a typical length
LABEL = "grafana:list,node-role,ping,stats:20991231"


def MakeRequests(workdir, nodes, instances, count, label=None):
  """Makes requests for each question.

  @param label: the label of the reader's key to sign with, None for the
    cluster's key
  @rtype: dict from question to L{Requests}

  """
  node_names = [sample.NodeName(number) for number in range(nodes)]
  kinds = {
    ROLE: (constants.CONFD_REQ_NODE_ROLE_BYNAME, node_names),
    NODE_OF_IP: (
      constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
      [{constants.CONFD_REQQ_IP: sample.InstanceIp(number)}
       for number in range(min(instances, count))]),
    MASTER: (constants.CONFD_REQ_CLUSTER_MASTER, [None]),
    CANDIDATES: (constants.CONFD_REQ_MC_PIP_LIST, [None]),
    NODE_IPS: (constants.CONFD_REQ_NODE_PIP_LIST, [None]),
    INSTANCE_IPS: (constants.CONFD_REQ_INSTANCES_IPS_LIST, [None]),
    NODE_INSTANCES: (constants.CONFD_REQ_NODE_INSTANCES, node_names),
    NODE_DRBD: (constants.CONFD_REQ_NODE_DRBD, node_names),
    DISKS: (constants.CONFD_REQ_INSTANCE_DISKS,
            [sample.InstanceName(number)
             for number in range(min(instances, count))]),
    }
  return {name: Requests(workdir, rtype, queries, count, label)
          for (name, (rtype, queries)) in kinds.items()}


ANSWERED = "answered"
TOO_LARGE = "in parts"
NEVER = "never"
#: Stands for a reply that is longer than Ganeti's clients can read
TOO_LONG = "too long"


def Probe(server, requests):
  """Asks once, and describes the reply.

  """
  with server.Asker() as asker:
    data = asker.AskRaw(testutils.PackMessage(
      testutils.KEY, testutils.MakeMessage(requests.Type(), requests.Query())),
                        timeout=_FIRST_REPLY)
  if data is None:
    return NEVER
  if len(data) > constants.MAX_UDP_DATA_SIZE:
    return TOO_LONG
  reply = json.loads(json.loads(data[4:])["msg"])
  if reply["status"] == constants.CONFD_REPL_STATUS_OK:
    return ANSWERED
  if reply["answer"] == protocol.ERROR_TOO_LARGE:
    return TOO_LARGE
  raise BenchmarkError("An error as answer: %s" % reply)


def Medians(outcomes):
  """Returns the medians of the results of several runs.

  """
  return {name: statistics.median(outcome[name] for outcome in outcomes)
          for name in outcomes[0] if all(name in i for i in outcomes)}


def _SettledMedians(runs):
  """Returns the medians of all runs but the first.

  @rtype: dict
  @return: the medians; also C{first_rate}, the rate of the first run

  """
  return dict(Medians(runs[1:]), first_rate=runs[0]["rate"])


def Throughput(generator, servers, questions, seconds, rounds, say):
  """Measures how much each server can answer.

  @param servers: dict from name to server
  @param questions: dict from question to L{Requests}
  @return: dict from question to dict from server's name to medians, or to the
    result of L{Probe}

  """
  results = {}
  for (question, requests) in questions.items():
    outcomes = {}
    results[question] = {}
    for (name, server) in servers.items():
      kind = Probe(server, requests)
      if kind == ANSWERED:
        outcomes[name] = []
      else:
        results[question][name] = kind
        server.Settle()
    for _ in range(1 + rounds):
      if outcomes:
        requests.Renew()
      for (name, runs) in outcomes.items():
        runs.append(generator.Run(servers[name], requests, seconds))
        if runs[-1]["lost"]:
          servers[name].Settle()
    for (name, runs) in outcomes.items():
      results[question][name] = _SettledMedians(runs)
      say("%s, %s: %.0f/s" % (question, name, results[question][name]["rate"]))
  return results


def Compare(generator, servers, questions, seconds, rounds, say):
  """Compares servers with different configurations, or requests to one.

  @param servers: dict from name to server and dict of its L{Requests}
  @param questions: the questions' names
  @return: dict from question to dict from server's name to medians

  """
  results = {}
  for question in questions:
    runs = {name: [] for name in servers}
    for _ in range(1 + rounds):
      for (name, (server, requests)) in servers.items():
        requests[question].Renew()
        runs[name].append(generator.Run(server, requests[question], seconds))
    results[question] = {name: _SettledMedians(runs[name])
                         for name in servers}
    say("%s: %s" % (question, ", ".join(
      "%s %.0f/s" % (name, outcome["rate"])
      for (name, outcome) in results[question].items())))
  return results


class Changes:
  """A daemon's configuration, to be changed again and again.

  Two configurations take turns, which differ in the serial and in the role of
  the second node. The files are renamed into place, as by Ganeti.

  """
  def __init__(self, server, nodes, instances):
    self._server = server
    self._turn = 0
    self._count = 0
    self._files = []
    for drained in (True, False):
      path = "%s.sample%d" % (server.config_file, len(self._files))
      config = sample.Make(nodes, instances, serial=2 + len(self._files),
                           drained=drained)
      with open(path, "wb") as fobj:
        fobj.write(sample.Write(config))
      self._files.append(path)

  def Change(self):
    """Changes the configuration.

    @return: tuple of the role that the second node has now, and the monotonic
      time of the change

    """
    path = self._files[self._turn]
    role = (constants.CONFD_NODE_ROLE_DRAINED if self._turn == 0 else
            constants.CONFD_NODE_ROLE_CANDIDATE)
    self._turn = 1 - self._turn
    # Make a new file for each change, as Ganeti does
    self._count += 1
    new = "%s.new%d" % (path, self._count)
    shutil.copyfile(path, new)
    # Take the time before the rename, since other processes may run right after
    now = time.monotonic()
    os.rename(new, self._server.config_file)
    return (role, now)

  def TimeOne(self):
    """Changes the configuration and waits until the daemon answers from it.

    @return: seconds from the rename to the first new answer

    """
    (role, start) = self.Change()
    message = testutils.MakeMessage(constants.CONFD_REQ_NODE_ROLE_BYNAME,
                                    sample.NodeName(1))
    with self._server.Asker() as asker:
      while True:
        asker.Send(testutils.PackMessage(testutils.KEY, message))
        data = asker.Receive(_REPLY_TIMEOUT)
        now = time.monotonic()
        if data is not None:
          (_, reply) = testutils.UnpackReply(testutils.KEY, data)
          if (reply["status"], reply["answer"]) == (0, role):
            return now - start
          (least, most) = _POLL_INTERVALS
          time.sleep(max(least, min(most, _POLL_PART * (now - start))))
        if now - start > _RELOAD_TIMEOUT:
          raise BenchmarkError("A change is not seen in %d s" %
                               _RELOAD_TIMEOUT)

  def WithoutPause(self, stop):
    """Changes the configuration until an event is set.

    @type stop: C{threading.Event}

    """
    while not stop.wait(_CHANGE_PAUSE):
      self.Change()


def Reloads(servers, timed, count, say):
  """Measures how long reloads take, and how much memory is used after them.

  @param servers: dict from name to server and its L{Changes}; the servers take
    turns
  @param timed: the number of changes that come after a pause, and are timed
  @param count: the number of all changes
  @return: dict from name to dict: C{seconds}, the median time; C{times}, all
    times; C{memory}, the memory at the C{start}, after the C{timed} changes,
    and at the C{end}

  """
  times = {name: [] for name in servers}
  memory = {name: {"start": server.Memory()}
            for (name, (server, _)) in servers.items()}
  for number in range(count):
    for (name, (server, changes)) in servers.items():
      if number < timed:
        # Wait long enough: a daemon may delay changes in quick succession
        time.sleep(0.5 + 6 * max(times[name], default=0))
      taken = changes.TimeOne()
      if number < timed:
        times[name].append(taken)
      if number + 1 == timed:
        server.Settle()
        memory[name]["timed"] = server.Memory()
  results = {}
  for (name, (server, _)) in servers.items():
    server.Settle()
    memory[name]["end"] = server.Memory()
    results[name] = {"seconds": statistics.median(times[name]),
                     "times": times[name], "memory": memory[name]}
    say("%s: a change is seen after %.4f s; %d MB, in the end %d MB" %
        (name, results[name]["seconds"], memory[name]["start"] >> 20,
         memory[name]["end"] >> 20))
  return results


def _Reloading(generator, server, changes, requests, seconds):
  """Measures latencies while the configuration changes without pause.

  """
  stop = threading.Event()
  thread = threading.Thread(target=changes.WithoutPause, args=(stop, ))
  thread.start()
  try:
    return generator.Run(server, requests, seconds, rate=LATENCY_RATE)
  finally:
    stop.set()
    thread.join()


def WhileReloading(generator, servers, requests, seconds, rounds, say):
  """Compares latencies while the configuration changes without pause.

  @param servers: dict from name to server and its L{Changes}; the servers take
    turns
  @return: dict from name to dict: C{idle} and C{reloading}, medians except for
    C{worst} and C{lost}

  """
  runs = {name: {"idle": [], "reloading": []} for name in servers}
  for _ in range(rounds):
    for (name, (server, changes)) in servers.items():
      runs[name]["idle"].append(
        generator.Run(server, requests, seconds, rate=LATENCY_RATE))
      runs[name]["reloading"].append(
        _Reloading(generator, server, changes, requests, seconds))
      server.Settle()
  results = {}
  for name in servers:
    results[name] = {
      kind: dict(Medians(outcomes),
                 worst=max(outcome["worst"] for outcome in outcomes),
                 lost=sum(outcome["lost"] for outcome in outcomes))
      for (kind, outcomes) in runs[name].items()}
    (idle, reloading) = (results[name]["idle"], results[name]["reloading"])
    say("%s: p99 %.2f ms, while reloading %.2f ms, worst %.1f ms, lost %d" %
        (name, idle["p99"] / 1000, reloading["p99"] / 1000,
         reloading["worst"] / 1000, reloading["lost"]))
  return results


def _Peak(server, function):
  """Returns the peak of a server's memory usage while a function runs.

  """
  peak = 0
  with futures.ThreadPoolExecutor(1) as pool:
    job = pool.submit(function)
    while not job.done():
      start = time.monotonic()
      peak = max(peak, server.Memory())
      time.sleep(max(_MEMORY_INTERVAL, time.monotonic() - start))
    job.result()
  return peak


def AtRest(server, changes, questions, seconds, reloads, say, name):
  """Measures the activity and the memory of a daemon without requests.

  The measurement begins some time after a few small questions. At the end, the
  daemon reloads, for the peak of the memory.

  @param server: a daemon that has just been started
  @param questions: from L{MakeRequests}
  @param seconds: the duration of the measurement
  @param reloads: the number of reloads during which the peak is measured
  @return: dict: C{wakeups} per second, C{cpu} seconds in a minute,
    C{processes}, C{memory} and C{peak}

  """
  for question in SMALL_QUESTIONS:
    for _ in range(_FEW_QUESTIONS):
      Probe(server, questions[question])
  server.Settle()
  (sleeps, cpu) = server.Activity()
  start = time.monotonic()
  time.sleep(seconds)
  (sleeps_after, cpu_after) = server.Activity()
  passed = time.monotonic() - start
  result = {
    "wakeups": (sleeps_after - sleeps) / passed,
    "cpu": (cpu_after - cpu) / passed * 60,
    "processes": server.Processes(),
    "memory": server.Memory(),
    "peak": 0,
    }

  def _Reload():
    changes.TimeOne()
    # Wait until the replaced generation has ended
    server.Settle()

  for _ in range(reloads):
    result["peak"] = max(result["peak"], _Peak(server, _Reload))
  say("%s at rest: %.1f wake-ups a second, %.1f ms of CPU time a minute, %d"
      " processes, %.1f MB, %.1f MB in a reload" %
      (name, result["wakeups"], result["cpu"] * 1000, result["processes"],
       result["memory"] / 1e6, result["peak"] / 1e6))
  return result


PING = "confd-client ping"
GANETI_CLIENT = "Ganeti's confd-client"
BARE = "python3 -c pass"

#: Runs a Python script with another default port for confd
_AT_PORT = """
import socket, sys
socket.getservbyname = lambda *_: %d
sys.path[0] = %r
sys.argv[0] = %r
with open(sys.argv[0], encoding="utf-8") as script:
  exec(compile(script.read(), sys.argv[0], "exec"))
"""


def CommandLines(server, with_debian):
  """Returns the commands whose start is measured.

  Ganeti's own client sends a ping, and then seven other small questions, some
  of which Ganeti's own daemon does not answer. The client has no option for the
  port.

  @param server: the server to ask
  @rtype: dict from name to list of strings

  """
  result = {
    BARE: [sys.executable, "-c", "pass"],
    PING: [os.path.join(testutils.BUILDDIR, "tools", "confd-client"), "-a",
           "%s:%d" % (server.address, server.port), "--hmac-file",
           server.key_file, "ping"],
    }
  if with_debian:
    code = _AT_PORT % (server.port, os.path.realpath(debian.PYTHON_DIR),
                       debian.CONFD_CLIENT)
    result[GANETI_CLIENT] = [
      sys.executable, "-c", code, "-a", server.address, "-r", "0", "--hmac",
      server.key.decode("ascii")]
  return result


def Commands(commands, rounds, say):
  """Compares how long whole commands take.

  The commands take turns. The first round, in which their files are read from
  disk, is not counted.

  @param commands: from L{CommandLines}
  @return: dict from name to dict: C{seconds} and C{cpu}, medians

  """
  runs = {name: [] for name in commands}
  for _ in range(1 + rounds):
    for (name, command) in commands.items():
      before = resource.getrusage(resource.RUSAGE_CHILDREN)
      start = time.monotonic()
      result = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
      seconds = time.monotonic() - start
      if result.returncode != 0:
        raise BenchmarkError("%s fails: %s" % (
          name, result.stdout.decode("utf-8", "replace")))
      after = resource.getrusage(resource.RUSAGE_CHILDREN)
      runs[name].append({
        "seconds": seconds,
        "cpu": (after.ru_utime + after.ru_stime -
                before.ru_utime - before.ru_stime),
        })
  results = {name: Medians(outcomes[1:]) for (name, outcomes) in runs.items()}
  say(", ".join("%s: %.0f ms" % (name, outcome["seconds"] * 1000)
                for (name, outcome) in results.items()))
  return results


def _Fetch(server, rtype, query):
  """Fetches an answer of any size by the client library.

  @return: tuple of the answer and seconds

  """
  start = time.monotonic()
  with client.Client(peers=[server.address], port=server.port,
                     key=testutils.KEY, timeout=_FETCH_TIMEOUT) as asker:
    answer = asker.Query(rtype, query).answer
  return (answer, time.monotonic() - start)


CONFIG_INSTANCES = "config /instances"

#: Answers fetched in parts: question to type, query, and a function. The
#: function takes the number of nodes, the number of instances, and the answer,
#: and returns the expected and the actual number of items.
FETCHES = {
  INSTANCE_IPS: (
    constants.CONFD_REQ_INSTANCES_IPS_LIST, None,
    lambda nodes, instances, answer: (instances, len(answer))),
  CONFIG_INSTANCES: (
    constants.CONFD_REQ_CONFIG_QUERY, "/instances",
    lambda nodes, instances, answer: (instances, len(answer))),
  NODE_INSTANCES: (
    constants.CONFD_REQ_NODE_INSTANCES, sample.NodeName(0),
    lambda nodes, instances, answer: (
      sample.InstancesOf(0, nodes, instances), sum(map(len, answer)))),
  }


def Parts(generator, server, nodes, instances, requests, seconds, say):
  """Measures answers in parts, and their effect on the latency of others.

  @return: dict from question to dict: C{first} and C{again}, the seconds of the
    first download and of later ones; C{items} and C{expected}, the numbers of
    items; C{idle} and C{meanwhile}, latencies of other questions

  """
  results = {}
  for (question, (rtype, query, count)) in FETCHES.items():
    idle = generator.Run(server, requests, seconds, rate=LATENCY_RATE)
    times = []
    # The client stands for one on another machine, so it runs with a niceness
    # that leaves the processors to the daemon
    with futures.ThreadPoolExecutor(1, "fetch", os.nice, (_FETCH_NICE, )) as \
        pool, generator.Running(server, requests, seconds,
                                rate=LATENCY_RATE) as meanwhile:
      start = time.monotonic()
      # The daemon makes the answer at the first download, and caches it
      while len(times) < 2 or time.monotonic() < start + seconds:
        (answer, taken) = pool.submit(_Fetch, server, rtype, query).result()
        times.append(taken)
    # pylint: disable=E1102
    (expected, items) = count(nodes, instances, answer)
    results[question] = {
      "first": times[0],
      "again": statistics.median(times[1:]),
      "items": items,
      "expected": expected,
      "idle": idle,
      "meanwhile": meanwhile,
      }
    say("%s: %.1f s, again %.1f s; p99 of others %.1f ms, meanwhile %.1f ms" %
        (question, times[0], results[question]["again"], idle["p99"] / 1000,
         meanwhile["p99"] / 1000))
  return results
