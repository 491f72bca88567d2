#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What was measured: as tables, against the goals, and as a plot.

Tables are reStructuredText, for C{doc/performance.rst}.

"""

import collections

import measures


OURS = "ours"
ONE_WORKER = "ours, one worker"
DEBIAN = "Debian's"
ECHO = "echo"
SMALL = "ours, 3 nodes"

#: Sizes that goals are set for, as number of instances
_MEDIUM = 1000
_LARGE = 10000
_HUGE = 100000

#: Growth that is none: what allocators and file maps vary by
_NO_GROWTH = 1.02

#: A goal: C{text}; C{limit} and C{at_least}, whether that is the least or the
#: most; C{value} called with the sizes' results by number of instances,
#: returns a number or raises KeyError where that was not measured
_Goal = collections.namedtuple("_Goal", ["text", "limit", "at_least",
                                         "value"])


def _Rate(size, question, name):
  """Returns replies per second, 0 for answers that never come.

  @raise KeyError: it was not measured

  """
  outcome = size["throughput"][question][name]
  return 0 if isinstance(outcome, str) else outcome["rate"]


def _RateRatio(sizes, instances, question, name=OURS):
  size = sizes[instances]
  debian = _Rate(size, question, DEBIAN)
  if not debian:
    # A peer that never answers is behind by more than any factor
    return float("inf")
  return _Rate(size, question, name) / debian


def _Quotient(function):
  """Makes a function of the ratio of ours to Debian's.

  @param function: from a daemon's results to a number

  """
  def _Value(sizes, part):
    outcomes = sizes[_LARGE][part]
    return function(outcomes[OURS]) / function(outcomes[DEBIAN])
  return _Value


def _Whole(sizes, instances):
  """Tells how many of the large answers are whole.

  """
  parts = sizes[instances]["parts"]
  return sum(1 for outcome in parts.values()
             if outcome["items"] == outcome["expected"]) / len(parts)


def _Constant(sizes):
  """Returns the worst ratio of a huge configuration's to a small one's.

  """
  outcomes = sizes[_HUGE]["constant"]
  return min(outcome[OURS]["rate"] / outcome[SMALL]["rate"]
             for outcome in outcomes.values())


def _Least(sizes):
  return sizes[min(sizes)]


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
        lambda sizes: _Quotient(lambda outcome: outcome["seconds"])(
          sizes, "reloads")),
  _Goal("p99 while reloading without pause, 10,000 instances: ratio", 0.2,
        False, lambda sizes: _Quotient(
          lambda outcome: outcome["reloading"]["p99"])(sizes, "reloading")),
  _Goal("lost meanwhile", 0, False,
        lambda sizes: sizes[_LARGE]["reloading"][OURS]["reloading"]["lost"]),
  _Goal("memory after all reloads, 10,000 instances: ratio", 0.2, False,
        lambda sizes: _Quotient(lambda outcome: outcome["memory"]["end"])(
          sizes, "reloads")),
  _Goal("the same, against that after the first few", _NO_GROWTH, False,
        lambda sizes: (sizes[_LARGE]["reloads"][OURS]["memory"]["end"] /
                       sizes[_LARGE]["reloads"][OURS]["memory"]["timed"])),
  _Goal("role of a node, 3 nodes, against an echo: ratio of rates", 0.35, True,
        lambda sizes: (_Rate(_Least(sizes), measures.ROLE, OURS) /
                       _Rate(_Least(sizes), measures.ROLE, ECHO))),
  _Goal("p99 of others while /instances is fetched, 100,000: ratio to idle", 2,
        False, lambda sizes: _FetchRatio(sizes[_HUGE])),
  ]


def _FetchRatio(size):
  outcome = size["parts"][measures.CONFIG_INSTANCES]
  return outcome["meanwhile"]["p99"] / outcome["idle"]["p99"]


def _Table(headers, rows):
  """Makes a table, of nothing if there are no rows.

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
          ratio = "%.1f" % (outcome["rate"] / debian["rate"])
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
    [[question, *("%.2f" % (outcome[OURS][rate] / outcome[SMALL][rate])
                  for rate in ("rate", "first_rate"))]
     for (question, outcome) in size.get("constant", {}).items()]))
  lines.extend(_Table(
    ["Reloads", "Rename to answer (s)", "Memory at start",
     "After the first", "After all"],
    [[name, "%.3f" % outcome["seconds"],
      _Megabytes(outcome["memory"]["start"]),
      _Megabytes(outcome["memory"]["timed"]),
      _Megabytes(outcome["memory"]["end"])]
     for (name, outcome) in size.get("reloads", {}).items()]))
  lines.extend(_Table(
    ["Reloading without pause", "p99 idle (ms)", "p99 (ms)", "Worst (ms)",
     "Lost"],
    [[name, _Milliseconds(outcome["idle"]["p99"]),
      _Milliseconds(outcome["reloading"]["p99"]),
      _Milliseconds(outcome["reloading"]["worst"]),
      outcome["reloading"]["lost"]]
     for (name, outcome) in size.get("reloading", {}).items()]))
  lines.extend(_Table(
    ["In parts", "First (s)", "Again (s)", "p99 idle (ms)",
     "p99 of others (ms)"],
    [[question, "%.2f" % outcome["first"], "%.2f" % outcome["again"],
      _Milliseconds(outcome["idle"]["p99"]),
      _Milliseconds(outcome["meanwhile"]["p99"])]
     for (question, outcome) in size.get("parts", {}).items()]))
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

  @param results: what C{run} collects
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

  @param path: of an SVG file
  @raise ImportError: there is no matplotlib

  """
  import matplotlib
  matplotlib.use("svg")
  # Text as text; the same results make the same file
  matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rates"})
  from matplotlib import pyplot

  sizes = results["sizes"]
  questions = [question for question in measures.QUESTIONS
               if any(question in size["throughput"]
                      for size in sizes.values())]
  # One scale for all, so that they compare
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
