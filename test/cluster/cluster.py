#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A real Ganeti cluster on one machine, for tests.

Each node is a set of namespaces (network, mounts, hostname, IPC, processes)
over the machine's own root file system: the node runs the machine's packages,
under the fake hypervisor, and its changes to files stay its own.

Facts on which the clean-up rests:

  - Everything lives in one process namespace. Its first process ends when its
    standard input does, because L{Cluster.Stop} closes that or because the
    process that made the cluster has ended, for whatever reason. The kernel
    then kills every process of the cluster.
  - No namespace has a name, and no file is outside of the cluster: networks,
    mounts and the tmpfs with all nodes' data vanish with the last process.

Node I is node<I>.example.com and has the address 10.77.0.I; the cluster's own
address, on the master, is 10.77.0.100. The nodes' network is a bridge in a
namespace of its own; no packet can leave it.

"""

import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

import timelimits

DOMAIN = "example.com"
CLUSTER_NAME = "cluster.%s" % DOMAIN
MASTER_IP = "10.77.0.100"

#: The cluster's default nic link; no interface of that name is needed, as
#: the fake hypervisor connects nothing
DEFAULT_LINK = "100"

#: Directory on the nodes for instances' disk images
_FILE_STORAGE = "/srv/ganeti/file-storage"

#: Where the tmpfs is mounted, in the cluster's own mount namespace only
_BASE = "/mnt"

#: Directories that get an overlay of their own if they are mount points: the
#: overlay of the root does not show other file systems
_MOUNT_POINTS = ["/usr", "/var", "/opt", "/home", "/srv", "/root"]

#: Time-out of a command on a node (seconds). A busy machine may take a minute
#: for a command that takes three seconds on a quiet one, and one that is ended
#: leaves the cluster in any state.
_PATIENCE = 600

_TOOLS = ["unshare", "nsenter", "ip", "mount", "pivot_root", "setpriv",
          "timeout", "ssh-keygen", "sshd", "gnt-cluster"]

_ENVIRONMENT = {
  "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME": "/root",
  "LC_ALL": "C.UTF-8",
  }

#: First process of the cluster's process namespace
_HUB_SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs @BASE@
ip link set lo up
ip link add br0 type bridge
ip link set br0 up
mkdir @BASE@/ssh
ssh-keygen -q -t rsa -b 2048 -N '' -f @BASE@/ssh/id_rsa
cp @BASE@/ssh/id_rsa.pub @BASE@/ssh/authorized_keys
cat >@BASE@/ssh/config <<EOF
Host *
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
EOF
chmod -R go= @BASE@/ssh
echo ready
exec 1>&2
read -r nothing || :
"""

#: Makes the devices of a system whose root is the current directory. The new
#: device files belong to that system, so changes of their modes leave the
#: machine's own device files alone.
_DEVICES = r"""
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
"""

