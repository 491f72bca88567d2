#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""No text that is completed is evaluated by a shell, and each gets there whole.

The shells are real ones on pseudo-terminals. Evaluated text would make a file.

"""

import json
import os
import re
import unittest

import completing
import testutils


#: A command that makes a file
_RUN = "evaluate"

#: Text that is evaluated somewhere: expanded by a shell, in patterns,
#: arithmetic, subscripts and prompts, by an editor of command lines, or by a
#: terminal
_NAMES = [
  "$(%s)" % _RUN, "web$(%s)" % _RUN, "a;%s" % _RUN,
  "a&%s" % _RUN, "a|%s" % _RUN, "a>evaluated", "a<b", "<(%s)" % _RUN,
  ">(%s)" % _RUN, "=(%s)" % _RUN, "(%s)" % _RUN, "{a,b}", "a{1..3}", "a b",
  "  a", "a ", "'", "\"", "'$(%s)'" % _RUN, "\"$(%s)\"" % _RUN,
  "a'$(%s)" % _RUN, "a\"$(%s)" % _RUN, "'\"'\"$(%s)" % _RUN,
  "a[$(%s)]" % _RUN, "$((a[$(%s)]))" % _RUN,
  "$[a[$(%s)]]" % _RUN, "${a:=$(%s)}" % _RUN, "$HOME", "${HOME}", "$$", "$",
  "a$", "~", "~root", "~/x", "a=~", "a:~", "=ls", "*", "?", "[a-z]*",
  "*(e:'%s':)" % _RUN, "(#qe:%s:)" % _RUN, "@(a|b)", "!(a)", "!!", "!$", "a!b",
  "!?a?", "^a^b", "#a", "a#b", "%1", "%F{red}", "a=b", "a:b", "a::b", "a@b",
  "@", "@a", "+a", ",", "a,b", "a/b", "/etc", ".", "..", "{", "}", "(", ")",
  "]", "[", "&", ";", "|", "<", ">", "^", "\u00fc", "\u732b",
  "%s %d", "%(x)T", "fi", "done", "[[", "time", "0", "",
  "-", "--", "-n", "-rf", "-$(%s)" % _RUN, "--output=$(%s)" % _RUN,
  ]

#: Text that is not offered, as no quoting helps against an open backquote, or
#: as it does something to a terminal or to a reader
_ODD_NAMES = [
  "`%s`" % _RUN, "x[`%s`]" % _RUN, "\\", "a\\", "a\\nb", "\\$(%s)" % _RUN,
  "\\\\$(%s)" % _RUN, "\\;%s" % _RUN, "\\\\;%s" % _RUN, "a\\'b",
  "$'\\x24(%s)'" % _RUN,
  "a\nb", "\n", "a\n", "\n$(%s)" % _RUN, "a\n%s\nb" % _RUN, "\t", "a\tb",
  "a\rb", "\r", "a\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\x7f", "\x01",
  "a\x03b", "\x04", "\x08\x08", "a\x0cb", "\x15", "\x16", "\x1a", "\u202ea",
  "a\u200bb", "\u2028", "\ufeff", "a'\n!b", "a\n'$(%s)" % _RUN,
  "\\\n", "$'\n'", "a\x1b[200~%s\rb" % _RUN, "\x18\x05%s\r" % _RUN,
  "a\u0301", "\u00a0", "\U0001f600", "a\0b", "\ud800",
  "a\udc80$(%s)" % _RUN, "\udbff\n",
  ]

_ANSWER = "answer"


class _Tests:
  """The tests for one shell.

  """
  #: Completes, and does not expand
  _COMPLETE_KEYS = "\t"
  #: Whether the shell expands what is typed of a file's name, as it does behind
  #: any command
  _EXPANDS_FILES = False
  #: Sequences that the shell itself writes to a terminal
  _SEQUENCES = rb"(?!)"

  @staticmethod
  def _Shell(*args, **kwargs):
    """Starts the shell.

    """
    raise NotImplementedError

  def _Start(self, **variables):
    # pylint: disable=W0201
    self.shell = self._Shell(**variables)
    self.addCleanup(self.shell.Close)
    os.mkdir(self.shell.Path("data"))
    for (name, command) in [(_RUN, ": >'%s'" % self.shell.Path("evaluated")),
                            ("confd-client",
                             "exec cat '%s'" % self.shell.Path(_ANSWER))]:
      path = self.shell.Path("bin/" + name)
      testutils.WriteFile(path, ("#!/bin/sh\n%s\n" % command).encode())
      os.chmod(path, 0o755)

  def setUp(self):
    self._Start(settings="settings", own_settings="none", data="data",
                patience="60")

  def tearDown(self):
    self.assertNotIn("evaluated", os.listdir(self.shell.here))

  def _WriteFile(self, name, lines):
    testutils.WriteFile(self.shell.Path(name),
                        "".join(line + "\n" for line in lines).encode())

  def _Answer(self, names):
    """Has the program tell names of instances.

    """
    self._WriteFile(_ANSWER, (json.dumps({"name": name}) for name in names))

  def _CheckShown(self):
    """Checks that the terminal gets nothing that it obeys.

    """
    shown = re.sub(self._SEQUENCES, b"", self.shell.shown).decode("utf-8")
    # Line ends, blanks, bells and backspaces are the shell's own
    rest = [char for char in shown if not char.isprintable() and
            char not in "\r\n\t\b\a"]
    self.assertEqual(rest, [], repr(shown))

  def testOne(self):
    """Each name gets there, if it is the only one.

    """
    for name in _NAMES + _ODD_NAMES:
      self._Answer([name])
      dashes = ["--"] if name.startswith("-") else []
      line = " ".join(["confd-client instance-disks", *dashes, "\t"])
      expected = [name] if name in _NAMES and name else []
      self.assertEqual(self.shell.Run(line),
                       ["instance-disks", *dashes, *expected], ascii(name))
      self._CheckShown()

  def testOneOfAFile(self):
    for name in _NAMES:
      self._WriteFile("data/ssconf_node_list", [name])
      dashes = ["--"] if name.startswith("-") else []
      line = " ".join(["confd-client", "node-role", *dashes, "\t"])
      expected = [name] if name else []
      self.assertEqual(self.shell.Run(line),
                       ["node-role", *dashes, *expected], ascii(name))
      self._CheckShown()

  def testAll(self):
    self._Answer(_NAMES + _ODD_NAMES)
    expected = [name for name in _NAMES
                if name and not name.startswith("-")]
    self.assertEqual(sorted(self.shell.Matches("instance-disks", "")),
                     sorted(expected))
    self._Answer(_ODD_NAMES)
    self.assertEqual(self.shell.Matches("instance-disks", ""), [])

  def testList(self):
    """All are shown, twice.

    """
    self._Answer(_NAMES + _ODD_NAMES)
    self.assertEqual(self.shell.Run("confd-client instance-disks \t\t", "x"),
                     ["instance-disks", "x"])
    self.assertIn(b"~root", self.shell.shown)
    self._CheckShown()

  def testBeginnings(self):
    """The beginning that all names share is inserted, and is no other word.

    """
    for (names, keys, expected) in [
      (["a b1", "a b2"], "\t1", "a b1"),
      (["a$(x)1", "a$(x)2"], "a\t1", "a$(x)1"),
      (["a'x1", "a'x2"], "a\\'\t1", "a'x1"),
      (["a:b1", "a:b2"], "a:\t1", "a:b1"),
      (["a:b c", "x"], "a:\t", "a:b c"),
      (["a=b c", "x"], "a=b\t", "a=b c"),
      (["a@b;c", "x"], "a@\t", "a@b;c"),
      (["fe80::1:2", "fe80::2:2"], "fe80::1\t", "fe80::1:2"),
      (["a;b"], "'a;b'\t", "a;b"),
      (["ab"], "'a'\t", "ab"),
      ]:
      self._Answer(names)
      self.assertEqual(self.shell.Run("confd-client instance-disks %s" % keys),
                       ["instance-disks", expected], keys)

  def testWithinQuotes(self):
    """Within quotes a name is inserted whole and right, or not at all.

    """
    for name in _NAMES + ["plain", "a\nb", "a\u202eb"]:
      self._Answer([name + "1", name + "2"])
      for quote in ["'", "\"", "a'", "$'"]:
        words = self.shell.Run("confd-client instance-disks %s\t1%s" %
                               (quote, quote[-1]))
        before = quote.strip("'\"$")
        if name == "plain" and not before and quote != "$'":
          expected = ["plain1"]
        else:
          expected = [before + "1", name + "1"]
        if words is not None:
          self.assertEqual(words[0], "instance-disks")
          self.assertIn(words[1], expected, quote)

  def testWithinSubstitutions(self):
    """Nothing is evaluated that was no command before.

    """
    for name in _NAMES + _ODD_NAMES:
      if _RUN not in name:
        continue
      self._Answer([name + "1", name + "2"])
      for (start, end) in [("`", "`"), ("$(", ")"), ("\"$(", ")\""),
                           ("\"`", "`\""), ("`\r", "`"), ("\"`\r", "`\"")]:
        for line in ["confd-client list instances %strue \t1%s",
                     "confd-client %sconfd-client instance-disks \t1%s"]:
          self.shell.Run(line % (start, end))

  def _Abandon(self, keys):
    """Types something, and gives up the line; then another one works.

    """
    self.assertEqual(self.shell.Run(keys, "\x15\x0bconfd-client end"), ["end"])
    self._CheckShown()

  def testCommandLine(self):
    """The command line is not evaluated before it is entered.

    """
    self._Answer(["x"])
    self._WriteFile("settings", ["[cluster x]"])
    for text in ["$(%s)", "`%s`", "'$(%s)'", "\"$(%s)\"", "\\$(%s)",
                 "a[$(%s)]", "'a[$(%s)]'", "$((a[$(%s)]))", "'*(e:\"%s\":)'",
                 "'a]=$(%s)'", "\"'$(%s)'\"", "${a:=$(%s)}", "'@'", "'*'",
                 "''", "']'", "\\\\", "a\\", "$'\\x24(%s)'", "<(%s)"]:
      word = text.replace("%s", _RUN)
      for line in ["-a W instance-disks", "--address=W instance-disks",
                   "instance-disks W", "W", "list W", "list instances W",
                   "list instances -o W", "list instances -o W,", "W instances",
                   "list instances --sort=W", "--cluster W", "--cluster=W",
                   "--hmac-file W", "--hmac-file=W", "--hmac-file W/",
                   "watch W", "watch W/", "watch --exec W", "--W=", "-W",
                   "make-key W", "make-key a W", "make-key a --may W,",
                   "check --ignore W", "--hmac=W who-has", "export W"]:
        if self._EXPANDS_FILES and line.endswith("W/"):
          continue
        self._Abandon("confd-client " + line.replace("W", word) +
                      self._COMPLETE_KEYS + " " + self._COMPLETE_KEYS)

  def testClusters(self):
    for name in ["a b", "$(%s)" % _RUN, "a;%s" % _RUN, "a'b",
                 "m\u00fc"]:
      self._WriteFile("settings", ["[cluster %s]" % name])
      self.assertEqual(self.shell.Run("confd-client --cluster \t"),
                       ["--cluster", name])
      self.assertEqual(self.shell.Run("confd-client --cluster=\t"),
                       ["--cluster=" + name])

  def testFiles(self):
    directory = self.shell.Path("files")
    os.mkdir(directory)
    for name in ["1$(%s)" % _RUN, "2`%s`" % _RUN, "3;%s" % _RUN, "4 b", "5'",
                 "6\"$(%s)" % _RUN, "7\n%s\n" % _RUN, "8*", "9\\"]:
      path = os.path.join(directory, name)
      testutils.WriteFile(path, b"")
      for option in ["--hmac-file ", "--hmac-file=", "make-key x ",
                     "watch cat "]:
        self.assertEqual(
          self.shell.Run("confd-client %sfiles/%s\t" % (option, name[0])),
          (option + "files/" + name).split(" ", option.count(" ")), name)

  def testMany(self):
    names = ["web%d.example.com" % i for i in range(10000)] + [
      "%d $(%s)" % (i, _RUN) for i in range(2000)]
    self._Answer(names)
    self.assertEqual(sorted(self.shell.Matches("instance-disks", "")),
                     sorted(names))
    self.assertEqual(sorted(self.shell.Matches("instance-disks", "web777")),
                     sorted(i for i in names if i.startswith("web777")))

  def testOtherLocale(self):
    """Names beyond ASCII are right, or not there.

    """
    self._Start(locale="C", settings="settings", own_settings="none",
                data="data", patience="60")
    for name in ["\u00fc", "a\u732b$(%s)" % _RUN, "\u202e"]:
      self._Answer([name])
      self.assertIn(self.shell.Run("confd-client instance-disks \t"),
                    [["instance-disks"], ["instance-disks", name]])


@unittest.skipUnless(completing.Bash.IsThere(), "no bash")
class TestBash(_Tests, unittest.TestCase):
  _Shell = completing.Bash


@unittest.skipUnless(completing.Zsh.IsThere(), "no zsh (Debian: zsh)")
class TestZsh(_Tests, unittest.TestCase):
  _Shell = completing.Zsh
  _COMPLETE_KEYS = "\x18c"
  _EXPANDS_FILES = True
  # Of the terminal "dumb"
  _SEQUENCES = rb"\x1b\[\?2004[hl]|\x1b\[J"


if __name__ == "__main__":
  unittest.main()
