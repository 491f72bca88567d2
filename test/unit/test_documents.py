#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Names in the documents exist; and how docstrings become pages."""

import importlib.util
import os
import re
import unittest
import xml.etree.ElementTree

import testutils

import ganeti.confd
from ganeti.confd import _version


_DOC = os.path.join(testutils.SRCDIR, "doc")
_CONFD = os.path.join(testutils.SRCDIR, "lib", "confd")

#: Documents that speak of the tree as it is; NEWS speaks of the past as well
_TEXTS = ["README", "INSTALL", "CONTRIBUTING.rst"]

#: Files of the tree, by their places, as they stand in the documents
_PLACE_RE = re.compile(
  r"(?<![\w/.-])((?:autotools|daemons|devel|doc|lib|test|tools)/"
  r"[\w/.-]*[A-Za-z0-9])(?![\w<{(-])")

#: Made by make
_MADE = frozenset(["daemons/ganeti-confd", "tools/confd-client",
                   "tools/confd-exporter",
                   "tools/hooks/confd", "doc/html", "doc/html/index.html"])


def _Read(*path):
  return testutils.ReadFile(os.path.join(*path)).decode("utf-8")


def _Pages():
  return sorted(name for name in os.listdir(_DOC) if name.endswith(".rst"))


def _Modules():
  """Yields each module's name below C{ganeti.confd}, less the subpackages' own.

  """
  for (directory, _, names) in os.walk(_CONFD):
    for name in names:
      if name.endswith(".py") and not name.startswith("_"):
        path = os.path.relpath(os.path.join(directory, name), _CONFD)
        yield path[:-len(".py")]


class TestVersion(unittest.TestCase):
  def testPackages(self):
    """The package has it; Debian wants it once more.

    The tests also run where devel/build-deb builds for an older release.

    """
    version = _version.VERSION
    self.assertRegex(version, r"\A[0-9]+\.[0-9]+\.[0-9]+\Z")
    changelog = _Read(testutils.SRCDIR, "debian", "changelog")
    self.assertRegex(changelog.splitlines()[0],
                     r"^ganeti-confd \(%s-[0-9]+(\) unstable|"
                     r"~bpo[0-9]+\+[0-9]+\) [a-z]+-backports); " %
                     re.escape(version))
    self.assertIn("\nVersion %s\n" % version,
                  _Read(testutils.SRCDIR, "NEWS"))


class TestNames(unittest.TestCase):
  def testFilesAreThere(self):
    found = 0
    for (name, text) in (
        [(name, _Read(testutils.SRCDIR, name)) for name in _TEXTS] +
        [("doc/" + name, _Read(_DOC, name)) for name in _Pages()]):
      for place in _PLACE_RE.findall(text):
        found += 1
        if place not in _MADE:
          self.assertTrue(os.path.exists(os.path.join(testutils.SRCDIR, place)),
                          "%s names %s" % (name, place))
    self.assertGreater(found, 50)

  def testTestsAreThere(self):
    """Some pages name tests by their files below test.

    """
    found = 0
    for name in _Pages():
      for place in re.findall(r"\*([a-z]+/test_\w+\.py)\*", _Read(_DOC, name)):
        found += 1
        self.assertTrue(os.path.exists(os.path.join(testutils.SRCDIR, "test",
                                                    place)),
                        "%s names %s" % (name, place))
    self.assertGreater(found, 30)

  def testManualPagesAreMarked(self):
    """By that make install and uninstall know them for ours.

    """
    for name in _Pages():
      text = _Read(_DOC, name)
      if ":Manual section:" in text:
        self.assertIn("the ganeti-confd authors", text, name)

  def testPagesAreThere(self):
    for name in _Pages():
      for page in re.findall(r"(?:``|\*)([a-z-]+\.rst)(?:``|\*)",
                             _Read(_DOC, name)):
        self.assertIn(page, _Pages(), name)

  def testEveryPageIsLinked(self):
    index = _Read(_DOC, "index.rst")
    for name in _Pages():
      if name != "index.rst":
        self.assertIn("   %s\n" % name[:-len(".rst")], index)

  def testEveryModuleIsInTheDesign(self):
    """Each room has a section, and each module a line in it.

    """
    sections = {}
    for (room, text) in re.findall(
        r"^.*: \*lib/confd(/[a-z]+)?\*\n-+\n((?:.*\n(?![=]{4}|-{4}))+)",
        _Read(_DOC, "design.rst"), re.MULTILINE):
      for names in re.findall(r"^((?:``\w+``(?:, )?)+)\n  \S", text,
                              re.MULTILINE):
        sections.setdefault(room[1:], set()).update(re.findall(r"\w+", names))
    described = {os.path.join(room, name) for (room, names) in sections.items()
                 for name in names}
    modules = set(_Modules())
    self.assertEqual(described - modules, set(), "gone from lib/confd")
    self.assertEqual(modules - described, set(), "no word in doc/design.rst")

  def testModulesOfTheDesignAreThere(self):
    found = re.findall("``([a-z]+/[a-z_]+)[.]py``", _Read(_DOC, "design.rst"))
    self.assertGreater(len(found), 10)
    self.assertEqual(set(found) - set(_Modules()), set())

  def testDrawings(self):
    """Each is there, and has a text for those who do not see it.

    """
    found = 0
    for name in _Pages():
      for (drawing, options) in re.findall(
          r"^\.\. (?:figure|image):: (\S+)\n((?: +\S.*\n)*)",
          _Read(_DOC, name), re.MULTILINE):
        found += 1
        root = xml.etree.ElementTree.fromstring(_Read(_DOC, drawing))
        self.assertTrue(root.tag.endswith("svg"), drawing)
        self.assertRegex(options, r"^ +:alt: \w+", drawing)
    self.assertGreater(found, 3)

  def testWhereToReport(self):
    """One constant says where; the place it names is there.

    """
    self.assertIn("ganeti-confd(8)", ganeti.confd.PLEASE_REPORT)
    self.assertIn("\nREPORTING FAULTS\n", _Read(_DOC, "ganeti-confd.rst"))
    for module in _Modules():
      self.assertNotRegex(_Read(_CONFD, module + ".py"), "please\\s+report",
                          module)


