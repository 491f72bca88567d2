#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Facts that a node has in its own files: paths, key, port, master candidates.

C{ganeti.pathutils} decides where the files are. On a machine that is no node
most files are missing; each docstring says what its function does then.

"""

from __future__ import annotations

import errno
import os
import socket
import stat

from types import ModuleType

from ganeti import constants
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Optional


#: Maximum size of an ssconf file that is read (bytes). The ssconf files that
#: Ganeti writes have at most 128 KiB.
_MAX_SSCONF_SIZE = 1 << 20

#: Environment variables by which users of clients choose a cluster, see
#: C{clientlib.settings}
CLIENT_VARIABLES = ("CONFD_CLUSTER", "CONFD_ADDRESS", "CONFD_KEY_FILE")


class NoKey(errors.ConfigurationError):
  """A client was given no key, and cannot read the key of this node.

  The message has several lines, and ends with an example of settings.

  """


def _Paths() -> ModuleType:
  """Imports C{ganeti.pathutils}.

  The import is here and not at the head of this module because Ganeti's own
  C{pathutils} raises RuntimeError if the environment is wrong. Only functions
  that need a path may fail then, with a clear error.

  @raise errors.ConfigurationError: C{GANETI_ROOTDIR} is wrong, or, with
    Ganeti's own modules, C{GANETI_HOSTNAME}

  """
  try:
    from ganeti import pathutils
  except RuntimeError as err:
    raise errors.ConfigurationError(str(err))
  return pathutils


def ConfigFile() -> str:
  return str(_Paths().CLUSTER_CONF_FILE)


def HmacKeyFile() -> str:
  return str(_Paths().CONFD_HMAC_KEY)


def PidFile() -> str:
  return os.path.join(_Paths().RUN_DIR, constants.CONFD + ".pid")


def LogFile() -> str:
  return os.path.join(_Paths().LOG_DIR,
                      constants.DAEMONS_LOGBASE[constants.CONFD] + ".log")


def ReadKeyFile(path: str) -> bytes:
  """Reads a client's key file, without looking at its contents.

  The file may be a pipe, such as a shell's "<(...)"; reading it may block.

  @raise errors.ConfigurationError: the file cannot be read, or is too long

  """
  try:
    with open(path, "rb") as stream:
      contents = stream.read(keyfile.MAX_SIZE + 1)
  except OSError as err:
    raise errors.ConfigurationError("Cannot read the HMAC key %s: %s" %
                                    (path, err.strerror))
  if len(contents) > keyfile.MAX_SIZE:
    raise errors.ConfigurationError("There is no HMAC key in %s: it has more"
                                    " than %d bytes" % (path, keyfile.MAX_SIZE))
  return contents


def ReadKey(path: str) -> bytes:
  """Reads a cluster's HMAC key.

  @return: the file's bytes, including the newline at the end, which is part of
    Ganeti's keys
  @raise errors.ConfigurationError: the file cannot be read, or does not hold a
    cluster's key

  """
  key = ReadKeyFile(path)
  keyfile.CheckCluster(key, path)
  return key


def ReadDaemonKey(path: str) -> tuple[bytes, filestate.State]:
  """Reads the HMAC key that a daemon serves with.

  @return: the key as from L{ReadKey}, and the file's state
  @raise errors.ConfigurationError: the file cannot be read, is not a regular
    file, or does not hold a cluster's key

  """
  (key, state) = filestate.ReadFile(path, keyfile.MAX_SIZE, "the HMAC key ")
  keyfile.CheckCluster(key, path)
  return (key, state)


def ReadAnyKey(path: str) -> wire.Key:
  """Reads a client's key, which is a cluster's or a reader's.

  @raise errors.ConfigurationError: the file cannot be read, or holds no key

  """
  return keyfile.Parse(ReadKeyFile(path), path)


def ReadNodeKey() -> wire.Key:
  """Reads the key of this node's cluster, for a client that was given no key.

  @raise NoKey: this machine is no node, or the user may not read the key
  @raise errors.ConfigurationError: the key is unusable

  """
  try:
    return ReadAnyKey(HmacKeyFile())
  except errors.ConfigurationError as err:
    number = getattr(err.__context__, "errno", None)
    if number == errno.EACCES:
      how = ("only root and Ganeti's daemons may read it. Ask for a reader's"
             " key, which root makes on the master, and write to")
    elif number == errno.ENOENT and not IsNode():
      how = ("this machine is no node. Ask for a reader's key, which root makes"
             " on the master, and write to")
    else:
      raise
    raise NoKey("%s; %s %s:\n%s" % (err, how, PossibleClientSettings()[-1],
                                    _ExampleSettings())) from None


def _ExampleSettings() -> str:
  """Returns an example of settings, with the values that this node knows.

  """
  names = ReadSsconf(constants.SS_CLUSTER_NAME) or ["NAME"]
  addresses = (ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS) or
               ["NODE", "NODE"])
  return ("  [cluster %s]\n  addresses = %s\n  key_file = FILE\n"
          "The key is made by: confd-client make-key NAME FILE --may all"
          " --until DAY" % (names[0], ", ".join(addresses)))


def KeyWarning(path: str) -> Optional[str]:
  """Checks the permissions of a cluster's HMAC key.

  Ganeti gives the owner, and in some set-ups a group, permission to read (0400,
  0440). Write permission for the owner is harmless.

  @return: a warning; None if the mode is fine or cannot be read

  """
  try:
    mode = stat.S_IMODE(os.stat(path).st_mode)
  except OSError:
    return None
  if mode & (stat.S_IRWXO | stat.S_IWGRP):
    return ("The HMAC key %s has mode %04o: others may read it, or more than"
            " its owner write to it; 0440 is enough" % (path, mode))
  return None


def ReadSsconf(name: str) -> list[str]:
  """Reads an ssconf file, one of the values that Ganeti keeps on every node.

  @param name: C{constants.SS_*}
  @return: the lines that are not empty; an empty list if there is no such file,
    as on a machine that is no node
  @raise errors.ConfigurationError: the file cannot be read, or is not UTF-8

  """
  path = os.path.join(_Paths().DATA_DIR, "ssconf_" + name)
  if filestate.FileState(path) is None:
    return []
  try:
    (contents, _) = filestate.ReadFile(path, _MAX_SSCONF_SIZE)
    lines = contents.decode("utf-8").split("\n")
  except UnicodeDecodeError as err:
    raise errors.ConfigurationError("Cannot read %s: %s" % (path, err))
  return [line.strip() for line in lines if line.strip()]


def IsNode() -> bool:
  """Tells whether this machine is a node of a cluster.

  """
  return bool(ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS))


def MasterCandidates() -> list[str]:
  """Returns the addresses of the master candidates.

  @return: the loopback address if this machine is no node

  """
  return ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS) or ["127.0.0.1"]


def PossibleClientSettings() -> list[str]:
  """Returns the paths of client settings, lowest precedence first.

  """
  home = os.environ.get("XDG_CONFIG_HOME", "")
  # Ignore a relative path, as the XDG specification demands
  if not os.path.isabs(home):
    home = os.path.expanduser("~/.config")
  return [os.path.join(directory, "confd-client.conf")
          for directory in (_Paths().CONF_DIR, os.path.join(home, "ganeti"))]


def ClientSettings() -> list[str]:
  """Returns the paths of existing client settings, lowest precedence first.

  """
  return [path for path in PossibleClientSettings() if os.path.exists(path)]


def HasClientSettings() -> bool:
  """Tells whether C{clientlib.settings} would find any settings.

  """
  return (any(os.environ.get(name) for name in CLIENT_VARIABLES) or
          bool(ClientSettings()))


def AnyAddress() -> str:
  """Returns the wildcard address in the address family of the cluster.

  """
  if ReadSsconf(constants.SS_PRIMARY_IP_FAMILY) == [str(int(socket.AF_INET6))]:
    return constants.IP6_ADDRESS_ANY
  return constants.IP4_ADDRESS_ANY


def DefaultPort() -> int:
  """Returns the UDP port of confd.

  @return: the port in the services database, else
    C{constants.DEFAULT_CONFD_PORT}

  """
  try:
    return socket.getservbyname(constants.CONFD, "udp")
  except OSError:
    return constants.DEFAULT_CONFD_PORT
