#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exports: the inventory's tables as files for other programs.

This subpackage has only pure functions, which convert rows to text. C{hostlist}
turns rows into L{hostlist.Host}s, C{hostgroups} puts hosts into groups,
C{sanitize} has the rules for values, and each format has a module of its own.

Rule 1: no value of the configuration ever becomes a directive of a file. Every
name, address and word goes through C{sanitize}, which accepts only values
without a special meaning in any of the formats. A value that C{sanitize}
rejects is left out of the file and reported.

Rule 2: the same rows make the same text, whatever the order of the rows.

The module of a format has three names:

  - C{COMMENT}: the characters that begin a comment, or None if the format has
    no comments;
  - C{FIELDS}: the fields that the format needs, by table;
  - C{Format(contents, say)}: makes the text of L{hostlist.Contents}, and calls
    C{say} with a sentence for each value left out.

"""
