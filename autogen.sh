#!/bin/bash
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

# Makes ./configure from a checkout. A released tarball has it already.

set -e

cd "$(dirname "$0")"

missing=
for tool in autoconf automake; do
  command -v $tool >/dev/null || missing="$missing $tool"
done
if [ "$missing" ]; then
  echo "autogen.sh: missing:$missing; on Debian: apt-get install$missing" >&2
  exit 1
fi

# "--force": the version is in another file than configure.ac
exec autoreconf --force --install
