#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A network for tests that has nothing but the loopback device.

Clients learn the addresses of candidates from the configuration, and send
requests there. The addresses of the tests' configurations are those of
documentation (RFC 5737). Without a network of its own, a test would send to
them by the machine's default route.

"""

import ctypes
import fcntl
import os
import socket
import struct


# From linux/sched.h
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

# From linux/sockios.h and linux/if.h
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

#: Of C{struct ifreq}: name, and flags; the rest of the union is unused, and
#: shorter on 32 bits
_REQUEST = struct.Struct("16sH22x")


def _Unshare(flags):
  """Leaves namespaces.

  @return: whether that is permitted

  """
  return ctypes.CDLL(None).unshare(flags) == 0


def _Write(path, text):
  with open(path, "w", encoding="ascii") as stream:
    stream.write(text)


def IsPermitted():
  """Tells whether L{Enter} is permitted, by a try in another process.

  Permission may end half-way, after the process has left the machine's network.

  """
  pid = os.fork()
  if pid == 0:
    code = 1
    try:
      code = int(not _Enter())
    finally:
      os._exit(code)
  return os.waitpid(pid, 0)[1] == 0


def Enter():
  """Moves this process, which must have one thread, into such a network.

  Where that is not permitted, the process stays in the machine's network.

  @return: whether the process has moved

  """
  return IsPermitted() and _Enter()


def _Enter():
  """Moves this process, or fails, maybe half-way.

  Without root, this takes a user namespace, in which user and group have their
  usual numbers.

  @return: whether the process has moved
  @raise OSError: the process has only left the machine's network

  """
  (uid, gid) = (os.getuid(), os.getgid())
  if uid == 0:
    if not _Unshare(_CLONE_NEWNET):
      return False
  else:
    if not _Unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
      return False
    _Write("/proc/self/setgroups", "deny")
    _Write("/proc/self/uid_map", "%d %d 1" % (uid, uid))
    _Write("/proc/self/gid_map", "%d %d 1" % (gid, gid))
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    request = fcntl.ioctl(sock, _SIOCGIFFLAGS, _REQUEST.pack(b"lo", 0))
    (name, flags) = _REQUEST.unpack(request)
    fcntl.ioctl(sock, _SIOCSIFFLAGS, _REQUEST.pack(name, flags | _IFF_UP))
  return True
