#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter's history of clusters.

"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import unittest
import urllib.parse

import oddsecrets
import processes
import testutils
import webserver


_PAGES = ["/", "/c/", "/c/nodes", "/c/instance/inst1.example.com", "/metrics",
          "/c/map", "/search?q=inst"]


def _Config(serial=17, node=1, **values):
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True,
                              primary_ip="127.0.3.1"),
           testutils.MakeNode(2), testutils.MakeNode(3)],
    instances=[testutils.MakeInstance(1, node), testutils.MakeInstance(2, 2)],
    serial_no=serial, **values)


class _TestCase(unittest.TestCase):
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.path = os.path.join(os.path.realpath(self.directory), "history")
    self.daemon = testutils.Daemon(_Config(), address="127.0.3.1")
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()

  def _Exporter(self, *args):
    exporter = webserver.Exporter({"c": self.daemon},
                                  ["--history", self.path, *args])
    self.addCleanup(exporter.Kill)
    return exporter

  def _Start(self, *args):
    """Starts an exporter, and waits until a state is recorded.

    """
    exporter = self._Exporter(*args)
    exporter.Start()
    testutils.WaitFor(lambda: exporter.Metric("ganeti_history_changes_total",
                                              cluster="c") is not None,
                      "the first state; %s" % exporter.Output())
    return exporter

  def _StartLocked(self):
    """Starts an exporter, locks its file, and makes a change.

    @return: the exporter, and the connection that has the lock

    """
    exporter = self._Start()
    connection = sqlite3.connect(self.path, isolation_level=None)
    self.addCleanup(connection.close)
    connection.execute("BEGIN EXCLUSIVE")
    self.daemon.WriteConfig(_Config(18, 3))
    exporter.WaitForSerial("c", 18)
    return (exporter, connection)

  @staticmethod
  def _Json(exporter, path="/c/history.json"):
    """Reads the history, or the error in its place.

    """
    return json.loads(exporter.Ask(path).text)

  def _WaitForSerial(self, exporter, serial):
    """Waits until a change with this serial is recorded.

    @return: the whole history

    """
    def _Read():
      found = self._Json(exporter)
      return serial in [i["serial"] for i in found.get("answer", [])] and found
    return testutils.WaitFor(_Read, "change %d; %s" % (serial,
                                                       exporter.Output()))

  def _RecordedSerial(self):
    """Returns the serial of the recorded state.

    """
    with contextlib.closing(sqlite3.connect(
        self.path, testutils.PATIENCE)) as connection:
      ((serial, ), ) = connection.execute("SELECT serial FROM cluster")
    return serial

  def _Writers(self, exporter):
    """Lists the processes that have the history open.

    """
    found = []
    for pid in processes.Children(exporter.proc.pid):
      # The process, or the descriptor, may be gone by now
      with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        directory = "/proc/%d/fd" % pid
        if self.path in [os.readlink(os.path.join(directory, fd))
                         for fd in os.listdir(directory)]:
          found.append(pid)
    return found

  def _CheckAnswers(self, exporter):
    for path in _PAGES:
      self.assertEqual(exporter.Ask(path).status, 200, path)

  def _WaitForProblem(self, exporter, text):
    """Waits until changes are not recorded, and checks page and log.

    """
    testutils.WaitFor(lambda: exporter.Metric("ganeti_history_up",
                                              cluster="c") == 0, "the metric")
    self._CheckAnswers(exporter)
    page = exporter.Ask("/c/history")
    self.assertEqual(page.status, 200)
    for output in (page.text, exporter.Output()):
      self.assertIn("Changes are not recorded: %s" % self.path, output)
      self.assertIn(text, output)
    self.assertEqual(exporter.Output().count("Changes are not recorded"), 1)


