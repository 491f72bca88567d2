#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Seeing the configuration change: confd-client's command "watch".

The serial is asked for again and again. Whose word counts, and what becomes of
a serial that goes back, is the client library's to know; candidates that are
down, all of them even, only make a change show later.

"""

import time

from ganeti import errors


#: Seconds between two questions
INTERVAL = 1.0


def Follow(asker, moved, say):
  """Watches the serial, and does not return.

  @type asker: L{sync.Client}
  @type moved: f(int, int)
  @param moved: called with the old and the new serial each time it has moved;
    what happens meanwhile is one move more at most
  @type say: f(string)
  @param say: called with what the user may want to know

  """
  serial = None
  lost = False
  while True:
    try:
      current = asker.Serial().serial
    except (errors.ConfdClientError, errors.ConfigurationError) as err:
      if not lost:
        say("%s; trying on" % err)
      lost = True
    else:
      if serial is None:
        say("The serial is %d" % current)
      elif lost:
        say("There are answers again")
      lost = False
      if serial not in (None, current):
        moved(serial, current)
      serial = current
    time.sleep(INTERVAL)
