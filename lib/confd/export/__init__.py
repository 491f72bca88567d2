#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exports: tables of the inventory as files that other programs read.

Pure code: rows in, text out. C{hostlist} makes L{hostlist.Host}s of rows, and
there is one module for each format. C{sanitize} has the rules for what may
stand in a file, C{hostgroups} the names of groups.

Rule 1: what stands in the configuration never becomes a directive of a file.
Every name, address and word goes through C{sanitize}, which lets pass only what
means itself in all formats. What does not pass is left out, and said.

Rule 2: the same table makes the same text, whatever the order of its rows.

Each module of a format has C{COMMENT}, what a comment begins with, or None
where the format has none, C{FIELDS}, what it needs of the tables, and
C{Format(source, say)}, which makes the text of an L{hostlist.Source}. What it
leaves out it tells to C{say}, in one sentence.

"""
