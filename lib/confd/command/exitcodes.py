#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The exit codes of confd-client.

"""

#: The command was successful
SUCCESS = 0

#: The answer is an error, or the command failed in another way
FAILURE = 1

#: The command line is wrong
USAGE = 2

#: No candidate has answered
NO_ANSWER = 3

#: The exit codes of shells after SIGINT and SIGPIPE
INTERRUPTED = 130
BROKEN_PIPE = 141
