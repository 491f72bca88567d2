#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A master candidate whose answers are authentic, but odd.

The candidate passes questions on to a real daemon, and changes the daemon's
answers before it signs them with the cluster's key. Some answers come in parts,
even short ones. As a program, the candidate reads orders from its standard
input, a line each: the share of answers to change (0 to 1), and how to change
them:

  one      change one place of the reply
  several  change some places of the reply
  answer   change one place of the answer
  serial   give each reply a higher serial than the one before
  wait     answer each WAIT at once, with a serial that no configuration has
  swap     send the answer to another question

The program prints "ok" for each order, and ends when its standard input does.

"""

import base64
import hashlib
import json
import os
import random
import select
import socket
import subprocess
import sys
import zlib

import mutations
import testutils


_PART_SIZE = 675

#: The share of changed answers that come in parts
_IN_PARTS = 0.2


class _Candidate:
  """Stands between clients and a daemon.

  """
  def __init__(self, address, port, daemon, seed):
    self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self._front.bind((address, port))
    self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self._back.connect(daemon)
    self._random = random.Random(seed)
    self._asked = {}
    self._cut = {}
    self._others = [3000000, "node1.example.com"]
    self._serial = 1 << 40
    self._share = 0.0
    self._way = "one"

  def Run(self):
    print("ok", flush=True)
    while True:
      (ready, _, _) = select.select([self._front, self._back, sys.stdin], [],
                                    [])
      if sys.stdin in ready:
        line = os.read(sys.stdin.fileno(), 100).decode("ascii")
        if not line:
          return
        (share, self._way) = line.split()
        self._share = float(share)
        self._cut.clear()
        print("ok", flush=True)
      if self._front in ready:
        (datagram, client) = self._front.recvfrom(65536)
        self._Ask(datagram, client)
      if self._back in ready:
        try:
          self._Answer(self._back.recv(65536))
        except ConnectionRefusedError:
          pass

  def _Ask(self, datagram, client):
    request = json.loads(json.loads(datagram[4:])["msg"])
    salt = request["rsalt"]
    key = json.dumps([request["type"], request["query"]])
    number = request.get("part")
    if number is not None and key in self._cut:
      self._Send(client, salt, self._Part(self._cut[key], number))
      return
    if (request["type"] == 66 and self._way == "wait" and
        self._random.random() < self._share):
      self._Send(client, salt, json.dumps({
        "protocol": 1, "status": 0, "answer": self._serial,
        "serial": self._serial}))
      return
    self._asked[salt] = (client, key, number)
    if len(self._asked) > 10000:
      self._asked.pop(next(iter(self._asked)))
    self._back.send(datagram)

  def _Part(self, text, number):
    """Makes the message with a part of an answer; the part may be odd, too.

    """
    data = zlib.compress(text.encode("ascii", "surrogatepass"))
    count = (len(data) + _PART_SIZE - 1) // _PART_SIZE
    part = data[number * _PART_SIZE:(number + 1) * _PART_SIZE]
    message = {"protocol": 1, "status": 0, "serial": 17,
               "answer": base64.b64encode(part).decode("ascii"), "part": number,
               "parts": count, "sha256": hashlib.sha256(data).hexdigest()}
    if self._random.random() < self._share / 2:
      message = mutations.Mutate(self._random, message)
    return mutations.Text(message)

  def _Answer(self, datagram):
    envelope = json.loads(datagram[4:])
    asked = self._asked.pop(envelope["salt"], None)
    if asked is None:
      return
    (client, key, number) = asked
    message = json.loads(envelope["msg"])
    if len(self._others) < 1000:
      self._others.append(message["answer"])
    text = envelope["msg"]
    if self._random.random() < self._share:
      text = self._Odd(message, key, number)
    if len(text) > 50000:
      text = envelope["msg"]
    self._Send(client, envelope["salt"], text)

  def _Odd(self, message, key, number):
    """Makes the text of an odd reply from the message of a proper one.

    """
    rng = self._random
    if self._way == "serial":
      self._serial += 1
      answer = message["answer"]
      if json.loads(key) == [10, "/serial_no"] or json.loads(key)[0] == 66:
        answer = self._serial
      return json.dumps(dict(message, serial=self._serial, answer=answer))
    if self._way == "wait":
      return json.dumps(message)
    if number is None and message["status"] == 0 and rng.random() < _IN_PARTS:
      self._cut[key] = mutations.Text(self._Changed(message["answer"]))
      return json.dumps(dict(message, status=1, answer=3))
    if self._way == "swap":
      return json.dumps(dict(message, answer=rng.choice(self._others)))
    if self._way == "answer":
      return mutations.Text(dict(message,
                                 answer=self._Changed(message["answer"])))
    return mutations.Text(self._Changed(message))

  def _Changed(self, value):
    count = self._random.randint(2, 6) if self._way == "several" else 1
    return mutations.Mutate(self._random, value, count)

  def _Send(self, client, salt, text):
    try:
      self._front.sendto(testutils.PackText(testutils.KEY, salt, text), client)
    except OSError:
      pass


class OddCandidate:
  """Runs an odd candidate as a process of its own.

  @ivar peer: the candidate's address and port

  """
  def __init__(self, daemon, seed, address="127.0.0.1", port=None):
    """@param daemon: address and port of the real daemon

    """
    self.address = address
    self.port = testutils.FreePort(address) if port is None else port
    self.peer = "%s:%d" % (address, self.port)
    self._proc = subprocess.Popen(
      [sys.executable, __file__, address, str(self.port), daemon[0],
       str(daemon[1]), str(seed)], stdin=subprocess.PIPE,
      stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.pathsep.join(
        [testutils.BUILDDIR, os.path.dirname(__file__)])))
    self._WaitForOk()

  def _WaitForOk(self):
    assert self._proc.stdout.readline() == b"ok\n"

  def Be(self, share, way="one"):
    """Makes the candidate change a share of its answers from now on.

    """
    self._proc.stdin.write(b"%f %s\n" % (share, way.encode("ascii")))
    self._proc.stdin.flush()
    self._WaitForOk()

  def Stop(self):
    self._proc.stdin.close()
    self._proc.wait()
    self._proc.stdout.close()


if __name__ == "__main__":
  _Candidate(sys.argv[1], int(sys.argv[2]), (sys.argv[3], int(sys.argv[4])),
             sys.argv[5]).Run()
