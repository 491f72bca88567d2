#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter's pages about one object, and the links to them.

"""

import json
import unittest
import urllib.parse

import clientcommand
import testutils
import webserver

from ganeti.confd import client


#: Parameters as a real cluster has them: own ones, those of the OS, the group
#: and the cluster
_CLUSTER = {
  "beparams": {"default": {"maxmem": 128, "minmem": 128, "vcpus": 1,
                           "auto_balance": True, "always_failover": False}},
  "hvparams": {"kvm": {"acpi": True, "kernel_args": "ro", "boot_order": "disk",
                       "migration_port": 8102}},
  "os_hvp": {"debian+x": {"kvm": {"boot_order": "network"}}},
  "osparams": {"debian": {"suite": "stable", "mirror": "here"}},
  "ndparams": {"oob_program": "", "spindle_count": 1, "ssh_port": 22},
  "hypervisors": ["kvm"],
  }

#: The field of an object with all its parameters, by the title of their table
_PARAMETERS = {
  "instance": {"Backend parameters": "beparams",
               "Hypervisor parameters": "hvparams",
               "OS parameters": "osparams"},
  "node": {"Node parameters": "ndparams"},
  }

#: Pages that one crawl visits at most, of each kind of address
_VISITED = 30


def _Config():
  network = testutils.Uuid("9", 1)
  nic = {"mac": "aa:00:00:00:00:01", "ip": "198.18.0.7", "network": network,
         "nicparams": {}, "uuid": testutils.Uuid("8", 1)}
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True,
                              primary_ip="127.0.3.1",
                              ndparams={"ssh_port": 2222}),
           testutils.MakeNode(2), testutils.MakeNode(3, offline=True)],
    disks=[testutils.MakeDrbd(1, 1, 2), testutils.MakeDisk(2)],
    instances=[
      testutils.MakeInstance(1, 1, disks=[1], tags=["web", "a b/c"],
                             os="debian+x", hvparams={"acpi": False},
                             beparams={"vcpus": 4},
                             osparams={"suite": "testing"}),
      dict(testutils.MakeInstance(2, 3, disks=[2], tags=["web"]), nics=[nic]),
      testutils.MakeInstance(3, 2, name="node2.example.com")],
    cluster=_CLUSTER,
    networks={network: {
      "name": "lan", "uuid": network, "network": "198.18.0.0/24",
      "serial_no": 1, "tags": [], "reservations": "0" * 256,
      "ext_reservations": "1" + "0" * 255}})


def _Rows(page, title):
  """Reads the table with a title: each row's texts.

  """
  table = page.partition('aria-label="%s"' % title)[2].partition("</table>")[0]
  rows = table.partition("<tbody")[2].split("<tr ")[1:]
  return [webserver.Elements("<p " + row).texts for row in rows]


class _TestCase(webserver.TwoClusters):
  @staticmethod
  def MakeConfig():
    return _Config()

  def _Get(self, path):
    answer = self.exporter.Ask(path)
    self.assertEqual(answer.status, 200, path)
    return answer.text


class TestFindings(_TestCase):
  def testSame(self):
    """All findings are those of "confd-client check".

    """
    for (cluster, daemon) in self.daemons.items():
      with self.subTest(cluster):
        found = json.loads(self._Get("/%s/findings.json" % cluster))
        self.assertEqual(found["serial"], 17)
        checked = json.loads(clientcommand.Run("check", "--json",
                                               daemon=daemon).stdout)
        self.assertEqual(found["answer"], checked["answer"]["findings"])
        names = {i["check"] for i in found["answer"]}
        for name in names:
          part = json.loads(self._Get("/%s/findings.json?check=%s" %
                                      (cluster, name)))["answer"]
          self.assertEqual(part, [i for i in found["answer"]
                                  if i["check"] == name])
    self.assertTrue(names)


class TestAddresses(_TestCase):
  def testOthers(self):
    """Short names and addresses without a kind lead to the page.

    """
    instance = "/plain/instance/inst1.example.com"
    for (path, target) in [
        ("/plain/inst1", instance), ("/plain/instance/inst1", instance),
        ("/plain/INST1", instance), ("/plain/inst1.example.com", instance),
        ("/plain/" + testutils.Uuid("b", 1), instance),
        ("/plain/node3", "/plain/node/node3.example.com"),
        ("/plain/node/node2", "/plain/node/node2.example.com"),
        ("/plain/default", "/plain/group/default"),
        ("/plain/lan", "/plain/network/lan")]:
      answer = self.exporter.Ask(path)
      self.assertEqual((answer.status, answer.headers.get("location")),
                       (302, target), path)
      self.assertIn("default-src 'none'",
                    answer.headers["content-security-policy"])
      self.assertEqual(self.exporter.Ask(target).status, 200)
    # A UUID is an address, too
    self.assertIn("inst1.example.com", self._Get(
      "/plain/instance/" + testutils.Uuid("b", 1)))

  def testNotFound(self):
    """The page in place of one that does not exist leads back.

    """
    for (path, text, links) in [
        ("/plain/nothing", "of the name &quot;nothing&quot;",
         ["/plain/", "/"]),
        # A node and an instance
        ("/plain/node2", "node node2.example.com, instance node2.example.com",
         ["/plain/", "/"]),
        ("/plain/node/inst1.example.com", "no node of the name", ["/plain/"]),
        ("/plain/disk/x", "no such page", ["/plain/"]),
        ("/plain/node/x/y", "no such page", ["/plain/"]),
        ("/plain/node/%3Cb%3E", "&lt;b&gt;", ["/plain/"]),
        ("/plain/node/%ED%A0%80", "ud800", ["/plain/"]),
        ("/nothing", "no such page", ["/"]), ("/a/b/c/d", "no such page",
                                              ["/"])]:
      answer = self.exporter.Ask(path)
      self.assertEqual((answer.status, answer.headers["content-type"]),
                       (404, "text/html; charset=utf-8"), path)
      self.assertIn(text, answer.text)
      self.assertLessEqual(set(links), set(webserver.Elements(
        answer.text.partition("<main>")[2]).links))

  def testLinks(self):
    """Every link leads somewhere, whatever the names are, and all is escaped.

    """
    for cluster in self.daemons:
      seen = {}
      queue = ["/%s/" % cluster]
      while queue:
        path = queue.pop(0)
        kind = tuple(path.partition("?")[0].split("/")[1:3])
        if path in seen.setdefault(kind, set()) or len(seen[kind]) > _VISITED:
          continue
        seen[kind].add(path)
        with self.subTest(path):
          answer = self.exporter.Ask(path)
          self.assertEqual(answer.status, 200)
          if answer.headers["content-type"].startswith("text/html"):
            page = webserver.Elements(answer.text)
            self.assertFalse(page.tags & {"img"})
            self.assertFalse([i for i in page.attributes
                              if i.startswith("on")])
            self.assertEqual(page.comments, [])
            for link in page.links:
              self.assertRegex(link, r"\A/([^/]|\Z)")
            queue += page.links
      for kind in ("node", "instance", "group"):
        self.assertTrue(seen[(cluster, kind)], kind)


class TestSearch(_TestCase):
  def testOpens(self):
    """What can only be meant is opened at once, as the address it has.

    """
    for (words, target) in [
        ("inst1", "/plain/instance/inst1.example.com"),
        ("AA-00-00-00-00-01", "/plain/instance/inst2.example.com"),
        ("198.18.0.7 plain", "/plain/instance/inst2.example.com"),
        ("node3", "/plain/node/node3.example.com"),
        ("xenvg/disk2", "/plain/instance/inst2.example.com"),
        (testutils.Uuid("d", 1) + " plain",
         "/plain/instance/inst1.example.com"),
        ("hostile cluster", "/hostile/")]:
      answer = self.exporter.Ask("/search?" + urllib.parse.urlencode(
        {"q": words}))
      self.assertEqual((answer.status, answer.headers.get("location")),
                       (302, target), words)

  def testLists(self):
    for (words, links) in [
        ("tag:web", ["/plain/instance/inst1.example.com",
                     "/plain/instance/inst2.example.com"]),
        ("node2", ["/plain/node/node2.example.com",
                   "/plain/instance/node2.example.com"]),
        ("", []), ("nothing at all", [])]:
      page = self._Get("/search?" + urllib.parse.urlencode({"q": words}))
      self.assertLessEqual(set(links), set(webserver.Elements(page).links))
    # The tag's link on the page of an object with it
    self.assertIn("/search?q=tag%3Aweb", self._Get(
      "/plain/instance/inst1.example.com"))
    self.assertIn("more than 200 characters", self._Get("/search?q=" +
                                                        "x" * 201))

  def testHostile(self):
    """Words are escaped, and each name can be searched for.

    """
    for name in webserver.HOSTILE:
      for words in (name, "tag:" + name):
        answer = self.exporter.Ask("/search?" + urllib.parse.urlencode(
          {"q": words}, errors="surrogatepass"))
        self.assertIn(answer.status, (200, 302))
        page = webserver.Elements(answer.text)
        self.assertFalse(page.tags & {"img"})
        self.assertEqual(page.comments, [])
        self.assertFalse([i for i in page.attributes if i.startswith("on")])

  def testExamples(self):
    """The examples of filters on the pages work.

    """
    for table in ("nodes", "instances", "groups", "networks"):
      page = webserver.Elements(self._Get("/plain/" + table))
      (example, ) = [link for link in page.links
                     if link.startswith("/plain/%s?filter=" % table)
                     and "sort" not in link]
      self.assertNotIn("role=\"alert\"", self._Get(example))


class TestContents(_TestCase):
  def testTables(self):
    """Tables of groups and networks have links to pages with their contents.

    """
    self.assertIn("/plain/network/lan", self._Get("/plain/networks"))
    page = self._Get("/plain/network/lan")
    self.assertEqual(_Rows(page, "Interfaces of instances"), [
      ["inst2.example.com", "0", "198.18.0.7", "aa:00:00:00:00:01"]])
    page = self._Get("/plain/group/default")
    self.assertEqual([row[0] for row in _Rows(page, "Nodes")],
                     ["node%d.example.com" % i for i in (1, 2, 3)])

  def testNode(self):
    page = self._Get("/plain/node/node1.example.com")
    self.assertEqual([row[0] for row in _Rows(page, "Primary instances")],
                     ["inst1.example.com"])
    self.assertEqual(_Rows(page, "If this node fails")[0][:2],
                     ["node2.example.com", "1"])
    self.assertIn("gnt-instance migrate -f inst1.example.com", page)
    page = self._Get("/plain/node/node3.example.com")
    self.assertIn("1 instance would have nowhere to go", page)
    # The finding stands with both, with the name filled in
    page = self._Get("/plain/instance/inst2.example.com")
    self.assertIn("its primary node node3.example.com is offline", page)
    self.assertIn("gnt-instance stop --ignore-offline inst2.example.com", page)

  def testParameters(self):
    """The values are those that the daemon itself returns as the whole.

    """
    daemon = self.daemons["plain"]
    with client.Client([daemon.address], port=daemon.port,
                       key=testutils.KEY) as asker:
      for (kind, tables) in _PARAMETERS.items():
        rows = asker.List(kind, ["name", *tables.values()], named=True).answer
        for row in rows:
          page = self._Get("/plain/%s/%s" % (kind, urllib.parse.quote(
            row["name"], safe="")))
          for (title, field) in tables.items():
            with self.subTest(row["name"], field=field):
              # Values that are no texts are shown as JSON
              shown = {name: value for (name, value, *_)
                       in _Rows(page.replace("></td>", ">-</td>"), title)}
              expected = {name: (value or "-") if isinstance(value, str) else
                          json.dumps(value, sort_keys=True)
                          for (name, value) in row[field].items()}
              self.assertEqual(shown, expected)

  def testSources(self):
    page = self._Get("/plain/instance/inst1.example.com")
    self.assertEqual(_Rows(page, "Hypervisor parameters"), [
      ["acpi", "false", "instance"], ["boot_order", "network", "OS debian+x"],
      ["kernel_args", "ro", "cluster"]])
    page = self._Get("/plain/node/node1.example.com")
    self.assertIn(["ssh_port", "2222", "node"], _Rows(page, "Node parameters"))


if __name__ == "__main__":
  unittest.main()
