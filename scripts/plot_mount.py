#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the JSON lines of `scripts/bench.sh mount` as an SVG: rates of each filesystem side by side, on a logarithmic scale.

usage: plot_mount.py LINES.jsonl > tests/bench/mount.svg

Medians of all runs in the file. Needs nothing but Python.
"""
import math
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_mount import read  # noqa: E402

COLOURS = {"artfs": "#d62728", "artfs_dev": "#f4a6a6", "ceiling": "#bbbbbb", "ext4": "#1f77b4", "xfs": "#17becf",
           "bindfs": "#2ca02c", "tmpfs": "#eeeeee"}
NAMES = {"artfs": "artfs", "artfs_dev": "artfs over /dev/fuse", "ceiling": "FUSE in memory, no persistence", "ext4": "ext4",
         "xfs": "XFS on a loop device", "bindfs": "bindfs over ext4", "tmpfs": "tmpfs"}
# (title, [(label, op, processes)]).
PANELS = [
    ("operations per second", [
        ("create", "file_create", 1), ("create, 2 processes", "file_create", 2),
        ("remove", "file_remove", 1), ("remove, 2 processes", "file_remove", 2),
        ("mkdir", "dir_create", 1), ("stat, warm", "file_stat", 1), ("open, read, close", "file_read", 1),
        ("create + 4 KiB + fsync", "create_4k_fsync", 1), ("the same, 8 processes", "create_4k_fsync", 8)]),
    ("entries per second of a tree of small files", [
        ("find, all cold", "find_cold", 1), ("ls -lR, all cold", "ls_lR_cold", 1), ("du, all cold", "du_cold", 1),
        ("find, kernel cold", "find_dropped", 1), ("ls -lR, kernel cold", "ls_lR_dropped", 1), ("rm -rf", "rm_rf", 1)]),
    ("fio operations per second", [
        ("4k random read", "randread_4k", 1), ("4k random write", "randwrite_4k", 1),
        ("1 MiB read", "seqread_1m", 1), ("1 MiB write", "seqwrite_1m", 1)]),
]
WIDTH, LEFT, RIGHT, BAR, ROW_GAP, TITLE = 860, 190, 70, 9, 8, 34


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#333">{words}</text>'


def panel(top, title, rows):
    """rows: [(label, [(fs, rate)])]. Returns the elements and the height."""
    rates = [rate for _, bars in rows for _, rate in bars if rate > 0]
    low = 10 ** math.floor(math.log10(min(rates)))
    high = 10 ** math.ceil(math.log10(max(rates) * 1.01))
    span = WIDTH - LEFT - RIGHT

    def x(rate):
        return LEFT + span * math.log10(max(rate, low) / low) / math.log10(high / low)

    out = [text(LEFT, top + 14, title, size=13)]
    y = top + TITLE
    for label, bars in rows:
        out.append(text(LEFT - 8, y + BAR * len(bars) / 2 + 4, label, "end"))
        for fs, rate in bars:
            out.append(f'<rect x="{LEFT}" y="{y}" width="{x(rate) - LEFT:.1f}" height="{BAR - 1}" fill="{COLOURS[fs]}"'
                       f' stroke="#999" stroke-width="0.3"/>')
            out.append(text(x(rate) + 4, y + BAR - 1.5, f"{rate:,.0f}", size=8))
            y += BAR
        y += ROW_GAP
    tick = low
    while tick <= high:
        out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top + TITLE - 4}" y2="{y}" stroke="#ddd"/>')
        out.append(text(x(tick), y + 12, f"{tick:,.0f}", "middle", 9))
        tick *= 10
    return out, y + 24 - top


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        figures, _ = read([file])
    by_op = {}
    for (op, ranks, layout), rates in figures.items():
        if layout != "shared":
            by_op[op, ranks] = rates
    body, y, seen = [], 44, []
    for title, wanted in PANELS:
        rows = []
        for label, op, ranks in wanted:
            rates = by_op.get((op, ranks), {})
            bars = [(fs, rates[fs]) for fs in COLOURS if fs in rates]
            seen += [fs for fs, _ in bars if fs not in seen]
            if bars:
                rows.append((label, bars))
        if rows:
            elements, height = panel(y, title, rows)
            body += elements
            y += height
    legend, x = [], 10
    for fs in (fs for fs in COLOURS if fs in seen):
        legend.append(f'<rect x="{x}" y="14" width="10" height="10" fill="{COLOURS[fs]}" stroke="#999" stroke-width="0.3"/>')
        legend.append(text(x + 14, 23, NAMES[fs], size=10))
        x += 24 + 5.6 * len(NAMES[fs])
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
          f'font-family="sans-serif">')
    print(f'<rect width="{WIDTH}" height="{y}" fill="white"/>')
    print("\n".join(legend + body))
    print("</svg>")


if __name__ == "__main__":
    main()
