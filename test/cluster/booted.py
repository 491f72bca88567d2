#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A cluster of one node that systemd runs, on the machine's own root.

As with L{cluster}, the node's changes to files stay its own, and the whole node
ends with its first process. Unlike there, the first process is the machine's
C{/sbin/init}, which starts the machine's services. The node has a control group
of its own. A node that is started again still has its files.

"""

import os
import subprocess
import tempfile

import testutils

from cluster import cluster


#: Capabilities that a container's processes must not have
_TAKEN_AWAY = ["sys_module", "sys_time", "sys_rawio", "syslog", "mac_admin"]

#: Script of the first process, which moves itself to the control group in C{$1}
#: and uses C{$2}
_MOVE_SCRIPT = r"""
set -e
echo $$ >"$1/cgroup.procs"
shift
exec unshare --mount --propagation private --uts --ipc --net --cgroup --pid \
  --fork --kill-child=KILL bash -e -c "$@"
"""

_BOOT_SCRIPT = r"""
d=$1
mkdir -p $d/upper $d/work $d/root
mount -t overlay overlay -o lowerdir=/,upperdir=$d/upper,workdir=$d/work $d/root
cd $d/root
mount -t proc proc proc
# Settings there are the machine's
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
@DEVICES@
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p mnt etc/ganeti srv/ganeti/file-storage var/log/journal
pivot_root . mnt
cd /
umount -l /mnt
# systemd hands mounts to its services, keys among them
mount --make-rshared /
echo /srv/ganeti/file-storage >/etc/ganeti/file-storage-paths
echo node1.@DOMAIN@ >/etc/hostname
cat >/etc/hosts <<EOF
127.0.0.1 localhost
10.77.0.1 node1.@DOMAIN@ node1
@MASTER_IP@ @CLUSTER_NAME@
EOF
hostname node1.@DOMAIN@
ip link set lo up
ip link add eth0 type bridge
ip link set eth0 up
ip addr add 10.77.0.1/24 dev eth0
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set=@TAKEN_AWAY@ /sbin/init
"""


class Booted(cluster.Cluster):
  """A cluster whose only node is booted by systemd.

  """
  def __init__(self):
    cluster.Cluster.__init__(self, node_count=1)
    # The mount point of a file system for the overlay's layers, as a layer
    # cannot be in a directory of another layer
    self._directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self._groups = os.path.join(self._directory, "cgroup")
    self._group = os.path.join(self._groups,
                               os.path.basename(self._directory))
    self._process = None

  def Prepare(self):
    """Makes the file system and the control group that outlast a reboot.

    """
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs",
                    self._directory], check=True)
    os.mkdir(self._groups)
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", self._groups],
                   check=True)
    os.mkdir(self._group)

  def Start(self):
    """Starts the node, and waits until all its services have started.

    """
    script = cluster.Fill(_BOOT_SCRIPT, TAKEN_AWAY=",".join(
      "-" + name for name in _TAKEN_AWAY))
    depth = cluster.NamespaceDepth(os.getpid()) + 1
    self._process = subprocess.Popen(
      ["bash", "-c", _MOVE_SCRIPT, "-", self._group, script, "-",
       self._directory], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
      stderr=self._log)

    def _Runs():
      if self._process.poll() is not None:
        self._Fail("It could not be started")
      try:
        pid = cluster.FindInit(self._process.pid, depth)
        with open("/proc/%d/comm" % pid, encoding="ascii") as comm:
          return comm.read() == "systemd\n" and pid
      except (cluster.ClusterError, OSError):
        return None

    self.nodes = [cluster.Node(1, testutils.WaitFor(_Runs, "systemd"))]
    # Wait until systemd answers at all; "--wait" needs that
    testutils.WaitFor(lambda: self.master.Run(
      "systemctl", "is-system-running", check=False).stdout not in
                      ("", "offline\n"), "systemd listens")
    result = self.master.Run("systemctl", "is-system-running", "--wait",
                             check=False)
    if result.stdout != "running\n":
      self._Fail(self.master.Run("systemctl", "--failed").stdout)

  def Reboot(self):
    """Shuts the node down, and starts it again.

    """
    self.master.Run("systemctl", "reboot", check=False)
    testutils.WaitForExit(self._process, "systemd")
    self.Start()

  def Stop(self):
    if self._process is not None:
      self._process.kill()
      self._process.wait()
    if os.path.ismount(self._groups):
      # The kernel takes a while to remove the last processes
      testutils.WaitFor(lambda: testutils.ReadFile(os.path.join(
        self._group, "cgroup.events")).find(b"populated 0") >= 0,
                        "no process is left")
      for (directory, _, _) in os.walk(self._group, topdown=False):
        os.rmdir(directory)
      subprocess.run(["umount", self._groups], check=True)
    if os.path.ismount(self._directory):
      subprocess.run(["umount", self._directory], check=True)
    os.rmdir(self._directory)
    cluster.Cluster.Stop(self)
