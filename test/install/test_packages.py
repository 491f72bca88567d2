#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of Debian's packages: built, looked at, installed, removed.

The short form. C{devel/check-packages} has the long one, in systems of their
own and with Ganeti's package changing below ours.

"""

import os
import re
import subprocess
import unittest

import buildutils
import packages


_NODE = "ganeti-confd-python"
_CLIENT = "ganeti-confd-client"

#: For all scripts here. The machine may forbid packages to start daemons, and
#: they do not where there is no init, unless policy allows it.
_FUNCTIONS = """
tree() {
  /usr/bin/python3 %(here)s/treestate.py $1 /run/tree /usr/share/ganeti \
    /usr/lib/ganeti /usr/lib/python3/dist-packages /usr/sbin /usr/bin \
    /usr/share/man/man8 /etc/ganeti /etc/default
}
# Files compiled again are as old as that; and others may install packages
same() {
  tree compare | grep -e ganeti -e confd |
    grep -v '\\.pyc: was \\[.*\\], is \\[' >/run/different || :
  if test -s /run/different; then cat /run/different; exit 1; fi
}
Dpkg() {
  dpkg --force-unsafe-io "$@" >/run/dpkg 2>&1 </dev/null ||
    { cat /run/dpkg; return 1; }
  if grep -i -e warning -e Traceback /run/dpkg; then exit 1; fi
}
# Policy COMMAND
Policy() {
  printf '#!/bin/sh\\n%%s\\n' "$*" >/run/policy
  chmod +x /run/policy
  mv /run/policy /usr/sbin/policy-rc.d
}
Policy exit 0
ip link set lo up
data=/var/lib/ganeti
mkdir -p $data /run/ganeti
cp %(srcdir)s/doc/examples/cluster.json $data/config.data
od -A n -t x1 -N 20 /dev/urandom >$data/hmac.key
chown gnt-masterd:gnt-confd $data/config.data
chown gnt-confd:gnt-masterd $data/hmac.key
chmod 640 $data/config.data
chmod 440 $data/hmac.key
util=/usr/lib/ganeti/daemon-util
pid() { cat /run/ganeti/ganeti-confd.pid; }
# daemon NAME: what runs
runs() {
  $util check ganeti-confd
  test "$(basename $(readlink /proc/$(pid)/exe))" = "$1" ||
    { readlink /proc/$(pid)/exe; exit 1; }
}
cd /
""" % {"here": os.path.dirname(os.path.realpath(__file__)),
       "srcdir": buildutils.Quote(buildutils.SRCDIR)}


def _Contents(path):
  """Lists the files in a package.

  @rtype: list of strings
  @return: without their first slash

  """
  output = subprocess.check_output(["dpkg-deb", "--fsys-tarfile", path])
  names = subprocess.check_output(["tar", "-t"], input=output, text=False)
  return [name[len("./"):] for name in os.fsdecode(names).splitlines()
          if not name.endswith("/")]


class TestPackages(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    if os.getuid() != 0:
      raise unittest.SkipTest("mounting needs root")
    if not os.path.exists("/usr/share/ganeti/default/ganeti/constants.py"):
      raise unittest.SkipTest("Ganeti is not installed; on Debian: apt-get"
                              " install ganeti")
    cls.packages = packages.Build()

  def _Run(self, script):
    return buildutils.RunInPrivate(
      _FUNCTIONS + "node=%s client=%s\n" %
      (buildutils.Quote(self.packages[_NODE]),
       buildutils.Quote(self.packages[_CLIENT])) + script,
      directories=("usr", "etc", "var"),
      namespaces=("--mount", "--net", "--pid", "--fork", "--kill-child",
                  "--mount-proc"))

  def testNames(self):
    self.assertEqual(sorted(self.packages),
                     [_CLIENT, "ganeti-confd-doc", "ganeti-confd-exporter",
                      _NODE])

  def testExamples(self):
    """Each of them is in one package.

    """
    files = [os.path.basename(name) for path in self.packages.values()
             for name in _Contents(path)
             if name.startswith("usr/share/doc/") and "/examples/" in name]
    examples = os.listdir(os.path.join(buildutils.SRCDIR, "doc", "examples"))
    # The unit for the exporter is the package's own
    examples.remove("confd-exporter.service")
    self.assertEqual(sorted(files),
                     sorted(name.removesuffix(".in") for name in examples))

  def testSeries(self):
    depends = buildutils.Run(["dpkg-deb", "-f", self.packages[_NODE],
                              "Depends"])
    series = re.findall(r"ganeti-(3\.[0-9]+)", depends)
    modules = {os.path.relpath(os.path.join(directory, name), package)
               for package in [os.path.join(buildutils.MODULEDIR, "ganeti")]
               for (directory, _, names) in os.walk(package + "/confd")
               for name in names if not name.endswith(".pyc")}
    files = _Contents(self.packages[_NODE])
    for i in series:
      prefix = "usr/share/ganeti/%s/ganeti/" % i
      self.assertEqual({name[len(prefix):] for name in files
                        if name.startswith(prefix)}, modules, i)
    # All names that Ganeti has, or may have one day, are diverted: its package
    # ganeti.confd has no subpackages
    preinst = buildutils.Run(["dpkg-deb", "-I", self.packages[_NODE],
                              "preinst"])
    modules = [name for name in files
               if re.fullmatch("usr/share/ganeti/[^/]+/ganeti/confd/[^/]+",
                               name)]
    self.assertGreater(len(modules), 2 * 10)
    self.assertEqual(
      re.findall(r"(?m)^(usr/\S+) \S+\.distrib\S*$", preinst),
      sorted(modules) + ["usr/share/man/man8/ganeti-confd.8.gz",
                         "usr/sbin/ganeti-confd"])
    # A directory of a series here is what "gnt-cluster upgrade" goes by
    self.assertEqual([name for name in files
                      if name.startswith("usr/lib/ganeti/")], [])

  def testClientHasNoDaemon(self):
    files = _Contents(self.packages[_CLIENT])
    self.assertIn("usr/bin/confd-client", files)
    self.assertIn("usr/lib/python3/dist-packages/ganeti/confd/client.py", files)
    self.assertEqual([name for name in files if "confd/daemon" in name], [])

  def testBesideRapi(self):
    """Another package has another part of C{ganeti}, as python3-ganeti-rapi.

    """
    output = self._Run("""
      theirs=/run/theirs/usr/lib/python3/dist-packages/ganeti
      mkdir -p $theirs/rapi /run/theirs/DEBIAN
      touch $theirs/__init__.py $theirs/rapi/__init__.py
      echo "Package: theirs
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: a part of ganeti" >/run/theirs/DEBIAN/control
      dpkg-deb -b /run/theirs /run/theirs.deb >/dev/null
      both="import ganeti.rapi, ganeti.confd.client; print('both')"
      for i in "$client /run/theirs.deb" "/run/theirs.deb $client"; do
        for deb in $i; do Dpkg -i $deb; done
        /usr/bin/python3 -B -c "$both"
        Dpkg -r theirs
        confd-client --version
        Dpkg -r ganeti-confd-client
        fails /usr/bin/python3 -c "import ganeti" 2>/dev/null
      done
      """)
    self.assertEqual(output.count("both\nconfd-client"), 2, output)

  def testNode(self):
    output = self._Run("""
      $util start ganeti-confd
      runs ganeti-confd
      tree save
      Dpkg -i $client $node
      # The new process has taken the place of the one that ran
      runs python3*
      first=$(pid)
      confd-client -a 127.0.0.1 ping
      test -x /etc/ganeti/hooks/cluster-verify-post.d/confd
      dpkg --verify ganeti ganeti-3.0 $(dpkg-deb -f $node Package)
      man -w ganeti-confd >/dev/null
      # Ganeti's programs use ours; scripts, that of the client's package
      /usr/bin/python3 -c 'import sys; sys.path.insert(0, sys.argv[1])
