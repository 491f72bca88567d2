#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The synchronous client: one call, one answer.

"""

import time

from ganeti.confd.clientlib import channel
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import fetch


class Client(dialogue.Dialogue):
  """Asks the master candidates, and returns the freshest answer or raises.

  One object may ask any number of questions, one after the other; it learns
  which candidates there are as time goes by. To be used by one thread.

  """
  def __init__(self, *args, **kwargs):
    dialogue.Dialogue.__init__(self, *args, **kwargs)
    self._channel = channel.Channel()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.Close()

  def Close(self):
    """Closes the sockets.

    """
    self._channel.Close()

  def _Perform(self, steps):
    try:
      while True:
        step = next(steps)
        if isinstance(step, (exchange.Exchange, fetch.Fetch)):
          self._Run(step)
        elif callable(step):
          step()
        else:
          time.sleep(step)
    except StopIteration as stop:
      return stop.value

  def _Run(self, current):
    """Runs an exchange or a fetch.

    """
    self._running = [current]
    try:
      while not current.Done(time.monotonic()):
        for (family, address, datagram) in self._Outgoing(current):
          reason = self._channel.Send(family, address, datagram)
          if reason is not None:
            self._Undelivered(family, address, reason)
        self._Receive(current.wakeup - time.monotonic())
      # What has come in meanwhile counts
      self._Receive(0)
    finally:
      current.Finish(time.monotonic())
      self._running = []

  def _Receive(self, timeout):
    for sock in self._channel.Wait(timeout):
      self._Incoming(*self._channel.Receive(sock))
