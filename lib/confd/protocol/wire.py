#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Datagrams: parses and signs requests and replies.

A datagram is the fourcc, then one JSON object::

  plj0{"msg": STRING, "salt": STRING, "hmac": HEX}

C{hmac} is HMAC-SHA1 over salt + msg with the bytes of the cluster's key. The
salt of a request is the sender's time, which limits how long a captured request
can be replayed; the salt of a reply is the C{rsalt} of the request, by which
the client finds the request. (Ganeti 2.1 design, "confd".)

An extension of this project: a datagram that is signed with a reader's key has
the key's label in it, C{"key": LABEL}. The label and a zero byte are signed
before salt + msg, so that no signature by one key is valid for another.

Rule: no I/O, no clock; time is passed in. A datagram that is not authentic
raises L{Rejected}, whose reason is the failed check, and gets no reply.

"""

from __future__ import annotations

import functools
import json
import math

from ganeti import confd
from ganeti import constants
from ganeti import errors
from ganeti.confd.protocol import digests
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, Iterator, NoReturn, Optional
  from typing import Protocol, Union
  from ganeti.confd.protocol import readerkey
  # Python 3.9 has no TypeGuard in its own typing module
  from typing_extensions import TypeGuard

  #: A JSON value as a Python object: None, bool, int, float, str, list or dict.
  #: A value that is going to be serialised may also contain bytes, each being
  #: the JSON text (ASCII) of a value.
  Json = Any

  _Scan = Callable[[str, int], tuple[Json, int]]


#: The reasons to reject a datagram, which are also part of the names of the
#: daemon's counters
BAD_SIZE = "size"
BAD_FOURCC = "fourcc"
BAD_JSON = "json"
BAD_HMAC = "hmac"
BAD_CLOCK = "clock"
BAD_RSALT = "rsalt"
REJECT_REASONS = (BAD_SIZE, BAD_FOURCC, BAD_JSON, BAD_HMAC, BAD_CLOCK,
                  BAD_RSALT)

#: Length of a signature (hex digits)
_SIGNATURE_LENGTH = 40

#: The last characters of a datagram that is signed with a cluster's key, after
#: the signature
_CLUSTER_END = "\"}"

_JSON_BLANKS = " \t\n\r"
_MAX_TIME_DIGITS = 12


class Request(NamedTuple):
  """A request, parsed by L{ParseRequest}.

  @ivar type: None if type or protocol is no integer, or the protocol is another
  @ivar query: None if missing
  @ivar rsalt: usable as a reply's salt
  @ivar part: as sent, None if missing
  @ivar signature: 40 lower case hex digits, the same for each copy of a request
  @ivar sent: the time in the salt, in seconds since the epoch; the same for
    each copy, too
  @ivar reader: the reader's key that signed the request; None if the cluster's
    key did

  """
  type: Optional[int]
  query: Json
  rsalt: str
  part: Json = None
  signature: str = ""
  sent: int = 0
  reader: Optional[ReaderKey] = None


class Message(NamedTuple):
  """A message, prepared to be packed any number of times.

  @ivar data: the bytes that are signed after the salt
  @ivar head: the beginning of the datagram

  """
  data: bytes
  head: bytes


class Part(NamedTuple):
  """The part of an answer that a reply has.

  @ivar number: counted from 0
  @ivar total: number of all parts
  @ivar sha256: hash of the whole, see L{parts}

  """
  number: int
  total: int
  sha256: str


class ParsedReply(NamedTuple):
  """A reply, parsed by L{ParseReply}.

  @ivar protocol: any JSON value
  @ivar status: any integer, and so is C{serial}
  @ivar answer: any JSON value; its texts are Unicode, and its numbers finite
  @ivar part: None if the answer is complete

  """
  protocol: Json
  status: int
  answer: Json
  serial: int
  salt: str
  part: Optional[Part] = None


class Rejected(errors.SignatureError):
  """A datagram that is not an authentic confd message.

  @ivar reason: one of L{REJECT_REASONS}

  """
  def __init__(self, reason: str, text: str) -> None:
    errors.SignatureError.__init__(self, text)
    self.reason = reason


class Malformed(Rejected):
  """An authentic datagram whose message is no reply.

  @ivar salt: the salt of the datagram

  """
  def __init__(self, salt: str, text: str) -> None:
    Rejected.__init__(self, BAD_JSON, text)
    self.salt = salt


def IsPlainInt(value: Json) -> TypeGuard[int]:
  """Tells whether a JSON value is an integer, which a boolean is not.

  """
  return isinstance(value, int) and not isinstance(value, bool)


def _RefuseConstant(text: str) -> NoReturn:
  raise ValueError("%s is not JSON" % text)


def _IgnoreNumber(_: str) -> None:
  return None


def _FiniteNumber(text: str) -> float:
  value = float(text)
  if not math.isfinite(value):
    raise ValueError("%s is too large" % text)
  return value


# Refuse NaN and Infinity: Python's json accepts them, but they are not JSON. Do
# not convert numbers, which the envelope of a datagram does not need: a forged
# datagram may have a number of 60,000 digits, whose conversion takes long.
_ENVELOPE_DECODER = json.JSONDecoder(parse_int=_IgnoreNumber,
                                     parse_float=_IgnoreNumber,
                                     parse_constant=_RefuseConstant)
_MESSAGE_DECODER = json.JSONDecoder(parse_constant=_RefuseConstant)
# Refuse numbers such as 1e999, which Python parses as infinity: callers do not
# expect infinity in an answer
_ANSWER_DECODER = json.JSONDecoder(parse_float=_FiniteNumber,
                                   parse_constant=_RefuseConstant)


def _Scanner(decoder: json.JSONDecoder) -> _Scan:
  scan: _Scan = getattr(decoder, "scan_once")
  return scan


# Call the decoder's scan_once directly: JSONDecoder.decode(), which also skips
# white space, takes 1.5 times as long. scan_once raises StopIteration if there
# is no value in the text.
_ScanEnvelope = _Scanner(_ENVELOPE_DECODER)
_ScanMessage = _Scanner(_MESSAGE_DECODER)
_ScanReply = _Scanner(_ANSWER_DECODER)

# Put no blanks after separators: they would make a datagram a tenth larger
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
# Serialises a string as L{EncodeJson} does, in half the time
_QuoteText: Callable[[str], str] = getattr(json.encoder,
                                           "encode_basestring_ascii")


def Finite(value: Json) -> Json:
  """Replaces numbers that JSON does not have by None.

  """
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if isinstance(value, dict):
    return {key: Finite(item) for (key, item) in value.items()}
  if isinstance(value, (list, tuple)):
    return [Finite(item) for item in value]
  return value


def EncodeJson(value: Json) -> str:
  """Serialises any JSON value.

  @return: ASCII text; infinity and NaN become null
  @raise ValueError, TypeError, RecursionError: the value is no JSON value

  """
  try:
    return _ENCODER.encode(value)
  except (TypeError, ValueError):
    # The value contains bytes (which are JSON text), infinity or NaN
    return "".join(EncodeInPieces(value))


def EncodeInPieces(value: Json) -> Iterator[str]:
  """Serialises any JSON value, as L{EncodeJson} does.

  @return: the text, in several pieces if there are JSON texts in the value, so
    that the whole text is not in memory at a time

  """
  if type(value) is bytes:
    return iter([value.decode("ascii")])
  try:
    try:
      text = _ENCODER.encode(value)
    except ValueError:
      # In rare cases the value contains infinity or NaN: the configuration has
      # a number such as 1e999
      text = _ENCODER.encode(Finite(value))
  except TypeError:
    return _Pieces(value)
  return iter([text])


def _Pieces(value: Json) -> Iterator[str]:
  """Serialises an object or a list that has JSON texts in it.

  """
  items: Iterable[tuple[str, Json]]
  if isinstance(value, dict):
    separator = "{"
    end = "}"
    items = ((EncodeJson(key) + ":", item) for (key, item) in value.items())
  elif isinstance(value, (list, tuple)):
    separator = "["
    end = "]"
    items = (("", item) for item in value)
  else:
    raise TypeError("%s is no JSON value" % type(value).__name__)
  for (key, item) in items:
    if type(item) is bytes:
      yield "%s%s%s" % (separator, key, item.decode("ascii"))
    else:
      yield separator + key
      yield from EncodeInPieces(item)
    separator = ","
  yield end


def DecodeJson(text: Union[str, bytes]) -> Json:
  """Parses any JSON value.

  @param text: bytes are UTF-8
  @raise ValueError: the text is not JSON
  @raise RecursionError: the value is nested too deeply

  """
  if isinstance(text, bytes):
    text = text.decode("utf-8")
  return _MESSAGE_DECODER.decode(text)


def _MayHaveSurrogates(text: str) -> bool:
  """Tells whether a text in a JSON value may have a lone surrogate.

  UTF-8 cannot encode a lone surrogate, so JSON text can only have the escape
  sequence of a lone surrogate.

  """
  return "\\ud" in text or "\\uD" in text


def _Unicode(value: Json) -> Json:
  """Replaces each lone surrogate by U+FFFD, since UTF-8 cannot encode it.

  @raise RecursionError: the value is nested too deeply

  """
  if isinstance(value, str):
    # Encoding and decoding again replaces lone surrogates, and changes nothing
    # else
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le",
                                                             "replace")
  if isinstance(value, dict):
    return {_Unicode(key): _Unicode(item) for (key, item) in value.items()}
  if isinstance(value, list):
    return [_Unicode(item) for item in value]
  return value


def DecodeAnswer(text: bytes) -> Json:
  """Parses the text of an answer.

  @param text: UTF-8
  @return: a value whose texts are Unicode, and whose numbers are finite
  @raise ValueError: the text is not JSON
  @raise RecursionError: the value is nested too deeply

  """
  decoded = text.decode("utf-8")
  value = _ANSWER_DECODER.decode(decoded)
  return _Unicode(value) if _MayHaveSurrogates(decoded) else value


def _ParseObject(scan: _Scan, text: str) -> dict[str, Json]:
  """Parses the text of a JSON object.

  @param scan: L{_ScanEnvelope} or L{_ScanMessage}
  @raise Rejected: the text is no JSON object

  """
  try:
    text = text.strip(_JSON_BLANKS)
    (value, end) = scan(text, 0)
    if end != len(text):
      raise ValueError("something follows at character %d" % end)
  except (ValueError, RecursionError, StopIteration) as err:
    raise Rejected(BAD_JSON, "Not JSON: %s" % err)
  if not isinstance(value, dict):
    raise Rejected(BAD_JSON, "Not a JSON object")
  return value


class _Signer(NamedTuple):
  """A key, prepared for HMAC (RFC 2104).

  With OpenSSL, signing with copies of the two hashes takes less than half the
  time of C{hmac.digest}, and two thirds of the time of a copy of C{hmac.HMAC}.
  Besides, C{hmac} always loads OpenSSL, see L{digests}.

  @ivar inner: the inner hash, after the padded key
  @ivar outer: the outer hash, after the padded key
  @ivar end: the end of a datagram, after the signature

  """
  inner: digests.Hash
  outer: digests.Hash
  end: str


@functools.lru_cache(maxsize=8)
def _ClusterSigner(key: bytes) -> _Signer:
  """Prepares a cluster's key.

  """
  return _MakeSigner(key, _CLUSTER_END)


def _MakeSigner(key: bytes, end: str) -> _Signer:
  return _Signer(*digests.Hmac(key, digests.sha1), end)


def UseOpenSsl() -> None:
  """Replaces the hash functions by those of OpenSSL, see L{digests}.

  A L{ReaderKey} that exists already keeps the functions it was made with.

  """
  digests.UseOpenSsl()
  _ClusterSigner.cache_clear()


class ReaderKey:
  """A reader's key: a label, and the secret derived for it.

  @ivar label: L{readerkey.Label}
  @ivar signer: private to this module

  """
  __slots__ = ("label", "signer")

  def __init__(self, label: readerkey.Label, secret: bytes) -> None:
    """@param secret: from L{readerkey.Derive}

    """
    self.label = label
    # The label is not escaped: its characters need no escaping in JSON
    self.signer = _MakeSigner(secret, "\",\"key\":\"%s\"}" % label.text)
    self.signer.inner.update(label.text.encode("ascii") + b"\0")

  def __repr__(self) -> str:
    return "<%s of %s>" % (self.__class__.__name__, self.label.text)


if TYPE_CHECKING:
  #: A key to sign with: the bytes of the cluster's key, or a reader's key
  Key = Union[bytes, ReaderKey]

  class Readers(Protocol):
    """The readers' keys of a daemon: L{readers.Readers}.

    """
    def Find(self, label: Json) -> ReaderKey: ...
    def Add(self, key: ReaderKey) -> None: ...


def _Sign(signer: _Signer, salt: str, data: bytes) -> str:
  """Computes a signature.

  @param data: the message
  @return: 40 lower case hex digits
  @raise UnicodeEncodeError: the salt has lone surrogates

  """
  (inner, outer, _) = signer
  inner = inner.copy()
  inner.update(salt.encode("utf-8") + data)
  outer = outer.copy()
  outer.update(inner.digest())
  return outer.hexdigest()


def Prepare(msg: str) -> Message:
  """Prepares a message, as far as that is possible without the salt.

  """
  head = "{\"msg\":%s,\"salt\":" % EncodeJson(msg)
  return Message(msg.encode("utf-8"), confd.PackMagic(head.encode("ascii")))


def _Pack(key: Key, salt: str, message: Message) -> bytes:
  """Makes a datagram.

  """
  # Compare the type, which is faster than isinstance
  signer = key.signer if type(key) is ReaderKey else _ClusterSigner(key)
  tail = "%s,\"hmac\":\"%s%s" % (
    _QuoteText(salt), _Sign(signer, salt, message.data), signer.end)
  return message.head + tail.encode("ascii")


def _Unpack(datagram: bytes, key: Key,
            readers: Optional[Readers] = None
            ) -> tuple[str, str, str, Optional[ReaderKey]]:
  """Parses the envelope of a datagram, and checks its signature.

  @param key: the key that has to have signed the datagram
  @param readers: if given, a signature with a reader's key is accepted, too
  @return: msg, salt, signature, and the reader's key that has signed the
    datagram, or None
  @raise Rejected: the datagram is malformed or not authentic

  """
  try:
    text = confd.UnpackMagic(datagram).decode("utf-8")
  except errors.ConfdMagicError as err:
    raise Rejected(BAD_FOURCC, str(err))
  except UnicodeDecodeError as err:
    raise Rejected(BAD_JSON, "Not UTF-8: %s" % err)
  envelope = _ParseObject(_ScanEnvelope, text)
  msg = envelope.get("msg")
  salt = envelope.get("salt")
  signature = envelope.get("hmac")
  if not (isinstance(msg, str) and isinstance(salt, str) and
          isinstance(signature, str)):
    raise Rejected(BAD_JSON, "msg, salt or hmac missing, or not a string")
  if not _IsSignature(signature):
    raise Rejected(BAD_HMAC, "hmac is not 40 hex digits")
  reader = None
  if "key" in envelope:
    reader = _FindReader(envelope["key"], key, readers)
    signer = reader.signer
  elif type(key) is bytes:
    signer = _ClusterSigner(key)
  else:
    raise Rejected(BAD_HMAC, "no label: signed with the cluster's key?")
  try:
    expected = _Sign(signer, salt, msg.encode("utf-8"))
  except UnicodeEncodeError:
    # The text has a lone surrogate, which JSON can contain, but UTF-8 cannot
    # encode: no client can have signed this text
    raise Rejected(BAD_HMAC, "salt or msg is not Unicode text")
  if not digests.compare_digest(signature.lower(), expected):
    raise Rejected(BAD_HMAC, "hmac does not match: another key?")
  return (msg, salt, expected, reader)


def _IsSignature(text: str) -> bool:
  """Tells whether a text is 40 hex digits.

  """
  try:
    # Check the length of the result, too, since fromhex skips blanks. A regular
    # expression would take three times as long.
    return (len(text) == _SIGNATURE_LENGTH and
            2 * len(bytes.fromhex(text)) == _SIGNATURE_LENGTH)
  except ValueError:
    return False


def _FindReader(label: Json, key: Key, readers: Optional[Readers]) -> ReaderKey:
  """Returns the reader's key for the label in a datagram.

  @param label: any JSON value
  @raise Rejected: the value is no label, or is not the label of C{key}

  """
  if readers is not None:
    return readers.Find(label)
  if isinstance(key, ReaderKey) and label == key.label.text:
    return key
  raise Rejected(BAD_HMAC, "signed with another reader's key")


def PackRequest(key: Key, now: float, rtype: int, query: Json, rsalt: str,
                part: Optional[int] = None) -> bytes:
  """Makes the datagram of a request.

  @param now: the time, in seconds since the epoch
  @param rtype: request type, C{constants.CONFD_REQ_*} or a number of
    L{protocol}'s
  @param rsalt: the salt that replies shall have; random, since a replayed reply
    with a guessable salt would pass for a new one
  @param part: the number of the requested part of the answer, None for the
    whole; only this project's daemon knows parts

  """
  return _Pack(key, "%d" % now, _PrepareRequest(rtype, query, rsalt, part))


def _PrepareRequest(rtype: int, query: Json, rsalt: str, part: Optional[int]
                    ) -> Message:
  request = {"protocol": constants.CONFD_PROTOCOL_VERSION, "type": rtype,
             "query": query, "rsalt": rsalt}
  if part is not None:
    request["part"] = part
  return Prepare(EncodeJson(request))


def RequestSize(now: float, rtype: int, query: Json, rsalt: str) -> int:
  """Returns the size of a datagram that L{PackRequest} makes, in bytes.

  The request is for a whole answer, and is signed with the cluster's key. The
  signature, which takes most of the time in L{PackRequest}, is not computed.

  """
  return (len(_PrepareRequest(rtype, query, rsalt, None).head) +
          len("\"%d\",\"hmac\":\"" % now) + _SIGNATURE_LENGTH +
          len(_CLUSTER_END))


@functools.lru_cache(maxsize=64)
def _ParseTime(salt: str) -> Optional[int]:
  """Parses the time in the salt of a request.

  Cached, since all requests of one second have the same salt.

  @return: seconds since the epoch; None if the salt is no time

  """
  if len(salt) <= _MAX_TIME_DIGITS and salt.isascii() and salt.isdigit():
    return int(salt)
  return None


def ParseRequest(datagram: bytes, key: bytes, now: float,
                 readers: Optional[Readers] = None) -> Request:
  """Authenticates and parses a request.

  @param key: the cluster's key
  @param readers: the readers' keys; None to accept none. The rights of a
    reader's key are not checked here
  @param now: the time, in seconds since the epoch
  @raise Rejected: the datagram gets no reply

  """
  if len(datagram) > constants.MAX_UDP_DATA_SIZE:
    raise Rejected(BAD_SIZE, "Datagram of more than %d bytes" %
                   constants.MAX_UDP_DATA_SIZE)
  (msg, salt, signature, reader) = _Unpack(datagram, key, readers)
  if reader is not None and readers is not None:
    readers.Add(reader)
  sent = _ParseTime(salt)
  if sent is None:
    raise Rejected(BAD_CLOCK, "salt is not a time")
  skew = abs(int(now) - sent)
  if skew > constants.CONFD_MAX_CLOCK_SKEW:
    raise Rejected(BAD_CLOCK, "Clocks are %d seconds apart, more than %d" %
                   (skew, constants.CONFD_MAX_CLOCK_SKEW))
  request = _ParseObject(_ScanMessage, msg)
  rsalt = request.get("rsalt")
  if not (isinstance(rsalt, str) and rsalt):
    raise Rejected(BAD_RSALT, "rsalt missing, or not a string")
  try:
    rsalt.encode("utf-8")
  except UnicodeEncodeError:
    raise Rejected(BAD_RSALT, "rsalt is not Unicode text")
  rtype = request.get("type")
  version = request.get("protocol")
  # Compare types without isinstance, for which a boolean is an integer, too
  if not (type(rtype) is int and type(version) is int and
          version == constants.CONFD_PROTOCOL_VERSION):
    rtype = None
  return Request(rtype, request.get("query"), rsalt, request.get("part"),
                 signature, sent, reader)


def EncodeReply(status: int, answer: Json, serial: int,
                part: Optional[Part] = None) -> str:
  """Makes the message of a reply, which can be signed any number of times.

  @param status: C{constants.CONFD_REPL_STATUS_*}
  @param serial: the configuration's serial number
  @param part: None if the answer is complete
  @return: ASCII text

  """
  reply = {"protocol": constants.CONFD_PROTOCOL_VERSION, "status": status,
           "answer": answer, "serial": serial}
  if part is not None:
    reply.update(part=part.number, parts=part.total, sha256=part.sha256)
  return EncodeJson(reply)


def PackReply(key: Key, rsalt: str, message: Message) -> bytes:
  """Makes the datagram of a reply.

  @param key: the key that signed the request
  @param rsalt: from the L{Request}
  @param message: from L{EncodeReply}, prepared
  @return: a datagram of any length; one of more than
    C{constants.MAX_UDP_DATA_SIZE} bytes must not be sent

  """
  return _Pack(key, rsalt, message)


def ParseReply(datagram: bytes, key: Key) -> ParsedReply:
  """Authenticates and parses a reply.

  The caller has to compare the salt with that of its request.

  @param key: the key that signed the request
  @raise Malformed: the datagram is authentic, but no reply
  @raise Rejected: the datagram is malformed or not authentic

  """
  (msg, salt, _, _) = _Unpack(datagram, key)
  try:
    reply = _ParseObject(_ScanReply, msg)
    if _MayHaveSurrogates(msg):
      reply = _Unicode(reply)
  except (Rejected, RecursionError) as err:
    raise Malformed(salt, str(err)) from err
  status = reply.get("status")
  serial = reply.get("serial")
  if not (IsPlainInt(status) and IsPlainInt(serial)):
    raise Malformed(salt, "status or serial missing, or no integer")
  part = None
  if "part" in reply:
    (number, total, sha256) = (reply["part"], reply.get("parts"),
                               reply.get("sha256"))
    if not (IsPlainInt(number) and IsPlainInt(total) and
            isinstance(sha256, str) and 0 <= number < total):
      raise Malformed(salt, "part, parts or sha256 is invalid")
    part = Part(number, total, sha256)
  return ParsedReply(reply.get("protocol"), status, reply.get("answer"), serial,
                     salt, part)
