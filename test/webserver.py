#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The real web server, confd-exporter, in a directory of its own."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import testutils


class Exporter:
  """confd-exporter for some clusters.

  Use as a context manager.

  @ivar url: where it is, without a slash at the end

  """
  def __init__(self, clusters, args=()):
    """@param clusters: dict from names to daemons (L{testutils.Daemon})
    @param args: further options

    """
    self._root = tempfile.mkdtemp(prefix="ganeti-confd-exporter.")
    self._args = list(args)
    self.proc = None
    self.port = testutils.FreePort()
    self.url = "http://127.0.0.1:%d" % self.port
    self._output = os.path.join(self._root, "output")
    etc = os.path.join(self._root, "etc", "ganeti")
    os.makedirs(etc)
    lines = ["[confd-client]"]
    for (name, daemon) in clusters.items():
      lines += ["[cluster %s]" % name,
                "addresses = %s:%d" % (daemon.address, daemon.port),
                "key_file = %s" % daemon.key_file]
    testutils.WriteFile(os.path.join(etc, "confd-client.conf"),
                        ("\n".join(lines) + "\n").encode("ascii"))

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
    """Starts it, and waits until it serves.

    """
    env = {name: value for (name, value) in os.environ.items()
           if name != "PYTHONPATH"}
    env.update(testutils.InRoot(self._root))
    with open(self._output, "ab") as output:
      self.proc = subprocess.Popen(
        [os.path.join(testutils.BUILDDIR, "tools", "confd-exporter"),
         "--listen", "127.0.0.1:%d" % self.port] + self._args, env=env, cwd="/",
        stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    testutils.WaitFor(self._IsUp, "confd-exporter is up")

  def Output(self):
    return testutils.ReadFile(self._output).decode("utf-8", "replace")

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
    with opener.open(self.url + path, timeout=testutils.PATIENCE) as reply:
      return reply.read().decode("utf-8")

  def WaitForSerial(self, cluster, serial):
    """Waits until it knows a configuration.

    """
    def _Serial():
      try:
        return json.loads(self.Get("/%s/nodes.json" % cluster))["serial"]
      except urllib.error.HTTPError:
        return None
    testutils.WaitFor(lambda: _Serial() == serial, "serial %d is known; %s" %
                      (serial, self.Output()))

  def Stop(self):
    """Ends it.

    @return: its exit code

    """
    self.proc.send_signal(signal.SIGTERM)
    try:
      return self.proc.wait(testutils.PATIENCE)
    finally:
      self._End()

  def _End(self):
    if self.proc is not None and self.proc.poll() is None:
      self.proc.kill()
      self.proc.wait()

  def Kill(self):
    """Ends it whatever it does, and removes its directory.

    """
    self._End()
    shutil.rmtree(self._root, ignore_errors=True)