def _LoadConf():
  """Loads Sphinx's configuration.

  @return: None if Sphinx is not installed

  """
  spec = importlib.util.spec_from_file_location(
    "documents_conf", os.path.join(_DOC, "conf.py"))
  conf = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(conf)
  except ImportError:
    return None
  return conf


_CONF = _LoadConf()


@unittest.skipIf(_CONF is None, "Sphinx is not installed (Debian:"
                 " python3-sphinx)")
class TestConversion(unittest.TestCase):

  def testFromEpytext(self):
    for (text, expected) in [
      ("Asks.", "Asks."),
      ("A C{b} and L{c.D}s.", "A ``b`` and ``c.D``\\ s."),
      ("Sends C{{\"what\": {\"a\": W}}} on.",
       "Sends ``{\"what\": {\"a\": W}}`` on."),
      ("A C{name that\ngoes on}.", "A ``name that goes on``."),
      ("Takes *args | `x` and async_, no_such.",
       "Takes \\*args \\| \\`x\\` and async\\_, no_such."),
      ("One.\n\n@type a: int\n@param a: see\n  L{B}\n@return: C{c}\n"
       "@raise d.E: no\n@rtype: int",
       "One.\n\n:type a: int\n:param a: see\n  ``B``\n:returns: ``c``\n"
       ":raises d.E: no\n:rtype: int"),
      ("@raise client.NoAnswer: x",
       ":raises ~ganeti.confd.client.NoAnswer: x"),
      ("@param async_: x", ":param async\\_: x"),
      ("@ivar salt: x", ":ivar salt: x"),
      ("Thus::\n\n  C{x} *y*\n\nL{z}", "Thus::\n\n  C{x} *y*\n\n``z``"),
      ]:
      with self.subTest(text=text):
        self.assertEqual(_CONF.FromEpytext(text), expected)

  def testWithLinks(self):
    for (text, expected) in [
      ("see ``doc/client.rst``.", "see :doc:`client`."),
      ("see *client.rst*.", "see :doc:`client`."),
      ("see *doc/other.rst*.", "see *doc/other.rst*."),
      ("see client.rst", "see client.rst"),
      ("see *CONTRIBUTING.rst*.", "see :doc:`contributing`."),
      ("see **confd-client**\\(1).",
       "see :doc:`confd-client(1) <confd-client>`."),
      ("see **ganeti**\\(7).", "see **ganeti**\\(7)."),
      ]:
      with self.subTest(text=text):
        self.assertEqual(
          _CONF.WithLinks(text, {"client", "contributing", "confd-client"}),
          expected)


if __name__ == "__main__":
  unittest.main()
