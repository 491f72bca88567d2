#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Sanitizes the names, addresses and words of exported files.

Facts:
  - Ganeti allows underscores in names, and so do all formats here, although
    host names in DNS have none (RFC 1123, section 2.1). dnsmasq refuses a whole
    file if a name begins with an underscore.
  - Programs read a name whose last label is a number as an address
    (inet_aton(3)).
  - C{localhost} and the names below it mean the machine itself (RFC 6761,
    section 6.3).
  - C{ipaddress} accepts any text after a "%" in an IPv6 address.

Rule: each function takes any JSON value, and returns it in canonical form, or
None if the value may not stand in a file.

"""

from __future__ import annotations

import collections
import hashlib
import ipaddress
import json
import re

from typing import Any, Iterable, Optional


_LABEL = "[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME_RE = re.compile(r"%s(?:\.%s)*" % (_LABEL, _LABEL))
_NUMBER_RE = re.compile("[0-9]+|0x[0-9a-f]*")
_MAX_NAME = 253

_MAC_RE = re.compile("[0-9a-f]{2}(?::[0-9a-f]{2}){5}")

# Ganeti's rule for tags. Names of groups, networks, links and operating systems
# match it, too. The rule allows no blank, comma, quote, bracket or brace.
_WORD_RE = re.compile(r"[\w.+*/:@-]{1,128}")

_NOT_IN_IDENTIFIERS_RE = re.compile("[^A-Za-z0-9_]")

#: Maximum length of an identifier (characters), without the hash digits that
#: may be appended
_MAX_IDENTIFIER = 100

#: The number of hash digits that are appended to a word's identifier, on the
#: first, second and third attempt to make all identifiers differ
_DIGITS = (0, 8, 64)

#: Values in messages are cut to this many characters
_MAX_SHOWN = 60


def Show(value: Any) -> str:
  """Formats any value for a message: one line of printable ASCII.

  """
  text = json.dumps(value)
  # DEL is the only control character that json.dumps does not escape
  text = text.replace("\x7f", "\\u007f")
  return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def HostName(value: Any) -> Optional[str]:
  """Returns a host name, in lower case.

  """
  if not isinstance(value, str) or len(value) > _MAX_NAME:
    return None
  name = value.lower()
  # Test the value before lower(), which turns some letters that are not ASCII,
  # such as the Kelvin sign, into ASCII ones
  if not value.isascii() or not _NAME_RE.fullmatch(name):
    return None
  last = name.rpartition(".")[2]
  if _NUMBER_RE.fullmatch(last) or last == "localhost":
    return None
  return name


def Address(value: Any) -> Optional[str]:
  """Returns a host's IP address.

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


def PrefixLength(value: Any) -> Optional[int]:
  """Returns the length of the prefix of a subnet such as 192.0.2.0/24.

  """
  if not isinstance(value, str) or "/" not in value:
    return None
  try:
    return ipaddress.ip_network(value, strict=False).prefixlen
  except ValueError:
    return None


def Version(address: str) -> int:
  """Returns the IP version, 4 or 6, of an address that L{Address} returned.

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
  """Returns the name of a link, which may be empty.

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
  """Tells whether the identifier of a word has no hash appended.

  """
  return identifier == _Identifier(word, 0)


def Identifiers(words: Iterable[str]) -> dict[str, str]:
  """Returns an identifier for each word, of letters, digits and underscores.

  No two words get the same identifier. If several words would get the same one,
  the beginning of the word's SHA-256 is appended to each of their identifiers.
  None of those words keeps the identifier without a hash, since users could
  take it for the identifier of any of the words.

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
