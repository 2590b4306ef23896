#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures artfs and prints JSON lines; `engine` also a table with ratios, on standard error.
# usage: scripts/bench.sh engine [--quick] [--only PATTERN] [--runs N] [--engines artfs,lmdb,...] [SUITE...]
#        scripts/bench.sh mount  [--quick] [--only PATTERN] [--runs N] [--peers plain,xfs,tmpfs,bindfs,ceiling]
#        scripts/bench.sh in_out [--files N] [--runs N]
#   engine  artfs and its peers (LMDB, RocksDB, SQLite) on the same keys; suites and more options: --help
#   mount   metadata rates (by mdtest and mpirun when on PATH), fio, walks of a tree and latencies on an artfs mount,
#           and in the same run on the same mount over /dev/fuse, on the plain filesystem, xfs on a loop device,
#           tmpfs, bindfs over the plain one and `ceiling`, the least that a FUSE filesystem can do on artfs's
#           transport; a table and the verdicts of the targets on standard error; scripts/plot_mount.py draws it
#   in_out  artfs import, export and get beside tar and cp -a: scripts/bench_in_out.py
# BENCH_DIR: where stores and files go (default: /var/tmp, which should be a real disk).
# BENCH_OUT: a file that also gets the JSON lines, for scripts/bench_compare.py and scripts/bench_mount.py.
# BENCH_BUILD: build directory (default: build-bench, a release build).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BENCH_BUILD:-$root/build-bench}
. "$root/scripts/bench_mount.sh"

usage() {
  sed -n '4,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

clean_up() {
  local status=$? mount
  trap - EXIT
  if [ -n "${work:-}" ]; then
    for mount in "$work/mnt" "$work/ceiling" "$work/bindfs"; do
      if mountpoint -q "$mount"; then fusermount3 -u "$mount" || fusermount3 -u -z "$mount" || true; fi
    done
    if mountpoint -q "$work/xfs"; then umount "$work/xfs" || umount -l "$work/xfs" || true; fi
    rm -rf --one-file-system "$work" || true
  fi
  [ -z "${memory:-}" ] || rm -rf "$memory"
  exit "$status"
}

[ $# -gt 0 ] || usage
what=$1
shift
case $what in
  engine | mount | in_out) ;;
  *) usage ;;
esac
"$root/scripts/setup.sh" build bench >&2
case $what in
  engine) targets=tests/bench/engine_bench ;;
  mount) targets="tests/bench/meta_bench tests/bench/ceiling_fs" ;;
  *) targets= ;;
esac
TARGETS="fuse/artfs $targets" "$root/scripts/build.sh" "$build" -Dbuildtype=release -Dbench=true -Dtests=false
artfs=$build/fuse/artfs
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/artfs-bench.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
lines=${BENCH_OUT:-$work/lines.jsonl}
status=0
if [ "$what" = engine ]; then
  "$build/tests/bench/engine_bench" --dir "$work" "$@" | tee "$lines" || status=$?
  "$root/scripts/bench_compare.py" "$lines" >&2
elif [ "$what" = in_out ]; then
  "$root/scripts/bench_in_out.py" --artfs "$artfs" "$@" "$work" | tee "$lines"
else
  memory=$(mktemp -d /dev/shm/artfs-bench.XXXXXX)  # not in bench_mount: clean_up would not hear of it
  bench_mount "$@" | tee "$lines"
  "$root/scripts/bench_mount.py" "$lines" >&2
fi
[ "$status" -eq 0 ]
