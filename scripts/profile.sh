#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where the processor time of one request goes: kernel, transport, adapter, volume, engine, log.
# usage: scripts/profile.sh [ITEMS]      (root, perf on PATH; default 20000 files)
# Runs the phases of meta_bench on a private mount with one process and prints for each group of layers its share of
# the samples of program and daemon.
# PROFILE_BUILD: build directory (default: build).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${PROFILE_BUILD:-$root/build}
items=${1:-20000}
for tool in perf python3; do
  command -v "$tool" >/dev/null || {
    echo "profile.sh: no $tool: install linux-perf and python3" >&2
    exit 1
  }
done
work=$(mktemp -d /var/tmp/artfs-profile.XXXXXX)
clean_up() {
  local status=$?
  trap - EXIT
  if mountpoint -q "$work/mnt"; then fusermount3 -u "$work/mnt" || fusermount3 -u -z "$work/mnt" || true; fi
  rm -rf --one-file-system "$work" || true
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$work/mnt"
"$build/fuse/artfs" mkfs --quiet "$work/store"
"$build/fuse/artfs" mount "$work/store" "$work/mnt"
perf record -q -a -F 2000 -o "$work/perf.data" -- \
  "$build/tests/bench/meta_bench" --dir "$work/mnt" --fs artfs --items "$items" >"$work/lines.jsonl"
"$build/fuse/artfs" umount "$work/mnt"
cat "$work/lines.jsonl"
perf script -i "$work/perf.data" -F comm,ip,sym,dso 2>/dev/null | python3 -c '
import collections
import re
import sys

GROUPS = {"fuse": "adapter", "tool": "adapter", "vol": "volume", "data": "volume", "engine": "engine", "art": "engine",
          "frame": "engine", "sync": "engine", "format": "volume", "io": "log and devices", "wal": "log and devices"}


def group(line):
    found = re.match(r"\s*(.+?)\s+[0-9a-f]+ (.*) \((.*)\)$", line)
    if not found or found[1] not in ("artfs", "meta_bench"):
        return None
    who, symbol, dso = found.groups()
    if "kernel" in dso or dso.startswith("["):
        return "kernel, for the program" if who == "meta_bench" else "kernel, for the daemon"
    if who == "meta_bench":
        return "the program itself"
    if "liburing" in dso or "RingWorker" in symbol or "RingEntry" in symbol or "WakeAffinity" in symbol:
        return "transport"
    if "libfuse" in dso:
        return "adapter"
    layer = re.search(r"artfs::(\w+)::", symbol)
    return GROUPS.get(layer[1], "base, memory, libraries") if layer else (
        "engine" if "artfs::" in symbol else "base, memory, libraries")


counts = collections.Counter(name for name in map(group, sys.stdin) if name)
total = sum(counts.values())
for name, count in counts.most_common():
    print(f"{name:<26}{count / total:>7.1%}")
'
