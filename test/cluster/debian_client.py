#!/usr/bin/python3
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asks questions with Debian's own Python client, in a process of its own.

Standard input is a JSON object::

  {"peers": [ADDRESS, ...], "port": PORT, "key": FILE,
   "requests": [[TYPE, QUERY], ...]}

Without C{peers} the client finds peers, port and key by itself, as on a node.
Standard output is a JSON list with an object for each request: C{refused} is
the error if the client refuses to send the request; other keys describe what
the client made of the replies.

"""

import json
import sys

PYTHON_DIR = "/usr/share/ganeti/default"

sys.path.insert(0, PYTHON_DIR)

# pylint cannot import Ganeti's own modules, which this program is run with
# pylint: disable=C0413,E0401,E0611,I1101
import ganeti
from ganeti import errors
from ganeti import utils
from ganeti.confd import client


def _Ask(spec, req_type, query):
  """Asks all peers one question.

  The client has the three callbacks of Ganeti's library: one stores the last
  answer, one drops repeated answers, one counts.

  """
  replies = []
  passed = []
  store = client.StoreResultCallback()

  def _Passed(up):
    passed.append(up)
    store(up)

  filtering = client.ConfdFilterCallback(_Passed)
  counting = client.ConfdCountingCallback(filtering)

  def _Callback(up):
    if up.type == client.UPCALL_REPLY:
      replies.append(up)
    counting(up)

  if "peers" in spec:
    cl = client.ConfdClient(utils.ReadFile(spec["key"]), spec["peers"],
                            _Callback, port=spec["port"])
  else:
    cl = client.GetConfdClient(_Callback)

  try:
    request = client.ConfdClientRequest(type=req_type, query=query)
  except errors.ConfdClientError as err:
    return {"refused": str(err)}
  counting.RegisterQuery(request.rsalt)
  cl.SendRequest(request, args=("extra", ), coverage=-1, async_=False)
  (timed_out, sent, _) = cl.WaitForReply(request.rsalt, timeout=5)
  # Receive the other replies: WaitForReply returns before all have come
  while len(replies) < sent and cl.ReceiveReply(timeout=5):
    pass
  (found, last) = store.GetResponse(request.rsalt)
  return {
    "timed_out": timed_out,
    "sent": sent,
    "servers": sorted(up.server_ip for up in replies),
    "ports": sorted(set(up.server_port for up in replies)),
    "extra": all(up.extra_args == ("extra", ) for up in replies),
    "passed": len(passed),
    "consistent": filtering.consistent.get(request.rsalt),
    "all_answered": counting.AllAnswered(),
    "found": found,
    "reply": found and last.server_reply.ToDict(),
    }


def Main():
  """Main program.

  """
  if not ganeti.__file__.startswith("/usr/share/ganeti/"):
    raise RuntimeError("Not Debian's: %s" % ganeti.__file__)
  spec = json.load(sys.stdin)
  json.dump([_Ask(spec, req_type, query)
             for (req_type, query) in spec["requests"]], sys.stdout)


if __name__ == "__main__":
  Main()
