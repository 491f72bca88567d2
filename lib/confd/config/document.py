#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses the text of C{config.data}, one instance and one disk at a time.

The text is decoded in chunks. Each item of the sections L{redaction.SECTIONS}
is parsed, redacted, indexed by name and packed (L{packed}) before the next one
is parsed. All other values stay Python objects. The reason is memory. Nearly
all of a large configuration is instances and disks, and their Python objects
take five times as much memory as their JSON text. The text itself is read chunk
by chunk, too: most of it is never in memory.

Rule 1: an item is redacted before any part of it is stored.

Rule 2: the result is the same as if the whole text was parsed at once. If an
object has a key twice, the last value counts, in the position of the first. A
text that is not JSON is parsed as a whole, so that the error message has the
position of the syntax error.

"""

from __future__ import annotations

import codecs
import enum
import functools
import json
import re

from ganeti import errors
from ganeti.confd.config import lenient
from ganeti.confd.config import packed as packedlib
from ganeti.confd.config import redaction
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Iterator, Optional, Union
  from ganeti.confd.protocol import wire


#: Minimum number of bytes that are decoded at a time
CHUNK = 1 << 18

#: Amount of decoded text that must be left when an item is parsed (characters);
#: otherwise more text is decoded first. Nearly all items are shorter, so that
#: the first attempt to parse an item succeeds.
_LOOKAHEAD = 1 << 14

_Blanks = re.compile(r"[ \t\n\r]*").match
# Matches the text between two values of an object: a comma, a key without
# escape sequences, and a colon
_NextKey = re.compile(r"[ \t\n\r]*,[ \t\n\r]*\"([^\"\\\x00-\x1f]*)\""
                      r"[ \t\n\r]*:[ \t\n\r]*").match


def _ReadAsNull(_: str) -> None:
  return None


class _Reader:
  """An incremental parser of one JSON text.

  @ivar secrets: the secrets in the value that was read last

  """
  def __init__(self, chunks: Iterator[bytes]) -> None:
    self._chunks = chunks
    self._decode = codecs.getincrementaldecoder("utf-8")().decode
    # Decoded text, and the position in it from which the parser has to read on
    self._text = ""
    self._at = 0
    self._is_last = False
    self.secrets: redaction.Secrets = {}
    # Read NaN and Infinity as null: some programs write these words, which are
    # not JSON
    decoder = json.JSONDecoder(
      parse_constant=_ReadAsNull,
      object_hook=functools.partial(redaction.Object, self.secrets))
    self._scan = getattr(decoder, "scan_once")

  def _DecodeMore(self) -> None:
    """Decodes more of the text, and at least doubles the unread part.

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
    """Returns the next character that is no blank; "" at the end of the text.

    """
    while True:
      self._at = _Blanks(self._text, self._at).end() # type: ignore
      if self._at < len(self._text):
        return self._text[self._at]
      if self._is_last:
        return ""
      self._DecodeMore()

  def Skip(self, char: str) -> None:
    """Moves to the position after an expected character.

    @raise ValueError: the next character is another one

    """
    if self.Next() != char:
      raise ValueError()
    self._at += 1

  def Value(self) -> wire.Json:
    """Reads the value that begins at the next character.

    @raise ValueError, StopIteration, RecursionError: no JSON value begins there

    """
    while True:
      if len(self._text) - self._at < _LOOKAHEAD and not self._is_last:
        self._DecodeMore()
      self.secrets.clear()
      try:
        (value, end) = self._scan(self._text, self._at)
      except (ValueError, StopIteration):
        if self._is_last:
          raise
      else:
        # Decode more text if the value ends where the decoded text ends: the
        # value may be only the beginning of a number, such as "1", "1." or
        # "1.5e"
        if self._is_last or (end < len(self._text) and
                             self._text[end] not in ".eE"):
          self._at = end
          return value
      self._DecodeMore()

  def Keys(self) -> Iterator[str]:
    """Yields the keys of the object that begins at the next character.

    The caller has to read a key's value before it takes the next key.

    @raise ValueError, StopIteration: no JSON object begins there

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
      # Read the keys that have no escape sequences in this way, which takes a
      # tenth of the time
      match = _NextKey(self._text, self._at)
      while match is not None:
        self._at = match.end()
        if self._at == len(self._text):
          # The decoded text ends after the colon: decode more text, and skip
          # any blanks, up to the key's value
          self.Next()
        yield match[1]
        match = _NextKey(self._text, self._at)
      if self.Next() != ",":
        self.Skip("}")
        return
      self.Skip(",")


class NoName(enum.Enum):
  """The reason why an item of a section has no name, or an empty one.

  """
  #: The item is a forthcoming object (Ganeti 2.16 and later), which may have no
  #: name yet
  FORTHCOMING = "is forthcoming"
  MISSING = "has no name, left out"
  NO_OBJECT = "is no JSON object, left out"


def NameOf(stored: wire.Json) -> Union[str, NoName]:
  """Returns the name of an item of a section.

  """
  if not isinstance(stored, dict):
    return NoName.NO_OBJECT
  name = lenient.Text(stored.get("name"))
  if name:
    return name
  return (NoName.FORTHCOMING if stored.get("forthcoming") is True else
          NoName.MISSING)


class Document:
  """A configuration without its secrets.

  @ivar stored: the configuration; the items of L{redaction.SECTIONS} are packed
  @ivar names: the instances' names by key

  """
  def __init__(self, read: Callable[[], Iterator[bytes]]) -> None:
    """@param read: returns the text in chunks, from its beginning; called again
      if the text is not JSON
    @raise errors.ConfigurationError: the text is not JSON, or no object; the
      message quotes none of the text

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
             for (key, secrets) in by_key.items()
             if not self._shared.isdisjoint(secrets)}
      for (name, by_key) in self._secrets.items()} if self._shared else {}
    del self._seen, self._shared, self._secrets

  def _Begin(self) -> None:
    self.names: dict[str, Union[str, NoName]] = {}
    # The secrets of all DRBD disks, and the secrets that more than one disk has
    self._seen: set[str] = set()
    self._shared: set[str] = set()
    # Maps the section and the key of each item to a list: of one secret for a
    # disk, or of the secrets of all disks that are stored inside an instance
    self._secrets: dict[str, dict[str, list[Optional[str]]]] = {}

  def SharesSecret(self, section: str, key: str, index: int = 0) -> bool:
    """Tells whether another disk has the same DRBD secret as a disk.

    @param section: "disks", or "instances" for a disk that is stored inside its
      instance
    @param index: the disk's number in the instance

    """
    sharing = self._sharing.get(section, {}).get(key)
    return sharing is not None and sharing[index]

  def _ParseByItem(self, reader: _Reader) -> lenient.Stored:
    """Parses the text, item by item.

    @raise ValueError, StopIteration, RecursionError: the text is not JSON, no
      object, or nested too deeply

    """
    stored: lenient.Stored = {}
    for name in reader.Keys():
      if name in redaction.SECTIONS:
        self._BeginSection(name)
        if reader.Next() == "{":
          stored[name] = self._ReadSection(name, reader)
          continue
      stored[name] = reader.Value()
      self._AddSecrets(reader.secrets)
    if reader.Next():
      raise ValueError()
    secrets: redaction.Secrets = {}
    stored.update(redaction.Object(
      secrets, {name: value for (name, value) in stored.items()
                if name not in redaction.SECTIONS}))
    self._AddSecrets(secrets)
    return stored

  def _ReadSection(self, name: str,
                   reader: _Reader) -> dict[str, packedlib.Packed]:
    """Parses a section, and packs its items.

    """
    section: dict[str, packedlib.Packed] = {}
    # Items of the section whose keys are names such as "children", which
    # L{redaction.Object} looks up in any JSON object, and so also in the
    # section
    special: lenient.Stored = {}
    special_secrets: redaction.Secrets = {}
    for key in reader.Keys():
      value = reader.Value()
      if reader.secrets:
        self._AddSecrets(reader.secrets)
      if key in redaction.KEYS:
        special[key] = section[key] = value
        special_secrets.update(reader.secrets)
      else:
        section[key] = self._PackItem(name, key, value, reader.secrets)
    if special:
      more: redaction.Secrets = {}
      redaction.Object(more, special)
      self._AddSecrets(more)
      for (key, value) in special.items():
        section[key] = self._PackItem(name, key, value, special_secrets)
    return section

  def _ParseAsWhole(self, text: bytes) -> lenient.Stored:
    """Parses the whole text at once.

    @raise errors.ConfigurationError: the text is not JSON, no object, or nested
      too deeply

    """
    secrets: redaction.Secrets = {}
    decoder = json.JSONDecoder(
      parse_constant=_ReadAsNull,
      object_hook=functools.partial(redaction.Object, secrets))
    try:
      stored = decoder.decode(text.decode("utf-8-sig"))
    except UnicodeDecodeError as err:
      raise errors.ConfigurationError("not UTF-8 at byte %d" % err.start)
    except json.JSONDecodeError as err:
      raise errors.ConfigurationError("not JSON: %s" % err)
    except ValueError as err:
      raise errors.ConfigurationError("unreadable number: %s" % err)
    except RecursionError:
      raise errors.ConfigurationError("nested too deeply")
    if not isinstance(stored, dict):
      raise errors.ConfigurationError("no JSON object")
    self._AddSecrets(secrets)
    for name in redaction.SECTIONS:
      self._BeginSection(name)
      section = lenient.Dict(stored.get(name))
      for (key, value) in section.items():
        # Assigning to an existing key is permitted while the dict is iterated
        # over
        section[key] = self._PackItem(name, key, value, secrets)
    return stored

  def _BeginSection(self, name: str) -> None:
    """Drops the data of an earlier section with the same name.

    """
    self._secrets[name] = {}
    if name == "instances":
      self.names.clear()

  def _AddSecrets(self, secrets: redaction.Secrets) -> None:
    for (_, secret) in secrets.values():
      if secret in self._seen:
        self._shared.add(secret)
      self._seen.add(secret)

  def _PackItem(self, section: str, key: str, value: wire.Json,
                secrets: redaction.Secrets) -> packedlib.Packed:
    """Redacts and packs an item of a section.

    @param value: the item; L{redaction.Object} was called for all objects in it
    @param secrets: the secrets in the item, and perhaps in others

    """
    value = redaction.SectionItem(value)
    if section == "instances":
      self.names[key] = NameOf(value)
    # If the key occurs twice, the last item counts: drop the secrets of an
    # earlier item with this key
    self._secrets[section].pop(key, None)
    if secrets:
      disks = [value]
      if section == "instances":
        disks = lenient.List(lenient.Dict(value).get("disks"))
      self._secrets[section][key] = [_SecretOf(disk, secrets) for disk in disks]
    return packedlib.Pack(value)


def _SecretOf(disk: wire.Json, secrets: redaction.Secrets) -> Optional[str]:
  """Returns the secret that was in a disk's C{logical_id}, or None.

  """
  (_, secret) = secrets.get(id(lenient.Dict(disk).get("logical_id")),
                            (None, None))
  return secret
