#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Helpers for all tests: paths, datagrams made by hand, a running daemon.

Nothing here imports the package's own wire code: signing and packing are
implemented independently, so that a mistake in the package is not hidden by
the same mistake here.

The environment variables C{CONFD_BUILDDIR} (the directory in which C{make} ran)
and C{CONFD_SRCDIR} name the tree under test; the default is the source tree.
C{CONFD_SAMPLES} names one more directory with Ganeti's sample configurations.

"""

import errno
import hashlib
import hmac
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import uuid

# Most tests have these names from this module
from timelimits import ( # pylint: disable=W0611
  PATIENCE, RUNNING, Communicate, IsAlive, ProcessTree, Run, Stretched,
  WaitFor, WaitForExit, WithStacks, Within)


SRCDIR = os.path.abspath(os.environ.get(
  "CONFD_SRCDIR",
  os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
BUILDDIR = os.path.abspath(os.environ.get("CONFD_BUILDDIR", SRCDIR))

#: Directory of the package C{ganeti}: links that C{make} has made or, without a
#: build, the sources themselves
MODULEDIR = os.path.join(BUILDDIR, "modules")
if not os.path.isdir(MODULEDIR):
  MODULEDIR = SRCDIR
if "CONFD_BUILDDIR" not in os.environ:
  # Without run-tests, programs that tests start have to find the package, too
  os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [
    MODULEDIR, os.path.join(SRCDIR, "test"), os.environ.get("PYTHONPATH")]))

# Without run-tests, unset the variables of the user of this machine
for _name in ("CONFD_CLUSTER", "CONFD_ADDRESS", "CONFD_KEY_FILE",
              "PYTHONUNBUFFERED"):
  os.environ.pop(_name, None)
os.environ["XDG_CONFIG_HOME"] = "/nonexistent"

#: A key such as Ganeti makes: text with a newline, which is part of the key
KEY = b"5e73be4d20f2ab1dcb0b1a6a3b6b7c8d\n"

#: Largest datagram over IPv4
MAX_DATAGRAM = 65507

#: Stands for a key of a request that is left out
MISSING = object()

# Numbers of the protocol, see doc/protocol.rst: the types of requests
(PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS, MC_IPS, INSTANCE_IPS, NODE_DRBD,
 NODE_INSTANCES, INSTANCE_DISKS, CONFIG, COLLECTORS) = range(12)
(QUERY, STATS, WAIT) = range(64, 67)

# Status and error of replies without an answer
UNKNOWN = (1, 0)
BAD_ARGUMENT = (1, 2)
TOO_LARGE = (1, 3)
NOT_PERMITTED = (1, 4)
TOO_MANY = (1, 5)
NOT_IMPLEMENTED = (2, None)

#: A user without privileges
NOBODY = 65534

_SAMPLES_RE = re.compile(r"cluster_config_(\d+)\.(\d+)\.json\Z")
_SAMPLES_DIRS = [
  "/usr/share/ganeti/testsuite/test/data",
  "/usr/share/ganeti-testsuite/test/data",
  "/usr/local/share/ganeti/testsuite/test/data",
  ]


class NoReply(AssertionError):
  """The daemon did not reply in time.

  """


def ReadFile(path):
  """Reads a file.

  @rtype: bytes

  """
  with open(path, "rb") as fobj:
    return fobj.read()


def WriteFile(path, data, mode=0o640):
  """Replaces a file as Ganeti does, by renaming a new one.

  @type data: bytes

  """
  tmpname = "%s.new-%s" % (path, uuid.uuid4())
  with open(os.open(tmpname, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode),
            "wb") as fobj:
    fobj.write(data)
  os.rename(tmpname, path)


def MetricsPage():
  """Reads the table in doc/metrics.rst.

  @rtype: dict
  @return: name of a metric to the set of its labels

  """
  text = ReadFile(os.path.join(SRCDIR, "doc", "metrics.rst")).decode("utf-8")
  table = text.partition("What it is\n")[2].partition("\n\n")[0]
  rows = {}
  name = None
  for line in table.splitlines()[1:-1]:
    if line.startswith("``"):
      name = line.split("``")[1]
    # The labels' column
    rows.setdefault(name, set()).update(line[43:65].split())
  return rows


def Samples():
  """Finds the sample configurations of Ganeti's own test suite.

  @return: list of ((major, minor), path), oldest first; empty if the test suite
    is not installed

  """
  for path in [os.environ.get("CONFD_SAMPLES")] + _SAMPLES_DIRS:
    if path and os.path.isdir(path):
      found = [(_SAMPLES_RE.match(name), os.path.join(path, name))
               for name in os.listdir(path)]
      samples = sorted(((int(match.group(1)), int(match.group(2))), name)
                       for (match, name) in found if match)
      if samples:
        return samples
  return []


def Sign(key, text):
  """Signs salt and message.

  @type key: bytes
  @type text: string or bytes
  @rtype: string

  """
  if isinstance(text, str):
    text = text.encode("utf-8")
  return hmac.new(key, text, hashlib.sha1).hexdigest()


def Derive(key, label):
  """Derives a reader's key.

  @param key: the cluster's key
  @param label: any text, even if it is not a valid label
  @rtype: bytes

  """
  text = b"confd reader 1\0" + label.encode("utf-8", "surrogatepass")
  return hmac.new(key, text, hashlib.sha256).hexdigest().encode("ascii")


def SignAs(key, label, text):
  """Signs salt and message with the key derived for a label.

  @param label: None to sign with the cluster's key
  @rtype: string

  """
  if label is None:
    return Sign(key, text)
  return Sign(Derive(key, label),
              (label + "\0" + text).encode("utf-8", "surrogatepass"))


def PackEnvelope(envelope):
  """Makes a datagram of any JSON value.

  @rtype: bytes

  """
  return b"plj0" + json.dumps(envelope).encode("ascii")


def PackText(key, salt, msg, label=None):
  """Signs and packs any text.

  @param key: the cluster's key
  @type salt: string
  @type msg: string
  @param label: the label of the reader's key to sign with
  @rtype: bytes

  """
  envelope = {"msg": msg, "salt": salt,
              "hmac": SignAs(key, label, salt + msg)}
  if label is not None:
    envelope["key"] = label
  return PackEnvelope(envelope)


def PackMessage(key, message, salt=None, label=None):
  """Signs and packs any JSON value.

  @param salt: string; by default the time

  """
  if salt is None:
    salt = "%d" % time.time()
  return PackText(key, salt, json.dumps(message), label)


def MakeMessage(rtype, query=MISSING, rsalt=None, **kwargs):
  """Makes the message of a request.

  @param kwargs: further keys, or other values of the usual ones;
    L{MISSING} leaves a key out
  @rtype: dict

  """
  message = {
    "protocol": 1,
    "type": rtype,
    "query": query,
    "rsalt": str(uuid.uuid4()) if rsalt is None else rsalt,
    }
  message.update(kwargs)
  return {key: value for (key, value) in message.items()
          if value is not MISSING}


def UnpackReply(key, datagram, more=(), label=None):
  """Verifies a reply and unpacks it.

  The function checks all rules of the protocol for replies, and all tests
  unpack their replies by it.

  @type datagram: bytes
  @param more: keys of the message beside the usual four
  @param label: label of the reader's key that must have signed the reply
  @rtype: tuple of (string, dict)
  @return: salt and message
  @raise AssertionError: the datagram is not a proper reply

  """
  assert datagram.startswith(b"plj0"), "No fourcc: %r" % datagram[:40]
  assert len(datagram) <= 61440, "%d bytes" % len(datagram)
  # Clients in other languages are safest with ASCII
  envelope = json.loads(datagram[4:].decode("ascii"))
  assert envelope.pop("key", None) == label, "Another label"
  assert sorted(envelope) == ["hmac", "msg", "salt"], sorted(envelope)
  expected = SignAs(key, label, envelope["salt"] + envelope["msg"])
  assert envelope["hmac"] == expected, "Wrong HMAC"
  envelope["msg"].encode("ascii")
  message = json.loads(envelope["msg"], parse_constant=_NoConstant)
  assert set(message) == {"answer", "protocol", "serial", "status", *more}, \
    sorted(message)
  for name in ["protocol", "serial", "status"]:
    assert type(message[name]) is int, "%s: %r" % (name, message[name])
  assert message["protocol"] == 1
  return (envelope["salt"], message)


def _NoConstant(text):
  raise AssertionError("%s in a reply is not JSON" % text)


class Asker:
  """A socket for requests to one daemon.

  """
  def __init__(self, key, address, port, source=None, label=None):
    """@type key: bytes
    @param source: address to ask from; by default the system chooses one
    @param label: the label of the reader's key to ask with

    """
    self.key = key
    self.label = label
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    self._sock = socket.socket(family, socket.SOCK_DGRAM)
    if source is not None:
      self._sock.bind((source, 0))
    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    # A connected socket receives datagrams from the asked address only
    self._sock.connect((address, port))

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.Close()

  def Close(self):
    self._sock.close()

  def fileno(self):
    return self._sock.fileno()

  def Send(self, datagram):
    self._sock.send(datagram)

  def Receive(self, timeout=PATIENCE):
    """Waits for one datagram.

    @rtype: bytes or None
    @return: None if no datagram came, or if the port is closed

    """
    (ready, _, _) = select.select([self._sock], [], [], timeout)
    if not ready:
      return None
    try:
      return self._sock.recv(MAX_DATAGRAM)
    except ConnectionRefusedError:
      return None

  def AskRaw(self, datagram, timeout=PATIENCE):
    """Sends a datagram and waits for one.

    @rtype: bytes or None

    """
    try:
      self.Send(datagram)
    except ConnectionRefusedError:
      # Send again: the error was about an earlier datagram
      self.Send(datagram)
    return self.Receive(timeout)

  def AskMessage(self, message, timeout=PATIENCE, more=()):
    """Sends a message, properly signed, and waits for the reply to it.

    @param more: see L{UnpackReply}
    @rtype: dict
    @return: the reply's message; see L{UnpackReply}
    @raise NoReply: no reply came

    """
    data = self.AskRaw(PackMessage(self.key, message, label=self.label),
                       timeout=timeout)
    if data is None:
      raise NoReply("No reply to %s" % json.dumps(message)[:200])
    (salt, reply) = UnpackReply(self.key, data, more, self.label)
    if salt != message["rsalt"]:
      raise AssertionError("Reply to something else: salt %r, not %r" %
                           (salt, message["rsalt"]))
    return reply

  def Ask(self, rtype, query=MISSING, timeout=PATIENCE, **kwargs):
    """Sends a well-formed request, and waits for the reply.

    @param kwargs: see L{MakeMessage}
    @rtype: dict
    @return: the reply's message
    @raise NoReply: no reply came

    """
    return self.AskMessage(MakeMessage(rtype, query, **kwargs),
                           timeout=timeout)

  def Answer(self, rtype, query=MISSING, **kwargs):
    """Sends a well-formed request, and waits for the answer.

    @return: tuple of status and answer

    """
    reply = self.Ask(rtype, query, **kwargs)
    return (reply["status"], reply["answer"])

  def IsIgnored(self, datagram):
    """Tells whether a datagram gets no reply.

    Instead of waiting long, the method sends proper requests after the
    datagram: only those may get replies. The second request is sent after the
    reply to the first, in case replies overtake each other.

    """
    self.Send(datagram)
    try:
      self.Ask(0)
      self.Ask(0)
    except NoReply:
      raise
    except AssertionError:
      return False
    return True


def RunInNetwork(script):
  """Runs a Python program as root of a new network namespace, with no link up.

  @param script: the program, which can import the modules of the tests and of
    the build
  @rtype: string
  @return: the program's output
  @raise unittest.SkipTest: such a namespace cannot be made here

  """
  unshare = ["unshare", "--user", "--map-root-user", "--net"]
  if shutil.which("ip") is None:
    raise unittest.SkipTest("there is no ip (Debian package iproute2)")
  if subprocess.run(unshare + ["true"], check=False,
                    stderr=subprocess.DEVNULL).returncode:
    raise unittest.SkipTest("user namespaces are not permitted")
  path = os.pathsep.join([os.path.dirname(__file__), MODULEDIR])
  result = Run(unshare + [sys.executable, "-c", textwrap.dedent(script)],
               check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
               stderr=subprocess.STDOUT, encoding="utf-8",
               env=dict(os.environ, PYTHONPATH=path))
  return result.stdout


#: Ports outside the range of ephemeral ports, see ip_local_port_range in ip(7)
_PORTS = range(10240, 32704)

#: Number of ports that a process takes for itself at a time
_PORT_BLOCK = 64

_free_ports = []


def _TakePorts():
  """Takes a block of ports that no other process of tests has taken.

  A block belongs to the process that has bound the abstract Unix socket with
  the block's name. The kernel closes that socket when the process ends.

  """
  blocks = list(range(_PORTS.start, _PORTS.stop, _PORT_BLOCK))
  random.shuffle(blocks)
  for first in blocks:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
      sock.bind("\0ganeti-confd-test-ports-%d" % first)
    except OSError:
      sock.close()
    else:
      # Keep the socket open as long as the process lives
      sock.detach()
      _free_ports.extend(range(first, first + _PORT_BLOCK))
      return
  raise AssertionError("All ports are taken")


def FreePort(address="127.0.0.1"):
  """Finds a free UDP port that no other test gets.

  """
  family = socket.AF_INET6 if ":" in address else socket.AF_INET
  while True:
    if not _free_ports:
      _TakePorts()
    port = _free_ports.pop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
      try:
        sock.bind((address, port))
      except OSError as err:
        if err.errno != errno.EADDRINUSE:
          raise
      else:
        return port


def HasIpv6():
  """Tells whether this machine can talk to itself over IPv6.

  """
  try:
    FreePort("::1")
  except OSError:
    return False
  return True


def AwaitStale(ask):
  """Asks until the client refuses an answer as stale.

  Time-outs without any answer are ignored, as they happen on a busy machine.

  @param ask: function that asks with a client of the library
  @return: the error
  @raise AssertionError: an answer was not refused

  """
  from ganeti.confd import client

  def _Ask():
    try:
      reply = ask()
    except client.StaleAnswer as err:
      return err
    except client.NoAnswer:
      return None
    raise AssertionError("Not refused: %s" % (reply, ))

  return WaitFor(_Ask, "a stale answer is refused")


def _Queues(port):
  """Returns the sizes of the receive queues of the sockets at a UDP port.

  @return: list of numbers of bytes, one for each socket

  """
  queues = []
  for name in ["/proc/net/udp", "/proc/net/udp6"]:
    try:
      with open(name, encoding="ascii") as fobj:
        lines = fobj.read().splitlines()[1:]
    except FileNotFoundError:
      continue
    for line in lines:
      fields = line.split()
      if int(fields[1].rpartition(":")[2], 16) == port:
        queues.append(int(fields[4].rpartition(":")[2], 16))
  return queues


class Daemon:
  """The real daemon, in a directory of its own.

  Use as a context manager, or call L{Stop} in any case::

    with testutils.Daemon(config) as daemon:
      daemon.Ask(0)

  @ivar root: the directory that prefixes every path of the daemon
  @ivar proc: the process (C{subprocess.Popen}), None before L{Start}

  """
  def __init__(self, config=None, key=KEY, address="127.0.0.1", port=None,
               args=None, env=None):
    """@param config: the contents of config.data, bytes or a JSON value; None
      for no such file
    @param key: bytes; None for no key file
    @param address: the address to listen on
    @param args: list of strings, further options
    @param env: dict, further environment variables

    """
    self.key = key
    self.address = address
    self.port = port
    self.proc = None
    self._args = args or []
    self._env = env or {}
    self._asker = None
    self.root = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    statedir = self.root + LocalStateDir()
    self.datadir = os.path.join(statedir, "lib", "ganeti")
    self.rundir = os.path.join(statedir, "run", "ganeti")
    self.logdir = os.path.join(statedir, "log", "ganeti")
    for path in [self.datadir, self.rundir, self.logdir]:
      os.makedirs(path)
    self.config_file = os.path.join(self.datadir, "config.data")
    self.key_file = os.path.join(self.datadir, "hmac.key")
    self.pid_file = os.path.join(self.rundir, "ganeti-confd.pid")
    self.log_file = os.path.join(self.logdir, "conf-daemon.log")
    self._output = os.path.join(self.root, "output")
    if key is not None:
      WriteFile(self.key_file, key)
    if config is not None:
      self.WriteConfig(config)

  def __enter__(self):
    try:
      self.Start()
    except BaseException:
      self.Kill()
      raise
    return self

  def __exit__(self, exc_type, *_):
    if exc_type is None:
      self.Stop()
    else:
      self.Kill()

  def WriteConfig(self, config):
    """Replaces config.data, by rename as Ganeti does.

    @param config: bytes, or a JSON value

    """
    if not isinstance(config, bytes):
      config = json.dumps(config).encode("ascii")
    WriteFile(self.config_file, config)

  def CommandLine(self, args):
    """Returns the command line to run the daemon's program with.

    @type args: list of strings

    """
    return [os.path.join(BUILDDIR, "daemons", "ganeti-confd")] + args

  def Environment(self):
    """Returns the environment to run the daemon's program in.

    """
    # Leave out PYTHONPATH: the program has to find its modules by itself
    env = {name: value for (name, value) in os.environ.items()
           if name != "PYTHONPATH"}
    env.update(InRoot(self.root))
    env.update(self._env)
    return WithStacks(env)

  def Start(self, wait=True):
    """Starts the daemon.

    @param wait: whether to wait until the daemon answers; without a
      configuration, until the daemon listens
    @raise AssertionError: the daemon ended, or takes too long

    """
    if self.port is None:
      self.port = FreePort(self.address)
    args = ["-f", "--no-user-checks", "-p", str(self.port),
            "-b", self.address] + self._args
    with open(self._output, "ab") as output:
      self.proc = subprocess.Popen(self.CommandLine(args),
                                   env=self.Environment(), cwd="/",
                                   stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output)
    RUNNING.append(self)
    if wait:
      answering = self.key is not None and os.path.exists(self.config_file)
      WaitFor(self.IsUp if answering else self._IsBound, "the daemon is up")
      WaitFor(self._HasNoHelpers, "the daemon watches its files")

  def _CheckAlive(self):
    if self.proc.poll() is not None:
      raise AssertionError("The daemon ended with exit code %s: %s" %
                           (self.proc.returncode, self.Output()))

  def _IsBound(self):
    self._CheckAlive()
    return bool(_Queues(self.port))

  def WaitForEmptyQueue(self):
    """Waits until the daemon has read all datagrams sent to it.

    """
    WaitFor(lambda: not any(_Queues(self.port)), "the queue is empty")

  def _HasNoHelpers(self):
    """Tells whether the daemon's short-lived processes have ended.

    The process that asks for inotify's watch ends soon after the start. That
    process is in the process group of its parent, unlike keeper and loader.

    """
    self._CheckAlive()
    try:
      return (os.getpgid(self.proc.pid) not in
              map(os.getpgid, ProcessTree(self.proc.pid)[1:]))
    except ProcessLookupError:
      # A process ended after it was listed
      return False

  def IsUp(self, address=None, source=None):
    """Tells whether the daemon answers, from the address that is asked.

    @param address: the address to ask, as in L{Asker}
    @param source: the address to ask from; by default the system chooses one

    """
    if not self._IsBound():
      return False
    # Use a new socket, so that a late answer is not taken for a later one
    with self.Asker(address=address, source=source) as asker:
      try:
        asker.Ask(0, timeout=0.5)
      except NoReply:
        return False
    return True

  def Asker(self, label=None, address=None, source=None):
    """Makes a new socket for requests.

    @param label: the label of the reader's key to ask with
    @param address: the address to ask, if the daemon has several
    @param source: the address to ask from; by default the system chooses one
    @rtype: L{Asker}

    """
    if address is None:
      address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address,
                                                          self.address)
    return Asker(self.key, address, self.port, source, label)

  @property
  def asker(self):
    """The socket that L{Ask} and similar methods use.

    """
    if self._asker is None:
      self._asker = self.Asker()
    return self._asker

  def Ask(self, *args, **kwargs):
    return self.asker.Ask(*args, **kwargs)

  def AskRaw(self, *args, **kwargs):
    return self.asker.AskRaw(*args, **kwargs)

  def Answer(self, *args, **kwargs):
    return self.asker.Answer(*args, **kwargs)

  def IsIgnored(self, datagram):
    return self.asker.IsIgnored(datagram)

  def WaitForSerial(self, serial):
    """Waits until the daemon answers from a configuration.

    @param serial: the configuration's serial_no

    """
    def _Serial():
      self._CheckAlive()
      with self.Asker() as asker:
        try:
          return asker.Ask(0, timeout=0.5)["serial"] == serial
        except NoReply:
          return False
    WaitFor(_Serial, "serial %s is answered" % serial)

  def Log(self):
    """Returns the text of the daemon's log file.

    """
    try:
      return ReadFile(self.log_file).decode("utf-8", "replace")
    except FileNotFoundError:
      return ""

  def Output(self):
    """Returns the daemon's standard output and standard error.

    """
    try:
      return ReadFile(self._output).decode("utf-8", "replace")
    except FileNotFoundError:
      return ""

  def Stop(self, signum=signal.SIGTERM):
    """Stops the daemon, and removes its directory.

    @raise AssertionError: the daemon does not end, or its exit code is not 0

    """
    try:
      if self.proc is not None:
        self._CheckAlive()
        self.proc.send_signal(signum)
        code = WaitForExit(self.proc, "the daemon after signal %d" % signum)
        if code != 0:
          raise AssertionError("The daemon ended with exit code %s: %s" %
                               (code, self.Output()))
    finally:
      self.Kill()

  def Kill(self):
    """Kills the daemon, and removes its directory.

    """
    if self._asker is not None:
      self._asker.Close()
      self._asker = None
    if self.proc is not None and self.proc.poll() is None:
      others = ProcessTree(self.proc.pid)[1:]
      self.proc.kill()
      self.proc.wait()
      # They notice by themselves, on a busy machine after a while. What is left
      # for good, run-tests reports.
      deadline = time.monotonic() + PATIENCE
      while any(map(IsAlive, others)) and time.monotonic() < deadline:
        time.sleep(0.01)
    while self in RUNNING:
      RUNNING.remove(self)
    shutil.rmtree(self.root, ignore_errors=True)


def InRoot(root):
  """Makes environment variables that prefix Ganeti's paths with a directory.

  Ganeti's own modules require C{GANETI_HOSTNAME} as well.

  """
  return {"GANETI_ROOTDIR": root, "GANETI_HOSTNAME": os.path.basename(root)}


def LocalStateDir():
  """Returns C{localstatedir} as given to configure.

  """
  # Import here, as not every test needs the files that C{make} creates
  from ganeti import pathutils
  (statedir, found, rest) = pathutils.DATA_DIR.rpartition("/lib/ganeti")
  assert found and not rest, pathutils.DATA_DIR
  return statedir


def HasSeam():
  """Tells whether the modules over C{ganeti.confd} are this project's own.

  After C{./configure --with-ganeti}, the modules are those of an installed
  Ganeti.

  """
  return os.path.exists(os.path.join(MODULEDIR, "ganeti", "_autoconf.py"))


def Uuid(kind, index):
  """Makes a UUID that depends only on the arguments.

  @param kind: a hexadecimal digit
  @type index: int

  """
  return "%s0000000-0000-4000-8000-%012d" % (kind, index)


def MakeNode(index, name=None, **kwargs):
  """Makes a node as Ganeti 3.0 stores it.

  The node's UUID is C{Uuid("a", index)}, its address 192.0.2.INDEX.

  @param kwargs: further keys, or other values of the usual ones

  """
  node = {
    "name": name or "node%d.example.com" % index,
    "uuid": Uuid("a", index),
    "primary_ip": "192.0.2.%d" % index,
    "secondary_ip": "10.0.0.%d" % index,
    "master_candidate": False,
    "offline": False,
    "drained": False,
    "master_capable": True,
    "vm_capable": True,
    "powered": True,
    "ndparams": {},
    "group": Uuid("c", 1),
    "serial_no": 1,
    "ctime": 1700000000.5,
    "mtime": 1700000000.5,
    "tags": [],
    }
  node.update(kwargs)
  return node


def MakeDisk(index, **kwargs):
  """Makes a disk as Ganeti 3.0 stores it.

  The disk's UUID is C{Uuid("d", index)}.

  """
  disk = {
    "uuid": Uuid("d", index),
    "dev_type": "plain",
    "logical_id": ["xenvg", "disk%d" % index],
    "iv_name": "disk/0",
    "mode": "rw",
    "size": 1024,
    "params": {},
    "children": [],
    "serial_no": 1,
    "ctime": 1700000000.5,
    "mtime": 1700000000.5,
    "nodes": [],
    }
  disk.update(kwargs)
  return disk


def MakeDrbd(index, node_a, node_b, minor_a=0, minor_b=0, secret="s3cret",
             **kwargs):
  """Makes a DRBD disk between two nodes, given by their index.

  """
  return MakeDisk(index, dev_type="drbd",
                  logical_id=[Uuid("a", node_a), Uuid("a", node_b), 11000,
                              minor_a, minor_b, secret], **kwargs)


def MakeInstance(index, node, name=None, disks=(), nics=(), **kwargs):
  """Makes an instance as Ganeti 3.0 stores it.

  The instance's UUID is C{Uuid("b", index)}.

  @param node: index of the instance's primary node
  @param disks: indexes of the instance's disks
  @param nics: list with the ip of each nic, or with pairs of ip and link

  """
  instance = {
    "name": name or "inst%d.example.com" % index,
    "uuid": Uuid("b", index),
    "primary_node": Uuid("a", node),
    "os": "debootstrap+default",
    "hypervisor": "kvm",
    "hvparams": {},
    "beparams": {},
    "osparams": {},
    "osparams_private": {},
    "admin_state": "up",
    "admin_state_source": "admin",
    "disks": [Uuid("d", disk) for disk in disks],
    "disks_active": True,
    "nics": [],
    "serial_no": 1,
    "ctime": 1700000000.5,
    "mtime": 1700000000.5,
    "tags": [],
    }
  for (number, nic) in enumerate(nics):
    (ip, link) = nic if isinstance(nic, tuple) else (nic, None)
    instance["nics"].append({
      "mac": "aa:00:00:00:%02x:%02x" % (index, number),
      "uuid": Uuid("e", 1000 * index + number),
      "ip": ip,
      "nicparams": {} if link is None else {"link": link},
      })
  instance.update(kwargs)
  return instance


def MakeConfig(nodes=None, instances=(), disks=(), cluster=None, **kwargs):
  """Makes a configuration as Ganeti 3.0 stores it.

  The default link is br0.

  @param nodes: list of nodes, the first one is the master; by default one node
  @param instances: list of instances
  @param disks: list of disks
  @param cluster: dict, further keys of the cluster
  @param kwargs: further keys of the top level

  """
  if nodes is None:
    nodes = [MakeNode(1, master_candidate=True)]
  config = {
    "version": 3000000,
    "serial_no": 17,
    "ctime": 1700000000.5,
    "mtime": 1700000000.5,
    "cluster": {
      "cluster_name": "cluster.example.com",
      "uuid": Uuid("f", 1),
      "serial_no": 5,
      "master_node": nodes[0]["uuid"],
      "master_ip": "192.0.2.100",
      "enabled_hypervisors": ["kvm"],
      "nicparams": {"default": {"mode": "bridged", "link": "br0",
                                "vlan": ""}},
      "osparams_private_cluster": {},
      "tags": [],
      },
    "nodegroups": {
      Uuid("c", 1): {"name": "default", "uuid": Uuid("c", 1), "serial_no": 1,
                     "alloc_policy": "preferred", "networks": {}},
      },
    "networks": {},
    "filters": {},
    "nodes": {item["uuid"]: item for item in nodes},
    "instances": {item["uuid"]: item for item in instances},
    "disks": {item["uuid"]: item for item in disks},
    }
  config["cluster"].update(cluster or {})
  config.update(kwargs)
  return config
