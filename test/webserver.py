#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The real web server, confd-exporter, in a directory of its own."""

import html.parser
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import typing
import unittest
import urllib.error
import urllib.request

import testutils


PROGRAM = os.path.join(testutils.BUILDDIR, "tools", "confd-exporter")

#: Names and tags as an attacker would choose them
HOSTILE = [
  "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>",
  "new\nline", "carriage\rreturn", "back\\slash\\n", "nul\0and\x1b[31m",
  "half a pair \ud800", "\u202eback to front", "a" * 5000, "<!--here-->",
  "{x=\"y\"} 1", "# HELP ganeti_up no", "]]>", "</title>",
  "%2e%2e/\u00e4\u20ac",
  ]


class Answer(typing.NamedTuple):
  """An answer of the server.

  """
  status: int
  #: Headers, by name in lower case
  headers: typing.Dict[str, str]
  body: bytes

  @property
  def text(self):
    return self.body.decode("utf-8")


def Settings(name, daemons, key_file=None):
  """Makes the section of a cluster, for the file of settings.

  @param daemons: the cluster's daemons, which all have the same port

  """
  (port, ) = {daemon.port for daemon in daemons}
  return ("[cluster %s]\naddresses = %s\nport = %d\nkey_file = %s\n"
          "timeout = 2\n" %
          (name, ", ".join(daemon.address for daemon in daemons), port,
           key_file or daemons[0].key_file))


