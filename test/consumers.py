#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The programs that read what confd-client exports.

Each function has one of them read a file, and returns what it has understood.
Nothing is started that stays, and no service of the machine is asked.

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

  @param packages: the Debian package that it is in
  @return: standard output and standard error

  """
  # Some are where only root looks
  path = os.environ["PATH"] + ":/usr/sbin:/sbin"
  if shutil.which(words[0], path=path) is None:
    raise unittest.SkipTest("there is no %s (Debian package %s)" %
                            (words[0], packages))
  env = dict(os.environ, PATH=path, **kwargs)
  result = subprocess.run(words, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", env=env,
                          timeout=6 * testutils.PATIENCE)
  test.assertEqual(result.returncode, 0, result)
  return (result.stdout, result.stderr)


def CheckDnsmasq(test, path):
  """Has dnsmasq read a file of settings.

  """
  (_, text) = _Run(test, "dnsmasq", "--test", "--conf-file=" + path,
                   packages="dnsmasq-base")
  test.assertIn("syntax check OK", text)


def AskAnsible(test, path):
  """Has Ansible read an inventory.

  @param path: what the script prints, or a script
  @return: the inventory, and the warnings

  """
  with tempfile.TemporaryDirectory() as directory:
    if not os.access(path, os.X_OK):
      script = os.path.join(directory, "inventory")
      testutils.WriteFile(script, b"#!/bin/sh\nexec cat %s\n" %
                          path.encode("ascii"), mode=0o755)
      path = script
    # Ansible's own files are in the home directory
    (text, problems) = _Run(test, "ansible-inventory", "-i", path, "--list",
                            packages="ansible-core", HOME=directory,
                            ANSIBLE_LOCAL_TEMP=directory)
  return (json.loads(text), problems)


def AskPromtool(test, path):
  """Has Prometheus' tool discover the targets of a file.

  @return: the labels of each

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
      # The program looks for targets as long as it may, and so has to be given
      # time
      seconds[0] *= 2
      (text, _) = _Run(test, "promtool", "check", "service-discovery",
                       "--timeout=%dms" % (1000 * seconds[0]), settings,
                       "ganeti", packages="prometheus")
      return json.loads(text or "null")
    seconds = [0.1]
    found = testutils.WaitFor(_Discover, "targets are discovered")
  return [target["discoveredLabels"] for target in found]


def AskSsh(test, path, name):
  """Asks ssh what it would do with a host.

  @return: settings, those of one value

  """
  (text, _) = _Run(test, "ssh", "-G", "-F", path, name,
                   packages="openssh-client")
  return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def AskNft(test, path):
  """Loads a file into nftables, in a network of its own; twice.

  @return: the addresses of the sets, of the table that the file has

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
