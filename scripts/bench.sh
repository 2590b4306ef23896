#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures artfs and prints JSON lines; `engine` also a table with ratios, on standard error.
# usage: scripts/bench.sh engine [--quick] [--only PATTERN] [--runs N] [--engines artfs,lmdb,...] [SUITE...]
#        scripts/bench.sh mount  [--quick] [--only PATTERN]
#   engine  artfs and its peers (LMDB, RocksDB, SQLite) on the same keys; suites and more options: --help
#   mount   metadata rates and fio on an artfs mount, and in the same run on ext4 and tmpfs
# BENCH_DIR: where stores and files go (default: /var/tmp, which should be a real disk).
# BENCH_OUT: a file that also gets the JSON lines of `engine`, for scripts/bench_compare.py.
# BENCH_BUILD: build directory (default: build-bench, a release build).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BENCH_BUILD:-$root/build-bench}

usage() {
  sed -n '4,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

clean_up() {
  local status=$?
  trap - EXIT
  if [ -n "${work:-}" ]; then
    if mountpoint -q "$work/mnt"; then "$artfs" umount "$work/mnt" || fusermount3 -u -z "$work/mnt" || true; fi
    rm -rf --one-file-system "$work"
  fi
  [ -z "${memory:-}" ] || rm -rf "$memory"
  exit "$status"
}

# bench_fio FS TRANSPORT DIRECTORY OP RW BLOCK: one fio job, one JSON line.
bench_fio() {
  local fs=$1 transport=$2 directory=$3 op=$4 rw=$5 block=$6
  [[ $op == *"$only"* ]] || return 0
  fio --name=bench --directory="$directory" --filename=fio.data --rw="$rw" --bs="$block" \
    --size="$fio_size" --runtime="$fio_runtime" --end_fsync=1 --ioengine=psync --randrepeat=1 \
    --fallocate=none --output-format=json --output="$work/fio.json" >/dev/null
  python3 - "$work/fio.json" "$fs" "$transport" "$op" <<'PYTHON'
import json
import sys

path, fs, transport, op = sys.argv[1:]
job = json.load(open(path, encoding="utf-8"))["jobs"][0]
side = max(job["read"], job["write"], key=lambda part: part["total_ios"])
# With the final fsync counted: what a caller waits for.
seconds = max(job["read"]["runtime"], job["write"]["runtime"], 1) / 1000
print(json.dumps({"suite": "mount", "fs": fs, "transport": transport, "tool": "fio", "ranks": 1,
                  "layout": "single", "op": op, "ops_per_s": round(side["total_ios"] / seconds)},
                 separators=(",", ":")))
PYTHON
}

# bench_directory FS TRANSPORT DIRECTORY: everything `mount` measures, on one filesystem.
bench_directory() {
  local ranks
  for ranks in 1 2; do
    "$build/tests/bench/meta_bench" --dir "$3" --fs "$1" --transport "$2" --items "$items" --ranks "$ranks" |
      { grep -e "\"op\":\"[a-z_]*$only" || true; }
  done
  bench_fio "$1" "$2" "$3" seqwrite_1m write 1m
  bench_fio "$1" "$2" "$3" seqread_1m read 1m
  bench_fio "$1" "$2" "$3" randread_4k randread 4k
  bench_fio "$1" "$2" "$3" randwrite_4k randwrite 4k
  rm -f "$3/fio.data"
}

bench_mount() {
  items=10000 fio_size=512m fio_runtime=10 only=
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) items=4000 fio_size=128m fio_runtime=3 ;;
      --only) only=${2:?"--only needs a pattern"} && shift ;;
      *) usage ;;
    esac
    shift
  done
  mkdir "$work/mnt" "$work/plain"
  "$artfs" mkfs "$work/store" >&2
  "$artfs" mount "$work/store" "$work/mnt"
  bench_directory artfs devfuse "$work/mnt"
  "$artfs" umount "$work/mnt"
  bench_directory "$(stat -f -c %T "$work" | sed 's|ext2/ext3|ext4|')" none "$work/plain"
  memory=$(mktemp -d /dev/shm/artfs-bench.XXXXXX)
  bench_directory tmpfs none "$memory"
}

[ $# -gt 0 ] || usage
what=$1
shift
case $what in
  engine | mount) ;;
  *) usage ;;
esac
"$root/scripts/setup.sh" build bench >&2
TARGETS="fuse/artfs tests/bench/engine_bench tests/bench/meta_bench" "$root/scripts/build.sh" "$build" -Dbuildtype=release -Dbench=true -Dtests=false
artfs=$build/fuse/artfs
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/artfs-bench.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$what" = engine ]; then
  lines=${BENCH_OUT:-$work/lines.jsonl}
  status=0
  "$build/tests/bench/engine_bench" --dir "$work" "$@" | tee "$lines" || status=$?
  "$root/scripts/bench_compare.py" "$lines" >&2
  exit "$status"
else
  bench_mount "$@"
fi
