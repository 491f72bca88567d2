#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Calls functions of Ganeti's own modules, in a process of its own.

Each line of standard input is a JSON list [FUNCTION, ARGUMENT, ...]; the result
is printed as a JSON value, see L{judges.Ganeti}. The program imports nothing of
this project.

"""

# Ganeti's own package is meant, not this project's
# pylint: disable=E0401,E0611,E1101

import argparse
import contextlib
import io
import json
import sys

from ganeti import cli
from ganeti import config as configlib
from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti import qlang
from ganeti import serializer
from ganeti.client import gnt_group
from ganeti.client import gnt_instance
from ganeti.client import gnt_network
from ganeti.client import gnt_node
from ganeti.rpc import errors as rpcerr


# Time-out in seconds: Ganeti's daemon sends no reply if it cannot answer
constants.LUXI_DEF_RWTO = 8

_PARSER = qlang.BuildFilterParser()


def _Load(config):
  return objects.ConfigData.FromDict(config)


def Complete(config):
  """Adds the values that Ganeti writes into every configuration.

  """
  data = _Load(config)
  data.cluster.enabled_hypervisors = sorted(constants.HYPER_TYPES)
  data.cluster.enabled_disk_templates = sorted(constants.DISK_TEMPLATES)
  data.UpgradeConfig()
  return json.loads(serializer.DumpJson(
    data.ToDict(), private_encoder=serializer.EncodeWithPrivateFields))


class _Writer(configlib.ConfigWriter):
  """Verifies a configuration that is in no file.

  """
  def Verify(self, data):
    self._SetConfigData(data)
    return self._UnlockedVerifyConfig()


def Verify(config):
  """Verifies a configuration as C{gnt-cluster verify} does.

  @return: list of messages; or an error as a text, if verification itself fails

  """
  try:
    return _Writer(cfg_file="/nonexistent", offline=True).Verify(_Load(config))
  except Exception as err: # pylint: disable=W0703
    return "%s: %s" % (type(err).__name__, err)


def ParseFilter(text):
  """Parses a filter.

  @return: [tree], or [] if the filter is invalid

  """
  try:
    return [qlang.ParseFilter(text, _PARSER)]
  except (errors.GenericError, RecursionError):
    return []


def Fields(what):
  """Lists the fields of a kind of objects, each with name, title and type.

  """
  return [[field.name, field.title, field.kind]
          for field in cli.GetClient().QueryFields(what, None).fields]


def Query(what, fields, condition):
  """Asks the query daemon.

  @param condition: a parsed filter, or null
  @return: rows of [status, value], or an error as a text

  """
  try:
    return cli.GetClient().Query(what, fields, condition).data
  except (errors.GenericError, rpcerr.ProtocolError) as err:
    return str(err)


_COMMANDS = {
  "instance": gnt_instance.ListInstances,
  "node": gnt_node.ListNodes,
  "group": gnt_group.ListGroups,
  "network": gnt_network.ListNetworks,
  }


def Print(what, fields, units, separator):
  """Makes the lines that C{gnt-instance list} and similar commands print.

  """
  opts = argparse.Namespace(output=",".join(fields), units=units,
                            separator=separator, no_headers=False,
                            verbose=False, force_filter=False)
  output = io.StringIO()
  with contextlib.redirect_stdout(output):
    _COMMANDS[what](opts, [])
  return output.getvalue().splitlines()


_FUNCTIONS = {function.__name__: function
              for function in [Complete, Verify, ParseFilter, Fields, Query,
                               Print]}


def Main():
  for line in sys.stdin:
    (name, *args) = json.loads(line)
    print(json.dumps(_FUNCTIONS[name](*args)), flush=True)


if __name__ == "__main__":
  Main()
