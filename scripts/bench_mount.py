#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lays the JSON lines of scripts/bench.sh mount side by side: medians in operations per second, and the targets.

usage: bench_mount.py [--markdown] [FILE...]     (default: standard input)

A ratio is the figure of artfs divided by the other filesystem's: above 1, artfs is ahead. `artfs_dev`
is artfs over /dev/fuse where the other came through io_uring; `ceiling`, on the transport of artfs, is a FUSE
filesystem in memory without any persistence. Ratios within one run only.
"""
import argparse
import collections
import json
import statistics
import sys

COLUMNS = ["artfs", "artfs_dev", "ceiling", "ext4", "xfs", "bindfs", "tmpfs"]
# (op, ranks), ranks in directories of their own: [(filesystem, least ratio)].
READ = [("ceiling", 0.9)]
WRITE = [("ceiling", 0.7), ("ext4", 0.5)]
NAMES = [("ceiling", 0.75), ("bindfs", 4)]
WALK = [("ceiling", 0.8)]
COLD = [("ext4", 2), ("xfs", 2)]
TARGETS = {
    ("file_create", 1): NAMES, ("file_create", 2): NAMES + [("ext4", 1.5)],
    ("dir_create", 1): NAMES, ("dir_create", 2): NAMES + [("ext4", 1.5)],
    ("file_remove", 1): NAMES, ("file_remove", 2): NAMES, ("dir_remove", 1): NAMES, ("dir_remove", 2): NAMES,
    ("file_stat", 1): [("ceiling", 0.9)], ("file_stat", 2): [("ceiling", 0.9)],
    ("file_read", 1): [("ceiling", 0.9)], ("file_read", 2): [("ceiling", 0.9)],
    ("find_dropped", 1): WALK, ("ls_lR_dropped", 1): WALK, ("du_dropped", 1): WALK,
    ("find_cold", 1): COLD, ("ls_lR_cold", 1): COLD, ("du_cold", 1): COLD, ("rm_rf", 1): [("ceiling", 0.77)],
    ("randread_4k", 1): READ, ("randread_4k_direct", 1): READ,
    ("seqread_1m", 1): READ, ("seqread_1m_direct", 1): READ,
    ("randwrite_4k", 1): WRITE, ("randwrite_4k_direct", 1): WRITE,
    ("seqwrite_1m", 1): WRITE, ("seqwrite_1m_direct", 1): WRITE,
    ("create_4k_fsync", 1): [("ext4", 2.0)], ("create_4k_fsync", 8): [("ext4", 1.0)],
}


def read(files):
    """{(op, ranks, layout): {filesystem: median}} in the order of first appearance, and the lines of latencies."""
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    latencies = []
    for file in files:
        for line in file:
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("suite") != "mount":
                continue
            if "ops_per_s" in entry:
                rows[entry["op"], entry["ranks"], entry["layout"]][entry["fs"]].append(entry["ops_per_s"])
            else:
                latencies.append(entry)
    return {row: {fs: statistics.median(values) for fs, values in figures.items()}
            for row, figures in rows.items()}, latencies


def verdicts(row, figures):
    if row[2] == "shared":
        return
    for fs, least in TARGETS.get(row[:2], []):
        if "artfs" in figures and figures.get(fs):
            ratio = figures["artfs"] / figures[fs]
            yield f"{'reached' if ratio >= least else 'BEHIND'} {ratio:.2f} of {least:g} {fs}"


def print_latencies(latencies):
    for entry in latencies:
        print(f"{entry['op']:<16}{entry['fs']:<7}{entry['note']:<15}p50 {entry['p50_us']:>9,.1f} us  "
              f"p99 {entry['p99_us']:>9,.1f} us  p99.9 {entry['p999_us']:>9,.1f} us  max {entry['max_us']:>9,.0f} us")


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("files", nargs="*", type=argparse.FileType(encoding="utf-8"))
    options = parser.parse_args()
    rows, latencies = read(options.files or [sys.stdin])
    if not rows and not latencies:
        print("no lines")
        return
    present = [fs for fs in COLUMNS if any(fs in figures for figures in rows.values())]
    table = [["operations/s", *present, "target"]]
    states = []
    for row, figures in rows.items():
        own = list(verdicts(row, figures))
        states += own
        place = " in one directory" if row[2] == "shared" else ""
        table.append([f"{row[0]}, {row[1]} process{'es' if row[1] > 1 else ''}{place}",
                      *(number(figures.get(fs)) for fs in present), "; ".join(own)])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for index, line in enumerate(table):
        if options.markdown:
            print("| " + " | ".join(line) + " |")
            if index == 0:
                print("|---|" + "---:|" * len(present) + "---|")
            continue
        cells = [cell.ljust(width) if i in (0, len(line) - 1) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
    print_latencies(latencies)
    reached = sum(state.startswith("reached") for state in states)
    print(f"{reached} targets reached, {len(states) - reached} behind")


if __name__ == "__main__":
    main()
