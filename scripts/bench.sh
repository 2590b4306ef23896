#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures artfs and prints JSON lines; `engine` also a table with ratios, on standard error.
# usage: scripts/bench.sh engine [--quick] [--only PATTERN] [--runs N] [--engines artfs,lmdb,...] [SUITE...]
#        scripts/bench.sh mount  [--quick] [--only PATTERN] [--runs N]
#        scripts/bench.sh in_out [--files N] [--runs N]
#   engine  artfs and its peers (LMDB, RocksDB, SQLite) on the same keys; suites and more options: --help
#   mount   metadata rates and fio on an artfs mount, and in the same run on the same mount over /dev/fuse, on ext4,
#           tmpfs and `ceiling`, the least that a FUSE filesystem can do on artfs's transport; a table and the
#           verdicts of the targets on standard error
#   in_out  artfs import, export and get beside tar and cp -a: scripts/bench_in_out.py
# BENCH_DIR: where stores and files go (default: /var/tmp, which should be a real disk).
# BENCH_OUT: a file that also gets the JSON lines, for scripts/bench_compare.py and scripts/bench_mount.py.
# BENCH_BUILD: build directory (default: build-bench, a release build).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BENCH_BUILD:-$root/build-bench}

usage() {
  sed -n '4,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

clean_up() {
  local status=$? mount
  trap - EXIT
  if [ -n "${work:-}" ]; then
    for mount in "$work/mnt" "$work/ceiling"; do
      if mountpoint -q "$mount"; then fusermount3 -u "$mount" || fusermount3 -u -z "$mount" || true; fi
    done
    rm -rf --one-file-system "$work" || true
  fi
  [ -z "${memory:-}" ] || rm -rf "$memory"
  exit "$status"
}

# bench_fio FS TRANSPORT DIRECTORY OP RANKS FIO-OPTION...: one fio job, one JSON line.
bench_fio() {
  local fs=$1 transport=$2 directory=$3 op=$4 ranks=$5
  shift 5
  [[ $op == *"$only"* ]] || return 0
  # A filesystem that knows no O_DIRECT has no row.
  fio --name=bench --directory="$directory" --numjobs="$ranks" --runtime="$fio_runtime" --randrepeat=1 \
    --ioengine=psync --fallocate=none --group_reporting --output-format=json --output="$work/fio.json" \
    "$@" >/dev/null 2>"$work/fio.err" || return 0
  python3 - "$work/fio.json" "$fs" "$transport" "$op" "$ranks" <<'PYTHON'
import json
import sys

path, fs, transport, op, ranks = sys.argv[1:]
text = open(path, encoding="utf-8").read()
job = json.loads(text[text.index("{"):])["jobs"][0]
side = max(job["read"], job["write"], key=lambda part: part["total_ios"])
# With the final fsync counted: what a caller waits for.
seconds = max(job["read"]["runtime"], job["write"]["runtime"], 1) / 1000
print(json.dumps({"suite": "mount", "fs": fs, "transport": transport, "tool": "fio", "ranks": int(ranks),
                  "layout": "unique" if op.startswith("create") else "single", "op": op,
                  "ops_per_s": round(side["total_ios"] / seconds, 1)}, separators=(",", ":")))
PYTHON
}

# bench_files FS TRANSPORT DIRECTORY: one large file; what is read has left the kernel's cache, as fio does by itself.
bench_files() {
  local direct suffix file=(--filename=fio.data --size="$fio_size")
  for direct in 0 1; do
    suffix=$([ "$direct" = 0 ] || echo _direct)
    bench_fio "$@" "seqwrite_1m$suffix" 1 "${file[@]}" --rw=write --bs=1m --end_fsync=1 --direct="$direct"
    bench_fio "$@" "seqread_1m$suffix" 1 "${file[@]}" --rw=read --bs=1m --direct="$direct"
    bench_fio "$@" "randread_4k$suffix" 1 "${file[@]}" --rw=randread --bs=4k --direct="$direct"
    bench_fio "$@" "randwrite_4k$suffix" 1 "${file[@]}" --rw=randwrite --bs=4k --end_fsync=1 --direct="$direct"
  done
  bench_fio "$@" randwrite_4k_fsync 1 "${file[@]}" --rw=randwrite --bs=4k --fsync=1 --io_size="$((synced * 4))k"
  rm -f "$3/fio.data"
}

# bench_small_files FS TRANSPORT DIRECTORY: each file is created, gets 4 KiB, is synced and closed.
bench_small_files() {
  local ranks
  for ranks in 1 8; do
    mkdir "$3/small"
    bench_fio "$1" "$2" "$3/small" create_4k_fsync "$ranks" --rw=write --bs=4k --filesize=4k --nrfiles="$synced" \
      --openfiles=1 --file_service_type=sequential --create_on_open=1 --fsync_on_close=1
    rm -rf "$3/small"
  done
}

# bench_directory FS TRANSPORT DIRECTORY: everything `mount` measures, on one filesystem.
bench_directory() {
  local ranks metadata="file_create file_stat file_readdir file_remove dir_create dir_remove"
  for ranks in 1 2; do
    [[ $metadata == *"$only"* ]] || continue
    "$build/tests/bench/meta_bench" --dir "$3" --fs "$1" --transport "$2" --items "$items" --ranks "$ranks" |
      { grep -e "\"op\":\"[a-z_]*$only" || true; }
  done
  bench_files "$@"
  bench_small_files "$@"
}

# bench_artfs FS TRANSPORT: on a fresh store. Leaves in $transport what ran.
bench_artfs() {
  "$artfs" mkfs "$work/store" >&2
  "$artfs" mount -o "transport=$2" "$work/store" "$work/mnt"
  transport=$("$artfs" stats "$work/mnt" | awk '$1 == "mount.transport" {print $2}')
  bench_directory "$1" "$transport" "$work/mnt"
  "$artfs" umount "$work/mnt"
  rm -rf "$work/store"
}

bench_mount() {
  local runs=1 chosen
  items=10000 fio_size=512m fio_runtime=10 synced=1000 only=
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) items=4000 fio_size=128m fio_runtime=3 synced=300 ;;
      --only) only=${2:?"--only needs a pattern"} && shift ;;
      --runs) runs=${2:?"--runs needs a number"} && shift ;;
      *) usage ;;
    esac
    shift
  done
  mkdir "$work/mnt" "$work/ceiling" "$work/plain"
  for ((run = 1; run <= runs; run++)); do
    bench_artfs artfs auto
    chosen=$transport
    [ "$chosen" = dev ] || bench_artfs artfs_dev dev
    bench_directory "$(stat -f -c %T "$work" | sed 's|ext2/ext3|ext4|')" none "$work/plain"
    bench_directory tmpfs none "$memory"
    "$build/tests/bench/ceiling_fs" "$work/ceiling" "$chosen" &
    until mountpoint -q "$work/ceiling"; do sleep 0.02; done
    bench_directory ceiling "$chosen" "$work/ceiling"
    fusermount3 -u "$work/ceiling"
    wait
  done
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