import ganeti.client.gnt_node as m; print(m.confd_client.__file__)' \
        /usr/share/ganeti/default
      /usr/bin/python3 -c 'import ganeti.confd.client as m; print(m.__file__)'
      # An upgrade starts what is new
      Dpkg -i $node
      runs python3*
      test $(pid) != $first
      confd-client -a 127.0.0.1 master
      # dpkg's messages are in the administrator's language
      LC_ALL=C.UTF-8 LANGUAGE=de Dpkg -r ganeti-confd-python
      runs ganeti-confd
      Dpkg -r ganeti-confd-client
      same
      Dpkg -P ganeti-confd-python
      same
      # Where nothing runs, nothing is started; nor where policy forbids
      $util stop ganeti-confd
      Dpkg -i $node
      fails $util check ganeti-confd
      $util start ganeti-confd
      first=$(pid)
      Policy exit 101
      Dpkg -P ganeti-confd-python
      test $(pid) = $first
      test $(grep -c '^policy-rc.d forbids to restart' /run/dpkg) = 1
      Policy exit 0
      same
      """.replace("runs python3*", "runs $(basename $(readlink -f"
                  " /usr/bin/python3))"))
    lines = output.splitlines()
    self.assertIn("configuration version", lines[0])
    self.assertEqual(lines[1:3], [
      "/usr/share/ganeti/default/ganeti/confd/client.py",
      "/usr/lib/python3/dist-packages/ganeti/confd/client.py"], output)
    self.assertIn("node1", lines[3])

  def testInterrupted(self):
    """dpkg and its scripts are killed, and it is mended.

    """
    self._Run("""
      mkdir /run/bin
      cat >/run/bin/dpkg-divert <<'SHIM'
