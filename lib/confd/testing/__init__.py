#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of programs that use ganeti.confd.client, without a daemon::

  from ganeti.confd import testing

  with testing.Fake(testing.MakeConfig(nodes=3)) as fake:
    RunTheProgram()
    assert fake.Count("node-role") == 1

Within the "with" block, each new Client and AsyncClient asks the candidates of
the Fake. The candidates are objects of the same process, and answer with the
daemon's own code. No socket is opened, no file is read, and no time-out takes
time.

The command "python3 -m ganeti.confd.testing" serves a configuration on the
loopback device.

"""

from ganeti.confd.testing.candidate import Candidate as Candidate
from ganeti.confd.testing.configuration import Find as Find, \
  MakeConfig as MakeConfig
from ganeti.confd.testing.fake import Asked as Asked, Fake as Fake


__all__ = ["Asked", "Candidate", "Fake", "Find", "MakeConfig"]
