#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses the text of C{config.data}, one instance and one disk at a time.

Nearly all of a large configuration is instances and disks. As Python's objects
they would take five times as much memory as their text does; as a whole, the
text itself would be there twice while it is parsed. So the text is decoded
bit by bit, and each item of the sections L{redaction.SECTIONS} is parsed,
redacted, looked at and packed (L{packed}) before the next one. Everything else
stays as objects.

Rule 1: nothing is kept of an item that was not redacted before.

Rule 2: the result is that of parsing the whole text at once: the last of equal
keys counts, in the place of the first. What is no JSON at all is parsed as a
whole indeed, since the library that does so says where the fault is.

"""

from __future__ import annotations

import codecs
import functools
import json
import re

import simplejson

from ganeti import errors
from ganeti.confd.config import lenient
from ganeti.confd.config import packed
from ganeti.confd.config import redaction
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Callable, Iterator, Optional
  from ganeti.confd.protocol import wire


#: How much of the text is decoded at a time, at least (bytes)
CHUNK = 1 << 20

_Blanks = re.compile(r"[ \t\n\r]*").match
# A text without escapes
_NextKey = re.compile(r"[ \t\n\r]*,[ \t\n\r]*\"([^\"\\\x00-\x1f]*)\""
                      r"[ \t\n\r]*:[ \t\n\r]*").match

def _NoNumber(_: str) -> None:
  return None


class _Reader:
  """A JSON text, read from its beginning to its end.

  @ivar secrets: those in the value that was read last

  """
  def __init__(self, chunks: Iterator[bytes]) -> None:
    self._chunks = chunks
    self._decode = codecs.getincrementaldecoder("utf-8")().decode
    # The part that is looked at, and where in it the next character is
    self._text = ""
    self._at = 0
    self._is_last = False
    self.secrets: redaction.Secrets = {}
    # NaN and Infinity are not JSON, but other programs write them
    decoder = json.JSONDecoder(
      parse_constant=_NoNumber,
      object_hook=functools.partial(redaction.Object, self.secrets))
    self._scan = getattr(decoder, "scan_once")

  def _ReadOn(self) -> None:
    """Decodes more of the text: at least as much again as there is left.

    """
    parts = [self._text[self._at:]]
    wanted = max(1, len(parts[0]))
    while wanted > 0 and not self._is_last:
      chunk = next(self._chunks, None)
      self._is_last = chunk is None
      part = self._decode(chunk or b"", self._is_last)
      wanted -= len(part)
      parts.append(part)
    self._text = "".join(parts)
    self._at = 0

  def Next(self) -> str:
    """Returns the next character that is no blank; empty at the end.

    """
    while True:
      self._at = _Blanks(self._text, self._at).end() # type: ignore
      if self._at < len(self._text):
        return self._text[self._at]
      if self._is_last:
        return ""
      self._ReadOn()

  def Skip(self, char: str) -> None:
    """Goes on after a character.

    @raise ValueError: there is another one

    """
    if self.Next() != char:
      raise ValueError()
    self._at += 1

  def Value(self) -> wire.Json:
    """Reads the value that begins at the next character.

    @raise ValueError, StopIteration, RecursionError: there is none

    """
    while True:
      self.secrets.clear()
      try:
        (value, end) = self._scan(self._text, self._at)
      except (ValueError, StopIteration):
        if self._is_last:
          raise
      else:
        # Where this part of the text ends, a number may go on: "1", "1." and
        # "1.5e" may become longer ones
        if self._is_last or (end < len(self._text) and
                             self._text[end] not in ".eE"):
          self._at = end
          return value
      self._ReadOn()

  def Keys(self) -> Iterator[str]:
    """Yields the keys of the object that begins at the next character.

    Whoever asks for the next key has read the value of the last one.

    @raise ValueError, StopIteration: it is no object

    """
    self.Skip("{")
    if self.Next() == "}":
      self.Skip("}")
      return
    while True:
      if self.Next() != "\"":
        raise ValueError()
      key = self.Value()
      self.Skip(":")
      self.Next()
      yield key
      # Nearly all keys but the first, in a tenth of the time
      match = _NextKey(self._text, self._at)
      while match is not None:
        self._at = match.end()
        if self._at == len(self._text):
          # There may be more blanks
          self.Next()
        yield match[1]
        match = _NextKey(self._text, self._at)
      if self.Next() != ",":
        self.Skip("}")
        return
      self.Skip(",")


class Name(NamedTuple):
  """What has to be known of all objects of a section before they are sorted.

  @ivar name: None if there is none, or an empty one

  """
  name: Optional[str]
  forthcoming: bool

  def IsMissing(self) -> bool:
    """Whether the object should have a name, and has none.

    """
    return self.name is None and not self.forthcoming


def NameOf(stored: wire.Json) -> Optional[Name]:
  """Returns the name of an item of a section; None if it is no object.

  """
  if not isinstance(stored, dict):
    return None
  return Name(lenient.Text(stored.get("name")) or None,
              stored.get("forthcoming") is True)


class Document:
  """A configuration without its secrets.

  @ivar stored: the configuration; the items of L{redaction.SECTIONS} are packed
  @ivar names: the instances' names by key; None for what is no object

  """
  def __init__(self, read: Callable[[], Iterator[bytes]]) -> None:
    """@param read: begins to read the text; called twice if it is no JSON
    @raise errors.ConfigurationError: it is no JSON, or no object; the message
      quotes nothing of it

    """
    self._Begin()
    try:
      self.stored = self._ParseByItem(_Reader(read()))
    except (ValueError, StopIteration, RecursionError):
      self._Begin()
      self.stored = self._ParseAsWhole(b"".join(read()))
    for name in redaction.SECTIONS:
      if name in self.stored:
        self.stored[name] = redaction.Item(self.stored[name])
    self._sharing = {
      name: {key: [secret in self._shared for secret in secrets]
             for (key, secrets) in places.items()
             if not self._shared.isdisjoint(secrets)}
      for (name, places) in self._secrets.items()} if self._shared else {}
    del self._seen, self._shared, self._secrets

  def _Begin(self) -> None:
    self.names: dict[str, Optional[Name]] = {}
    # The secrets of DRBD disks, and those that several of them have
    self._seen: set[str] = set()
    self._shared: set[str] = set()
    # By section and key: the secret of the disk, or those of the disks that
    # stand inside the instance
    self._secrets: dict[str, dict[str, list[Optional[str]]]] = {}

  def SharesSecret(self, section: str, key: str, index: int = 0) -> bool:
    """Tells whether another disk has a disk's secret.

    @param section: "disks", or "instances" for one that stands inside its
      instance
    @param index: its number there

    """
    sharing = self._sharing.get(section, {}).get(key)
    return sharing is not None and sharing[index]

  def _ParseByItem(self, reader: _Reader) -> lenient.Stored:
    """Parses the text, item by item.

    @raise ValueError, StopIteration, RecursionError: something is wrong with it

    """
    stored: lenient.Stored = {}
    for name in reader.Keys():
      if name in redaction.SECTIONS:
        self._BeginSection(name)
        if reader.Next() == "{":
          stored[name] = self._ReadSection(name, reader)
          continue
      stored[name] = reader.Value()
      self._Note(reader.secrets)
    if reader.Next():
      raise ValueError()
    secrets: redaction.Secrets = {}
    stored.update(redaction.Object(
      secrets, {name: value for (name, value) in stored.items()
                if name not in redaction.SECTIONS}))
    self._Note(secrets)
    return stored

  def _ReadSection(self, name: str,
                   reader: _Reader) -> dict[str, packed.Kept]:
    """Parses a section, and packs what is in it.

    """
    section: dict[str, packed.Kept] = {}
    # A section is an object, too, and in any object these keys mean something
    odd: lenient.Stored = {}
    odd_secrets: redaction.Secrets = {}
    for key in reader.Keys():
      value = reader.Value()
      if reader.secrets:
        self._Note(reader.secrets)
      if key in redaction.KEYS:
        odd[key] = section[key] = value
        odd_secrets.update(reader.secrets)
      else:
        section[key] = self._Take(name, key, value, reader.secrets)
    if odd:
      more: redaction.Secrets = {}
      redaction.Object(more, odd)
      self._Note(more)
      for (key, value) in odd.items():
        section[key] = self._Take(name, key, value, odd_secrets)
    return section

  def _ParseAsWhole(self, text: bytes) -> lenient.Stored:
    """Parses the text, all of it at once.

    @raise errors.ConfigurationError: something is wrong with it

    """
    secrets: redaction.Secrets = {}
    decoder = simplejson.JSONDecoder(
      parse_constant=_NoNumber,
      object_hook=functools.partial(redaction.Object, secrets))
    try:
      stored = decoder.decode(text)
    except UnicodeDecodeError as err:
      raise errors.ConfigurationError("not UTF-8 at byte %d" % err.start)
    except simplejson.JSONDecodeError as err:
      raise errors.ConfigurationError("not JSON: %s" % err)
    except ValueError as err:
      raise errors.ConfigurationError("unreadable number: %s" % err)
    except RecursionError:
      raise errors.ConfigurationError("nested too deeply")
    if not isinstance(stored, dict):
      raise errors.ConfigurationError("no JSON object")
    self._Note(secrets)
    for name in redaction.SECTIONS:
      self._BeginSection(name)
      section = lenient.Dict(stored.get(name))
      for (key, value) in section.items():
        # The key is there already, so the loop may go on
        section[key] = self._Take(name, key, value, secrets)
    return stored

  def _BeginSection(self, name: str) -> None:
    """Forgets an earlier section of the same name, which does not count.

    """
    self._secrets[name] = {}
    if name == "instances":
      self.names.clear()

  def _Note(self, secrets: redaction.Secrets) -> None:
    for (_, secret) in secrets.values():
      if secret in self._seen:
        self._shared.add(secret)
      self._seen.add(secret)

  def _Take(self, section: str, key: str, value: wire.Json,
            secrets: redaction.Secrets) -> packed.Kept:
    """Redacts and packs an item of a section.

    @param value: the item, whose objects are redacted already
    @param secrets: those in it, at least

    """
    value = redaction.SectionItem(value)
    disks = [value]
    if section == "instances":
      self.names[key] = NameOf(value)
      disks = lenient.List(lenient.Dict(value).get("disks"))
    # An earlier item of the same key does not count
    self._secrets[section].pop(key, None)
    if secrets:
      self._secrets[section][key] = [_SecretOf(disk, secrets) for disk in disks]
    return packed.Pack(value)


def _SecretOf(disk: wire.Json, secrets: redaction.Secrets) -> Optional[str]:
  """Returns the secret that was in a disk's C{logical_id}, if there was one.

  """
  (_, secret) = secrets.get(id(lenient.Dict(disk).get("logical_id")),
                            (None, None))
  return secret