class Exporter:
  """confd-exporter for some clusters.

  Use as a context manager.

  @ivar url: the server's URL, without a slash at the end

  """
  def __init__(self, clusters, args=()):
    """@param clusters: dict from names to daemons (L{testutils.Daemon}), or the
      text of a file of settings
    @param args: further options

    """
    if not isinstance(clusters, str):
      clusters = "".join(Settings(name, [daemon])
                         for (name, daemon) in clusters.items())
    self._root = tempfile.mkdtemp(prefix="ganeti-confd-exporter.")
    self._args = list(args)
    self.proc = None
    self.port = testutils.FreePort()
    self.url = "http://127.0.0.1:%d" % self.port
    self._output = os.path.join(self._root, "output")
    directory = os.path.join(self._root, "ganeti")
    os.mkdir(directory)
    testutils.WriteFile(os.path.join(directory, "confd-client.conf"),
                        clusters.encode("ascii"))

  def __enter__(self):
    try:
      self.Start()
    except BaseException:
      self.Kill()
      raise
    return self

  def __exit__(self, *_):
    self.Kill()

  def Start(self):
    """Starts the server, and waits until it serves.

    """
    env = {name: value for (name, value) in os.environ.items()
           if name != "PYTHONPATH"}
    env.update(XDG_CONFIG_HOME=self._root)
    with open(self._output, "ab") as output:
      self.proc = subprocess.Popen(
        self.CommandLine([PROGRAM, "--listen", "127.0.0.1:%d" % self.port] +
                         self._args), env=env, cwd="/",
        stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    testutils.RUNNING.append(self)
    testutils.WaitFor(self._IsUp, "confd-exporter is up")

  def CommandLine(self, args):
    """Returns the command line that is run; subclasses may change it.

    """
    return args

  def Output(self):
    return testutils.ReadFile(self._output).decode("utf-8", "replace")

  def OwnLines(self):
    """Returns the lines of the output, without those about clusters.

    The lines about clusters vary: on a busy machine, a cluster may fail to
    answer in time, which is logged.

    """
    return [line for line in self.Output().splitlines()
            if "Cluster " not in line]

  def _IsUp(self):
    if self.proc.poll() is not None:
      raise AssertionError("It ended with exit code %s: %s" %
                           (self.proc.returncode, self.Output()))
    try:
      return self.Get("/healthz") == "ok\n"
    except OSError:
      return False

  def Get(self, path):
    """Asks for a page.

    @rtype: string
    @raise urllib.error.HTTPError: another status than 200

    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(self.url + path,
                     timeout=10 * testutils.PATIENCE) as reply:
      return reply.read().decode("utf-8")

  def Ask(self, path, method="GET", **headers):
    """Sends any request.

    @param headers: the headers' names have underscores in place of dashes
    @rtype: L{Answer}

    """
    connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                            timeout=10 * testutils.PATIENCE)
    try:
      connection.request(method, path, headers={
        name.replace("_", "-"): value for (name, value) in headers.items()})
      response = connection.getresponse()
      return Answer(response.status,
                    {name.lower(): value
                     for (name, value) in response.getheaders()},
                    response.read())
    finally:
      connection.close()

  def Connect(self):
    """Makes a connection.

    @rtype: C{socket.socket}

    """
    return socket.create_connection(("127.0.0.1", self.port),
                                    testutils.PATIENCE)

  def Metric(self, name, **labels):
    """Returns the value of a metric; None if there is no such metric.

    @param labels: all labels of the metric

    """
    for line in self.Get("/metrics").split("\n"):
      match = re.match(r"%s\{(.*)\} (\S+)\Z" % name, line)
      if match and match.group(1) == ",".join(
          '%s="%s"' % i for i in sorted(labels.items())):
        return float(match.group(2))
    return None

  def WaitForSerial(self, cluster, serial):
    """Waits until the server knows a configuration.

    """
    def _Serial():
      try:
        return json.loads(self.Get("/%s/nodes.json" % cluster))["serial"]
      except urllib.error.HTTPError:
        return None
    testutils.WaitFor(lambda: _Serial() == serial,
                      "serial %d is known" % serial)

  def Stop(self):
    """Ends the server.

    @return: the server's exit code

    """
    self.proc.send_signal(signal.SIGTERM)
    try:
      return testutils.WaitForExit(self.proc, "confd-exporter")
    finally:
      self._End()

  def _End(self):
    if self.proc is not None and self.proc.poll() is None:
      self.proc.kill()
      self.proc.wait()

  def Kill(self):
    """Ends the server in whatever state it is, and removes its directory.

    """
    self._End()
    while self in testutils.RUNNING:
      testutils.RUNNING.remove(self)
    shutil.rmtree(self._root, ignore_errors=True)


def HostileConfig():
  """Makes a configuration with hostile names and unexpected values.

  The serial number is 17, the daemon's address 127.0.3.1.

  """
  instances = [testutils.MakeInstance(
    index + 1, 1, name=text, tags=[text], os=text, nics=[text],
    beparams={"maxmem": 10 ** 400, "vcpus": text})
               for (index, text) in enumerate(HOSTILE)]
  # Two instances have the same name, and one has none
  instances += [testutils.MakeInstance(100, 1, name="same"),
                testutils.MakeInstance(101, 2, name="same"),
                testutils.MakeInstance(102, 1, name=None, admin_state=["up"],
                                       hypervisor={"a": 1}, disk_template=7)]
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True,
                              primary_ip="127.0.3.1"),
           testutils.MakeNode(2, name=HOSTILE[0], tags=HOSTILE,
                              secondary_ip=HOSTILE[3])],
    instances=instances,
    cluster={"cluster_name": HOSTILE[0] + "\ud800", "tags": HOSTILE},
    mtime=10 ** 400,
    networks={testutils.Uuid("9", 1): {
      "name": HOSTILE[2], "uuid": testutils.Uuid("9", 1),
      "network": "192.0.2.0/24", "serial_no": 1, "tags": HOSTILE,
      "reservations": "0" * 256, "ext_reservations": "1" * 256}})


class Elements(html.parser.HTMLParser):
  """Records the elements of a page.

  """
  def __init__(self, text):
    html.parser.HTMLParser.__init__(self)
    self.tags = set()
    self.attributes = set()
    self.links = []
    self.texts = []
    self.comments = []
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attrs):
    self.tags.add(tag)
    self.attributes.update(name for (name, _) in attrs)
    self.links += [value for (name, value) in attrs if name == "href"]

  def handle_data(self, data):
    self.texts.append(data)

  def handle_comment(self, data):
    self.comments.append(data)


class TwoClusters(unittest.TestCase):
  """Base class of the tests of an exporter of two clusters, with a history.

  One cluster is called "hostile", and has L{HostileConfig}; the other one is
  called "plain". Both had no instances before.

  """
  #: The exporter, and the daemons by cluster
  exporter: "Exporter"
  daemons: "dict[str, testutils.Daemon]"

  @staticmethod
  def MakeConfig():
    """Returns the configuration of "plain", with the serial number 17.

    """
    raise NotImplementedError

  @classmethod
  def setUpClass(cls):
    directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    cls.addClassCleanup(shutil.rmtree, directory)
    cls.daemons = {}
    configs = {"plain": cls.MakeConfig(), "hostile": HostileConfig()}
    for (name, config) in configs.items():
      daemon = testutils.Daemon(dict(config, instances={}, serial_no=16),
                                address="127.0.3.1")
      cls.addClassCleanup(daemon.Kill)
      daemon.Start()
      cls.daemons[name] = daemon
    cls.exporter = Exporter(cls.daemons, [
      "--history", os.path.join(directory, "history")])
    cls.addClassCleanup(cls.exporter.Kill)
    cls.exporter.Start()
    # The exporter ends the processes that it has started
    cls.addClassCleanup(cls.exporter.Stop)
    for name in cls.daemons:
      testutils.WaitFor(
        lambda name=name: cls.exporter.Metric("ganeti_history_changes_total",
                                              cluster=name) is not None,
        "the first state; %s" % cls.exporter.Output())
    for (name, config) in configs.items():
      cls.daemons[name].WriteConfig(config)
    for name in cls.daemons:
      cls.exporter.WaitForSerial(name, 17)
      testutils.WaitFor(
        lambda name=name: json.loads(cls.exporter.Ask(
          "/%s/history.json" % name).text).get("answer"),
        "the changes; %s" % cls.exporter.Output())

  def setUp(self):
    self._CheckOutput()
    self.addCleanup(self._CheckOutput)

  def _CheckOutput(self):
    self.assertNotIn("Programming error", self.exporter.Output())