class TestPages(_TestCase):
  def testChanges(self):
    exporter = self._Start()
    self.assertEqual(os.stat(self.path).st_mode & 0o7777, 0o600)
    for (serial, node) in [(18, 3), (19, 2)]:
      self.daemon.WriteConfig(_Config(serial, node))
      found = self._WaitForSerial(exporter, serial)
    self.assertEqual(
      [(i["serial"], i["old_serial"], i["kind"], i["name"], i["action"],
        i["field"], i["old"], i["new"], i["since"]) for i in found["answer"]],
      [(19, 18, "instance", "inst1.example.com", "changed", "pnode",
        "node3.example.com", "node2.example.com", None),
       (18, 17, "instance", "inst1.example.com", "changed", "pnode",
        "node1.example.com", "node3.example.com", None)])
    self.assertLessEqual(found["began"], found["answer"][1]["time"])
    self.assertEqual((found["problem"], found["next"]), (None, None))
    self.assertEqual(exporter.Metric("ganeti_history_changes_total",
                                     cluster="c"), 2)
    # The part of a page comes in time unless the machine is busy
    for (path, count) in [("/c/history", 2), ("/c/", 2),
                          ("/c/instance/inst1.example.com", 2),
                          ("/c/instance/" + testutils.Uuid("b", 1), 2),
                          ("/c/node/node3.example.com", 2),
                          ("/c/node/node1.example.com", 1),
                          ("/c/instance/inst2.example.com", 0),
                          ("/c/history?name=inst1", 2),
                          ("/c/history?name=node1&kind=node", 1),
                          ("/c/history?name=node1&kind=instance", 0)]:
      testutils.WaitFor(
        lambda path=path, count=count:
        exporter.Get(path).count("moved from") == count, path)
    page = webserver.Elements(exporter.Get("/c/history"))
    self.assertLessEqual({"/c/instance/inst1.example.com", "/c/history.json",
                          "/c/node/node3.example.com"}, set(page.links))
    self.assertEqual(exporter.Stop(), 0)

  def testRenamed(self):
    """The page of an object has its changes under an earlier name, too.

    """
    exporter = self._Start()
    self.daemon.WriteConfig(_Config(18, 3))
    self._WaitForSerial(exporter, 18)
    config = _Config(19, 3)
    uuid = testutils.Uuid("b", 1)
    config["instances"][uuid]["name"] = "other.example.com"
    self.daemon.WriteConfig(config)
    self._WaitForSerial(exporter, 19)
    for path in ("/c/instance/other.example.com", "/c/instance/" + uuid,
                 "/c/history?name=other.example.com", "/c/history?name=" + uuid,
                 "/c/history?name=inst1.example.com"):
      for text in ("moved from", "renamed from"):
        testutils.WaitFor(
          lambda path=path, text=text: text in exporter.Get(path),
          "%s on %s" % (text, path))
    self.assertNotIn("moved from",
                     exporter.Get("/c/history?name=inst2.example.com"))

  def testNotThere(self):
    """The page in place of an object leads to the object's history.

    """
    exporter = self._Start()
    config = _Config(18, 3)
    (first, second) = (testutils.Uuid("b", i) for i in (1, 2))
    config["instances"][first]["name"] = "other.example.com"
    del config["instances"][second]
    self.daemon.WriteConfig(config)
    self._WaitForSerial(exporter, 18)
    for (path, text) in [
        ("/c/instance/inst1.example.com", "renamed from"),
        ("/c/inst1", "renamed from"), ("/c/inst2.example.com", "removed"),
        ("/c/instance/inst2", "removed"), ("/c/instance/" + second, "removed")]:
      def _Find(path=path, text=text):
        answer = exporter.Ask(path)
        self.assertEqual(answer.status, 404)
        return text in answer.text and answer.text
      page = webserver.Elements(testutils.WaitFor(
        _Find, "the history of %s" % path))
      if text == "renamed from":
        self.assertIn("/c/instance/other.example.com", page.links)
    self.assertIn("/c/history?name=inst2", webserver.Elements(
      exporter.Get("/search?q=inst2")).links)
    for words in ("tag:inst2", "two%20words", "", "nothing*",
                  "203.0.113.0/24", "203.0.113.7", "bb:00:00:12:34:56",
                  "offline", "Nodes"):
      self.assertNotIn("history?", exporter.Get("/search?q=" + words))
    for path in ("/c/instance/", "/c/node/inst2.example.com", "/c/nothing"):
      def _Read(path=path):
        answer = exporter.Ask(path)
        self.assertEqual(answer.status, 404)
        # On a busy machine, the history may not be read in time
        return "could not be read" not in answer.text and answer.text
      text = testutils.WaitFor(_Read, "the page %s" % path)
      self.assertNotIn("<h2>", text)
    self.assertIn("/search?q=nothing", webserver.Elements(text).links)

  def testPaging(self):
    """Each page leads to the one with the changes before.

    """
    exporter = self._Start()
    count = 450
    self.daemon.WriteConfig(_Config(18, cluster={
      "osparams": {"debian": {"p%d" % i: "v" for i in range(count)}}}))
    self._WaitForSerial(exporter, 18)
    (path, sizes) = ("/c/history", [])
    while path:
      text = exporter.Get(path)
      sizes.append(text.count("set to v"))
      path = {link for link in webserver.Elements(text).links
              if "before=" in link and "json" not in link}
      path = path.pop() if path else None
    self.assertEqual(sizes, [200, 200, 50])
    (path, ids) = ("/c/history.json?kind=cluster&before=%d" % (count - 10), [])
    while path:
      found = self._Json(exporter, path)
      ids += [i["id"] for i in found["answer"]]
      path = found["next"]
    self.assertEqual(ids, list(range(count - 11, 0, -1)))

  def testBadParameters(self):
    exporter = self._Start()
    for (query, text) in [("before=0", "not the id of a change"),
                          ("before=%3Cb%3E", "not the id of a change"),
                          ("before=" + "9" * 30, "not the id of a change"),
                          ("kind=disk", "There is no kind")]:
      answer = exporter.Ask("/c/history.json?" + query)
      self.assertEqual(answer.status, 400)
      self.assertIn(text, json.loads(answer.text)["error"])
      answer = exporter.Ask("/c/history?" + query)
      self.assertEqual(answer.status, 200)
      self.assertIn(text, answer.text)
      self.assertNotIn("<b>", answer.text)

  def testOff(self):
    """Without the option there is no history, and no file.

    """
    with webserver.Exporter({"c": self.daemon}) as exporter:
      exporter.WaitForSerial("c", 17)
      for path in ("/c/history", "/c/history.json"):
        self.assertEqual(exporter.Ask(path).status, 404)
      self.assertNotIn("istory", exporter.Get("/c/"))
      self.assertNotIn("ganeti_history_up{", exporter.Get("/metrics"))

  def testSecrets(self):
    """The file has nothing that answers do not have.

    """
    exporter = self._Start()
    serial = 17
    for (name, config) in list(oddsecrets.Configs())[::40]:
      serial += 1
      with self.subTest(name):
        config.update(serial_no=serial)
        self.daemon.WriteConfig(config)
        testutils.WaitFor(lambda serial=serial:
                          self._RecordedSerial() == serial,
                          "the record of this state; %s" % exporter.Output())
    for name in os.listdir(self.directory):
      data = testutils.ReadFile(os.path.join(self.directory, name))
      self.assertNotIn(oddsecrets.MARK.encode("ascii"), data)
      self.assertNotIn(testutils.KEY.strip(), data)


