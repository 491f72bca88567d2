#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Settings, socket and shared memory that all processes of a daemon use.

"""

from __future__ import annotations

import os
import socket
import time

from ganeti.confd.daemon import log
from ganeti.confd.daemon import process
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay


class Setup:
  """The settings and resources that all generations of a daemon share.

  @ivar sock: from L{server.OpenSocket}
  @ivar counters: with L{RowsNeeded} rows
  @ivar supervisor: process id of the supervisor
  @ivar started: monotonic time of the daemon's start
  @ivar oom_score: the daemon's oom_score_adj, see L{process.ReadOomScore}

  """
  def __init__(self, config_file: str, key_file: str, sock: socket.socket,
               workers: int, shared: counters.Counters,
               daemon_log: log.Log) -> None:
    self.config_file = config_file
    self.key_file = key_file
    self.sock = sock
    self.workers = workers
    self.counters = shared
    self.log = daemon_log
    self.replays = replay.ReplayTable()
    self.supervisor = os.getpid()
    self.started = time.monotonic()
    self.oom_score = process.ReadOomScore()


def RowsNeeded(workers: int) -> int:
  """Returns how many rows of counters a daemon needs.

  The supervisor has the first row. At most two generations write counters at a
  time, since a generation that has stopped writes none.

  """
  return 1 + 2 * RowsOfGeneration(workers)


def RowsOfGeneration(workers: int) -> int:
  """Returns how many rows of counters one generation needs.

  """
  # One row for each worker, one for the process for large answers, and one for
  # the loader
  return workers + 2