#: First process of a node
_NODE_SCRIPT = r"""
set -e
d=@BASE@/node@INDEX@
mount --make-rprivate /
mkdir -p $d/root
n=0
for m in / @MOUNT_POINTS@; do
  mkdir -p $d/$n/upper $d/$n/work
  mount -t overlay overlay \
    -o lowerdir=$m,upperdir=$d/$n/upper,workdir=$d/$n/work $d/root$m
  n=$((n + 1))
done
cd $d/root
@DEVICES@
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/sshd run/lock mnt
for m in @SHARED@; do
  mkdir -p .$m
  mount --bind -o ro $m .$m
done
rm -rf root/.ssh
cp -r @BASE@/ssh root/.ssh
pivot_root . mnt
cd /
mount -t proc proc /proc
umount -l /mnt
hostname node@INDEX@.@DOMAIN@
ip link set lo up
ip link set eth0 up
ip addr add 10.77.0.@INDEX@/24 dev eth0
ip addr add fd77::@INDEX@/64 dev eth0 nodad
# A neighbour that has lost an address is noticed at once, not in ten seconds
echo 100 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms
echo 1 >/proc/sys/net/ipv4/neigh/eth0/delay_first_probe_time
# The index of manual pages would take most of the processor time of dpkg
rm -f /var/lib/man-db/auto-update
rm -rf /var/lib/ganeti/* /var/log/ganeti/* @FILE_STORAGE@ /etc/ganeti/*-paths
mkdir -p @FILE_STORAGE@ /etc/ganeti
echo @FILE_STORAGE@ >/etc/ganeti/file-storage-paths
{
  echo 127.0.0.1 localhost
  for k in @NODES@; do
    echo 10.77.0.$k node$k.@DOMAIN@ node$k
  done
  echo @MASTER_IP@ @CLUSTER_NAME@
} >/etc/hosts
echo "hosts: files" >/etc/nsswitch.conf
cat >>/etc/nsswitch.conf <<EOF
passwd: files
group: files
shadow: files
services: files
protocols: files
EOF
# Ganeti gives up a node that does not take a connection within five seconds,
# which is too little on a busy machine
for file in /usr/share/ganeti/[0-9]*/ganeti/rpc/node.py; do
  test ! -e $file || sed -i s/constants.RPC_CONNECT_TIMEOUT/60/ $file
done
# A locked account may not log in even by key
usermod -p '*' root
ssh-keygen -A >/dev/null
cat >/etc/ssh/sshd_config <<EOF
HostKey /etc/ssh/ssh_host_rsa_key
UsePAM no
# For scp
Subsystem sftp internal-sftp
EOF
/usr/sbin/sshd
echo ready
exec 1>&2
# bash collects the daemons that end here
while :; do
  sleep infinity &
  wait
done
"""


class ClusterError(Exception):
  """The cluster could not be built, or a command in it failed.

  """


def WhyNot():
  """Tells why no cluster can be built here.

  @rtype: string or None
  @return: the reason, None if all that is needed is there

  """
  if os.geteuid() != 0:
    return "must be root to make namespaces"
  path = _ENVIRONMENT["PATH"].split(":")
  for tool in _TOOLS:
    if not any(os.access(os.path.join(i, tool), os.X_OK) for i in path):
      return "%s is not installed" % tool
  try:
    subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=_ENVIRONMENT, check=True,
                   timeout=_PATIENCE)
  except (OSError, subprocess.SubprocessError):
    return "namespaces are not permitted"
  return None


def Fill(script, **values):
  """Replaces the placeholders C{@NAME@} in a script.

  """
  values.update({
    "BASE": _BASE,
    "DOMAIN": DOMAIN,
    "CLUSTER_NAME": CLUSTER_NAME,
    "MASTER_IP": MASTER_IP,
    "FILE_STORAGE": _FILE_STORAGE,
    "DEVICES": _DEVICES,
    })
  for (name, value) in values.items():
    script = script.replace("@%s@" % name, str(value))
  return script


def _Children(pid):
  """Returns the children of a process.

  """
  try:
    with open("/proc/%d/task/%d/children" % (pid, pid),
              encoding="ascii") as children:
      return [int(i) for i in children.read().split()]
  except OSError:
    return []


def NamespaceDepth(pid):
  """Returns how many nested process namespaces a process belongs to.

  """
  with open("/proc/%d/status" % pid, encoding="ascii") as status:
    for line in status:
      if line.startswith("NSpid:"):
        return len(line.split()) - 1
  raise ClusterError("No process namespaces on this kernel")


def FindInit(pid, depth):
  """Finds the first process of a namespace, at or below a process.

  @rtype: int
  @return: the id of the first process, in this process's namespace

  """
  todo = [pid]
  while todo:
    pid = todo.pop(0)
    if NamespaceDepth(pid) == depth:
      return pid
    todo.extend(_Children(pid))
  raise ClusterError("A namespace has no process")


