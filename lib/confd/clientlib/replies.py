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
  from typing import Any, Optional


#: Longest piece of a question in a message (characters)
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


_Answer = TypeVar("_Answer")
_Other = TypeVar("_Other")


class CandidateReply(NamedTuple):
  """The reply of one candidate.

  """
  #: as it was given or learned
  address: str
  #: the IP address that the reply is from
  server: str
  #: C{constants.CONFD_REPL_STATUS_*}
  status: int
  #: any JSON value
  answer: Any
  #: of the configuration; Ganeti's own daemon has those of single objects here
  serial: int
  #: seconds from the first datagram to the reply
  round_trip: float
  #: the serial of the freshest reply, less this one
  behind: int


class _Reply(NamedTuple):
  #: any JSON value
  answer: Any
  #: of the configuration that the answer is from
  serial: int
  #: all replies, the freshest first
  candidates: list[CandidateReply]
  #: the candidates without a well-formed reply by the end of the call, and why
  #: as far as that is known, else None
  silent: dict[str, Optional[str]]


# Before Python 3.11 a NamedTuple cannot be generic itself
class Reply(_Reply, Generic[_Answer]):
  """The answer to a question, with the replies that it was chosen from.

  """
  __slots__ = ()

  #: the type that the call documents; for others, any JSON value
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


class NoAnswer(errors.ConfdClientError):
  """No candidate gave an authentic answer in time.

  """


class MalformedAnswer(errors.ConfdClientError):
  """All answers are malformed.

  @ivar faults: what is wrong, by the address of the candidate

  """
  def __init__(self, text: str, faults: dict[str, str]) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.faults = faults


class StaleAnswer(NoAnswer):
  """All answers are older than one that was seen before.

  """


class ErrorAnswer(errors.ConfdClientError):
  """The freshest answer is an error.

  @ivar status: C{constants.CONFD_REPL_STATUS_*}
  @ivar code: C{constants.CONFD_ERROR_*}, L{protocol.ERROR_TOO_LARGE},
    L{protocol.ERROR_NOT_PERMITTED}, a text, the object by which C{inventory}
    names an unknown or duplicate word, or None with the status "not
    implemented"
  @ivar reply: the L{Reply}

  """
  def __init__(self, text: str, reply: Reply[Any]) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.reply = reply
    self.status = reply.candidates[0].status
    self.code = reply.candidates[0].answer


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
    # Of a query for a table the kind is enough: the names may be many
    query = query["what"] if "what" in query else list(query.values())
  text = wire.EncodeJson(query)
  if len(text) > _MAX_DESCRIPTION:
    text = text[:_MAX_DESCRIPTION] + "..."
  return "%s %s" % (name, text)


def DescribeError(rtype: int, query: Any, best: CandidateReply) -> str:
  """Describes an answer that is an error.

  """
  if best.status == constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    text = "not implemented there"
  elif (rtype == constants.CONFD_REQ_CONFIG_QUERY and
        best.answer == constants.CONFD_ERROR_ARGUMENT):
    text = "no such place in the configuration"
    if not str(query).startswith("/"):
      text += "; one begins with a slash, like /cluster/cluster_name"
  elif wire.IsPlainInt(best.answer):
    text = _ERRORS.get(best.answer, "error %d" % best.answer)
  elif isinstance(best.answer, dict) and "unknown" in best.answer:
    # The daemon's inventory makes this object, and the one below
    text = "unknown %s '%s'" % (best.answer["unknown"],
                                best.answer.get("value"))
  elif isinstance(best.answer, dict) and "duplicate" in best.answer:
    text = "%s '%s' twice" % (best.answer["duplicate"],
                              best.answer.get("value"))
  else:
    text = "%s" % (best.answer, )
  return ("%s: %s (%s, serial %d)" %
          (DescribeRequest(rtype, query), text, best.address, best.serial))
