#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lays the JSON lines of scripts/bench.sh engine side by side: medians, ratios, targets.

usage: bench_compare.py [--markdown] [FILE...]     (default: standard input)

A ratio is the peer's figure divided by that of artfs: above 1, artfs is ahead. `best` is the best peer
of the row. A target counts when the row has figures of artfs and of the peer it names.
"""
import argparse
import collections
import json
import statistics
import sys

ENGINES = ["artfs", "lmdb", "lmdb_writemap", "rocksdb", "sqlite"]
PEERS = ENGINES[1:]
# (suite, mode, threads, op): [(peers, least ratio)], for workload fs and 500,000 keys.
TARGETS = {
    ("ops", "memory", 1, "get_hit"): [(PEERS, 1.5)],
    ("ops", "memory", 1, "get_miss"): [(PEERS, 1.5)],
    ("ops", "memory", 1, "put"): [(PEERS, 2.0)],
    ("ops", "memory", 1, "create_delete"): [(PEERS, 1.5)],
    ("ops", "memory", 1, "list_100"): [(PEERS, 1.2)],
    ("ops", "memory", 1, "list_dir_8"): [(["lmdb", "lmdb_writemap"], 2.0)],
    ("ops", "memory", 1, "metadata_mix"): [(PEERS, 1.5)],
    ("ops", "memory", 1, "rename"): [(PEERS, 1.5)],
    ("ops", "wal", 1, "put"): [(["rocksdb"], 2.0), (["lmdb_writemap"], 1.0)],
    ("ops", "wal", 1, "mixed"): [(["rocksdb"], 3.0)],
    ("ops", "wal", 1, "metadata_mix"): [(["lmdb_writemap"], 1.0), (["rocksdb"], 10.0)],
    ("ops", "sync", 1, "put"): [(PEERS, 1.0)],
    ("ops", "sync", 8, "put"): [(["rocksdb"], 1.2)],
    ("ops", "wal", 8, "get_hit"): [(PEERS, 1.5)],
    ("ops", "wal", 8, "mixed"): [(["lmdb_writemap"], 1.5)],
    ("ops", "wal", 1, "load_sorted"): [(PEERS, 1.0)],
    ("ops", "memory", 1, "load_sorted"): [(PEERS, 1.0)],
    ("cold", "wal", 1, "get"): [(["lmdb"], 1.0)],
}
# (suite, op, workload, threads): the most artfs may need, whatever the others do.
LIMITS = {
    ("ops", "load", "fs", 1): 1500,
    ("space", "disk_bytes_per_key", "deep", 1): 110,
    ("space", "disk_bytes_per_key_sorted", "deep", 1): 110,
    ("cold", "read_bytes_per_get", "fs", 1): 12 * 1024,
    ("crash", "lost_beyond_10ms", "fs", 1): 0,
    ("crash", "lost_after_sync", "fs", 1): 0,
    ("move", "rename_prefix", "fs", 1): 1.0,
    ("reopen", "after_clean_close", "fs", 1): 50,
    ("reopen", "after_kill", "fs", 1): 5000,
}
# (suite, op): the least artfs must reach.
FLOORS = {("space", "frame_fill"): 0.60}
# Facts that are no contest.
NO_RATIO = {"raw_bytes_per_key", "acknowledged", "log_at_kill", "frame_fill", "frame_fill_sorted"}
# artfs with two threads against one: (mode, op): least factor.
SCALING = {("memory", "get_hit"): 1.8, ("memory", "put"): 1.5}


def read(files):
    """{row: {engine: [figures]}} with row = (suite, mode, workload, keys, threads, op, unit)."""
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for file in files:
        for line in file:
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            if "engine" not in entry or "op" not in entry:
                continue
            value = entry.get("ns_per_op", entry.get("value"))
            row = (entry["suite"], entry.get("mode", ""), entry.get("workload", ""), entry.get("keys", 0),
                   entry.get("threads", 1), entry["op"], entry.get("unit", "ns"))
            rows[row][entry["engine"]].append(value)
    return {row: {engine: statistics.median(values) for engine, values in engines.items()}
            for row, engines in rows.items()}


def verdicts(row, figures):
    """["reached 2.1/2.0 lmdb", ...] for one row."""
    suite, mode, workload, keys, threads, op, _ = row
    own = figures.get("artfs")
    if own is None:
        return
    if workload == "fs" and (suite != "ops" or keys == 500_000):
        for peers, least in TARGETS.get((suite, mode, threads, op), []):
            peer = min((name for name in peers if name in figures), key=figures.get, default=None)
            if peer is not None:
                ratio = figures[peer] / own if own else float("inf")
                yield f"{'reached' if ratio >= least else 'BEHIND'} {ratio:.2f} of {least:g} {peer}"
    limit = LIMITS.get((suite, op, workload, threads))
    if limit is not None:
        yield f"{'reached' if own <= limit else 'BEHIND'} at most {limit:,}"
    floor = FLOORS.get((suite, op))
    if floor is not None:
        yield f"{'reached' if own >= floor else 'BEHIND'} at least {floor:,}"


def scaling(rows):
    for row, figures in rows.items():
        suite, mode, workload, keys, threads, op, unit = row
        least = SCALING.get((mode, op))
        one = rows.get((suite, mode, workload, keys, 1, op, unit), {}).get("artfs")
        two = figures.get("artfs")
        if suite == "ops" and threads == 2 and least and one and two:
            state = "reached" if one / two >= least else "BEHIND"
            yield f"{state}: {mode} {workload} {keys:,} {op}: 2 threads are {one / two:.2f} times one, target {least}"


def number(value):
    if value is None:
        return "-"
    if value and abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:,.0f}"


def print_table(head, lines, markdown):
    if markdown:
        print("| " + " | ".join(head) + " |")
        print("|" + "---|" + "---:|" * (len(head) - 2) + "---|")
        for line in lines:
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for line in [head, *lines]:
        cells = [cell.ljust(width) if i in (0, len(head) - 1) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("files", nargs="*", type=argparse.FileType(encoding="utf-8"))
    options = parser.parse_args()
    rows = read(options.files or [sys.stdin])
    present = [name for name in ENGINES if any(name in figures for figures in rows.values())]
    lines = []
    reached = behind = 0
    for row, figures in rows.items():
        suite, mode, workload, keys, threads, op, unit = row
        peers = [name for name in present if name != "artfs" and name in figures]
        best = min(peers, key=figures.get, default=None)
        own = figures.get("artfs")
        ratio = f"{figures[best] / own:.2f} {best}" if best and own and op not in NO_RATIO else ""
        states = list(verdicts(row, figures))
        reached += sum(state.startswith("reached") for state in states)
        behind += sum(state.startswith("BEHIND") for state in states)
        title = f"{suite} {mode} {workload} {keys:,} t{threads} {op} [{unit}]"
        lines.append([title, *(number(figures.get(name)) for name in present), ratio, "; ".join(states)])
    if not lines:
        print("no lines")
        return
    print_table(["row", *present, "best / artfs", "target"], lines, options.markdown)
    for line in scaling(rows):
        print(line)
        reached += line.startswith("reached")
        behind += line.startswith("BEHIND")
    print(f"{reached} targets reached, {behind} behind")


if __name__ == "__main__":
    main()