class Node:
  """One node, which its processes see as a machine of its own.

  @ivar index: the node's number, from 1
  @ivar name: the node's full name
  @ivar address: the node's IPv4 address
  @ivar pid: the id of the node's first process in the caller's namespace

  """
  def __init__(self, index, pid):
    self.index = index
    self.name = "node%d.%s" % (index, DOMAIN)
    self.address = "10.77.0.%d" % index
    self.pid = pid

  def Path(self, path):
    """Returns the path by which the caller can open one of the node's files.

    @type path: string
    @param path: absolute path on the node, without absolute symbolic links in
        it: these would be resolved on the caller's side

    """
    return "/proc/%d/root%s" % (self.pid, path)

  def Read(self, path):
    """Returns the bytes of a node's file.

    """
    with open(self.Path(path), "rb") as infile:
      return infile.read()

  def Write(self, path, data):
    """Writes a node's file.

    @type data: bytes

    """
    with open(self.Path(path), "wb") as outfile:
      outfile.write(data)

  def _Command(self, argv, timeout):
    """Makes the command line that runs a command on the node.

    The time limit is enforced on the node, since a signal to nsenter does not
    reach the command. By setpriv, the command ends when nsenter does.

    """
    return ["nsenter", "-t", str(self.pid), "--mount", "--uts", "--ipc",
            "--net", "--pid", "--wd",
            "setpriv", "--pdeathsig=TERM",
            "timeout", "--kill-after=2", str(timeout)] + list(argv)

  def Run(self, *argv, timeout=_PATIENCE, check=True, stdin="", env=None):
    """Runs a command on the node.

    @param argv: the command and its arguments
    @type timeout: number
    @param timeout: seconds after which the command is ended
    @type check: bool
    @param check: whether an exit code other than 0 is an error
    @type env: dict or None
    @param env: further environment variables
    @rtype: C{subprocess.CompletedProcess}
    @return: C{returncode}, and C{stdout} and C{stderr} as text
    @raise ClusterError: the command failed and C{check} is set

    """
    try:
      result = subprocess.run(self._Command(argv, timeout), input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(_ENVIRONMENT, **(env or {})),
                              timeout=timeout + 5, universal_newlines=True,
                              check=False)
    except subprocess.TimeoutExpired as err:
      raise ClusterError("%s: %s does not end%s" %
                         (self.name, shlex.join(argv),
                          timelimits.Texts([err.output, err.stderr])))
    if check and result.returncode != 0:
      raise ClusterError("%s: %s: exit code %s\n%s%s" %
                         (self.name, shlex.join(argv), result.returncode,
                          result.stdout, result.stderr))
    return result

  def Popen(self, *argv, timeout=600, env=None, **kwargs):
    """Starts a command on the node, and does not wait for it.

    The command ends with the cluster at the latest.

    @rtype: C{subprocess.Popen}
    @return: the command, for L{Terminate}

    """
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(self._Command(argv, timeout),
                            env=dict(_ENVIRONMENT, **(env or {})), **kwargs)

  @staticmethod
  def Terminate(process, timeout=_PATIENCE):
    """Ends a command that runs beside the caller.

    @param process: from L{Popen}
    @type timeout: number
    @param timeout: seconds that the command may take to end
    @rtype: int
    @return: the command's exit code

    """
    # Signal the child of nsenter, which passes the signal on to the command and
    # ends after it
    for pid in _Children(process.pid):
      os.kill(pid, signal.SIGTERM)
    try:
      return process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
      raise ClusterError("%s does not end" % shlex.join(process.args))