#!/bin/sh
echo >>/run/count
if [ $(wc -l </run/count) = 15 ]; then kill -KILL 0; fi
exec /usr/bin/dpkg-divert "$@"
SHIM
      chmod +x /run/bin/dpkg-divert
      # In a group of its own
      Killed() {
        rm -f /run/count
        rc=0
        (timeout 300 dpkg --force-unsafe-io "$@" >/run/dpkg 2>&1 </dev/null) ||
          rc=$?
        test $rc = 137 || { cat /run/dpkg; exit 1; }
        # The lock goes with its process
        while pgrep -x dpkg >/dev/null; do sleep 0.1; done
      }
      Is() { test "$(dpkg-query -W -f '${db:Status-Status}' $name)" = "$1"; }
      name=ganeti-confd-python
      $util start ganeti-confd
      tree save

      for i in installed upgraded; do
        # The hook is asked just before the daemon is restarted
        Policy kill -KILL 0
        Killed -i $node
        Policy exit 0
        Is half-configured
        test $i = upgraded || runs ganeti-confd
        Dpkg --configure -a
        Is installed
        runs $(basename $(readlink -f /usr/bin/python3))
      done

      # Removed, in the middle of the diversions
      PATH=/run/bin:$PATH Killed -r $name
      test $(dpkg-divert --list $name | wc -l) -gt 10
      Dpkg -r $name
      runs ganeti-confd
      same

      # Installed, likewise: Ganeti's own can still be started
      PATH=/run/bin:$PATH Killed -i $node
      $util stop ganeti-confd
      $util start ganeti-confd
      runs ganeti-confd
      Dpkg -i $node
      runs $(basename $(readlink -f /usr/bin/python3))
      Dpkg -P $name
      runs ganeti-confd
      same

      # A diversion is recorded, and nothing renamed yet
      cat >/run/bin/dpkg-divert <<'SHIM'
#!/bin/sh
case "$*" in
  *" --add $(readlink -f /usr/share/ganeti/default)/ganeti/confd/client.py")
    /usr/bin/dpkg-divert $(echo "$*" | sed 's/--rename/--no-rename/')
    kill -KILL 0
    ;;
esac
exec /usr/bin/dpkg-divert "$@"
SHIM
      PATH=/run/bin:$PATH Killed -i $node
      Dpkg -i $node
      Dpkg -P $name
      same
      """)

  def testRefusedUpgrade(self):
    """Diversions of a newer version that failed are undone.

    """
    self._Run("""
      module=$(readlink -f /usr/share/ganeti/default)/ganeti/confd/newer.py
      echo "# Ganeti's" >$module
      Dpkg -i $node
      tree save
      dpkg-deb -R $node /run/newer
      sed -i 's/^Version: .*/&+newer/' /run/newer/DEBIAN/control
      sed -i "s|^usr/sbin/ganeti-confd |${module#/} ${module#/}.distrib\\n&|" \
        /run/newer/DEBIAN/preinst
      echo 'test "$1" != upgrade' >>/run/newer/DEBIAN/preinst
      dpkg-deb -b /run/newer /run/newer.deb >/dev/null
      fails dpkg --force-unsafe-io -i /run/newer.deb >/run/dpkg 2>&1 </dev/null
      grep -q "pre-installation script" /run/dpkg
      same
      """)

  def testExporter(self):
    self._Run("""
      keys=/etc/ganeti/confd-exporter
      tree save
      Dpkg -i $client %s
      confd-exporter --version
      echo secret >$keys/fsn.key
      Dpkg -r ganeti-confd-exporter ganeti-confd-client
      test -e $keys/fsn.key
      # As systemd makes it
      mkdir -p /var/lib/private/confd-exporter
      ln -s private/confd-exporter /var/lib/confd-exporter
      echo history >/var/lib/confd-exporter/history.db
      Dpkg -P ganeti-confd-exporter
      test ! -e /var/lib/private/confd-exporter
      test ! -L /var/lib/confd-exporter
      same
      """ % buildutils.Quote(self.packages["ganeti-confd-exporter"]))

  def testMadeByHand(self):
    # Neither takes the place of the other
    output = self._Run("""
      record=/usr/share/ganeti/3.0/ganeti/confd/ganeti-confd.installed
      ls -d /usr/share/ganeti/3.0 || record=${record/3.0/3.1}
      touch $record
      tree save
      fails dpkg --force-unsafe-io -i $node </dev/null 2>&1
      same
      rm $record
      Dpkg -i $node
      tree save
      (mkdir /run/build; cd /run/build
       %(srcdir)s/configure -q --with-ganeti; make -s) >/dev/null
      fails make -s -C /run/build install 2>&1
      same
      """ % {"srcdir": buildutils.Quote(buildutils.SRCDIR)})
    self.assertIn("First run \"make uninstall\"", output)
    self.assertIn("is diverted already; see dpkg-divert --list", output)


if __name__ == "__main__":
  unittest.main()
