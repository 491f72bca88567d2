# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

# CONFD_WITH_PREFIX(KIND, VARIABLE)
# ---------------------------------
# The option --with-KIND-prefix, spelled as in Ganeti: the daemon's user (or
# group) is the prefix followed by "confd", and root without the option.
AC_DEFUN([CONFD_WITH_PREFIX], [
  AC_ARG_WITH([$1-prefix],
    [AS_HELP_STRING([--with-$1-prefix=PREFIX],
       [the daemon's $1 is PREFIX followed by "confd" @<:@default: the daemon's $1 is root@:>@])],
    [AS_CASE([$withval],
       [yes], [AC_MSG_ERROR([--with-$1-prefix needs a value, e.g. --with-$1-prefix=gnt-])],
       [no], [$2=root],
       [$2=${withval}confd])],
    [$2=root])
  AC_SUBST([$2])
])

# CONFD_PROG_PYTHON(MINIMUM-VERSION)
# ----------------------------------
# Sets PYTHON and pythondir. /usr/bin/python3 is preferred to the "python3" in
# PATH, since Debian's modules are there only for Debian's interpreter. Also the
# "python3" of a version manager is a shell script; a daemon started by it does
# not have the name "ganeti-confd" in the process list.
AC_DEFUN([CONFD_PROG_PYTHON], [
  AC_ARG_VAR([PYTHON], [the Python interpreter @<:@/usr/bin/python3@:>@])
  AC_MSG_CHECKING([for Python $1 or later])
  if test -z "$PYTHON"; then
    if test -x /usr/bin/python3; then
      PYTHON=/usr/bin/python3
    else
      PYTHON=python3
    fi
  fi
  # The path goes into the first line of scripts, where blanks would split it
  confd_python=`"$PYTHON" -c "import sys; print(sys.executable)" 2>&AS_MESSAGE_LOG_FD`
  AS_CASE([$confd_python],
    [''],
      [AC_MSG_ERROR([$PYTHON does not run; on Debian: apt-get install python3])],
    [*@<:@[' 	']@:>@*],
      [AC_MSG_ERROR([the path of the interpreter has blanks in it: $confd_python])],
    [/*], [PYTHON=$confd_python],
    [AC_MSG_ERROR([$PYTHON has no absolute path])])
  AC_MSG_RESULT([$PYTHON])

  # Debian's interpreter has its own directories for modules. Take the directory
  # below the prefix, as the interpreter does not search the directory that
  # automake would choose.
  if test -z "$am_cv_python_pythondir"; then
    AS_IF([test "x$prefix" = xNONE], [confd_prefix=$ac_default_prefix],
          [confd_prefix=$prefix])
    am_cv_python_pythondir=`"$PYTHON" -c "
import os, site, sys
prefix = os.path.normpath(sys.argv[[1]])
for path in site.getsitepackages():
  if path.startswith(os.path.join(prefix, 'lib')):
    break
else:
  path = '%s/lib/python%d.%d/site-packages' % ((prefix, ) + sys.version_info[[:2]])
print('\\\${prefix}/' + os.path.relpath(path, prefix))
" "$confd_prefix"`
  fi

  AM_PATH_PYTHON([$1])
])

# CONFD_WITH_GANETI
# -----------------
# The option --with-ganeti takes users, groups and paths from an installed
# Ganeti, and "make install" replaces a part of it. Options that contradict the
# installed Ganeti are errors.
AC_DEFUN([CONFD_WITH_GANETI], [
  AC_REQUIRE([CONFD_PROG_PYTHON])
  AC_ARG_WITH([ganeti],
    [AS_HELP_STRING([--with-ganeti@<:@=DIR@:>@],
       [install into the Ganeti whose package "ganeti" is in DIR @<:@default: without Ganeti; without DIR: the one that is found@:>@])],
    [], [with_ganeti=no])
  if test "x$with_ganeti" != xno; then
    AC_MSG_CHECKING([for Ganeti])
    AS_IF([test -n "$with_ganeti"], [], [AC_MSG_ERROR([--with-ganeti= has no directory])])
    AS_IF([test "x$prefix" = xNONE], [confd_prefix=$ac_default_prefix],
          [confd_prefix=$prefix])
    if confd_found=`"$PYTHON" -B "$srcdir/autotools/find-ganeti" \
        --prefix="$confd_prefix" "$with_ganeti" 2>conftest.err`; then
      eval "$confd_found"
    else
      confd_found=`cat conftest.err`
      rm -f conftest.err
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([$confd_found])
    fi
    rm -f conftest.err
    AC_MSG_RESULT([$GANETI_VERSION in $GANETI_DIR])
    AS_IF([test -n "$with_user_prefix$with_group_prefix"],
      [AC_MSG_ERROR([--with-ganeti and --with-user-prefix or --with-group-prefix exclude each other])])
    AS_CASE([$localstatedir],
      ["$confd_localstatedir" | '${prefix}/var'], [],
      [AC_MSG_ERROR([this Ganeti has --localstatedir=$confd_localstatedir])])
    AS_CASE([$sysconfdir],
      ["$confd_sysconfdir" | '${prefix}/etc'], [],
      [AC_MSG_ERROR([this Ganeti has --sysconfdir=$confd_sysconfdir])])
    localstatedir=$confd_localstatedir
    sysconfdir=$confd_sysconfdir
    # Ganeti runs the daemon by a path in this directory; the path may be a link
    sbindir=$confd_sbindir
  fi
  AC_SUBST([GANETI_DIR])
  AC_SUBST([GANETI_LINK])
  AC_SUBST([GANETI_CONFD])
  AC_SUBST([GANETI_PTHDIR])
  AM_CONDITIONAL([WITH_GANETI], [test "x$with_ganeti" != xno])
])

# CONFD_PYTHON_MODULE(MODULE, DEBIAN-PACKAGE, "required" or what needs it)
# -----------------------------------------------------------------------
# Tries to import a module. The third argument is "required", or names the
# programs that need the module. CONFD_PYTHON_MODULES_DONE reports all missing
# required modules together.
AC_DEFUN([CONFD_PYTHON_MODULE], [
  AC_MSG_CHECKING([for Python module $1])
  if "$PYTHON" -c "import $1" >&AS_MESSAGE_LOG_FD 2>&1; then
    AC_MSG_RESULT([yes])
  else
    AC_MSG_RESULT([no])
    m4_if([$3], [required],
      [confd_missing="$confd_missing $1"
       confd_missing_packages="$confd_missing_packages $2"],
      [AC_MSG_WARN([Python module $1 is needed for $3; on Debian: apt-get install $2])])
  fi
])

AC_DEFUN([CONFD_PYTHON_MODULES_DONE], [
  if test -n "$confd_missing"; then
    AC_MSG_ERROR([$PYTHON cannot import:$confd_missing; on Debian: apt-get install$confd_missing_packages])
  fi
])