class TestRestarts(_TestCase):
  def testDown(self):
    """Changes while the exporter is down have the time of both ends.

    """
    exporter = self._Start()
    self.assertEqual(exporter.Stop(), 0)
    # The state was last known to be current a minute ago
    connection = sqlite3.connect(self.path)
    with connection:
      connection.execute("UPDATE cluster SET seen = seen - 60")
      ((seen, ), ) = connection.execute("SELECT seen FROM cluster")
    connection.close()
    for serial in (18, 19):
      self.daemon.WriteConfig(_Config(serial, serial - 16))
    # Otherwise the exporter might see both configurations
    self.daemon.WaitForSerial(19)
    exporter.Start()
    (change, ) = self._WaitForSerial(exporter, 19)["answer"]
    self.assertEqual((change["old_serial"], change["since"], change["old"],
                      change["new"]),
                     (17, seen, "node1.example.com", "node3.example.com"))
    self.assertIn("between ", exporter.Get("/c/history"))
    self.assertEqual(exporter.Metric("ganeti_history_changes_total",
                                     cluster="c"), 1)

  def testClusterDown(self):
    """The history is shown before the cluster has answered.

    """
    exporter = self._Start()
    self.daemon.WriteConfig(_Config(18, 3))
    self._WaitForSerial(exporter, 18)
    self.assertEqual(exporter.Stop(), 0)
    self.daemon.Kill()
    exporter.Start()
    for path in ("/c/history", "/c/history?name=inst1"):
      answer = exporter.Ask(path)
      self.assertEqual(answer.status, 200)
      self.assertIn("moved from", answer.text)
    self.assertEqual(len(self._Json(exporter)["answer"]), 1)

  def testKilled(self):
    """After kill -9 at any time, the last change is recorded, once.

    """
    exporter = self._Start()
    for serial in range(18, 24):
      # Only the last state differs from all others: whichever of them was
      # recorded last, there is a change with the last serial
      self.daemon.WriteConfig(_Config(serial, 3 if serial == 23 else
                                      serial % 2 + 1))
      if serial % 2:
        exporter.WaitForSerial("c", serial)
      exporter.proc.kill()
      exporter.proc.wait()
      exporter.Start()
    found = self._WaitForSerial(exporter, 23)
    moves = [(i["old"], i["new"]) for i in reversed(found["answer"])]
    # Each change begins where the previous change ends
    self.assertEqual([old for (old, _) in moves[1:]],
                     [new for (_, new) in moves[:-1]])
    self.assertEqual((moves[0][0], moves[-1][1]),
                     ("node1.example.com", "node3.example.com"))
    self.assertIsNone(found["problem"])

  def testOneWriter(self):
    """A second exporter is refused the file, until the first one is gone.

    """
    exporter = self._Start()
    other = self._Exporter()
    with self.assertRaisesRegex(AssertionError, "exit code 2.*Another"
                                " confd-exporter writes the history in "):
      other.Start()
    exporter.proc.kill()
    exporter.proc.wait()
    other.Start()
    self.daemon.WriteConfig(_Config(18, 3))
    self._WaitForSerial(other, 18)


