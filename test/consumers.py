#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs the programs that read the exports of confd-client.

Each function makes one program read a file, and returns what the program has
understood. No program stays running, and no service of the machine is asked.

"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import testutils


def _Run(test, *words, packages, **kwargs):
  """Runs a program.

  @param packages: the Debian package that contains the program
  @return: standard output and standard error

  """
  # Some programs are in directories that only root's PATH has
  path = os.environ["PATH"] + ":/usr/sbin:/sbin"
  if shutil.which(words[0], path=path) is None:
    raise unittest.SkipTest("there is no %s (Debian package %s)" %
                            (words[0], packages))
  env = dict(os.environ, PATH=path, **kwargs)
  result = testutils.Run(words, check=False, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         encoding="utf-8", env=env,
                         timeout=6 * testutils.PATIENCE)
  test.assertEqual(result.returncode, 0, result)
  return (result.stdout, result.stderr)


def CheckDnsmasq(test, path):
  """Makes dnsmasq read a file of settings.

  """
  (_, text) = _Run(test, "dnsmasq", "--test", "--conf-file=" + path,
                   packages="dnsmasq-base")
  test.assertIn("syntax check OK", text)


def AskAnsible(test, path):
  """Makes Ansible read an inventory.

  @param path: an executable inventory script, or a file with its output
  @return: the inventory, and the warnings

  """
  with tempfile.TemporaryDirectory() as directory:
    if not os.access(path, os.X_OK):
      script = os.path.join(directory, "inventory")
      testutils.WriteFile(script, b"#!/bin/sh\nexec cat %s\n" %
                          path.encode("ascii"), mode=0o755)
      path = script
    # Ansible keeps files of its own in the home directory
    (text, problems) = _Run(test, "ansible-inventory", "-i", path, "--list",
                            packages="ansible-core", HOME=directory,
                            ANSIBLE_LOCAL_TEMP=directory)
  return (json.loads(text), problems)


def AskPromtool(test, path):
  """Makes Prometheus' tool discover the targets of a file.

  @return: the labels of each target

  """
  with tempfile.TemporaryDirectory() as directory:
    targets = os.path.join(directory, "targets.json")
    shutil.copy(path, targets)
    settings = os.path.join(directory, "prometheus.yml")
    testutils.WriteFile(settings, json.dumps({"scrape_configs": [
      {"job_name": "ganeti", "file_sd_configs": [{"files": [targets]}]}]})
      .encode("ascii"))
    _Run(test, "promtool", "check", "config", settings, packages="prometheus")

    def _Discover():
      # Double the time-out for each attempt: the program always runs until its
      # time-out, and finds nothing if that is too short
      seconds[0] *= 2
      (text, _) = _Run(test, "promtool", "check", "service-discovery",
                       "--timeout=%dms" % (1000 * seconds[0]), settings,
                       "ganeti", packages="prometheus")
      return json.loads(text or "null")
    seconds = [0.1]
    found = testutils.WaitFor(_Discover, "targets are discovered")
  return [target["discoveredLabels"] for target in found]


def AskSsh(test, path, name):
  """Asks ssh for its settings for a host.

  @return: the settings that have a value

  """
  (text, _) = _Run(test, "ssh", "-G", "-F", path, name,
                   packages="openssh-client")
  return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def AskNft(test, path):
  """Loads a file into nftables twice, in a network namespace of its own.

  @return: the addresses in each set of the file's table

  """
  unshare = ["unshare", "--user", "--map-root-user", "--net"]
  if subprocess.run(unshare + ["true"], check=False,
                    stderr=subprocess.DEVNULL).returncode:
    raise unittest.SkipTest("user namespaces are not permitted")
  (text, _) = _Run(
    test, *unshare, "sh", "-e", "-c",
    "nft -c -f \"$1\"; nft -f \"$1\"; nft -f \"$1\"; nft -j list sets", "sh",
    path, packages="util-linux")
  sets = {}
  for item in json.loads(text)["nftables"]:
    if "set" in item:
      sets[item["set"]["name"]] = item["set"].get("elem", [])
  return sets
