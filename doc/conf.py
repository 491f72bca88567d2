#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How Sphinx makes HTML of this directory: see the target "html" of make.

The pages are written to be read as they are, too: file names stand in them for
links, and docstrings are in epytext. Both are converted here.

"""

import re

from docutils import nodes
from sphinx import addnodes


project = "ganeti-confd"
copyright = "2026 the ganeti-confd authors" # pylint: disable=W0622
extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["html"]
html_theme = "alabaster"
html_theme_options = {"page_width": "60em", "font_family": "sans-serif"}
html_show_sourcelink = False
html_copy_source = False
autodoc_member_order = "bysource"

#: doc/NAME.rst or NAME.rst, as a literal or emphasized
_PAGE_RE = re.compile(r"(``|\*)(?:doc/)?([A-Za-z-]+)\.rst\1")

#: NAME(SECTION), the name in bold type: one of our manual pages
_MANUAL_RE = re.compile(r"\*\*([a-z-]+)\*\*\\?\(([0-9])\)")

#: Epytext's markup, innermost first; C{{"a": 1}} has balanced braces in it
_MARKUP_RE = re.compile(
  r"\b([A-Z])\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")

#: What would be markup in reST
_SPECIAL_RE = re.compile(r"([\\*`|]|_\b)")

#: Epytext's fields that have another name in reST; the others keep theirs
_FIELDS = {
  "return": "returns",
  "raise": "raises",
  }
#: Errors have their place in the pages where programs find them
_OUR_ERROR_RE = re.compile(r"\bclient\.")

#: A module of the library in an annotation
_MODULE_RE = re.compile(r"\b(?:ganeti\.confd\.)?(?:clientlib\.|testing\.)?"
                        r"(?:candidate|candidatelib|changes|client|"
                        r"clusterstats|clusterstatus|filters|replies|wire)"
                        r"\.(?=[A-Z])")

#: Classes whose objects are made by the library alone
_NOT_MADE = frozenset(["AsyncFollowing", "Candidate", "Following"])

_FIELD_RE = re.compile(r"( *)@([a-z]+)(?: +([^:\n]+))?:")


def _Inline(text):
  """Converts what is within lines.

  """
  result = []
  end = 0
  for match in _MARKUP_RE.finditer(text):
    result.append(_SPECIAL_RE.sub(r"\\\1", text[end:match.start()]))
    literal = " ".join(match.group(2).split())
    result.append("``%s``" % _MODULE_RE.sub("", literal))
    # Before reST a literal has to end where a word does
    if re.match(r"\w", text[match.end():]):
      result.append("\\ ")
    end = match.end()
  result.append(_SPECIAL_RE.sub(r"\\\1", text[end:]))
  return "".join(result)


def FromEpytext(text):
  """Converts a docstring from epytext to reST.

  """
  result = []
  for paragraph in re.split(r"(\n[ \t]*\n)", text):
    # A literal block, after the paragraph that announces it
    if (paragraph.startswith(" ") and
        "".join(result).rstrip().endswith("::")):
      result.append(paragraph)
      continue
    (head, *fields) = re.split(r"^(?= *@[a-z]+[ :])", paragraph,
                               flags=re.MULTILINE)
    result.append(_Inline(head))
    for field in fields:
      match = _FIELD_RE.match(field)
      if match is None:
        result.append(_Inline(field))
        continue
      (indent, name, argument) = match.groups()
      name = _FIELDS.get(name, name)
      if argument:
        if name == "raises":
          argument = _OUR_ERROR_RE.sub("~ganeti.confd.client.", argument)
        name += " " + _Inline(argument)
      result.append("%s:%s:%s" % (indent, name, _Inline(field[match.end():])))
  return "".join(result)


def WithLinks(text, pages):
  """Makes links of the names of pages, and of manual pages.

  @param pages: the names of those there are

  """
  def _Link(match):
    name = match.group(2).lower()
    return ":doc:`%s`" % name if name in pages else match.group(0)

  def _ManualLink(match):
    (name, section) = match.groups()
    if name not in pages:
      return match.group(0)
    return ":doc:`%s(%s) <%s>`" % (name, section, name)

  return _MANUAL_RE.sub(_ManualLink, _PAGE_RE.sub(_Link, text))


def _ProcessDocstring(_app, _what, _name, _obj, _options, lines):
  lines[:] = FromEpytext("\n".join(lines)).split("\n")


def _ProcessSignature(_app, what, name, *_):
  """Leaves out the arguments of constructors that programs do not call.

  """
  if what == "class" and name.rpartition(".")[2] in _NOT_MADE:
    return ("", None)
  return None


def _ProcessTree(_app, tree):
  """Leaves modules out of annotations: programs use client.NAME for all.

  """
  for signature in tree.findall(addnodes.desc_signature):
    for text in list(signature.findall(nodes.Text)):
      text.parent.replace(text, nodes.Text(_MODULE_RE.sub("", text)))


def _ReadSource(app, page, source):
  source[0] = WithLinks(source[0], app.env.found_docs - {page})


def setup(app):
  """Called by Sphinx.

  """
  app.connect("autodoc-process-docstring", _ProcessDocstring)
  app.connect("autodoc-process-signature", _ProcessSignature)
  app.connect("doctree-read", _ProcessTree)
  app.connect("source-read", _ReadSource)
