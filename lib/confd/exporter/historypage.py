#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The recorded changes of a cluster, as a page, a part of pages, and JSON.

"""

from __future__ import annotations

import json
import re

from typing import Any, Mapping, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd import numerals
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import differences
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import lookup
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import paging
from ganeti.confd.schema import columns


E = markup.E

#: Maximum number of entries that are shown: on the page, as JSON, and in the
#: section of another page
_ON_PAGE = paging.MAX_ROWS
_AS_JSON = 1000
_IN_SECTION = 10

#: Maximum length on a page (characters): of one value, and of all values of an
#: object together
_MAX_VALUE = 100
_MAX_VALUES = 300

#: Maximum number of words in C{Selection.others}: the UUIDs and names of the
#: objects that have the requested name now
_MAX_OTHERS = 100

_MAX_ID = (1 << 63) - 1

#: The text of a section without changes
NO_CHANGE = "No change is recorded."

#: Names of fields that pages show in place of Ganeti's short names
_TITLES = {
  "snodes": "secondary nodes",
  "os": "OS",
  "disk_template": "disk template",
  "alloc_policy": "allocation policy",
  "vm_capable": "may have instances",
  "master_capable": "may become master",
  "admin_state": "state wanted",
  "admin_state_source": "state set by",
  "pip": "primary IP",
  "sip": "secondary IP",
  }

#: Values that are left out when an object is added or removed, as they are the
#: usual ones; of other fields, the value False is left out
_USUAL = {"vm_capable": True, "master_capable": True}

#: The fields with sizes in MiB
_SIZES = re.compile(r"be(?:params/default)?/(?:maxmem|minmem)|disk/[^/]*/size")


def Parse(query: Mapping[str, str], is_json: bool) -> history.Selection:
  """Parses the parameters of the page, or of the same as JSON.

  @raise forked.BadRequest: a parameter is wrong

  """
  before = query.get("before", "")
  kind = query.get("kind", "")
  if kind and kind not in differences.KINDS:
    raise forked.BadRequest("There is no kind %s; there are %s" % (
      sanitize.Show(kind), ", ".join(differences.KINDS)))
  try:
    number = numerals.Parse(before, 1, _MAX_ID) if before else None
  except ValueError:
    raise forked.BadRequest("\"before\" is not the id of a change: %s" %
                            sanitize.Show(before)) from None
  return history.Selection(_AS_JSON if is_json else _ON_PAGE, number,
                           query.get("name", "").strip(), True, kind)


def About(kind: str, word: str) -> history.Selection:
  """Selects the entries for the page about an object.

  @param word: the object's name or UUID

  """
  return history.Selection(_IN_SECTION, None, word, False, kind)


def Former(kinds: Sequence[str], word: str) -> history.Selection:
  """Selects the entries for the page in place of an object that is not there.

  @param kinds: the kind of the object; several if it is not known
  @param word: the object's former name, short name or UUID

  """
  return history.Selection(_IN_SECTION, None, word, True,
                           kinds[0] if len(kinds) == 1 else "")


def Identify(wanted: history.Selection,
             config: Optional[clusterstate.ClusterConfig]) -> history.Selection:
  """Adds the UUID and the name of an object, which may have had another name.

  @param config: the current configuration, if there is one

  """
  if not wanted.name or config is None:
    return wanted
  kinds = [kind for kind in differences.KINDS
           if kind != differences.CLUSTER and wanted.kind in ("", kind)]
  others = [word for found in lookup.FindObjects(config, kinds, wanted.name)
            for word in (found.uuid, found.name) if isinstance(word, str)]
  return wanted._replace(others=others[:_MAX_OTHERS])


def Latest() -> history.Selection:
  """Selects the entries for the overview.

  """
  return history.Selection(_IN_SECTION)


def _Path(cluster: str, name: str, wanted: history.Selection,
          before: Optional[int] = None) -> str:
  """Returns the path of the page, or of the same as JSON.

  """
  return layout.ClusterPath(cluster, name, kind=wanted.kind, name=wanted.name,
                            before="" if before is None else str(before))


class _Writer:
  """Writes changes of a cluster as HTML.

  """
  def __init__(self, cluster: str,
               config: Optional[clusterstate.ClusterConfig]) -> None:
    """@param config: the objects in this configuration have pages; None if the
        cluster has not answered yet

    """
    self._cluster = cluster
    self._names: dict[str, set[str]] = {} if config is None else {
      kind: {name for (name, ) in config.tables[kind].Values(["name"])
             if isinstance(name, str)}
      for kind in differences.KINDS if kind != differences.CLUSTER}

  def Object(self, kind: str, name: Any) -> markup.Content:
    """Makes a link to the page of an object, or to its history if it has none.

    """
    if kind == differences.CLUSTER or not isinstance(name, str):
      return layout.FormatValue(name)
    if name in self._names.get(kind, ()):
      return layout.Link(self._cluster, kind, name)
    return E("a", name, href=_Path(self._cluster, layout.HISTORY,
                                   history.Selection(0, name=name, kind=kind)))

  def _Value(self, kind: str, field: str, value: Any) -> markup.Content:
    target = differences.REFERENCES.get((kind, field))
    if target is not None:
      content: list[markup.Content] = []
      for name in value if isinstance(value, list) else [value]:
        content += [", " if content else None, self.Object(target, name)]
      return content or "none"
    return _Shorten(_FormatField(field, value), _MAX_VALUE)

  def Change(self, entry: history.Entry) -> markup.Content:
    """Says what has changed, in a sentence without a subject.

    """
    (kind, field, old, new) = (entry.kind, entry.field, entry.old, entry.new)
    if field is None:
      return self._Presence(entry.action, old if new is None else new)
    (before, after) = (self._Value(kind, field, value) for value in (old, new))
    if field == "tags":
      return _Tags(old, new)
    if field == "name":
      return ["renamed from ", before, " to ", after]
    if field == "pnode":
      return ["moved from ", before, " to ", after]
    title = _TITLES.get(field, field)
    if old is None:
      return [title, " added: " if isinstance(new, dict) else " set to ", after]
    if new is None:
      return [title, " removed; it was ", before]
    return [title, " changed from ", before, " to ", after]

  def _Presence(self, action: str, values: Any) -> markup.Content:
    """Says that an object was added or removed, with its values.

    """
    content: list[markup.Content] = [action]
    if isinstance(values, dict):
      node = values.get("pnode")
      if node is not None:
        content += [" on " if action == differences.ADDED else " from ",
                    self.Object(columns.NODE, node)]
      rest = ["%s %s" % (_TITLES.get(name, name), _FormatField(name, value))
              for (name, value) in values.items()
              if name != "pnode" and value is not _USUAL.get(name, False)]
      if rest:
        content.append(", with " + _Shorten(", ".join(rest), _MAX_VALUES))
    return content

  def Table(self, title: str, entries: list[history.Entry]) -> markup.Markup:
    return layout.TableElement(
      title, layout.Headers("Time", "Object", "Change", "Serial",
                            numbers=["Serial"]),
      [[_Time(entry), [entry.kind, " ", self.Object(entry.kind, entry.name)],
        self.Change(entry), entry.serial] for entry in entries])


def _Shorten(text: str, most: int) -> str:
  return text if len(text) <= most else text[:most] + "..."


def _Format(value: Any) -> str:
  """Formats any value as text.

  """
  if value is None:
    return "not set"
  if isinstance(value, bool):
    return "yes" if value else "no"
  if isinstance(value, dict):
    return ", ".join("%s %s" % (name, _Format(item))
                     for (name, item) in value.items() if item is not None)
  if isinstance(value, list):
    return ", ".join(map(_Format, value)) or "none"
  if isinstance(value, str):
    return value or "empty"
  return json.dumps(value)


def _FormatField(field: str, value: Any) -> str:
  """Formats the value of a field as text.

  """
  if field == "role":
    return columns.ROLES.get(str(value), _Format(value))
  size = humanize.FormatMebibytes(value) if _SIZES.fullmatch(field) else None
  return _Format(value) if size is None else size


def _Tags(old: Any, new: Any) -> str:
  (before, after) = (value if isinstance(value, list) else []
                     for value in (old, new))
  texts = []
  for (text, tags) in [("added", [i for i in after if i not in before]),
                       ("removed", [i for i in before if i not in after])]:
    if tags:
      texts.append("%s %s" % (text, _Shorten(_Format(tags), _MAX_VALUES)))
  return "tags: " + "; ".join(texts)


def _Time(entry: history.Entry) -> Optional[str]:
  # Show whole seconds: the time of a change is not known more exactly
  time = layout.FormatTime(int(entry.time))
  if entry.since is None:
    return time
  return "between %s and %s" % (layout.FormatTime(int(entry.since)), time)


def Content(found: history.Found, cluster: str,
            config: Optional[clusterstate.ClusterConfig],
            wanted: history.Selection) -> markup.Markup:
  """Makes the table of changes, and the paragraphs around it.

  """
  turn: markup.Content = [
    E("a", "Latest", href=_Path(cluster, layout.HISTORY, wanted)), " "
    ] if wanted.before is not None else []
  if found.has_more:
    turn = [turn, E("a", "Earlier", href=_Path(cluster, layout.HISTORY, wanted,
                                               found.entries[-1].id))]
  if found.began is None:
    text = "Nothing is recorded yet. "
  else:
    text = "Recorded since %s. " % layout.FormatTime(int(found.began))
  if not found.entries and found.began is not None:
    text += "No change was found. "
  return markup.Join(
    E("p", text, E("a", "As JSON", href=_Path(
      cluster, layout.HISTORY + ".json", wanted, wanted.before))),
    E("p", turn, class_="turn") if turn else None,
    _Writer(cluster, config).Table("History", found.entries)
    if found.entries else None)


def Section(found: history.Found, cluster: str,
            config: clusterstate.ClusterConfig, wanted: history.Selection,
            if_empty: str) -> markup.Markup:
  """Makes the part of another page with the latest changes.

  @param if_empty: the text if there are no changes; empty for no section then

  """
  if not found.entries and not if_empty:
    return markup.Join()
  more = E("p", E("a", "All changes", href=_Path(cluster, layout.HISTORY,
                                                 wanted)))
  return markup.Join(
    E("h2", "History"),
    _Writer(cluster, config).Table("History", found.entries)
    if found.entries else E("p", if_empty),
    more if found.has_more else None)


def Unread(cluster: str, text: str) -> markup.Markup:
  """Makes the section of a page if the history cannot be read.

  """
  return markup.Join(E("h2", "History"), E("p", text, " ", E(
    "a", "All changes", href=layout.ClusterPath(cluster, layout.HISTORY)),
                                           class_="problem"))


def Page(state: layout.State, wanted: history.Selection,
         content: markup.Content) -> str:
  """Makes the page with the changes of a cluster.

  @param content: from L{Content} or C{pages.Error}

  """
  form = E("form", E("label", "Name or UUID of an object", for_="name"),
           E("input", type="text", id="name", name="name", value=wanted.name,
             autocapitalize="none", spellcheck="false"),
           E("input", type="hidden", name="kind", value=wanted.kind)
           if wanted.kind else None, " ",
           E("input", type="submit", value="Show"), method="get")
  return layout.Page(
    "History of %s" % state.cluster, state, layout.HISTORY,
    layout.Summary(state),
    [layout.ShowProblems(state), content], form)


def Json(found: history.Found, cluster: str, wanted: history.Selection
         ) -> bytes:
  """Makes the members of the answer as JSON, without the braces.

  """
  following = None
  if found.has_more:
    following = _Path(cluster, layout.HISTORY + ".json", wanted,
                      found.entries[-1].id)
  text = json.dumps({
    "began": found.began, "next": following,
    "answer": [entry._asdict() for entry in found.entries]})
  return text[1:-1].encode("ascii")