class TestProblems(_TestCase):
  """No state of the file has an effect on any other answer.

  """
  def testLocked(self):
    (exporter, connection) = self._StartLocked()
    # systemd sends the signal to all processes of a service
    for pid in testutils.WaitFor(lambda: self._Writers(exporter),
                                 "a process that waits"):
      # The process ends by itself if the lock lasts too long
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    self._CheckAnswers(exporter)
    self.assertIn("could not be read", exporter.Get("/c/"))
    self._WaitForProblem(exporter, "close that program")
    answer = exporter.Ask("/c/history.json")
    self.assertEqual(answer.status, 503)
    self.assertIn("locked", json.loads(answer.text)["error"])
    connection.execute("ROLLBACK")
    # The next attempt is made after ten seconds
    self._WaitForRecovery(exporter)

  def _WaitForRecovery(self, exporter):
    """Waits until all is recorded after a problem; nothing is lost.

    """
    testutils.WaitFor(
      lambda: exporter.Metric("ganeti_history_up", cluster="c") == 1,
      "changes are recorded again; %s" % exporter.Output(),
      10 + testutils.PATIENCE)
    self.assertIn("Changes are recorded again", exporter.Output().replace(
      "changes are", "Changes are"))
    change = self._WaitForSerial(exporter, 18)["answer"][0]
    self.assertEqual((change["old"], change["new"]),
                     ("node1.example.com", "node3.example.com"))

  def testDamaged(self):
    """A damaged file is left alone; a new one is begun when it is moved away.

    """
    content = b"SQLite format 3\0" + b"\xff" * 8000
    testutils.WriteFile(self.path, content)
    exporter = self._Exporter()
    exporter.Start()
    self._WaitForProblem(exporter, "move it away")
    self.assertEqual(testutils.ReadFile(self.path), content)
    os.rename(self.path, self.path + ".old")
    testutils.WaitFor(
      lambda: exporter.Metric("ganeti_history_up", cluster="c") == 1,
      "a new file; %s" % exporter.Output(), 10 + testutils.PATIENCE)
    self.assertEqual(self._Json(exporter)["answer"], [])

  def testNoDirectory(self):
    """The lock is taken as soon as the missing directory is there.

    """
    self.path = os.path.join(self.directory, "none", "history")
    exporter = self._Exporter()
    exporter.Start()
    self._WaitForProblem(exporter, "make its directory")
    os.mkdir(os.path.dirname(self.path))
    testutils.WaitFor(
      lambda: exporter.Metric("ganeti_history_up", cluster="c") == 1,
      "a file; %s" % exporter.Output(), 10 + testutils.PATIENCE)
    with self.assertRaisesRegex(AssertionError, "exit code 2.*Another"):
      self._Exporter().Start()

  def _Mounted(self, script, *paths):
    """Makes an exporter that runs in a mount namespace of its own.

    @param script: shell commands that mount something
    @param paths: their arguments

    """
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run(unshare + ["true"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
      self.skipTest("no namespaces for users")

    class _Exporter(webserver.Exporter):
      def CommandLine(self, args):
        return [*unshare, "sh", "-e", "-c",
                "%s shift %d; exec \"$@\"" % (script, len(paths)), "sh",
                *paths, *args]

    exporter = _Exporter({"c": self.daemon}, ["--history", self.path])
    self.addCleanup(exporter.Kill)
    return exporter

  def testReadOnly(self):
    """A history on a read-only file system can be read.

    """
    exporter = self._Start()
    self.daemon.WriteConfig(_Config(18, 3))
    self._WaitForSerial(exporter, 18)
    self.assertEqual(exporter.Stop(), 0)
    exporter = self._Mounted("mount --bind \"$1\" \"$1\";"
                             " mount -o remount,bind,ro \"$1\";",
                             self.directory)
    exporter.Start()
    self._WaitForProblem(exporter, "make its file system writable")
    self.assertEqual(self._WaitForSerial(exporter, 18)["answer"][0]["new"],
                     "node3.example.com")
    self.assertEqual(exporter.Stop(), 0)

  def testFull(self):
    """Changes that cannot be recorded on a full disk are recorded later.

    """
    # Shell commands in the mount namespace come from a fifo
    fifo = os.path.join(self.directory, "fifo")
    mount = os.path.join(self.directory, "mount")
    os.mkdir(mount)
    os.mkfifo(fifo)
    self.path = os.path.join(mount, "history")
    exporter = self._Mounted(
      "mount -t tmpfs -o size=256k tmpfs \"$1\"; sh <\"$2\" &", mount, fifo)
    with open(os.open(fifo, os.O_RDWR), "w", encoding="ascii") as shell:
      def _Run(command):
        shell.write("%s; echo >%s/done\n" % (command, self.directory))
        shell.flush()
        done = os.path.join(self.directory, "done")
        testutils.WaitFor(lambda: os.path.exists(done), command)
        os.unlink(done)

      exporter.Start()
      testutils.WaitFor(lambda: exporter.Metric(
        "ganeti_history_up", cluster="c") == 1 and exporter.Metric(
          "ganeti_history_changes_total", cluster="c") == 0, "the first state")
      _Run("cat /dev/zero >%s/big || :" % mount)
      self.daemon.WriteConfig(_Config(18, 3, cluster={
        "osparams": {"debian": {"p%d" % i: "v" for i in range(1000)}}}))
      self._WaitForProblem(exporter, "make room")
      _Run("rm %s/big" % mount)
      _Run("mount -o remount,size=4m %s" % mount)
      testutils.WaitFor(
        lambda: exporter.Metric("ganeti_history_up", cluster="c") == 1,
        "room; %s" % exporter.Output(), 10 + testutils.PATIENCE)
      self._WaitForSerial(exporter, 18)
      shell.write("exit\n")


class TestStopped(_TestCase):
  def test(self):
    """A process that writes for ever delays nothing, and ends with the server.

    """
    (exporter, _) = self._StartLocked()
    waiting = testutils.WaitFor(lambda: self._Writers(exporter),
                                "a process that waits")
    self._CheckAnswers(exporter)
    exporter.proc.send_signal(signal.SIGTERM)
    self.assertEqual(testutils.WaitForExit(exporter.proc, "the server"), 0)
    testutils.WaitFor(
      lambda: not any(testutils.IsAlive(pid) for pid in waiting),
      "the end of all processes")


class TestHostile(webserver.TwoClusters):
  """The history of a cluster with hostile names.

  """
  @staticmethod
  def MakeConfig():
    return _Config()

  def testPages(self):
    """All is escaped, and every link leads somewhere.

    """
    self.daemons["hostile"].WriteConfig(testutils.MakeConfig(
      nodes=[testutils.MakeNode(1, master_candidate=True,
                                primary_ip="127.0.3.1")], serial_no=18))
    testutils.WaitFor(lambda: "removed" in self.exporter.Get(
      "/hostile/history"), "the changes")
    found = json.loads(self.exporter.Get("/hostile/history.json"))["answer"]
    names = {i["name"] for i in found if i["action"] == "removed"}
    # The daemon replaces the surrogate in a name
    self.assertLessEqual(set(webserver.HOSTILE) - {"half a pair \ud800"}, names)
    paths = ["/hostile/history"]
    for name in webserver.HOSTILE:
      paths.append("/hostile/history?" + urllib.parse.urlencode(
        {"name": name}, errors="surrogatepass"))
    links = set()
    for path in paths:
      page = webserver.Elements(self.exporter.Get(path))
      self.assertFalse(page.tags & {"img"}, path)
      self.assertFalse([i for i in page.attributes if i.startswith("on")])
      self.assertEqual(page.comments, [])
      links.update(page.links)
    for link in links:
      self.assertEqual(self.exporter.Ask(link).status, 200, link)


if __name__ == "__main__":
  unittest.main()
