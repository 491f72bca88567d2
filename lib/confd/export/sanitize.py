#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What may stand in an exported file: names, addresses, words.

Facts:
  - Ganeti lets names have underscores, which host names in DNS may not have
    (RFC 1123, section 2.1); the formats here take them. dnsmasq refuses a whole
    file for a name that begins with one.
  - A name whose last label is a number is read as an address (inet_aton(3)).
  - What is C{localhost} or below it is this machine everywhere (RFC 6761,
    section 6.3).
  - C{ipaddress} takes any text after a "%".

Rule: a function here returns the value in its one canonical form, or None if it
may not stand in a file. It takes any JSON value.

"""

from __future__ import annotations

import collections
import hashlib
import ipaddress
import json
import re

from typing import Any, Dict, Iterable, Optional


_LABEL = "[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME_RE = re.compile(r"%s(?:\.%s)*" % (_LABEL, _LABEL))
_NUMBER_RE = re.compile("[0-9]+|0x[0-9a-f]*")
_MAX_NAME = 253

_MAC_RE = re.compile("[0-9a-f]{2}(?::[0-9a-f]{2}){5}")

# Ganeti's rule for tags; names of groups, networks, links and operating systems
# meet it, too. Neither a blank nor a comma, quote, bracket or brace is in it.
_WORD_RE = re.compile(r"[\w.+*/:@-]{1,128}")

_NOT_IN_IDENTIFIERS_RE = re.compile("[^A-Za-z0-9_]")

#: Longest identifier that is made of a word, without what makes it unique
_MAX_IDENTIFIER = 100

#: How many digits of a word's hash make its identifier unique: none, and ever
#: more while that is not enough
_DIGITS = (0, 8, 64)

#: Characters of a value that are shown
_MAX_SHOWN = 60


def Show(value: Any) -> str:
  """Writes any value for a message: one line of printable ASCII.

  """
  text = json.dumps(value)
  # DEL is all that JSON leaves as it is
  text = text.replace("\x7f", "\\u007f")
  return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def HostName(value: Any) -> Optional[str]:
  """Returns the name of a host, in lower case.

  """
  if not isinstance(value, str) or len(value) > _MAX_NAME:
    return None
  name = value.lower()
  # Some letters beyond ASCII become ASCII
  if not value.isascii() or not _NAME_RE.fullmatch(name):
    return None
  last = name.rpartition(".")[2]
  if _NUMBER_RE.fullmatch(last) or last == "localhost":
    return None
  return name


def Address(value: Any) -> Optional[str]:
  """Returns the IP address of a host.

  """
  if not isinstance(value, str) or "%" in value:
    return None
  try:
    address = ipaddress.ip_address(value)
  except ValueError:
    return None
  if (address.is_unspecified or address.is_loopback or address.is_multicast or
      address == ipaddress.IPv4Address("255.255.255.255") or
      getattr(address, "ipv4_mapped", None) is not None):
    return None
  return str(address)


def Version(address: str) -> int:
  """Returns the version of an address of L{Address}, 4 or 6.

  """
  return 6 if ":" in address else 4


def Mac(value: Any) -> Optional[str]:
  """Returns a MAC address, in lower case.

  """
  if isinstance(value, str) and value.isascii():
    mac = value.lower()
    if _MAC_RE.fullmatch(mac):
      return mac
  return None


def Word(value: Any) -> Optional[str]:
  """Returns a tag, or the name of a group, network or operating system.

  """
  if isinstance(value, str) and _WORD_RE.fullmatch(value):
    return value
  return None


def Link(value: Any) -> Optional[str]:
  """Returns a link, which may be empty.

  """
  return value if value == "" else Word(value)


def Number(value: Any) -> Optional[int]:
  """Returns a number that is not negative.

  """
  if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
    return value
  return None


def _Identifier(word: str, digits: int) -> str:
  text = _NOT_IN_IDENTIFIERS_RE.sub("_", word)[:_MAX_IDENTIFIER]
  if digits:
    text += "_" + hashlib.sha256(word.encode("utf-8")).hexdigest()[:digits]
  return text


def IsPlain(word: str, identifier: str) -> bool:
  """Tells whether an identifier is made of nothing but the word.

  """
  return identifier == _Identifier(word, 0)


def Identifiers(words: Iterable[str]) -> Dict[str, str]:
  """Makes an identifier of each word: letters, digits and underscores.

  Two words never have the same one. Those whose identifiers would be the same
  have the beginning of their SHA-256 at the end, all of them: who uses the one
  that was there before finds nothing, and not something else.

  """
  levels = dict.fromkeys(words, 0)
  while True:
    result = {word: _Identifier(word, _DIGITS[level])
              for (word, level) in levels.items()}
    counts = collections.Counter(result.values())
    again = [word for (word, name) in result.items() if counts[name] > 1]
    if not again:
      return result
    for word in again:
      levels[word] += 1