class Cluster:
  """Nodes on one network, and a Ganeti cluster of them.

  Use as a context manager, or call L{Stop} in any case.

  @ivar nodes: list of L{Node}
  @ivar master: the first node

  """
  def __init__(self, node_count=3, shared=()):
    """@type shared: list of strings
    @param shared: directories that the nodes see as the caller does, read-only.
        Without this, the nodes have copy-on-write views of the root file
        system, in which /tmp and /run are empty.

    """
    self._node_count = node_count
    self._shared = sorted(set(shared))
    self._hub = None
    self._hub_pid = None
    self._processes = []
    # The temporary file has no name, so it needs no clean-up
    self._log = tempfile.TemporaryFile()
    self.nodes = []

  def __enter__(self):
    try:
      self.Start()
    except BaseException:
      self.Stop()
      raise
    return self

  def __exit__(self, *args):
    self.Stop()

  @property
  def master(self):
    return self.nodes[0]

  def _Fail(self, msg):
    """Raises an error with the messages of the namespaces' scripts.

    """
    self._log.seek(0)
    raise ClusterError("%s\n%s" % (msg, self._log.read().decode("utf-8",
                                                                "replace")))

  def _Boot(self, argv, script):
    """Starts a namespace's first process.

    """
    process = subprocess.Popen(argv + ["bash", "-c", script],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=self._log, env=_ENVIRONMENT)
    self._processes.append(process)
    return process

  def _WaitReady(self, process, what):
    """Waits until a namespace's script has printed "ready".

    No time-out is needed: the script either prints "ready" or ends, and depends
    on nothing outside.

    """
    if process.stdout.readline() != b"ready\n":
      self._Fail("%s could not be started" % what)

  def Start(self):
    """Builds the nodes, without a cluster on them yet.

    @raise ClusterError: the nodes could not be built

    """
    depth = NamespaceDepth(os.getpid())
    self._hub = self._Boot(["unshare", "--net", "--mount", "--pid", "--fork",
                            "--kill-child=KILL"], Fill(_HUB_SCRIPT))
    self._WaitReady(self._hub, "The nodes' network")
    self._hub_pid = FindInit(self._hub.pid, depth + 1)

    numbers = range(1, self._node_count + 1)
    mount_points = [i for i in _MOUNT_POINTS if os.path.ismount(i)]
    booting = []
    for index in numbers:
      script = Fill(_NODE_SCRIPT, INDEX=index,
                     NODES=" ".join(str(i) for i in numbers),
                     MOUNT_POINTS=" ".join(mount_points),
                     SHARED=" ".join(shlex.quote(i) for i in self._shared))
      # Make the node wait until its network cable is connected
      script = "read -r cable\n" + script
      process = self._Boot(self._HubCommand(
        "unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork",
        "--kill-child=KILL"), script)
      booting.append(process)
    for (index, process) in zip(numbers, booting):
      pid = self._WaitInit(process, depth + 2)
      self._Hub("ip", "link", "add", "node%d" % index, "type", "veth",
                "peer", "name", "eth0", "netns", str(self._HubNumber(pid)))
      self._Hub("ip", "link", "set", "node%d" % index, "master", "br0", "up")
      process.stdin.write(b"\n")
      process.stdin.flush()
      self.nodes.append(Node(index, pid))
    for (node, process) in zip(self.nodes, booting):
      self._WaitReady(process, node.name)

  @staticmethod
  def _WaitInit(process, depth):
    """Waits until the first process of a namespace exists.

    """
    deadline = time.monotonic() + _PATIENCE
    while True:
      try:
        return FindInit(process.pid, depth)
      except (ClusterError, OSError):
        if time.monotonic() > deadline:
          raise
        time.sleep(0.01)

  def _HubCommand(self, *argv):
    return ["nsenter", "-t", str(self._hub_pid), "--net", "--mount", "--pid",
            "--wd"] + list(argv)

  def _Hub(self, *argv):
    """Runs a command in the hub, which all nodes' cables are connected to.

    """
    result = subprocess.run(self._HubCommand(*argv), stdin=subprocess.DEVNULL,
                            stdout=self._log, stderr=self._log,
                            env=_ENVIRONMENT, timeout=_PATIENCE, check=False)
    if result.returncode != 0:
      self._Fail("%s failed" % shlex.join(argv))

  @staticmethod
  def _HubNumber(pid):
    """Returns the id that a node's process has in the hub's namespace.

    """
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
      for line in status:
        if line.startswith("NSpid:"):
          return int(line.split()[-2])
    raise ClusterError("No process namespaces on this kernel")

  def SetCable(self, node, plugged):
    """Unplugs a node from the network, or plugs it in again.

    @type plugged: bool

    """
    self._Hub("ip", "link", "set", "node%d" % node.index,
              "up" if plugged else "down")

  def Init(self):
    """Makes a cluster of the nodes.

    All nodes become master candidates. ganeti-confd runs on the master only,
    until L{StartDaemons} is called.

    """
    self.master.Run("/usr/lib/ganeti/ensure-dirs")
    self.master.Run(
      "gnt-cluster", "init", "--enabled-hypervisors=fake",
      "--enabled-disk-templates=diskless,file",
      "--file-storage-dir=%s" % _FILE_STORAGE, "--master-netdev=eth0",
      "--no-etc-hosts", "--no-ssh-init",
      "--nic-parameters=mode=routed,link=%s" % DEFAULT_LINK,
      # Minimum sizes as small as possible, to save space in the tmpfs
      "--ipolicy-bounds-specs=min:memory-size=1,disk-size=1,disk-count=0,"
      "cpu-count=1,nic-count=0,spindle-use=1/max:memory-size=4096,"
      "disk-size=1024,disk-count=16,cpu-count=8,nic-count=8,spindle-use=12",
      "--ipolicy-std-specs=memory-size=1,disk-size=1,disk-count=0,"
      "cpu-count=1,nic-count=0,spindle-use=1",
      CLUSTER_NAME)
    for node in self.nodes[1:]:
      self.master.Run("gnt-node", "add", "--no-ssh-key-check", node.name)

  def StartDaemons(self):
    """Starts each node's daemons, as ganeti-watcher would.

    """
    for node in self.nodes:
      node.Run("/usr/lib/ganeti/daemon-util", "start-all", check=False)

  def AddInstance(self, name, pnode, nics, *args, template="diskless"):
    """Adds an instance.

    @type pnode: L{Node}
    @type nics: list of strings
    @param nics: for each nic, the argument of gnt-instance's option C{--net}
        without the nic's number

    """
    argv = ["gnt-instance", "add", "-t", template, "-o", "noop",
            "--no-ip-check", "--no-name-check", "--no-wait-for-sync",
            "-n", pnode.name]
    for (idx, nic) in enumerate(nics):
      argv.append("--net=%d:%s" % (idx, nic))
    if not nics:
      argv.append("--no-nics")
    self.master.Run(*(argv + list(args) + [name]))

  def Stop(self):
    """Ends every process of the cluster, and so removes the cluster.

    The method may be called at any time, and more than once.

    """
    processes = self._processes
    self._processes = []
    # Begin with the hub: the kernel kills the other processes with it
    for process in processes:
      process.stdin.close()
      if process is self._hub:
        try:
          process.wait(timeout=10)
        except subprocess.TimeoutExpired:
          process.kill()
    for process in processes:
      try:
        process.wait(timeout=10)
      except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
          process.wait(timeout=10)
      process.stdout.close()
    self.nodes = []
    self._log.close()


