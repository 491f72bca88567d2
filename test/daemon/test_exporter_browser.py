#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages of confd-exporter in a real browser, Chromium"""

import contextlib
import http.server
import json
import os
import re
import threading
import unittest
import urllib.parse

import testutils

import browser
import webserver

from ganeti.confd.views import svg


#: Names that would run a script if they became markup
_HOSTILE = ["<img src=x onerror=alert(1)>", "\"><script>alert(2)</script>",
            "' onfocus=alert(3) autofocus '", "</svg><svg onload=alert(4)>",
            "javascript:alert(5)", "a" * 300]

_PAGES = ["/", "/search", "/fsn/", "/fsn/nodes", "/fsn/instances",
          "/fsn/groups", "/fsn/networks", "/fsn/findings", "/fsn/map",
          "/fsn/node/node2.example.com", "/fsn/instance/web1",
          "/fsn/group/default", "/fsn/network/net"]


#: Finds elements that reach beyond the right edge of the window, except tables
#: that scroll, and headers that are hidden
_WIDER = """
  [...document.querySelectorAll('body *')].filter((item) => {
    if (item.closest('.wide') || item.closest('thead')) return false;
    return item.getBoundingClientRect().right > innerWidth + 1;
  }).map((item) => item.outerHTML.slice(0, 100))"""


#: Finds objects' pages with empty space below their last element (pixels)
_EMPTY = """
  [...document.querySelectorAll('.object')].map((item) =>
    item.getBoundingClientRect().bottom - Math.max(...[
      ...item.querySelectorAll('*')].map((part) =>
        part.getBoundingClientRect().bottom))).filter((space) => space > 50)"""


def _Config(serial, names=("web1", "web2", "web10")):
  """Makes a configuration.

  @param names: those of the instances; each one's memory is less than that of
    the one before

  """
  return testutils.MakeConfig(
    # Questions to this address do not leave the machine
    [testutils.MakeNode(1, primary_ip="127.0.0.1", master_candidate=True),
     testutils.MakeNode(2, drained=True)],
    [testutils.MakeInstance(i + 1, 1 + i % 2, name=name, tags=["tag", name],
                            beparams={"maxmem": 9000 - i})
     for (i, name) in enumerate(names)], serial_no=serial,
    networks={testutils.Uuid("9", 1): {
      "name": "net", "uuid": testutils.Uuid("9", 1), "serial_no": 1,
      "network": "192.0.2.0/28", "gateway": None, "network6": None,
      "gateway6": None, "mac_prefix": None, "tags": [],
      "reservations": 16 * "0", "ext_reservations": 16 * "0"}})


def _HostileConfig():
  config = _Config(5, _HOSTILE)
  config["cluster"]["cluster_name"] = _HOSTILE[0]
  config["nodegroups"][testutils.Uuid("c", 1)]["name"] = _HOSTILE[1]
  for node in config["nodes"].values():
    node.update(name=_HOSTILE[3] + node["name"], tags=_HOSTILE)
  for instance in config["instances"].values():
    instance.update(os=_HOSTILE[0], nics=[
      {"mac": _HOSTILE[1], "ip": _HOSTILE[2], "uuid": instance["uuid"],
       "nicparams": {"link": _HOSTILE[4]}}])
  return config


