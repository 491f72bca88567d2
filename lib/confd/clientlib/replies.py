#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The reply to a question, and the errors in place of one.

"""

from __future__ import annotations

from ganeti import constants
from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
  from typing import Any, Mapping, Optional, Sequence


#: Questions in error messages are cut to this many characters
_MAX_DESCRIPTION = 80

_REQUEST_NAMES = {number: name
                  for (name, number) in protocol.REQUEST_TYPES.items()}

_ERRORS = {
  constants.CONFD_ERROR_UNKNOWN_ENTRY: "unknown entry",
  constants.CONFD_ERROR_INTERNAL: "internal error",
  constants.CONFD_ERROR_ARGUMENT: "wrong argument",
  protocol.ERROR_TOO_LARGE: "the answer does not fit a datagram",
  protocol.ERROR_NOT_PERMITTED: "not permitted",
  }


#: Maps types of requests to the kind of the object that the question is about
_OBJECTS = {
  constants.CONFD_REQ_NODE_ROLE_BYNAME: "node",
  constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: "ip",
  constants.CONFD_REQ_NODE_DRBD: "node",
  constants.CONFD_REQ_NODE_INSTANCES: "node",
  constants.CONFD_REQ_INSTANCE_DISKS: "instance",
  }


_Answer = TypeVar("_Answer", covariant=True)
_Other = TypeVar("_Other")


class CandidateReply(NamedTuple):
  """The reply of one candidate.

  """
  #: the candidate's address, as given to the client or learned from the cluster
  address: str
  #: the IP address that the reply is from
  server: str
  #: C{constants.CONFD_REPL_STATUS_*}
  status: int
  #: any JSON value
  answer: Any
  #: serial of the configuration; in replies of Ganeti's own daemon, the serial
  #: of a single object
  serial: int
  #: seconds from the first datagram to the reply
  round_trip: float
  #: the serial of the freshest reply minus this reply's serial
  behind: int


class _Reply(NamedTuple):
  #: any JSON value
  answer: Any
  #: serial of the configuration that the answer is from
  serial: int
  #: all replies, the freshest first
  candidates: list[CandidateReply]
  #: the candidates that have sent no well-formed reply by the end of the call:
  #: maps a candidate's address to the reason, or to None if the reason is
  #: unknown
  silent: dict[str, Optional[str]]


# Reply is separate from _Reply, since before Python 3.11 a NamedTuple cannot be
# generic
class Reply(_Reply, Generic[_Answer]):
  """The answer to a question, with the replies that it was chosen from.

  """
  __slots__ = ()

  #: the answer, of the type that the call documents; any JSON value if the call
  #: documents none
  answer: _Answer

  if TYPE_CHECKING:
    # pylint: disable=W0613
    def __new__(cls, answer: _Answer, serial: int,
                candidates: list[CandidateReply],
                silent: dict[str, Optional[str]]) -> Reply[_Answer]: ...

  def With(self, answer: _Other) -> Reply[_Other]:
    """Returns a copy with another answer.

    """
    return Reply(answer, self.serial, self.candidates, self.silent)


# Each exception below has defaults for all arguments except the text: pickle
# and copy call the class with the text alone, and set the attributes afterwards

class NoAnswer(errors.ConfdClientError):
  """No candidate gave an authentic answer in time.

  @ivar asked: the candidates that were asked
  @ivar silent: the candidates without an answer: address to reason, None if
    unknown
  @ivar seconds: how long the client has waited
  @ivar unauthentic: how many replies were signed with another key, or forged

  """
  def __init__(self, text: str = "", asked: Sequence[str] = (),
               silent: Optional[Mapping[str, Optional[str]]] = None,
               seconds: float = 0.0, unauthentic: int = 0) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.asked = list(asked)
    self.silent = dict(silent or {})
    self.seconds = seconds
    self.unauthentic = unauthentic


class MalformedAnswer(errors.ConfdClientError):
  """All answers are malformed.

  @ivar faults: what is wrong, by the address of the candidate

  """
  def __init__(self, text: str = "", faults: Optional[Mapping[str, str]] = None
               ) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.faults = dict(faults or {})


class StaleAnswer(NoAnswer):
  """All answers are older than one that was seen before.

  @ivar serial: the highest serial of these answers
  @ivar min_serial: the serial that was seen before

  """
  def __init__(self, text: str = "", asked: Sequence[str] = (),
               silent: Optional[Mapping[str, Optional[str]]] = None,
               seconds: float = 0.0, unauthentic: int = 0, serial: int = 0,
               min_serial: int = 0) -> None:
    NoAnswer.__init__(self, text, asked, silent, seconds, unauthentic)
    self.serial = serial
    self.min_serial = min_serial


def AddAttempts(err: NoAnswer, earlier: Mapping[str, Exception]) -> None:
  """Adds to an error what earlier attempts to get the same answer have shown.

  @param earlier: the error of each attempt, by the address of the candidate

  """
  if not earlier:
    return
  err.args = ("%s; before: %s" %
              (err, "; ".join(str(i) for i in earlier.values())), )
  err.asked = [i for i in earlier if i not in err.asked] + err.asked
  for attempt in earlier.values():
    if isinstance(attempt, NoAnswer):
      err.silent = {**attempt.silent, **err.silent}
      err.unauthentic += attempt.unauthentic


class ErrorAnswer(errors.ConfdClientError):
  """The freshest answer is an error.

  @ivar status: constants.CONFD_REPL_STATUS_*
  @ivar code: constants.CONFD_ERROR_*; another number of doc/protocol.rst, such
    as 4 for "not permitted"; a text; the JSON object by which the daemon names
    an unknown or duplicate word of a question for a table; or None with the
    status "not implemented"
  @ivar reply: the whole Reply
  @ivar unknown: the kind of the object that does not exist, such as "node",
    "instance", "ip", "path", "name", "field" or "table"; None if the error is
    another one
  @ivar value: the name of that object, as the question had it

  """
  def __init__(self, text: str = "", reply: Optional[Reply[Any]] = None,
               status: int = int(constants.CONFD_REPL_STATUS_ERROR),
               code: Any = None, unknown: Optional[str] = None,
               value: Any = None) -> None:
    """@param status: the status, if no reply is given
    @param code: the code, if no reply is given

    """
    errors.ConfdClientError.__init__(self, text)
    if reply is None:
      reply = Reply(code, 0, [CandidateReply("", "", status, code, 0, 0.0, 0)],
                    {})
    self.reply = reply
    self.status = reply.candidates[0].status
    self.code = reply.candidates[0].answer
    self.unknown = unknown
    self.value = value


class NotPermitted(ErrorAnswer):
  """The reader's key does not permit the question.

  """


class RequestTooLarge(errors.ConfdClientError):
  """The question does not fit a datagram that daemons accept.

  @ivar size: of the request, in bytes
  @ivar limit: how large a request may be

  """
  def __init__(self, text: str = "", size: int = 0, limit: int = 0) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.size = size
    self.limit = limit


def MalformedError(rtype: int, query: Any, faults: dict[str, str]
                   ) -> MalformedAnswer:
  """Makes the error about malformed answers.

  @param faults: what is wrong, by the address of the candidate

  """
  return MalformedAnswer("Malformed answer to %s from %s" % (
    DescribeRequest(rtype, query),
    "; ".join("%s (%s)" % item for item in faults.items())), faults)


def IsUnusable(status: int, answer: Any) -> bool:
  """Tells whether a reply only says that its candidate cannot answer.

  """
  return (isinstance(answer, str) and
          status == int(constants.CONFD_REPL_STATUS_ERROR))


def DescribeRequest(rtype: int, query: Any) -> str:
  """Describes a question in a message.

  """
  name = _REQUEST_NAMES.get(rtype, "request type %s" % rtype)
  if query is None:
    return name
  if isinstance(query, dict):
    # Leave out the names in a query for a table, as there may be many
    query = query["what"] if "what" in query else list(query.values())
  text = wire.EncodeJson(query)
  if len(text) > _MAX_DESCRIPTION:
    text = text[:_MAX_DESCRIPTION] + "..."
  return "%s %s" % (name, text)


def _UnknownObject(rtype: int, query: Any, code: Any
                   ) -> tuple[Optional[str], Any]:
  """Returns the kind and the name of the object that does not exist.

  @param code: the answer, which is an error
  @return: (None, None) for any other error

  """
  if isinstance(code, dict):
    # The error of the request QUERY: a JSON object with the kind and the value
    # of an unknown word
    kind = code.get("unknown")
    if not isinstance(kind, str):
      return (None, None)
    return (_Kind(kind), code.get("value"))
  if (rtype == constants.CONFD_REQ_CONFIG_QUERY and
      code == constants.CONFD_ERROR_ARGUMENT):
    return ("path", query)
  if rtype in _OBJECTS and code == constants.CONFD_ERROR_UNKNOWN_ENTRY:
    if isinstance(query, dict):
      query = query.get(constants.CONFD_REQQ_IP)
    return (_OBJECTS[rtype], query)
  return (None, None)


def _Kind(key: Any) -> Any:
  """Returns the kind of a word of the request QUERY.

  @param key: the key of the word in the request

  """
  return "table" if key == "what" else key


def DescribeFailure(status: int, answer: Any) -> str:
  """Describes an error, whatever the question was.

  """
  if status == constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    return "not implemented there"
  if wire.IsPlainInt(answer):
    return _ERRORS.get(answer, "error %d" % answer)
  if isinstance(answer, dict):
    # The error of the request QUERY: a JSON object with the word that is
    # unknown or occurs twice
    for (key, text) in [("unknown", "unknown %s '%s'"),
                        ("duplicate", "%s '%s' twice")]:
      if key in answer:
        return text % (_Kind(answer[key]), answer.get("value"))
  return "%s" % (answer, )


def DescribeError(rtype: int, query: Any, best: CandidateReply) -> str:
  """Describes an answer that is an error.

  """
  if (best.status != constants.CONFD_REPL_STATUS_NOTIMPLEMENTED and
      _UnknownObject(rtype, query, best.answer)[0] == "path"):
    text = "the configuration has nothing at this JSON pointer"
    if not str(query).startswith("/"):
      text += "; a JSON pointer begins with a slash, like /cluster/cluster_name"
  else:
    text = DescribeFailure(best.status, best.answer)
  return ("%s: %s (%s, serial %d)" %
          (DescribeRequest(rtype, query), text, best.address, best.serial))


def MakeError(rtype: int, query: Any, reply: Reply[Any], hint: str = ""
              ) -> ErrorAnswer:
  """Makes the exception for an answer that is an error.

  @param hint: added to the text if the question is not permitted

  """
  best = reply.candidates[0]
  text = DescribeError(rtype, query, best)
  if (best.status, best.answer) == protocol.NOT_PERMITTED:
    return NotPermitted(text + hint, reply)
  (unknown, value) = _UnknownObject(rtype, query, best.answer)
  return ErrorAnswer(text, reply, unknown=unknown, value=value)
