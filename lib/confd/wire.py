#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Datagrams: bytes to requests and replies, and back.

A datagram is the fourcc, then one JSON object::

  plj0{"msg": STRING, "salt": STRING, "hmac": HEX}

C{hmac} is HMAC-SHA1 over salt + msg with the bytes of the cluster's key. The
salt of a request is the sender's time, which bounds how long a captured
request can be sent again; the salt of a reply is the C{rsalt} that the request
asked for, which ties the reply to it. (Ganeti 2.1 design, "confd".)

Rule: no I/O, no clock; time is passed in. Whatever is not authentic raises
L{Rejected}, whose reason says which check failed, and gets no reply.

"""

import collections
import functools
import hashlib
import hmac
import re

import simplejson

from ganeti import confd
from ganeti import constants
from ganeti import errors


#: Why a datagram is rejected; the names are those of the daemon's counters
BAD_SIZE = "size"
BAD_FOURCC = "fourcc"
BAD_JSON = "json"
BAD_HMAC = "hmac"
BAD_CLOCK = "clock"
BAD_RSALT = "rsalt"
REJECT_REASONS = (BAD_SIZE, BAD_FOURCC, BAD_JSON, BAD_HMAC, BAD_CLOCK,
                  BAD_RSALT)

_JSON_BLANKS = " \t\n\r"
_SIGNATURE_RE = re.compile("[0-9a-fA-F]{40}")
_TIMESTAMP_RE = re.compile("[0-9]{1,12}")

#: What L{ParseRequest} returns. C{type} is an integer, or C{None} if protocol
#: or type are nothing that could be answered; C{query} is any JSON value,
#: C{None} if missing; C{rsalt} is a string, usable as a reply's salt; C{part}
#: is as sent, of any JSON type, C{None} if missing; C{signature} is 40 lower
#: case hex digits, and C{sent} the time it was sent at, in seconds since the
#: epoch: both are the same for each copy of a request.
Request = collections.namedtuple("Request", ["type", "query", "rsalt", "part",
                                             "signature", "sent"],
                                 defaults=[None, None, 0])

#: A message that may be packed again and again; C{data} is what is signed,
#: C{head} the beginning of the datagram
Message = collections.namedtuple("Message", ["data", "head"])

#: What L{ParseReply} returns: C{salt} a string; C{status} and C{serial} plain
#: integers; C{answer} any JSON value; C{protocol} whatever was sent; C{part} a
#: L{Part}, or C{None} where the answer is a whole one
Reply = collections.namedtuple("Reply", ["protocol", "status", "answer",
                                         "serial", "salt", "part"],
                               defaults=[None])

#: Which part of an answer a reply has: C{number}, from 0, of C{count}; and the
#: hash of the whole, see L{parts}
Part = collections.namedtuple("Part", ["number", "count", "sha256"])


class Rejected(errors.SignatureError):
  """A datagram that is not an authentic confd message.

  @ivar reason: one of L{REJECT_REASONS}

  """
  def __init__(self, reason, text):
    errors.SignatureError.__init__(self, text)
    self.reason = reason


def IsPlainInt(value):
  """Tells whether a JSON value is an integer, and no boolean.

  @rtype: bool

  """
  return isinstance(value, int) and not isinstance(value, bool)


def _RefuseConstant(text):
  raise ValueError("%s is not JSON" % text)


def _IgnoreNumber(_):
  return None


# NaN and Infinity, which simplejson would take, are not JSON. The envelope has
# no number of use to us: not looking at them keeps a forged datagram from
# buying the conversion of a 60,000 digit one.
_ENVELOPE_DECODER = simplejson.JSONDecoder(parse_int=_IgnoreNumber,
                                           parse_float=_IgnoreNumber,
                                           parse_constant=_RefuseConstant)
_MESSAGE_DECODER = simplejson.JSONDecoder(parse_constant=_RefuseConstant)
# No answer has named tuples, and looking for them takes a quarter of the time.
# Blanks would be a tenth of what is hashed, copied and sent.
_ENCODER = simplejson.JSONEncoder(ignore_nan=True, namedtuple_as_object=False,
                                  separators=(",", ":"))

#: Serialises any JSON value; the text is ASCII
EncodeJson = _ENCODER.encode

#: Parses it; raises ValueError, and RecursionError for very deep nesting
DecodeJson = _MESSAGE_DECODER.decode


def _ParseObject(decoder, text):
  """Parses the text of a JSON object.

  @rtype: dict
  @raise Rejected: it is something else

  """
  try:
    # The scanner alone takes half the time of the decoder's own method
    text = text.strip(_JSON_BLANKS)
    (value, end) = decoder.scan_once(text, 0)
    if end != len(text):
      raise ValueError("something follows at character %d" % end)
  except (ValueError, RecursionError) as err:
    raise Rejected(BAD_JSON, "Not JSON: %s" % err)
  if not isinstance(value, dict):
    raise Rejected(BAD_JSON, "Not a JSON object")
  return value


@functools.lru_cache(maxsize=8)
def _KeyStates(key):
  """Prepares a key: both hashes of HMAC (RFC 2104) with the key in them.

  Going on from copies takes a third of the time of C{hmac.digest}.

  @type key: bytes
  @return: tuple of the inner and the outer hash

  """
  size = hashlib.sha1().block_size
  if len(key) > size:
    key = hashlib.sha1(key).digest()
  key = key.ljust(size, b"\0")
  return (hashlib.sha1(bytes(byte ^ 0x36 for byte in key)),
          hashlib.sha1(bytes(byte ^ 0x5c for byte in key)))


def _Sign(key, salt, data):
  """Computes a signature.

  @type key: bytes
  @type salt: string
  @type data: bytes
  @param data: the message
  @rtype: string
  @return: 40 lower case hex digits
  @raise UnicodeEncodeError: the salt is no Unicode text

  """
  (inner, outer) = _KeyStates(key)
  inner = inner.copy()
  inner.update(salt.encode("utf-8") + data)
  outer = outer.copy()
  outer.update(inner.digest())
  return outer.hexdigest()


def Prepare(msg):
  """Does what can be done for a message before the salt is known.

  @type msg: string
  @rtype: L{Message}

  """
  head = "{\"msg\":%s,\"salt\":" % EncodeJson(msg)
  return Message(msg.encode("utf-8"), confd.PackMagic(head.encode("ascii")))


def _Pack(key, salt, message):
  """Makes a datagram.

  @type salt: string
  @type message: L{Message}
  @rtype: bytes

  """
  signature = _Sign(key, salt, message.data)
  tail = "%s,\"hmac\":\"%s\"}" % (EncodeJson(salt), signature)
  return message.head + tail.encode("ascii")


def _Unpack(datagram, key):
  """Takes a datagram apart and checks its signature.

  @type datagram: bytes
  @type key: bytes
  @rtype: tuple of (string, string, string)
  @return: msg, salt and signature
  @raise Rejected: the datagram is malformed or not authentic

  """
  try:
    text = confd.UnpackMagic(datagram).decode("utf-8")
  except errors.ConfdMagicError as err:
    raise Rejected(BAD_FOURCC, str(err))
  except UnicodeDecodeError as err:
    raise Rejected(BAD_JSON, "Not UTF-8: %s" % err)
  envelope = _ParseObject(_ENVELOPE_DECODER, text)
  msg = envelope.get("msg")
  salt = envelope.get("salt")
  signature = envelope.get("hmac")
  if not (isinstance(msg, str) and isinstance(salt, str) and
          isinstance(signature, str)):
    raise Rejected(BAD_JSON, "msg, salt or hmac missing, or not a string")
  if not _SIGNATURE_RE.fullmatch(signature):
    raise Rejected(BAD_HMAC, "hmac is not 40 hex digits")
  try:
    expected = _Sign(key, salt, msg.encode("utf-8"))
  except UnicodeEncodeError:
    # A lone surrogate, which JSON can carry and UTF-8 cannot: no bytes, so
    # nothing that could have been signed
    raise Rejected(BAD_HMAC, "salt or msg is not Unicode text")
  if not hmac.compare_digest(signature.lower(), expected):
    raise Rejected(BAD_HMAC, "hmac does not match: another key?")
  return (msg, salt, expected)


def PackRequest(key, now, rtype, query, rsalt, part=None):
  """Makes the datagram of a request.

  @type key: bytes
  @type now: number
  @param now: the time, in seconds since the epoch
  @type rtype: int
  @param rtype: request type, C{constants.CONFD_REQ_*} or a number of
    L{protocol}'s
  @param query: any JSON value
  @type rsalt: string
  @param rsalt: the salt that replies shall have; unguessable, or a replayed
    reply is taken for a new one
  @type part: int or None
  @param part: which part of the answer is wanted; only this project's daemon
    knows parts
  @rtype: bytes

  """
  request = {"protocol": constants.CONFD_PROTOCOL_VERSION, "type": rtype,
             "query": query, "rsalt": rsalt}
  if part is not None:
    request["part"] = part
  return _Pack(key, "%d" % now, Prepare(EncodeJson(request)))


@functools.lru_cache(maxsize=64)
def _ParseTime(salt):
  """Reads the time that a request was sent at.

  The requests of one second have the same.

  @type salt: string
  @rtype: int or None
  @return: seconds since the epoch

  """
  return int(salt) if _TIMESTAMP_RE.fullmatch(salt) else None


def ParseRequest(datagram, key, now):
  """Proves a request authentic and takes it apart.

  @type datagram: bytes
  @type key: bytes
  @type now: number
  @param now: the time, in seconds since the epoch
  @rtype: L{Request}
  @raise Rejected: the datagram gets no reply

  """
  if len(datagram) > constants.MAX_UDP_DATA_SIZE:
    raise Rejected(BAD_SIZE, "Datagram of more than %d bytes" %
                   constants.MAX_UDP_DATA_SIZE)
  (msg, salt, signature) = _Unpack(datagram, key)
  sent = _ParseTime(salt)
  if sent is None:
    raise Rejected(BAD_CLOCK, "salt is not a time")
  skew = abs(int(now) - sent)
  if skew > constants.CONFD_MAX_CLOCK_SKEW:
    raise Rejected(BAD_CLOCK, "Clocks are %d seconds apart, more than %d" %
                   (skew, constants.CONFD_MAX_CLOCK_SKEW))
  request = _ParseObject(_MESSAGE_DECODER, msg)
  rsalt = request.get("rsalt")
  if not (isinstance(rsalt, str) and rsalt):
    raise Rejected(BAD_RSALT, "rsalt missing, or not a string")
  try:
    rsalt.encode("utf-8")
  except UnicodeEncodeError:
    raise Rejected(BAD_RSALT, "rsalt is not Unicode text")
  rtype = request.get("type")
  version = request.get("protocol")
  # JSON's integers are of no subclass, except for bool
  if not (type(rtype) is int and type(version) is int and
          version == constants.CONFD_PROTOCOL_VERSION):
    rtype = None
  return Request(rtype, request.get("query"), rsalt, request.get("part"),
                 signature, sent)


def EncodeReply(status, answer, serial, part=None):
  """Makes the message of a reply, which may be signed any number of times.

  @type status: int
  @param status: C{constants.CONFD_REPL_STATUS_*}
  @param answer: any JSON value
  @type serial: int
  @param serial: the configuration's serial number
  @type part: L{Part} or None
  @param part: which part of an answer this is
  @rtype: string
  @return: ASCII text

  """
  reply = {"protocol": constants.CONFD_PROTOCOL_VERSION, "status": status,
           "answer": answer, "serial": serial}
  if part is not None:
    reply.update(part=part.number, parts=part.count, sha256=part.sha256)
  return EncodeJson(reply)


def PackReply(key, rsalt, message):
  """Makes the datagram of a reply.

  @type key: bytes
  @type rsalt: string
  @param rsalt: L{Request}'s
  @type message: L{Message}
  @param message: what L{EncodeReply} made, prepared
  @rtype: bytes
  @return: of any length; what is longer than C{constants.MAX_UDP_DATA_SIZE}
    must not be sent

  """
  return _Pack(key, rsalt, message)


def ParseReply(datagram, key):
  """Proves a reply authentic and takes it apart.

  The caller compares the salt with that of its request.

  @type datagram: bytes
  @type key: bytes
  @rtype: L{Reply}
  @raise Rejected: the datagram is malformed or not authentic

  """
  (msg, salt, _) = _Unpack(datagram, key)
  reply = _ParseObject(_MESSAGE_DECODER, msg)
  status = reply.get("status")
  serial = reply.get("serial")
  if not (IsPlainInt(status) and IsPlainInt(serial)):
    raise Rejected(BAD_JSON, "Reply without status or serial")
  part = None
  if "part" in reply:
    part = Part(reply["part"], reply.get("parts"), reply.get("sha256"))
    if not (IsPlainInt(part.number) and IsPlainInt(part.count) and
            isinstance(part.sha256, str) and
            0 <= part.number < part.count):
      raise Rejected(BAD_JSON, "Reply with a part that cannot be")
  return Reply(reply.get("protocol"), status, reply.get("answer"), serial,
               salt, part)