class TestPages(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.serial = 17
    stack = contextlib.ExitStack()
    cls.addClassCleanup(stack.close)
    cls.daemon = stack.enter_context(testutils.Daemon(_Config(cls.serial)))
    cls.hostile = stack.enter_context(testutils.Daemon(_HostileConfig()))
    cls.server = stack.enter_context(webserver.Exporter({
      "fsn": cls.daemon, "hostile": cls.hostile}))
    cls.browser = stack.enter_context(browser.Browser())

  def setUp(self):
    self.browser.complaints.clear()
    self.browser.SetSize(1280, 800)
    self._Change()
    self.server.WaitForSerial("hostile", 5)

  def tearDown(self):
    self.assertEqual(self.browser.complaints, [])

  def _Change(self, *names):
    """Changes the configuration.

    @param names: instances beside the usual ones

    """
    type(self).serial += 1
    self.daemon.WriteConfig(_Config(self.serial,
                                    ("web1", "web2", "web10", *names)))
    self.server.WaitForSerial("fsn", self.serial)

  def _Open(self, path):
    self.browser.Open(self.server.url + path)

  def _Run(self, script):
    return self.browser.Run(script)

  def _WaitFor(self, script):
    return testutils.WaitFor(lambda: self._Run(script), script)

  def _Texts(self, selector):
    return self._Run("[...document.querySelectorAll(%r)]"
                     ".map((item) => item.innerText.trim())" % selector)

  def _Instances(self):
    return self._Texts("tbody th")

  def testShown(self):
    """The pages' contents, at three sizes of the window.

    """
    for (width, is_dark) in [(390, False), (1280, True), (1920, False)]:
      self.browser.SetSize(width, 800)
      self.browser.SetDark(is_dark)
      for path in _PAGES:
        with self.subTest(path, width=width):
          self._Open(path)
          self.assertEqual(len(self._Texts("h1")), 1)
          # Only tables and drawings may be wider than the window
          self.assertLessEqual(
            self._Run("document.documentElement.scrollWidth"), width)
          # Elements may stick out of a page that does not scroll
          self.assertEqual(self._Run(_WIDER), [])
          self.assertEqual(self._Run(_EMPTY), [])
    self._Open("/")
    self.assertEqual(self._Texts("tbody th a"), ["fsn", "hostile"])
    self._Open("/fsn/")
    self.assertEqual(self._Texts("h1"), ["Cluster fsn"])
    # Candidates are asked by and by; the page is told
    self._WaitFor("document.body.innerText.includes('Round trip')")
    text = self._Run("document.body.innerText")
    for word in ["WARNING", "cluster.example.com", "127.0.0.1",
                 "its primary node node2.example.com is drained"]:
      self.assertIn(word, text)
    self._Open("/fsn/map")
    self.assertIn("default: 2 nodes, 3 instances", self._Texts("h2"))
    self.assertIn("web1, up, 8.8 GiB",
                  self._Run("[...document.querySelectorAll('[title]')]"
                            ".map((item) => item.title)"))

  def testPrinted(self):
    """On paper there is neither navigation nor a form, but all of a finding.

    """
    link = "document.querySelector('main details li a')"
    self.browser.SetDark(True)
    self._Open("/fsn/")
    self.assertTrue(self._Run("document.querySelector('nav')"
                              ".checkVisibility()"))
    self.assertFalse(self._Run("%s.checkVisibility()" % link))
    ink = "getComputedStyle(document.body).color"
    on_screen = self._Run(ink)
    self.browser.SetMedium("print")
    try:
      for path in _PAGES:
        with self.subTest(path):
          self._Open(path)
          self.assertEqual(self._Run(
            "[...document.querySelectorAll('nav, form, input, main > details')]"
            ".filter((i) => i.checkVisibility()).length"), 0)
          self.assertTrue(self._Run("document.querySelector('h1')"
                                    ".checkVisibility()"))
      self._Open("/fsn/")
      self.assertTrue(self._Run("%s.checkVisibility()" % link))
      # Dark text, also for readers with a dark screen
      self.assertNotEqual(self._Run(ink), on_screen)
    finally:
      self.browser.SetMedium("screen")
      self.browser.SetDark(False)

  def testReadOut(self):
    """To a screen reader, the cards of a narrow window are tables, too.

    """
    self.browser.SetSize(390, 800)
    self._Open("/fsn/instances")
    self.assertEqual(self._Run("getComputedStyle(document.querySelector("
                               "'tbody tr')).display"), "block")
    self._Run("document.querySelector('main summary').click()")
    nodes = self.browser.Call("Accessibility.getFullAXTree")["nodes"]
    found = [(i["role"]["value"], i.get("name", {}).get("value"))
             for i in nodes if not i["ignored"]]
    for expected in [("navigation", "Pages"), ("main", ""), ("status", ""),
                     ("table", "Instances"), ("columnheader", "Memory"),
                     ("rowheader", "web1")]:
      self.assertIn(expected, found)
    self.assertEqual(sum(role == "row" for (role, _) in found), 4)
    self.assertTrue([name for (role, name) in found if role == "textbox" and
                     name.startswith("Filter")])

  def _SortAndFilter(self):
    self._Open("/fsn/instances")
    self.assertEqual(self._Instances(), ["web1", "web2", "web10"])
    for (expected, order) in [(["web10", "web2", "web1"], "ascending"),
                              (["web1", "web2", "web10"], "descending")]:
      self.browser.Follow("[...document.querySelectorAll('thead a')].find("
                          "(i) => i.innerText === 'Memory').click()")
      self.assertEqual(self._Instances(), expected)
      self.assertEqual(self._Run("document.querySelector('[aria-sort]')"
                                 ".getAttribute('aria-sort')"), order)
    self._Run("document.querySelector('main summary').click()")
    self._Run("document.getElementById('filter').focus()")
    self.browser.Type("name =~ m/1/")
    self.browser.Follow("document.querySelector('main [type=submit]').click()")
    # Still sorted
    self.assertEqual(self._Instances(), ["web1", "web10"])
    self.assertEqual(self._Run("document.getElementById('filter').value"),
                     "name =~ m/1/")
    self._Run("document.getElementById('filter').select()")
    self.browser.Type("<img src=x onerror=alert(6)>")
    self.browser.Follow("document.querySelector('main [type=submit]').click()")
    self.assertEqual(len(self._Texts("[role=alert]")), 1)
    self.assertEqual(self._Instances(), [])

  def testSortAndFilter(self):
    self._SortAndFilter()

  def testWithoutScripts(self):
    """Pages lack nothing but updates.

    """
    self.browser.SetScripts(False)
    try:
      self._SortAndFilter()
      for path in _PAGES:
        self._Open(path)
        self.assertEqual(len(self._Texts("h1")), 1)
    finally:
      self.browser.SetScripts(True)

  def testObjects(self):
    """Links lead from the map to a node, from there to an instance and back.

    """
    self._Open("/fsn/map")
    self.browser.Follow("document.querySelector('[href$=\"/node/node1"
                        ".example.com\"]').click()")
    self.assertEqual(self._Texts("h1"), ["Node node1.example.com"])
    for (link, title) in [("web1", "Instance web1"),
                          ("default", "Group default"),
                          ("node2.example.com", "Node node2.example.com")]:
      self.browser.Follow("[...document.querySelectorAll('main a')].find((i) =>"
                          " i.innerText === '%s').click()" % link)
      self.assertEqual(self._Texts("h1"), [title])
    self._Open("/fsn/web1")
    self.assertEqual(self._Run("location.pathname"), "/fsn/instance/web1")
    self._Open("/fsn/nothing")
    self.assertIn("has no", self._Texts("main")[0])
    self.browser.Follow("document.querySelector('main a').click()")
    self.assertEqual(self._Texts("h1"), ["Cluster fsn"])
    # The console tells of the page that does not exist
    self.browser.complaints.clear()

  def testSearch(self):
    """What is typed into the field leads to a page, or to a list.

    """
    for (text, title) in [("WEB2", "Instance web2"), ("tag:tag fsn", "Search"),
                          ("127.0.0.1", "Search")]:
      self._Open("/fsn/nodes")
      self._Run("document.querySelector('[type=search]').focus()")
      self.browser.Type(text)
      self.browser.Follow("document.querySelector('header [type=submit]')"
                          ".click()")
      self.assertEqual(self._Texts("h1"), [title])
    self._Open("/search?q=tag:tag%20fsn")
    self.assertEqual(self._Instances(), ["web1", "web2", "web10"])
    self.assertEqual(self._Run("document.querySelector('[type=search]').value"),
                     "tag:tag fsn")
    self.browser.Follow("document.querySelector('tbody a').click()")
    self.assertEqual(self._Texts("h1"), ["Instance web1"])

  def testUpdate(self):
    """Changes appear without a reload, and typing is not disturbed.

    """
    self.browser.SetSize(390, 300)
    self._Open("/fsn/instances")
    self._Run("document.querySelector('main summary').click()")
    self._Run("window.mark = 1; scrollTo(0, 90);"
              "document.getElementById('state').textContent = 'old'")
    self._Run("document.getElementById('filter').focus({preventScroll: true})")
    self.browser.Type("half a filt")
    self._Change("web3")
    self._WaitFor("document.querySelector('tbody').innerText.includes('web3')")
    self.assertEqual(
      self._Run("[document.activeElement.id, document.activeElement.value,"
                " scrollY, window.mark]"), ["filter", "half a filt", 90, 1])
    self._WaitFor("document.getElementById('news').innerText.includes("
                  "'serial %d')" % self.serial)
    self.assertEqual(self._Texts("#state"), ["WARNING"])
    # Focus within what is replaced
    self._Run("[...document.querySelectorAll('thead a')][4].focus()")
    self._Change("web3", "web4")
    self._WaitFor("document.querySelector('tbody').innerText.includes('web4')")
    self.assertEqual(self._Run("document.activeElement.innerText"), "Memory")

  def testUnfold(self):
    """Findings are unfolded by a click, without a script, and stay unfolded.

    """
    link = "document.querySelector('main details li a')"
    self.browser.SetScripts(False)
    try:
      self._Open("/fsn/")
      self.assertFalse(self._Run("%s.checkVisibility()" % link))
      self._Run("document.querySelector('main summary').click()")
      self.assertTrue(self._Run("%s.checkVisibility()" % link))
    finally:
      self.browser.SetScripts(True)
    self._Open("/fsn/")
    self._Run("window.mark = 1;"
              "document.querySelector('main summary').click()")
    self._Change("web3")
    self._WaitFor("document.querySelector('main').innerText.includes("
                  "'%d')" % self.serial)
    self.assertTrue(self._Run("%s.checkVisibility() && mark === 1" % link))

  def testServerGone(self):
    """A page says when it may be old, and recovers by itself.

    """
    self._Open("/fsn/")
    self.server.Stop()
    try:
      self._WaitFor("document.getElementById('news').innerText.includes("
                    "'does not answer')")
    finally:
      self.server.Start()
    self._WaitFor("document.getElementById('news').innerText.startsWith("
                  "'fsn: ')")
    # The browser's console tells of failed requests, as expected
    self.assertTrue(self.browser.complaints)
    self.browser.complaints.clear()

  def testManyPages(self):
    """Hidden pages hold no connections.

    A browser has no more than six connections to one server.

    """
    def _Count():
      port = ":%04X" % self.server.port
      lines = testutils.ReadFile("/proc/net/tcp").decode("ascii").splitlines()
      return sum(fields[1].endswith(port) and fields[3] == "01"
                 for fields in (line.split() for line in lines[1:]))

    for path in _PAGES:
      self._Open(path)
    testutils.WaitFor(lambda: _Count() <= 2, "connections are let go of")

  @contextlib.contextmanager
  def _OtherSite(self, path):
    """Serves a page of another site, which has a link.

    @return: where it is

    """
    page = ("<link rel=icon href=data:,><a href='%s%s'>link</a>" %
            (self.server.url, path)).encode("ascii")

    class _Handler(http.server.BaseHTTPRequestHandler):
      # The names are the library's
      def do_GET(self):  # pylint: disable=C0103
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page)

      def log_message(self, *_):
        pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                         _Handler) as server:
      thread = threading.Thread(target=server.serve_forever)
      thread.start()
      try:
        yield "http://127.0.0.1:%d/" % server.server_port
      finally:
        server.shutdown()
        thread.join()

  def testOtherSite(self):
    """Links on pages of other sites work; all other requests are refused.

    """
    for (path, needs_user) in [
        ("/fsn/", False),
        ("/fsn/instances?filter=name%20!=%20%22web2%22", True)]:
      with self.subTest(path), self._OtherSite(path) as url:
        for by_user in (False, True):
          self.browser.Open(url)
          self.browser.statuses.clear()
          self._Run("new Promise((done) => {"
                    " const image = new Image();"
                    " image.onerror = image.onload = done;"
                    " image.src = document.querySelector('a').href + '#' })")
          self._WaitFor("1")
          self.assertIn(403, self.browser.statuses)
          self._Run("new Promise((done) => {"
                    " const link = document.querySelector('a').href;"
                    " new WebSocket(link.replace('http', 'ws')).onerror = done;"
                    " })")
          testutils.WaitFor(lambda: self._Run("1") and any(
            "Unexpected response code: 403" in str(complaint)
            for complaint in self.browser.complaints), "the console says so")
          self.browser.complaints.clear()
          self.browser.Call("Runtime.evaluate", userGesture=by_user,
                            expression="document.querySelector('a').click()")
          self._WaitFor("location.port === '%d' && document.readyState ==="
                        " 'complete'" % self.server.port)
          text = self._Run("document.body.innerText")
          if by_user or not needs_user:
            self.assertEqual(len(self._Texts("h1")), 1)
            # The page's own requests are served
            self.assertTrue(self._Run("document.styleSheets[0].cssRules"
                                      ".length"))
            # A reload has the same headers as the click on the link
            self.browser.statuses.clear()
            self.browser.Reload()
            self.assertNotIn(403, self.browser.statuses)
            self.assertEqual(len(self._Texts("h1")), 1)
          else:
            self.assertIn("403", text)
        self.browser.complaints.clear()

  def testHostileNames(self):
    for path in ["/hostile/", "/hostile/nodes", "/hostile/instances",
                 "/hostile/map", *("/hostile/instance/" + urllib.parse.quote(
                   name, safe="") for name in _HOSTILE),
                 "/hostile/group/" + urllib.parse.quote(_HOSTILE[1], safe=""),
                 "/hostile/node/%s" % testutils.Uuid("a", 1),
                 "/hostile/instances?filter=%27%22%3E%3Cimg"
                 "%20src=x%20onerror=alert(7)%3E&sort=%22%3E%3Cscript%3Ealert"
                 "(8)%3C/script%3E", "/"]:
      with self.subTest(path):
        self._Open(path)
        self.assertEqual(self._Run(
          "document.querySelectorAll('img, main script, svg svg, [onload],"
          " [onerror], [onfocus]').length"), 0)
    self._Open("/hostile/instances")
    self.assertIn(_HOSTILE[0], self._Instances())
    self.assertIn(_HOSTILE[1], self._Instances())
    self._Open("/hostile/map.svg")
    self.assertEqual(self._Run("document.querySelectorAll('script, [onload],"
                               " svg svg').length"), 0)


