#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Collects the exceptions that end threads of tests.

Python prints such an exception and continues. A test that waits for the
thread's work would fail by a time-out, or never, without naming the cause. With
this module, L{testutils.WaitFor} raises the exception's text at once, and
test/run-tests counts the test as failed.

Exceptions of threads that were started before the module was imported are
collected, too, since Python looks the hook up when a thread ends.

"""

import threading
import traceback


#: Texts for L{Take}, and those of them that L{Raise} has not raised yet
_untaken = []
_unraised = []

_print = threading.excepthook


def _Collect(args):
  """Notes an exception that ends a thread; Python calls this function.

  """
  # Like Python itself, pass over the exception that ends a thread on purpose
  if args.exc_type is not SystemExit:
    text = "A thread of the test has ended by an exception:\n" + "".join(
      traceback.format_exception(args.exc_type, args.exc_value,
                                 args.exc_traceback))
    _untaken.append(text)
    _unraised.append(text)
  _print(args)


threading.excepthook = _Collect


def Raise():
  """Raises the text of each exception once, so that clean-up can go on.

  @raise AssertionError: an exception has ended a thread

  """
  if _unraised:
    raise AssertionError(_unraised.pop(0))


def Take():
  """Returns and forgets the texts of all exceptions since the last call.

  @rtype: list of strings

  """
  texts = _untaken[:]
  del _untaken[:len(texts)]
  _unraised.clear()
  return texts
