#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of "make html", from a tarball.

"""

import os
import re
import shutil
import unittest

import buildutils


#: Pages with references, and the names before a dot that programs use there:
#: modules, and objects in examples
_REFERENCES = {
  "api.html": ["client", "confd", "errors"],
  "testing.html": ["asyncio", "client", "confd", "errors", "fake", "os",
                   "placement", "testing", "unittest"],
  }


class TestHtml(unittest.TestCase):
  def setUp(self):
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)
    self.srcdir = buildutils.Unpack(buildutils.MakeTarball(self.workdir),
                                    self.workdir.Path("src"))
    self.builddir = self.workdir.Path("build")
    buildutils.Configure(self.srcdir, self.builddir)

  def _Make(self, *args):
    return buildutils.Try(["make", "-s", "html"] + list(args),
                          cwd=self.builddir)

  @unittest.skipIf(shutil.which("sphinx-build") is None, "no Sphinx")
  def testPages(self):
    """All pages are made.

    """
    (exit_code, output) = self._Make()
    self.assertEqual(exit_code, 0, output)
    html = os.path.join(self.builddir, "doc", "html")
    for name in os.listdir(os.path.join(self.srcdir, "doc")):
      (page, extension) = os.path.splitext(name)
      if extension == ".rst":
        self.assertIn(page + ".html", os.listdir(html))
    with open(os.path.join(html, "api.html"), encoding="utf-8") as fobj:
      api = fobj.read()
    for name in ["Client", "Client.NodeRole", "AsyncClient", "NoAnswer",
                 "ConfdClient.SendRequest"]:
      with self.subTest(name=name):
        self.assertIn("id=\"ganeti.confd.client.%s\"" % name, api)
    self.assertIn("Reply[MasterInfo]", re.sub("<[^>]*>", "", api))
    for (page, public) in _REFERENCES.items():
      with self.subTest(page=page):
        with open(os.path.join(html, page), encoding="utf-8") as fobj:
          text = re.sub("<[^>]*>", "", fobj.read())
        # Of what a program passes and gets, the public names are shown
        self.assertEqual(
          [name for name in re.findall(r"\b([a-z]+)\.[A-Z][a-z]+\w*", text)
           if name not in public], [])
        # No markup of docstrings is left
        for mark in ["C{", "L{", "@param", "@return"]:
          self.assertNotIn(mark, text)
    buildutils.Run(["make", "-s", "clean"], cwd=self.builddir)
    self.assertFalse(os.path.exists(html))

  @unittest.skipIf(shutil.which("sphinx-build") is None, "no Sphinx")
  def testWarning(self):
    """A warning is an error, and is so again the next time.

    """
    with open(os.path.join(self.srcdir, "doc", "design.rst"), "a",
              encoding="utf-8") as page:
      page.write("\nSee `what is not there`_.\n")
    for _ in range(2):
      (exit_code, output) = self._Make()
      self.assertNotEqual(exit_code, 0)
      self.assertIn("what is not there", output)

  def testWithoutSphinx(self):
    """Nothing else needs it, and the message says what to install.

    """
    (exit_code, output) = self._Make("SPHINX_BUILD=")
    self.assertNotEqual(exit_code, 0)
    self.assertIn("apt-get install python3-sphinx", output)


if __name__ == "__main__":
  unittest.main()