class Once:
  """A cluster for all tests of a process, built when L{Get} is first called.

  The cluster ends with the process at the latest.

  """
  def __init__(self, build, shared):
    """@type build: f(L{Cluster})
    @param build: function that starts the cluster, and prepares it for tests
    @type shared: f()
    @param shared: function that returns the directories that the cluster shares
        with this process

    """
    self._build = build
    self._shared = shared
    self._cluster = None
    self._failure = None
    self._discarded = False

  def Discard(self):
    """Has the next call of L{Get} build another cluster.

    """
    self._discarded = True

  def Get(self):
    """Returns the cluster.

    @rtype: L{Cluster}
    @raise unittest.SkipTest: no cluster can be built here

    """
    reason = WhyNot()
    if reason is not None:
      raise unittest.SkipTest(reason)
    if self._failure is not None:
      raise self._failure
    if self._discarded and self._cluster is not None:
      self._cluster.Stop()
      self._cluster = None
    self._discarded = False
    if self._cluster is None:
      try:
        try:
          self._cluster = self._Make()
        except ClusterError as err:
          # Try once more: Ganeti's time-outs of some seconds for connections
          # between nodes may be too short on a busy machine
          print("A cluster is built once more: %s" % err)
          self._cluster = self._Make()
      except BaseException as err:
        self._failure = err
        raise
    return self._cluster

  def _Make(self):
    """Builds a cluster, and ends it if building fails.

    """
    clu = Cluster(shared=self._shared())
    atexit.register(clu.Stop)
    try:
      self._build(clu)
    except BaseException:
      clu.Stop()
      raise
    return clu
