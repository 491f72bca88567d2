#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Rules in a cluster's tags about the nodes that its instances run on.

Facts, from htools(1): the cluster's tag C{htools:iextags:service} makes
"exclusion tags" of all tags C{service:...} of instances; no node shall be the
primary one of two instances that share such a tag. The cluster's tag
C{htools:migration:hv} makes "migration tags" of all tags C{hv:...} of nodes;
an instance migrates only to a node that has all migration tags of the node that
it is on. C{htools:allowmigration:hv:old::hv:new} lets a node with the tag
C{hv:new} pass as one with the tag C{hv:old}, too.

"""

from __future__ import annotations

from typing import Any, List, NamedTuple, Sequence, Set, Tuple


_EXCLUSION = "htools:iextags:"
_MIGRATION = "htools:migration:"
_ALLOW_MIGRATION = "htools:allowmigration:"


class Rules(NamedTuple):
  """The rules in the tags of a cluster.

  """
  #: Tags of instances that begin with one of these are exclusion tags
  exclusion: Tuple[str, ...]
  #: Tags of nodes that begin with one of these are migration tags
  migration: Tuple[str, ...]
  #: Pairs of tags: a node with the second one passes as having the first
  allowed: Sequence[Tuple[str, str]]

  def ExclusionTags(self, tags: Sequence[str]) -> List[str]:
    """Lists which of an instance's tags are exclusion tags.

    """
    return [tag for tag in tags if tag.startswith(self.exclusion)]

  def MayMigrate(self, source: Sequence[str], target: Sequence[str]) -> bool:
    """Says whether a node's instances may migrate to another node.

    @param source: tags of the node
    @param target: tags of the other

    """
    wanted = {tag for tag in source if tag.startswith(self.migration)}
    passes: Set[str] = set(target)
    passes.update(old for (old, new) in self.allowed if new in target)
    return wanted <= passes


def _Suffixes(tags: Sequence[str], prefix: str) -> List[str]:
  return [tag[len(prefix):] for tag in tags if tag.startswith(prefix)]


def Parse(cluster_tags: Any) -> Rules:
  """Finds the rules in a cluster's tags.

  @param cluster_tags: as stored; items that are no texts do not count

  """
  tags = [tag for tag in cluster_tags if isinstance(tag, str)] if isinstance(
    cluster_tags, list) else []
  pairs = [text.partition("::")
           for text in _Suffixes(tags, _ALLOW_MIGRATION)]
  return Rules(tuple(i + ":" for i in _Suffixes(tags, _EXCLUSION)),
               tuple(i + ":" for i in _Suffixes(tags, _MIGRATION)),
               [(old, new) for (old, _, new) in pairs])
