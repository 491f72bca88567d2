#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The exit codes of confd-client.

"""

#: There is an answer
SUCCESS = 0

#: The answer is an error, or a file cannot be read
FAILURE = 1

#: The command line is wrong
USAGE = 2

#: Nobody has answered
NO_ANSWER = 3

#: What a shell makes of a program that a signal has ended
INTERRUPTED = 130
BROKEN_PIPE = 141
