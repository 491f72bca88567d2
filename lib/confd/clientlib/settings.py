#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Settings of clients: clusters by name, with addresses and keys.

There may be several files (C{localnode.ClientSettings}); a value in a later one
overrides that in an earlier one. A file looks like this::

  [confd-client]
  cluster = fsn

  [cluster fsn]
  addresses = node1.fsn.example.com, node2.fsn.example.com
  key_file = /etc/ganeti/fsn.key

Environment variables override files: C{CONFD_CLUSTER} names the cluster to ask,
C{CONFD_ADDRESS} and C{CONFD_KEY_FILE} replace its addresses and its key.

Rule 1: for a cluster that the caller names, only the files count, and not the
environment.

Rule 2: every mistake is an error, whose message names the place.

"""

from __future__ import annotations

import configparser
import difflib
import io
import os
import re

from typing import Any, Callable, NamedTuple, Optional

from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd import numerals
from ganeti.confd.clientlib import endpoint


#: The environment variables for the cluster, the addresses and the key file
(CLUSTER_VARIABLE, ADDRESS_VARIABLE, KEY_VARIABLE) = localnode.CLIENT_VARIABLES

#: The word for all clusters on the command line, which is therefore refused as
#: the name of a cluster
_ALL = "all"

#: The general section of the file of settings, and the option in this section
#: that names the default cluster
_GENERAL = "confd-client"
_DEFAULT = "cluster"

_CLUSTER_SECTION = "cluster "
_NAME_RE = re.compile(r"[A-Za-z0-9._-]+\Z")

#: Maximum size of the file of settings (bytes)
_MAX_SIZE = 1 << 20

#: Maximum time-out that the file of settings may set (seconds)
_MAX_TIMEOUT = 86400.0


class Cluster(NamedTuple):
  """The settings of a cluster; None for a value that is not set.

  """
  #: The candidates, in the form that C{client.Client} takes
  addresses: Optional[list[str]] = None
  port: Optional[int] = None
  key_file: Optional[str] = None
  #: The time-out, in seconds
  timeout: Optional[float] = None


class Settings(NamedTuple):
  """The settings of all files.

  """
  #: The name of the default cluster
  default: Optional[str]
  clusters: dict[str, Cluster]

  def Default(self) -> Optional[str]:
    """Returns the name of the cluster that is asked by default.

    A single cluster is the default even if the settings do not name one, except
    on a node, which asks its own cluster then.

    @return: None for this node's cluster, or if the caller has to choose

    """
    if self.default is None and len(self.clusters) == 1 and \
        not localnode.IsNode():
      return next(iter(self.clusters))
    return self.default

  def Find(self, name: str, origin: str = "") -> Cluster:
    """Returns the settings of a cluster.

    @param origin: the source of the name, for the message
    @raise errors.ConfigurationError: there is no cluster of this name

    """
    cluster = self.clusters.get(name)
    if cluster is not None:
      return cluster
    text = "No such cluster: '%s'" % name
    if origin:
      text = "%s: no such cluster: '%s'" % (origin, name)
    found = difflib.get_close_matches(name, list(self.clusters), 1)
    if found:
      text += "; did you mean '%s'?" % found[0]
    elif self.clusters:
      text += "; there are %s" % ", ".join(self.clusters)
    else:
      text += "; none is named in %s" % " or ".join(
        localnode.PossibleClientSettings())
    raise errors.ConfigurationError(text)


def _Name(text: str) -> str:
  if not _NAME_RE.match(text) or text == _ALL:
    raise ValueError("not a name for a cluster")
  return text


def _Addresses(text: str) -> list[str]:
  result = text.replace(",", " ").split()
  if not result:
    raise ValueError("no addresses")
  for address in result:
    endpoint.Parse(address, 0)
  return result


def _Path(text: str) -> str:
  path = os.path.expanduser(text)
  if not os.path.isabs(path) or "\0" in path:
    raise ValueError("not a path from / or ~ on")
  return path


def _Timeout(text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = 0.0
  # NaN fails this comparison, and is refused, too
  if not 0 < value <= _MAX_TIMEOUT:
    raise ValueError("not a number of seconds")
  return value


#: For each section, maps options to the functions that convert their values
_GENERAL_OPTIONS: dict[str, Callable[[str], Any]] = {
  _DEFAULT: _Name,
  }
_CLUSTER_OPTIONS: dict[str, Callable[[str], Any]] = {
  "addresses": _Addresses,
  "port": numerals.Port,
  "key_file": _Path,
  "timeout": _Timeout,
  }


def _Convert(convert: Callable[[str], Any], text: str, where: str) -> Any:
  """Converts a value from its text.

  @param where: the place of the text, for the message

  """
  try:
    return convert(text)
  except (ValueError, errors.ConfdClientError) as err:
    raise errors.ConfigurationError("%s: %s: '%s'" % (where, err, text))


def _ReadFile(path: str) -> configparser.ConfigParser:
  # Switch off configparser's section DEFAULT, and its interpolation by "%"
  parser = configparser.ConfigParser(default_section="", interpolation=None)
  (contents, _) = filestate.ReadFile(path, _MAX_SIZE)
  try:
    parser.read_file(io.StringIO(contents.decode("utf-8"), newline=None), path)
  except UnicodeDecodeError as err:
    raise errors.ConfigurationError("%s is no UTF-8 text: %s" % (path, err))
  except configparser.Error as err:
    # Join the lines of the message, which names the file already
    raise errors.ConfigurationError(" ".join(str(err).split()))
  return parser


def Read() -> Settings:
  """Reads the files.

  @raise errors.ConfigurationError: there is a mistake in a file

  """
  general: dict[str, Any] = {}
  clusters: dict[str, dict[str, Any]] = {}
  origin = {}
  for path in localnode.ClientSettings():
    parser = _ReadFile(path)
    for section in parser.sections():
      where = "%s: section [%s]" % (path, section)
      if section == _GENERAL:
        (values, known) = (general, _GENERAL_OPTIONS)
      elif section.startswith(_CLUSTER_SECTION):
        name = section[len(_CLUSTER_SECTION):].strip()
        _Convert(_Name, name, where)
        (values, known) = (clusters.setdefault(name, {}), _CLUSTER_OPTIONS)
        origin[name] = where
      else:
        raise errors.ConfigurationError("%s: no such section; there are [%s]"
                                        " and [cluster NAME]" %
                                        (where, _GENERAL))
      for (option, text) in parser.items(section):
        if option not in known:
          raise errors.ConfigurationError(
            "%s: no such option: '%s = %s'; there are %s" %
            (where, option, text, ", ".join(known)))
        values[option] = _Convert(known[option], text,
                                  "%s, option %s" % (where, option))
        if values is general:
          origin[option] = "%s, option %s" % (where, option)
  for (name, values) in clusters.items():
    if "addresses" not in values:
      raise errors.ConfigurationError("%s: the option addresses is missing" %
                                      origin[name])
  result = Settings(general.get(_DEFAULT),
                    {name: Cluster(**values)
                     for (name, values) in clusters.items()})
  if result.default is not None:
    result.Find(result.default, origin[_DEFAULT])
  return result


def _RefuseToChoose(settings: Settings) -> None:
  """@raise errors.ConfigurationError: there are several clusters

  """
  if settings.clusters:
    names = list(settings.clusters)
    raise errors.ConfigurationError(
      "No cluster is chosen; there are %s: name one by --cluster or %s, or"
      " write \"cluster = %s\" below [%s] in %s" %
      (", ".join(names), CLUSTER_VARIABLE, names[0], _GENERAL,
       localnode.ClientSettings()[-1]))


def Choose(name: str = "", is_complete: bool = False) -> Cluster:
  """Returns the settings of a cluster.

  @param name: of the cluster; empty for the one that the environment names, or
    else the default of the files, or else a cluster with no values set
  @param is_complete: whether the caller has addresses and a key already
  @raise errors.ConfigurationError: there is a mistake in the settings, or no
    such cluster, or no default among several

  """
  settings = Read()
  if name:
    return settings.Find(name)
  cluster = Cluster()
  chosen = os.environ.get(CLUSTER_VARIABLE)
  addresses = os.environ.get(ADDRESS_VARIABLE)
  key_file = os.environ.get(KEY_VARIABLE)
  default = settings.Default()
  if chosen:
    cluster = settings.Find(chosen, CLUSTER_VARIABLE)
  elif default is not None:
    cluster = settings.clusters[default]
  elif not (is_complete or (addresses and key_file) or localnode.IsNode()):
    _RefuseToChoose(settings)
  if addresses:
    cluster = cluster._replace(
      addresses=_Convert(_Addresses, addresses, ADDRESS_VARIABLE))
  if key_file:
    cluster = cluster._replace(key_file=os.path.abspath(key_file))
  return cluster
