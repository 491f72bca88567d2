#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The JSON that confd-client's manual page shows is what is printed.

"""

import json
import os
import re
import shlex
import subprocess
import unittest

import testutils


#: What stands there is the form only
_FORM_ONLY = ["map", "status", "-r 5"]

#: What other tests have to look at, since it does not end by itself
_NOT_HERE = ["watch"]


def _Examples():
  """Returns the examples of answers on the page.

  @return: list of (command line without program, JSON value)

  """
  page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                         "confd-client.rst")).decode("ascii")
  (section, ) = re.findall(r"\nJSON\n====\n(.*?)\nEXIT STATUS\n", page,
                           re.DOTALL)
  examples = re.findall(r"^  \$ confd-client (.*)\n((?:  (?!\$ ).*\n)+)",
                        section, re.MULTILINE)
  return [(words, json.loads(text)) for (words, text) in examples]


def _Form(value):
  """Returns the names in a value, and of lists only the first item's.

  """
  if isinstance(value, dict):
    return {name: _Form(item) for (name, item) in value.items()}
  if isinstance(value, list):
    return [_Form(item) for item in value[:1]]
  return None


class TestJson(unittest.TestCase):
  @staticmethod
  def _Run(daemon, words):
    result = subprocess.run(
      [os.path.join(testutils.BUILDDIR, "tools", "confd-client"), "-a",
       "127.0.0.1", "-p", str(daemon.port), "--hmac-file",
       daemon.key_file, "-t", "3", "--json"] + shlex.split(words),
      stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8",
      timeout=60, check=False)
    return json.loads(result.stdout)

  def test(self):
    config = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                             "examples", "cluster.json"))
    daemon = testutils.Daemon(config)
    self.addCleanup(daemon.Stop)
    daemon.Start()
    examples = _Examples()
    self.assertGreater(len(examples), 15)
    for (words, expected) in examples:
      if words in _NOT_HERE:
        continue
      with self.subTest(words):
        reply = self._Run(daemon, words)
        if words.startswith("--json"):
          # The one that is shown as a whole
          self.assertEqual(reply["answer"], expected["answer"])
          self.assertEqual(sorted(reply), sorted(expected))
          self.assertEqual(_Form(reply["candidates"]),
                           _Form(expected["candidates"]))
        elif words == "collectors":
          self.assertEqual({name: reply["answer"][name] for name in expected},
                           expected)
        elif words in _FORM_ONLY:
          form = _Form(reply["answer"])
          if words == "map":
            # The first instance there need not have a secondary node
            form["instances"][0]["snodes"] = [None]
          self.assertEqual(form, _Form(expected))
        else:
          self.assertEqual(reply["answer"], expected)


if __name__ == "__main__":
  unittest.main()
