#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The report of measurements: as tables, against the goals, and as a plot.

The tables are reStructuredText, for C{doc/performance.rst}.

"""

import collections

import measures


OURS = "ours"
ONE_WORKER = "ours, one worker"
DEBIAN = "Debian's"
ECHO = "echo"
SMALL = "ours, 3 nodes"
READER = "ours, with a reader's key"

#: Sizes for which goals are set, by number of instances
_MEDIUM = 1000
_LARGE = 10000
_HUGE = 100000

#: The largest factor that is not growth: allocators and file maps vary as much
_NO_GROWTH = 1.02

#: A goal: C{text}; C{limit}; C{at_least}, whether the limit is the least or the
#: most permitted value; C{value}, a function from the sizes' results, by number
#: of instances, to a number, which raises KeyError if it was not measured
_Goal = collections.namedtuple("_Goal", ["text", "limit", "at_least",
                                         "value"])


def _Rate(size, question, name):
  """Returns replies per second; 0 if the daemon never answers.

  @raise KeyError: the rate was not measured

  """
  outcome = size["throughput"][question][name]
  return 0 if isinstance(outcome, str) else outcome["rate"]


def _RateRatio(sizes, instances, question, name=OURS):
  size = sizes[instances]
  debian = _Rate(size, question, DEBIAN)
  if not debian:
    # If the peer never answers, ours is faster by more than any factor
    return float("inf")
  return _Rate(size, question, name) / debian


def _Quotient(ours, other):
  """Returns a ratio, even if the other value is zero.

  """
  if other:
    return ours / other
  return float("inf") if ours else 1.0


def _Against(size, part, *path):
  """Returns the ratio of ours to Debian's.

  @param size: a size's results
  @param part: the key of one part of the results
  @param path: the keys that lead from a daemon's results to a number
  @raise KeyError: the number was not measured

  """
  values = []
  for name in (OURS, DEBIAN):
    value = size[part][name]
    for key in path:
      value = value[key]
    values.append(value)
  return _Quotient(*values)


def _Whole(sizes, instances):
  """Returns the share of the large answers that are complete.

  """
  parts = sizes[instances]["parts"]
  return sum(1 for outcome in parts.values()
             if outcome["items"] == outcome["expected"]) / len(parts)


def _Constant(sizes):
  """Returns the worst ratio of our rates: a huge configuration to a small one.

  """
  outcomes = sizes[_HUGE]["constant"]
  return min(_Quotient(outcome[OURS]["rate"], outcome[SMALL]["rate"])
             for outcome in outcomes.values())


def _Least(sizes):
  return sizes[min(sizes)]


def _ReaderRatio(sizes):
  outcome = _Least(sizes)["readers"][measures.ROLE]
  return _Quotient(outcome[READER]["rate"], outcome[OURS]["rate"])


_GOALS = [
  _Goal("role of a node, 3 nodes, one worker: ratio of rates", 2.5, True,
        lambda sizes: _RateRatio(sizes, min(sizes), measures.ROLE,
                                 ONE_WORKER)),
  _Goal("the same, default workers", 3.5, True,
        lambda sizes: _RateRatio(sizes, min(sizes), measures.ROLE)),
  _Goal("role of a node, 10,000 instances: ratio of rates", 12, True,
        lambda sizes: _RateRatio(sizes, _LARGE, measures.ROLE)),
  _Goal("node of an instance's ip, 10,000 instances: ratio of rates", 40, True,
        lambda sizes: _RateRatio(sizes, _LARGE, measures.NODE_OF_IP)),
  _Goal("a node's instances, 1,000 instances: ratio of rates", 20, True,
        lambda sizes: _RateRatio(sizes, _MEDIUM, measures.NODE_INSTANCES)),
  _Goal("ips of all instances, 1,000 instances: ratio of rates", 20, True,
        lambda sizes: _RateRatio(sizes, _MEDIUM, measures.INSTANCE_IPS)),
  _Goal("10,000 instances: large answers that are whole", 1, True,
        lambda sizes: _Whole(sizes, _LARGE)),
  _Goal("100,000 instances: large answers that are whole", 1, True,
        lambda sizes: _Whole(sizes, _HUGE)),
  _Goal("any small question, 100,000 instances against 3 nodes: rate", 0.9,
        True, _Constant),
  _Goal("rename to first new answer, 10,000 instances: ratio", 0.2, False,
        lambda sizes: _Against(sizes[_LARGE], "reloads", "seconds")),
  _Goal("p99 while reloading without pause, 10,000 instances: ratio", 0.2,
        False, lambda sizes: _Against(sizes[_LARGE], "reloading", "reloading",
                                      "p99")),
  _Goal("lost meanwhile", 0, False,
        lambda sizes: sizes[_LARGE]["reloading"][OURS]["reloading"]["lost"]),
  _Goal("memory after all reloads, 10,000 instances: ratio", 0.2, False,
        lambda sizes: _Against(sizes[_LARGE], "reloads", "memory", "end")),
  _Goal("the same, against that after the first few", _NO_GROWTH, False,
        lambda sizes: (sizes[_LARGE]["reloads"][OURS]["memory"]["end"] /
                       sizes[_LARGE]["reloads"][OURS]["memory"]["timed"])),
  _Goal("role of a node, 3 nodes, against an echo: ratio of rates", 0.35, True,
        lambda sizes: _Quotient(_Rate(_Least(sizes), measures.ROLE, OURS),
                                _Rate(_Least(sizes), measures.ROLE, ECHO))),
  _Goal("role of a node, reader's key against the cluster's: rate", 0.9, True,
        _ReaderRatio),
  _Goal("p99 of others while /instances is fetched, 100,000: ratio to idle", 2,
        False, lambda sizes: _FetchRatio(sizes[_HUGE])),
  _Goal("wake-ups at rest, 3 nodes: ratio", 1.25, False,
        lambda sizes: _Against(_Least(sizes), "rest", "wakeups")),
  _Goal("CPU time in a minute at rest, 3 nodes, against starting Python", 0.59,
        False, lambda sizes: (_Least(sizes)["rest"][OURS]["cpu"] /
                              _Command(sizes, measures.BARE)["cpu"])),
  _Goal("memory at rest, 3 nodes: ratio", 0.966, False,
        lambda sizes: _Against(_Least(sizes), "rest", "memory")),
  _Goal("peak memory through a reload, 100,000 instances: ratio to rest", 1.5,
        False, lambda sizes: (sizes[_HUGE]["rest"][OURS]["peak"] /
                              sizes[_HUGE]["rest"][OURS]["memory"])),
  _Goal("rename to first new answer, 3 nodes: ratio", 1, False,
        lambda sizes: _Against(_Least(sizes), "reloads", "seconds")),
  _Goal("p99 while reloading without pause, 3 nodes: ratio", 1, False,
        lambda sizes: _Against(_Least(sizes), "reloading", "reloading",
                               "p99")),
  _Goal("p99 at 1,000 requests per second, 3 nodes: ratio", 1, False,
        lambda sizes: _Against(_Least(sizes), "reloading", "idle", "p99")),
  _Goal("clients that wait, 3 nodes: told after (ms)", 50, False,
        lambda sizes: 1000 * _Least(sizes)["following"]["told"]),
  _Goal("the same, 10,000 instances, against polling each second", 1, False,
        lambda sizes: (sizes[_LARGE]["following"]["told"] /
                       sizes[_LARGE]["following"]["polled"])),
  _Goal("1,000 that wait: from the first told to the last (ms)", 50, False,
        lambda sizes: 1000 * _Least(sizes)["following"]["spread"]),
  _Goal("CPU time for 1,000 that wait, in a minute (ms)", 5, False,
        lambda sizes: 1000 * _Least(sizes)["following"]["cpu"]),
  _Goal("p99 beside 1,000 that wait: ratio to idle", 1.1, False,
        lambda sizes: _Quotient(_Least(sizes)["following"]["p99"],
                                _Least(sizes)["following"]["idle_p99"])),
  _Goal("confd-client ping: time against Ganeti's own confd-client", 0.23,
        False, lambda sizes: _CommandRatio(sizes, measures.GANETI_CLIENT)),
  _Goal("the same, against starting Python", 3.53, False,
        lambda sizes: _CommandRatio(sizes, measures.BARE)),
  ]


def _Command(sizes, name):
  return _Least(sizes)["command"][name]


def _CommandRatio(sizes, name):
  return (_Command(sizes, measures.PING)["seconds"] /
          _Command(sizes, name)["seconds"])


def _FetchRatio(size):
  outcome = size["parts"][measures.CONFIG_INSTANCES]
  return _Quotient(outcome["meanwhile"]["p99"], outcome["idle"]["p99"])


def _Table(headers, rows):
  """Makes a table; no lines if there are no rows.

  @rtype: list of lines

  """
  if not rows:
    return []
  rows = [[str(cell) for cell in row] for row in rows]
  widths = [max(map(len, column)) for column in zip(headers, *rows)]
  rule = "  ".join("=" * width for width in widths)

  def _Line(row):
    return "  ".join(cell.ljust(width)
                     for (cell, width) in zip(row, widths)).rstrip()

  return [rule, _Line(headers), rule] + [_Line(row) for row in rows] + \
    [rule, ""]


def _Milliseconds(microseconds):
  return "%.2f" % (microseconds / 1000)


def _Megabytes(size):
  return "%d MB" % round(size / 1e6)


def _RatioRow(size, part, paths):
  """Makes the last row of a table of daemons: the ratio of ours to Debian's.

  @param part: as for L{_Against}
  @param paths: for each column, as for L{_Against}; None for an empty one
  @rtype: list of rows; empty if only our daemon was measured

  """
  if not {OURS, DEBIAN}.issubset(size.get(part, {})):
    return []
  return [["ratio"] + ["" if path is None else
                       "%.2f" % _Against(size, part, *path)
                       for path in paths]]


def _ThroughputRows(size):
  rows = []
  for (question, outcomes) in size.get("throughput", {}).items():
    for (name, outcome) in outcomes.items():
      if isinstance(outcome, str):
        rows.append([question, name, outcome, "", "", "", ""])
      else:
        debian = outcomes.get(DEBIAN)
        ratio = ""
        if isinstance(debian, dict) and name != DEBIAN:
          ratio = "%.1f" % _Quotient(outcome["rate"], debian["rate"])
        rows.append([question, name, "%d" % outcome["rate"], ratio,
                     _Milliseconds(outcome["p50"]),
                     _Milliseconds(outcome["p99"]), "%.1f" % outcome["cpu"]])
  return rows


def _SizeTables(instances, size):
  """Returns the tables of one size.

  @rtype: list of lines

  """
  title = "%d nodes, %d instances" % (size["nodes"], instances)
  lines = [title, "-" * len(title), ""]
  lines.extend(_Table(["Question", "Daemon", "Replies/s", "Ratio", "p50 (ms)",
                       "p99 (ms)", "CPU (us)"], _ThroughputRows(size)))
  lines.extend(_Table(
    ["Rate against 3 nodes", "Ratio", "At first"],
    [[question, *("%.2f" % _Quotient(outcome[OURS][rate], outcome[SMALL][rate])
                  for rate in ("rate", "first_rate"))]
     for (question, outcome) in size.get("constant", {}).items()]))
  lines.extend(_Table(
    ["With one worker", "Signed with", "Replies/s", "CPU (us)"],
    [[question, {OURS: "the cluster's key", READER: "a reader's key"}[name],
      "%d" % outcome["rate"], "%.1f" % outcome["cpu"]]
     for (question, outcomes) in size.get("readers", {}).items()
     for (name, outcome) in outcomes.items()]))
  lines.extend(_Table(
    ["At rest", "Processes", "Wake-ups/s", "CPU (ms/min)", "Memory (MB)",
     "Peak in a reload (MB)"],
    [[name, outcome["processes"], "%.2f" % outcome["wakeups"],
      "%.1f" % (1000 * outcome["cpu"]), "%.1f" % (outcome["memory"] / 1e6),
      "%.1f" % (outcome["peak"] / 1e6)]
     for (name, outcome) in size.get("rest", {}).items()] +
    _RatioRow(size, "rest", [None, ["wakeups"], None, ["memory"], ["peak"]])))
  lines.extend(_Table(
    ["Reloads", "Rename to answer (s)", "Memory at start",
     "After the first", "After all"],
    [[name, "%.4f" % outcome["seconds"],
      _Megabytes(outcome["memory"]["start"]),
      _Megabytes(outcome["memory"]["timed"]),
      _Megabytes(outcome["memory"]["end"])]
     for (name, outcome) in size.get("reloads", {}).items()] +
    _RatioRow(size, "reloads", [["seconds"], ["memory", "start"],
                                ["memory", "timed"], ["memory", "end"]])))
  lines.extend(_Table(
    ["Reloading without pause", "p99 idle (ms)", "p99 (ms)", "Worst (ms)",
     "Lost"],
    [[name, _Milliseconds(outcome["idle"]["p99"]),
      _Milliseconds(outcome["reloading"]["p99"]),
      _Milliseconds(outcome["reloading"]["worst"]),
      outcome["reloading"]["lost"]]
     for (name, outcome) in size.get("reloading", {}).items()] +
    _RatioRow(size, "reloading", [["idle", "p99"], ["reloading", "p99"],
                                  ["reloading", "worst"], None])))
  lines.extend(_Table(
    ["In parts", "First (s)", "Again (s)", "p99 idle (ms)",
     "p99 of others (ms)"],
    [[question, "%.2f" % outcome["first"], "%.2f" % outcome["again"],
      _Milliseconds(outcome["idle"]["p99"]),
      _Milliseconds(outcome["meanwhile"]["p99"])]
     for (question, outcome) in size.get("parts", {}).items()]))
  lines.extend(_Table(
    ["Waiting for a change", "Told after (ms)", "By polling (ms)",
     "First to last (ms)", "CPU (ms/min)", "p99 idle (ms)", "p99 (ms)"],
    [["%d clients" % outcome["clients"], "%.1f" % (1000 * outcome["told"]),
      "%.1f" % (1000 * outcome["polled"]), "%.1f" % (1000 * outcome["spread"]),
      "%.1f" % (1000 * outcome["cpu"]), _Milliseconds(outcome["idle_p99"]),
      _Milliseconds(outcome["p99"])]
     for outcome in [size.get("following")] if outcome]))
  commands = size.get("command", {})
  lines.extend(_Table(
    ["Command", "Time (ms)", "CPU (ms)", "Against Python"],
    [[name, "%.1f" % (1000 * outcome["seconds"]),
      "%.1f" % (1000 * outcome["cpu"]),
      "%.2f" % (outcome["seconds"] / commands[measures.BARE]["seconds"])]
     for (name, outcome) in commands.items()]))
  return lines


def _GoalRows(sizes):
  rows = []
  for goal in _GOALS:
    try:
      value = goal.value(sizes)
    except KeyError:
      rows.append([goal.text, _Limit(goal), "", "not measured"])
      continue
    met = value >= goal.limit if goal.at_least else value <= goal.limit
    rows.append([goal.text, _Limit(goal), "%.3g" % value,
                 "met" if met else "MISSED"])
  return rows


def _Limit(goal):
  return "%s %g" % (">=" if goal.at_least else "<=", goal.limit)


def Report(results):
  """Returns all tables.

  @param results: the results that C{run} collects
  @rtype: string

  """
  machine = results["machine"]
  lines = ["%s: %s" % (name, machine[name]) for name in machine]
  lines = ["| " + line for line in lines] + [""]
  sizes = results["sizes"]
  for (instances, size) in sorted(sizes.items()):
    lines.extend(_SizeTables(instances, size))
  lines.extend(["Goals", "-----", ""])
  lines.extend(_Table(["Measure", "Goal", "Measured", ""], _GoalRows(sizes)))
  return "\n".join(lines)


def Plot(results, path):
  """Draws the rates of all questions by size.

  @param path: the path of an SVG file
  @raise ImportError: there is no matplotlib

  """
  import matplotlib
  matplotlib.use("svg")
  # Keep text as text, and make the same file from the same results
  matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rates"})
  from matplotlib import pyplot

  sizes = results["sizes"]
  questions = [question for question in measures.QUESTIONS
               if any(question in size["throughput"]
                      for size in sizes.values())]
  # The plots share one scale, so that they can be compared
  (figure, plots) = pyplot.subplots(
    len(questions), 1, figsize=(7, 2.2 * len(questions)), squeeze=False,
    sharex=True, sharey=True)
  for (question, plot) in zip(questions, plots[:, 0]):
    for name in (OURS, ONE_WORKER, DEBIAN):
      points = [(instances, size["throughput"][question][name]["rate"])
                for (instances, size) in sorted(sizes.items())
                if isinstance(size["throughput"].get(question, {}).get(name),
                              dict)]
      if points:
        plot.plot(*zip(*points), marker="o", label=name)
    plot.set_title(question)
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.minorticks_off()
    plot.set_ylabel("replies/s")
    plot.grid(alpha=0.3)
  plots[0, 0].legend()
  plots[-1, 0].set_xlabel("instances")
  figure.tight_layout()
  figure.savefig(path, metadata={"Date": None})
