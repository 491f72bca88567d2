#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Controls a real browser, headless Chromium, by its DevTools protocol.

Facts about Chromium:
  - With C{--remote-debugging-port=0} Chromium chooses a port on 127.0.0.1, and
    writes it to the file C{DevToolsActivePort} in its profile.
  - Chromium writes its other files to the XDG directories and to HOME, which
    are in the profile's directory here.
  - Some of Chromium's processes leave their process group. All of them keep the
    HOME that they were given, which no other process on the machine has.

"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request

import aiohttp

import testutils


_PROGRAM = "chromium"

#: With these options, Chromium makes no requests of its own. The sandbox is
#: off: root cannot use it, and the project's own pages do not need it.
_OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
            "--disable-breakpad", "--disable-extensions",
            "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND,"
            " EXCLUDE 127.0.0.1", "--remote-debugging-port=0"]

#: Events that report a problem of a page
_COMPLAINTS = frozenset(["Log.entryAdded", "Runtime.exceptionThrown",
                         "Runtime.consoleAPICalled",
                         "Page.javascriptDialogOpening"])


class Browser:
  """Chromium with one page open.

  Use as a context manager.

  @ivar statuses: the HTTP status of each answer, even if the browser hides the
    answer from pages
  @ivar complaints: console messages, dialogs and uncaught exceptions, as the
    protocol's messages

  """
  def __init__(self):
    """@raise unittest.SkipTest: this machine has no Chromium

    """
    if shutil.which(_PROGRAM) is None:
      raise unittest.SkipTest("there is no Chromium (Debian package chromium)")
    self.complaints = []
    self.statuses = []
    self._directory = tempfile.mkdtemp(prefix="ganeti-confd-browser.")
    self._proc = None
    self._number = 0
    self._loads = 0
    self._is_dark = False
    self._medium = "screen"
    self._loop = asyncio.new_event_loop()
    self._session = self._socket = None

  def __enter__(self):
    try:
      self._Start()
    except BaseException:
      self.Close()
      raise
    return self

  def __exit__(self, *_):
    self.Close()

  def _Start(self):
    profile = os.path.join(self._directory, "profile")
    env = dict(os.environ, HOME=self._directory, TMPDIR=self._directory,
               NO_AT_BRIDGE="1")
    for name in ["CONFIG_HOME", "CACHE_HOME", "DATA_HOME", "STATE_HOME",
                 "RUNTIME_DIR"]:
      env["XDG_" + name] = os.path.join(self._directory, name)
      os.mkdir(env["XDG_" + name], 0o700)
    for name in ["DISPLAY", "DBUS_SESSION_BUS_ADDRESS"]:
      env.pop(name, None)
    with open(os.path.join(self._directory, "output"), "wb") as output:
      self._proc = subprocess.Popen(
        [_PROGRAM, *_OPTIONS, "--user-data-dir=" + profile, "about:blank"],
        env=env, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=output,
        stderr=output, start_new_session=True)
    port_file = os.path.join(profile, "DevToolsActivePort")
    testutils.WaitFor(lambda: os.path.exists(port_file) and
                      testutils.ReadFile(port_file).count(b"\n"),
                      "Chromium is up", 6 * testutils.PATIENCE)
    port = int(testutils.ReadFile(port_file).split()[0])
    self._loop.run_until_complete(self._Connect(port))
    for domain in ["Page", "Runtime", "Log", "Network"]:
      self.Call(domain + ".enable")

  async def _Connect(self, port):
    def _Page():
      with urllib.request.urlopen(
          "http://127.0.0.1:%d/json/list" % port,
          timeout=testutils.PATIENCE) as reply:
        pages = [i for i in json.load(reply) if i["type"] == "page"]
      return pages and pages[0]["webSocketDebuggerUrl"]
    url = testutils.WaitFor(_Page, "Chromium has a page")
    self._session = aiohttp.ClientSession()
    self._socket = await self._session.ws_connect(url, max_msg_size=0)

  def Close(self):
    """Ends all of Chromium's processes, and removes its files.

    """
    if self._session is not None:
      self._loop.run_until_complete(self._session.close())
    self._loop.close()
    if self._proc is not None:
      try:
        os.killpg(self._proc.pid, signal.SIGKILL)
      except ProcessLookupError:
        pass
      self._proc.wait()
      testutils.WaitFor(lambda: not self._KillRest(), "Chromium is gone")
    shutil.rmtree(self._directory)

  def _KillRest(self):
    """Kills those of Chromium's processes that have left the process group.

    @return: the ids of the killed processes

    """
    ours = ("HOME=%s" % self._directory).encode("ascii")
    found = []
    for name in os.listdir("/proc"):
      try:
        if (name.isdigit() and
            ours in testutils.ReadFile("/proc/%s/environ" % name).split(b"\0")):
          os.kill(int(name), signal.SIGKILL)
          found.append(int(name))
      except OSError:
        # The process is gone, or about to go
        pass
    return found

  async def _Receive(self):
    """Receives and handles the next message.

    """
    message = await self._socket.receive_json(
      timeout=6 * testutils.PATIENCE)
    method = message.get("method")
    if method in _COMPLAINTS:
      self.complaints.append(message)
    if method == "Network.responseReceivedExtraInfo":
      self.statuses.append(message["params"]["statusCode"])
    if method == "Page.loadEventFired":
      self._loads += 1
    if method == "Page.javascriptDialogOpening":
      # Chromium waits until a dialog is answered
      await self._Send("Page.handleJavaScriptDialog", accept=True)
    return message

  async def _Send(self, method, **params):
    self._number += 1
    await self._socket.send_json({"id": self._number, "method": method,
                                  "params": params})
    return self._number

  async def _Call(self, method, params):
    number = await self._Send(method, **params)
    while True:
      message = await self._Receive()
      if message.get("id") == number:
        return message

  def Call(self, method, **params):
    """Calls a method of the protocol.

    @return: the method's result

    """
    message = self._loop.run_until_complete(self._Call(method, params))
    assert "error" not in message, message
    return message["result"]

  async def _UntilLoaded(self, loads):
    while self._loads == loads:
      await self._Receive()

  def Open(self, url):
    """Opens a page, and waits until it is loaded.

    """
    loads = self._loads
    result = self.Call("Page.navigate", url=url)
    assert "errorText" not in result, result
    self._loop.run_until_complete(self._UntilLoaded(loads))

  def Reload(self):
    """Loads the page again, and waits until it is loaded.

    """
    loads = self._loads
    self.Call("Page.reload")
    self._loop.run_until_complete(self._UntilLoaded(loads))

  def Follow(self, script):
    """Runs a script that opens another page, and waits until that is loaded.

    """
    loads = self._loads
    self.Run(script)
    self._loop.run_until_complete(self._UntilLoaded(loads))

  def Run(self, script):
    """Evaluates an expression of JavaScript in the page.

    @return: the expression's value

    """
    result = self.Call("Runtime.evaluate", expression=script,
                       returnByValue=True, awaitPromise=True)
    assert "exceptionDetails" not in result, result
    return result["result"].get("value")

  def SetScripts(self, are_on):
    """Sets whether pages may run scripts; L{Run} works in any case.

    """
    self.Call("Emulation.setScriptExecutionDisabled", value=not are_on)

  def SetSize(self, width, height):
    self.Call("Emulation.setDeviceMetricsOverride", width=width, height=height,
              deviceScaleFactor=1, mobile=width < 600)

  def SetDark(self, is_dark):
    self._is_dark = is_dark
    self._Emulate()

  def SetMedium(self, medium):
    """Sets what pages are shown on.

    @param medium: "screen" or "print"

    """
    self._medium = medium
    self._Emulate()

  def _Emulate(self):
    # This method resets all settings that a call does not name
    self.Call("Emulation.setEmulatedMedia", media=self._medium, features=[
      {"name": "prefers-color-scheme",
       "value": "dark" if self._is_dark else "light"}])

  def Type(self, text):
    """Types where the focus is.

    """
    self.Call("Input.insertText", text=text)
