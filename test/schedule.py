#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Decides which tests run in one process or in parallel, for test/run-tests.

A job is the work of one process: a file of tests, or several files that belong
together. Jobs run in parallel, since tests mostly wait for time-outs and for
other processes, and use ports, directories and namespaces of their own. All
exceptions are in the tables here.

"""

import fnmatch
import os
import typing


#: Jobs at a time. Most jobs wait, so a processor takes several.
DEFAULT_JOBS = 3 * (os.cpu_count() or 1)

#: Files that one process runs: suite -> lists of patterns of modules; None
#: stands for the modules that no earlier list names
_TOGETHER = {
  # Most modules share a process, since starting Python takes longer than they
  # run. The tests of completion wait for interactive shells, those of the
  # client and of run-tests for time-outs; test_numbers and test_properties
  # compute as long as all modules together that are not named here. A quick
  # run takes as long as the tests of the client.
  "unit": [["test_completion_quoting"], ["test_client_*"],
           ["test_numbers", "test_properties"], ["test_run_tests"], None],
  # The modules here share a Ganeti cluster: building one takes both processors
  # for half a minute
  "ganeti": [["test_client_peer", "test_gnt_list", "test_peer_client",
              "test_peer_daemon"]],
  # Each of the two lists shares a cluster, see test/cluster/changing.py
  "acceptance": [["test_admin_guide", "test_apt"], None],
  }

#: Suites whose tests use the machine's network, or make networks by themselves
_WITH_NETWORK = ("acceptance", "ganeti", "install")

#: Jobs that run alone, each with the reason
_ALONE: typing.Dict[str, str] = {
  }

#: A quick run leaves out files that take at least this many seconds
_QUICK = 15

#: Seconds that the longest jobs take, as a run prints them. The key is the
#: suite and the job's first pattern, or the suite alone for the rest of a suite
#: that runs in one process. The longest jobs start first, so that none still
#: runs long after all others have ended. A quick run leaves out most of these.
_SECONDS = {
  "acceptance": 421,
  "acceptance test_admin_guide": 333,
  "install test_with_ganeti": 178,
  "install test_packages": 167,
  "ganeti test_client_peer": 160,
  "unit test_client_*": 150,
  "install test_checkout": 143,
  "daemon test_exporter_web": 128,
  "daemon test_soak": 124,
  "install test_broken_off": 121,
  "install test_tarball": 120,
  "daemon test_cli": 119,
  "daemon test_exporter_recording": 107,
  "unit test_completion_quoting": 94,
  "daemon test_odd_answers": 92,
  "install test_install": 78,
  "unit": 67,
  "unit test_run_tests": 65,
  "install test_release": 56,
  "daemon test_faults": 56,
  "daemon test_client_follow": 51,
  "daemon test_exporter_attacks": 51,
  "daemon test_generations": 50,
  "daemon test_benchmark": 50,
  "unit test_numbers": 50,
  "daemon test_verify": 49,
  "daemon test_client_parts": 44,
  "daemon test_client_lossy": 39,
  "daemon test_enemy": 37,
  "ganeti test_compare_filters": 36,
  "install test_html": 35,
  "daemon test_client_status": 33,
  "daemon test_divergence": 32,
  "daemon test_check": 30,
  "install test_pip": 26,
  "install test_configure": 26,
  "daemon test_stuck": 26,
  "daemon test_protocol_numbers": 25,
  "daemon test_example_client": 25,
  "daemon test_export": 24,
  "daemon test_exporter_browser": 23,
  "daemon test_client_enemy": 23,
  "daemon test_amplification": 22,
  "daemon test_client_types": 22,
  "daemon test_hostile_values": 19,
  "daemon test_parts": 19,
  "daemon test_exporter_objects": 17,
  "ganeti test_compare_answers": 17,
  "daemon test_client_loops": 16,
  "ganeti test_daemon_util": 14,
  "ganeti test_compare_fields": 12,
  "daemon test_client_packaged": 12,
  "daemon test_cli_settings": 12,
  "daemon test_recipes": 12,
  "ganeti test_compare_findings": 11,
  "daemon test_signals": 11,
  "daemon test_protocol": 10,
  "daemon test_stats_command": 10,
  "daemon test_systemd": 10,
  "daemon test_client_readers": 10,
  }


class Job(typing.NamedTuple):
  """The work of one process.

  """
  #: Directory of the tests
  suite: str
  #: Names of modules or tests as nose2 takes them
  names: typing.Tuple[str, ...]
  #: Whether the job runs alone
  alone: bool
  #: Whether the job has the machine's network, and not only the loopback device
  network: bool
  #: Roughly how many seconds the job takes; 0 for a short one
  seconds: float
  #: The job's name in the output
  title: str


def _MakeJob(srcdir, suite, names, first):
  """Makes a job, with the properties that the tables give it.

  @param first: the first pattern of the job's modules; None for the rest of a
    suite

  """
  kind = os.path.basename(suite)
  key = " ".join(filter(None, [kind, first]))
  return Job(suite, tuple(names), key in _ALONE, kind in _WITH_NETWORK,
             _SECONDS.get(key, 0),
             " ".join([os.path.relpath(suite, srcdir)] + names))


def _SuiteJobs(srcdir, suite, quick):
  """Makes the jobs of a whole directory.

  @param quick: whether to leave out the longest files; jobs that are long only
    because they have several files are included

  """
  modules = sorted(name[:-len(".py")] for name in os.listdir(suite)
                   if name.startswith("test_") and name.endswith(".py"))
  jobs = []
  for patterns in _TOGETHER.get(os.path.basename(suite), []):
    group = [name for name in modules if patterns is None or
             any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if group:
      jobs.append(_MakeJob(srcdir, suite, group, patterns and patterns[0]))
    modules = [name for name in modules if name not in group]
  jobs += [_MakeJob(srcdir, suite, [name], name) for name in modules]
  return [job for job in jobs
          if not quick or len(job.names) > 1 or job.seconds < _QUICK]


def Jobs(srcdir, args, quick=False):
  """Makes the jobs of a run.

  @param args: directories of tests, files, or names of tests as nose2 prints
    them (test_wire.TestPack.testEmpty)
  @param quick: whether to leave out the longest files of a directory
  @rtype: list of L{Job}
  @return: in the order to start them; jobs that run alone come last

  """
  jobs = []
  for arg in args:
    path = arg if os.path.exists(arg) else os.path.join(srcdir, arg)
    if os.path.isdir(path):
      jobs += _SuiteJobs(srcdir, os.path.abspath(path), quick)
    elif os.path.isfile(path):
      (suite, module) = os.path.split(os.path.abspath(path))
      name = os.path.splitext(module)[0]
      jobs.append(_MakeJob(srcdir, suite, [name], name))
    else:
      top = os.path.join(srcdir, "test")
      found = [os.path.join(top, suite) for suite in sorted(os.listdir(top))
               if os.path.exists(os.path.join(top, suite,
                                              arg.split(".")[0] + ".py"))]
      if len(found) != 1:
        raise SystemExit("%s: %s of that name" %
                         (arg, "several tests" if found else "no test"))
      jobs.append(_MakeJob(srcdir, found[0], [arg], arg))
  return sorted(jobs, key=lambda job: (job.alone, -job.seconds))
