#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the JSON lines of `scripts/bench.sh engine sustained` as an SVG: log, dirty pages, puts, latency.

usage: plot_sustained.py LINES.jsonl > tests/bench/sustained.svg

Three panels over the same seconds; grey where a checkpoint ran. Needs nothing but Python.
"""
import json
import math
import sys

WIDTH, PANEL_HEIGHT, GAP, LEFT, RIGHT, TOP = 860, 150, 46, 70, 120, 40
COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#7f7f7f"]
MIB = 1024 * 1024


def read(path):
    with open(path, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file if line.startswith("{")]
    return [entry for entry in entries if entry.get("suite") == "sustained" and "second" in entry]


def nice_step(top):
    """A step of 1, 2 or 5 times a power of ten that gives about four lines up to top."""
    power = 10 ** math.floor(math.log10(max(top, 1e-9) / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if top / (power * factor) <= 4.5)


class Panel:
    """Maps seconds and values to points of one panel."""

    def __init__(self, index, seconds, values, logarithmic):
        self.top = TOP + index * (PANEL_HEIGHT + GAP)
        self.seconds = max(seconds, 1)
        self.logarithmic = logarithmic
        high = max(values, default=1) or 1
        if logarithmic:
            self.low = math.floor(math.log10(max(min(values), 1)))
            self.high = math.ceil(math.log10(high))
            self.high = max(self.high, self.low + 1)
            self.ticks = [10 ** power for power in range(self.low, self.high + 1)]
        else:
            step = nice_step(high)
            self.low, self.high = 0, math.ceil(high / step) * step
            self.ticks = [step * i for i in range(int(round(self.high / step)) + 1)]

    def x(self, second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    def y(self, value):
        scaled = math.log10(max(value, 1)) if self.logarithmic else value
        return self.top + PANEL_HEIGHT * (1 - (scaled - self.low) / (self.high - self.low))


def text(x, y, words, anchor="start", colour="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def latency_label(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns"


def draw_panel(index, title, series, rows, label):
    """series: [(name, function of a row)]; returns SVG elements."""
    logarithmic = label is latency_label
    values = [value(row) for _, value in series for row in rows]
    panel = Panel(index, len(rows), values, logarithmic)
    out = [text(LEFT, panel.top - 10, title)]
    for row in rows:
        if row["checkpoint"] > 0:
            left, right = panel.x(row["second"]), panel.x(row["second"] + 1)
            out.append(f'<rect x="{left:.1f}" y="{panel.top}" width="{right - left:.1f}" '
                       f'height="{PANEL_HEIGHT}" fill="#000" fill-opacity="{0.12 * row["checkpoint"]:.3f}"/>')
    for tick in panel.ticks:
        y = panel.y(tick)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(LEFT - 6, y + 4, label(tick), "end"))
    step = nice_step(len(rows))
    for second in range(0, len(rows) + 1, max(1, int(step))):
        out.append(text(panel.x(second), panel.top + PANEL_HEIGHT + 15, f"{second} s", "middle"))
    for number, (name, value) in enumerate(series):
        colour = COLOURS[number]
        points = " ".join(f"{panel.x(row['second'] + 0.5):.1f},{panel.y(value(row)):.1f}" for row in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
        out.append(text(WIDTH - RIGHT + 8, panel.top + 14 + 17 * number, name, colour=colour))
    return out


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[2])
    rows = read(sys.argv[1])
    if not rows:
        sys.exit("plot_sustained.py: no lines of the sustained suite")
    first = rows[0]
    title = (f"Random puts at full speed, {first['keys']:,} keys ({first['workload']}), "
             f"{first['threads']} thread(s); grey: a checkpoint is being written")
    body = [text(LEFT, 16, title)]
    body += draw_panel(0, "", [("log", lambda row: row["log_bytes"] / MIB),
                               ("dirty pages", lambda row: row["dirty_bytes"] / MIB),
                               ("cache", lambda row: row["cache_bytes"] / MIB)],
                       rows, lambda value: f"{value:g} MiB")
    body += draw_panel(1, "", [("puts per second", lambda row: row["puts"] / 1000)], rows,
                       lambda value: f"{value:g} k")
    body += draw_panel(2, "", [("p50", lambda row: row["p50_ns"]), ("p99", lambda row: row["p99_ns"]),
                               ("p99.9", lambda row: row["p999_ns"]), ("max", lambda row: row["max_ns"])],
                       rows, latency_label)
    height = TOP + 3 * (PANEL_HEIGHT + GAP)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
          f'font-family="sans-serif" font-size="12">')
    print('<rect width="100%" height="100%" fill="#fff"/>')
    print("\n".join(line for line in body if line))
    print("</svg>")


if __name__ == "__main__":
    main()
