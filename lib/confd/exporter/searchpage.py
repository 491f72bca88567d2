#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The page with the hits of a search.

"""

from __future__ import annotations

from typing import Sequence

from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import paging
from ganeti.confd.exporter import search
from ganeti.confd.schema import columns


E = markup.E

#: Examples of searches, and the things that each finds
_HELP = [
  ("web1", "names, or parts of names"),
  ("web*", "names that begin with it"),
  ("192.0.2.7, aa:00:00:12:34:56", "an address, in any notation"),
  ("192.0.2.0/24", "a subnet, and what has an address in it"),
  ("tag:web", "everything with this tag"),
  ("offline node, debian web", "several words: all have to match"),
  ]


def Search(states: Sequence[layout.State], words: str, content: markup.Content
           ) -> str:
  """Makes the page.

  @param content: from L{Content} or C{pages.Error}

  """
  problems = [E("p", "Cluster %s: what was known last, if anything, is"
                " searched. %s" % (state.cluster, state.problem),
                class_="problem")
              for state in states if state.problem is not None]
  problems += [E("p", "Cluster %s: the key does not permit to list %s, so these"
                 " are not searched." % (state.cluster, " and ".join(lacking)),
                 class_="problem")
               for (state, lacking) in (
                   (state, state.config.Unknown(*columns.KINDS))
                   for state in states if state.config is not None) if lacking]
  return layout.Page("Search", None, "search", "",
                     [problems, content, _Histories(states, words)],
                     words=words)


def _Histories(states: Sequence[layout.State], words: str) -> markup.Content:
  """Makes links to the changes of objects with a name, which may be gone.

  """
  if not layout.IsWord(words) or not search.MayBeName(words):
    return None
  links: list[markup.Content] = []
  for state in states:
    if state.history is not None:
      links += [", " if links else None, E(
        "a", state.cluster, href=layout.ClusterPath(
          state.cluster, layout.HISTORY, name=words))]
  return E("p", "Recorded changes of this name, also if the object is gone: ",
           links) if links else None


def Help() -> markup.Content:
  return [E("h2", "What can be searched"), E("dl", [
    (E("dt", E("code", example)), E("dd", text)) for (example, text) in _HELP])]


def _Path(hit: search.Hit) -> str:
  """Returns the path of the page about a hit.

  """
  if hit.kind == search.CLUSTER:
    return layout.ClusterPath(hit.cluster)
  return (layout.ObjectPath(hit.cluster, hit.kind, hit.name) or
          layout.ObjectPath(hit.cluster, hit.kind, hit.uuid) or
          layout.ClusterPath(hit.cluster))


def Target(hits: list[search.Hit], words: str) -> str:
  """Returns the path of the page to open at once; empty if there is none.

  """
  hit = None if search.IsForTag(words) else search.Single(hits)
  return "" if hit is None else _Path(hit)


def Content(hits: list[search.Hit]) -> markup.Markup:
  """Makes the list of hits.

  """
  if not hits:
    return markup.Join(E("p", "Nothing was found."), Help())
  shown = hits[:paging.MAX_ROWS]
  text = "%d found" % len(hits)
  if len(shown) < len(hits):
    text += ", of which the first %d are shown; more words find less" % (
      len(shown))
  return markup.Join(
    E("p", text, "."),
    layout.TableElement(
      "Found", layout.Headers("Name", "Kind", "Cluster", "Found in"),
      [[E("a", str(hit.name), href=_Path(hit)), hit.kind,
        E("a", hit.cluster, href=layout.ClusterPath(hit.cluster)),
        "; ".join("%s: %s" % place for place in hit.places)]
       for hit in shown]))