class TestFiles(unittest.TestCase):
  """Style sheet and script as Chromium's own parsers read them.

  A browser skips what it does not understand in a style sheet, and a page whose
  script cannot be parsed works without it. So both faults are easily missed.

  """
  @classmethod
  def setUpClass(cls):
    stack = contextlib.ExitStack()
    cls.addClassCleanup(stack.close)
    cls.browser = stack.enter_context(browser.Browser())

  @staticmethod
  def _Read(name):
    return testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "lib", "confd", "exporter", name)).decode("ascii")

  def _Supports(self, *args):
    return self.browser.Run("CSS.supports(%s)" %
                            ", ".join(map(json.dumps, args)))

  def _FindFaults(self, style):
    """Returns what of a style sheet Chromium does not know.

    """
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    # An unknown feature of a medium is neither true nor false
    faults = [media for media in re.findall(r"@media ([^{]*?) *\{", style)
              if not any(self.browser.Run("matchMedia(%s).matches" %
                                          json.dumps(prefix + media))
                         for prefix in ("", "not "))]
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}",
                       re.sub(r"@media [^{]*\{", "", style))
    for (selector, declarations) in rules:
      selector = selector.strip(" \n}")
      if not self._Supports("selector(%s)" % selector.split(",")[0]):
        faults.append(selector)
      for declaration in declarations.split(";"):
        (name, _, value) = map(str.strip, declaration.partition(":"))
        if name and not self._Supports(name, value):
          faults.append("%s: %s" % (name, value))
    self.assertGreater(len(rules), 1)
    return faults

  def testStyle(self):
    self.assertEqual(self._FindFaults(self._Read("style.css")), [])
    self.assertEqual(self._FindFaults(svg.STYLE), [])
    self.assertEqual(self._FindFaults(
      "@media (max-with: 3px) { p { colour: red; color: read; margin: 0 }}\n"
      "p::befor, b { top: 0 }"),
                     ["(max-with: 3px)", "colour: red", "color: read",
                      "p::befor, b"])

  def testScript(self):
    def _Compile(text):
      return self.browser.Call("Runtime.compileScript", expression=text,
                               sourceURL="update.js", persistScript=False)
    text = self._Read("update.js")
    self.assertNotIn("exceptionDetails", _Compile(text))
    self.assertIn("exceptionDetails", _Compile(text + "}"))


if __name__ == "__main__":
  unittest.main()
