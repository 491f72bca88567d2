#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Compiles and runs the client in C of doc/examples.

The compiler's sanitizers end the program with the exit code L{_CAUGHT} if it
reads or writes beyond its memory, or if its behaviour is undefined.

"""

import ctypes
import os
import shutil
import subprocess
import unittest

import testutils


SOURCE = os.path.join(testutils.SRCDIR, "doc", "examples", "confd-ask.c")

#: The libraries that the client is linked with
LIBRARIES = ["-lcrypto"]

_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
             "-Werror"]
_SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined",
               "-fno-sanitize-recover=all"]

#: The exit code of a program that a sanitizer has ended
_CAUGHT = 99

_ADDR_NO_RANDOMIZE = 0x0040000

#: Seconds that a question may take, even on a busy machine
_TIMEOUT = 120


def _HasCompiler():
  """Tells whether there are a compiler and OpenSSL's headers.

  """
  compiler = shutil.which("cc")
  return compiler is not None and subprocess.run(
    [compiler, "-E", "-include", "openssl/hmac.h", "-x", "c", "/dev/null"],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    check=False).returncode == 0


needs_compiler = unittest.skipUnless(
  _HasCompiler(), "there is no C compiler, or no OpenSSL for it (Debian: gcc,"
  " libssl-dev)")


def Compile(directory, sanitize=True):
  """Compiles the program.

  @return: the path of the program

  """
  program = os.path.join(directory, "confd-ask")
  result = subprocess.run(
    ["cc", *_WARNINGS, *(_SANITIZERS if sanitize else ["-O2"]), "-o", program,
     SOURCE, *LIBRARIES], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    encoding="utf-8", check=False)
  if result.returncode != 0 or result.stdout:
    raise AssertionError("Cannot compile %s:\n%s" % (SOURCE, result.stdout))
  return program


def _FixAddresses():
  """Turns off address space layout randomization.

  With 32 bits of randomness, the addresses that older sanitizers need may be in
  use.

  """
  ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)


def Run(program, key_file, port, rtype, query, addresses):
  """Asks a question.

  @param query: JSON text
  @return: tuple of exit code, standard output and standard error

  """
  options = "exitcode=%d:detect_leaks=0" % _CAUGHT
  # pylint: disable=W1509
  # preexec_fn is safe here: the child only changes its own personality
  result = testutils.Run(
    [program, key_file, str(port), str(rtype), query, *addresses],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    timeout=_TIMEOUT, check=False, preexec_fn=_FixAddresses,
    env=dict(os.environ, ASAN_OPTIONS=options,
             UBSAN_OPTIONS=options + ":print_stacktrace=1"))
  if result.returncode not in [0, 1, 2]:
    raise AssertionError("Exit code %d: %s" % (
      result.returncode, result.stderr.decode("utf-8", "replace")))
  return (result.returncode, result.stdout.decode("ascii", "replace"),
          result.stderr.decode("utf-8", "replace"))
