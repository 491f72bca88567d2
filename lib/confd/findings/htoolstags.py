#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exclusion tags and migration tags, by the rules of htools(1).

Facts:
  - The cluster's tag C{htools:iextags:service} declares all instance tags
    C{service:...} to be exclusion tags. Two instances that share an exclusion
    tag should not have the same primary node.
  - The cluster's tag C{htools:migration:hv} declares all node tags C{hv:...} to
    be migration tags. An instance can migrate only to a node that has all
    migration tags of the instance's present node.
  - The cluster's tag C{htools:allowmigration:hv:old::hv:new} makes a node with
    the tag C{hv:new} count as having the tag C{hv:old}, too.

"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence


_EXCLUSION = "htools:iextags:"
_MIGRATION = "htools:migration:"
_ALLOW_MIGRATION = "htools:allowmigration:"


class Rules(NamedTuple):
  """The rules that a cluster's tags declare.

  """
  #: Prefixes of exclusion tags
  exclusion: tuple[str, ...]
  #: Prefixes of migration tags
  migration: tuple[str, ...]
  #: Pairs of tags: a node with the second tag counts as having the first tag,
  #: too
  allowed: Sequence[tuple[str, str]]

  def ExclusionTags(self, tags: Sequence[str]) -> list[str]:
    """Returns those of an instance's tags that are exclusion tags.

    """
    return [tag for tag in tags if tag.startswith(self.exclusion)]

  def MayMigrate(self, source: Sequence[str], target: Sequence[str]) -> bool:
    """Tells whether instances may migrate from a node to another.

    @param source: tags of the node
    @param target: tags of the other node

    """
    required = {tag for tag in source if tag.startswith(self.migration)}
    effective: set[str] = set(target)
    effective.update(old for (old, new) in self.allowed if new in target)
    return required <= effective


def _Suffixes(tags: Sequence[str], prefix: str) -> list[str]:
  return [tag[len(prefix):] for tag in tags if tag.startswith(prefix)]


def Parse(cluster_tags: Any) -> Rules:
  """Parses the rules in a cluster's tags.

  @param cluster_tags: any JSON value; items that are no strings are ignored

  """
  tags = [tag for tag in cluster_tags if isinstance(tag, str)] if isinstance(
    cluster_tags, list) else []
  pairs = [text.partition("::")
           for text in _Suffixes(tags, _ALLOW_MIGRATION)]
  return Rules(tuple(i + ":" for i in _Suffixes(tags, _EXCLUSION)),
               tuple(i + ":" for i in _Suffixes(tags, _MIGRATION)),
               [(old, new) for (old, _, new) in pairs])
