# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The suite `mount` of scripts/bench.sh, which sources this: $build, $artfs, $work and $memory are its own.
# One line of JSON for each figure: operations per second, entries per second for walks of a tree.

# For --quick, and otherwise.
bench_sizes() {
  if [ "$1" = quick ]; then
    items=2000 fio_size=64m fio_runtime=1 synced=100 tree_files=10000 latency_s=1
  else
    items=10000 fio_size=512m fio_runtime=10 synced=1000 tree_files=200000 latency_s=10
  fi
}

# wants OP...: whether the pattern selects one of them.
wants() {
  local op
  for op in "$@"; do
    [[ $op != *"$only"* ]] || return 0
  done
  return 1
}

# put_rate FS TRANSPORT TOOL RANKS LAYOUT OP COUNT NANOSECONDS
put_rate() {
  printf '{"suite":"mount","fs":"%s","transport":"%s","tool":"%s","ranks":%d,"layout":"%s","op":"%s","ops_per_s":%d}\n' \
    "$1" "$2" "$3" "$4" "$5" "$6" "$(($7 * 1000000000 / ($8 + 1)))"
}

# bench_fio FS TRANSPORT DIRECTORY OP RANKS FIO-OPTION...: one fio job, one JSON line.
bench_fio() {
  local fs=$1 transport=$2 directory=$3 op=$4 ranks=$5
  shift 5
  wants "$op" || return 0
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
  wants create_4k_fsync || return 0
  for ranks in 1 8; do
    mkdir "$3/small"
    bench_fio "$1" "$2" "$3/small" create_4k_fsync "$ranks" --rw=write --bs=4k --filesize=4k --nrfiles="$synced" \
      --openfiles=1 --file_service_type=sequential --create_on_open=1 --fsync_on_close=1
    rm -rf "$3/small"
  done
}

# bench_mdtest FS TRANSPORT DIRECTORY RANKS LAYOUT: its means as our lines.
bench_mdtest() {
  local unique=()
  [ "$5" = shared ] || unique=(-u)
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -np "$4" \
    mdtest -n "$items" "${unique[@]}" -d "$3/mdtest" 2>"$work/mdtest.err" | python3 -c '
import json
import re
import sys

fs, transport, ranks, layout = sys.argv[1:]
names = {"creation": "create", "stat": "stat", "read": "read", "removal": "remove"}
for line in sys.stdin:
    found = re.match(r"\s*(File|Directory) (creation|stat|read|removal)\s+\S+\s+\S+\s+(\S+)", line)
    if found and not (found[1] == "Directory" and found[2] == "read"):
        op = ("file_" if found[1] == "File" else "dir_") + names[found[2]]
        print(json.dumps({"suite": "mount", "fs": fs, "transport": transport, "tool": "mdtest", "ranks": int(ranks),
                          "layout": layout, "op": op, "ops_per_s": round(float(found[3]))}, separators=(",", ":")))
' "$1" "$2" "$4" "$5"
  rm -rf "$3/mdtest"
}

# bench_metadata FS TRANSPORT DIRECTORY: the phases of mdtest; by mdtest itself where it is installed.
bench_metadata() {
  local ranks layout shared
  wants file_create file_stat file_read file_readdir file_remove dir_create dir_stat dir_remove || return 0
  for layout in unique shared; do
    shared=()
    [ "$layout" = unique ] || shared=(--shared)
    for ranks in 1 2 4; do
      [ "$layout $ranks" != "shared 1" ] || continue
      if command -v mdtest >/dev/null && command -v mpirun >/dev/null; then
        bench_mdtest "$1" "$2" "$3" "$ranks" "$layout"
      else
        "$build/tests/bench/meta_bench" --dir "$3" --fs "$1" --transport "$2" --items "$items" --ranks "$ranks" \
          "${shared[@]}"
      fi | { grep -e "\"op\":\"[a-z_]*$only" || true; }
    done
  done
}

# Dentries, inodes and pages of the kernel. Only root can; then what was asked for is not measured.
drop_caches() {
  sync
  echo 3 2>/dev/null >/proc/sys/vm/drop_caches
}

# walk_tree FS TRANSPORT TREE STATE BEFORE: find, ls -lR and du, each after BEFORE.
walk_tree() {
  local op start
  for op in find ls_lR du; do
    wants "${op}_$4" || continue
    "$5" || return 0
    start=$(date +%s%N)
    case $op in
      find) find "$3" ;;
      ls_lR) ls -lR "$3" ;;
      du) du -s "$3" ;;
    esac >/dev/null
    put_rate "$1" "$2" coreutils 1 tree "${op}_$4" "$tree_files" "$(($(date +%s%N) - start))"
  done
}

restart_artfs() {
  "$artfs" umount "$work/mnt"
  drop_caches || return 1
  "$artfs" mount -o "transport=$transport" "$work/store" "$work/mnt"
}

# bench_tree FS TRANSPORT DIRECTORY: many small files. warm: what was walked is walked again; dropped: the kernel has
# forgotten it, a daemon has not; cold: nobody knows anything.
bench_tree() {
  local start
  wants tree_create {find,ls_lR,du}_{warm,dropped,cold} rm_rf || return 0
  mkdir "$3/tree"
  "$build/tests/bench/meta_bench" --dir "$3/tree" --fs "$1" --transport "$2" --tree "$tree_files" |
    { grep -e "\"op\":\"[a-z_]*$only" || true; }
  find "$3/tree" -printf %s >/dev/null
  walk_tree "$1" "$2" "$3/tree" warm true
  case $1 in
    artfs*)
      walk_tree "$1" "$2" "$3/tree" dropped drop_caches
      walk_tree "$1" "$2" "$3/tree" cold restart_artfs
      ;;
    ceiling) walk_tree "$1" "$2" "$3/tree" dropped drop_caches ;;
    tmpfs) ;;
    *) walk_tree "$1" "$2" "$3/tree" cold drop_caches ;;
  esac
  find "$3/tree" -printf %s >/dev/null
  start=$(date +%s%N)
  rm -rf "$3/tree"
  ! wants rm_rf || put_rate "$1" "$2" coreutils 1 tree rm_rf "$tree_files" "$(($(date +%s%N) - start))"
}

# bench_directory FS TRANSPORT DIRECTORY: everything, on one filesystem.
bench_directory() {
  bench_metadata "$@"
  bench_files "$@"
  bench_small_files "$@"
  bench_tree "$@"
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

# Single creates and fsyncs while files are changed at random: without a checkpoint, and with one ten times a second.
bench_latency() {
  local seconds note
  wants create_latency fsync_latency || return 0
  for seconds in 3600 0.1; do
    note=$([ "$seconds" = 3600 ] && echo "no checkpoint" || echo "checkpoints")
    "$artfs" mkfs "$work/store" >&2
    "$artfs" mount -o "checkpoint=$seconds" "$work/store" "$work/mnt"
    "$build/tests/bench/meta_bench" --dir "$work/mnt" --fs artfs --transport "$1" --items "$items" \
      --latency "$latency_s" --note "$note" | { grep -e "\"op\":\"[a-z_]*$only" || true; }
    "$artfs" umount "$work/mnt"
    rm -rf "$work/store"
  done
  mkdir "$work/plain/latency"
  "$build/tests/bench/meta_bench" --dir "$work/plain/latency" --fs "$plain" --items "$items" \
    --latency "$latency_s" | { grep -e "\"op\":\"[a-z_]*$only" || true; }
  rm -rf "$work/plain/latency"
}

# On a loop device, where root may make one.
bench_xfs() {
  if [ "$(id -u)" -ne 0 ] || ! command -v mkfs.xfs >/dev/null; then
    echo "bench.sh: no xfs: it needs root and mkfs.xfs" >&2
    return 0
  fi
  truncate -s 8G "$work/xfs.img"
  mkfs.xfs -q "$work/xfs.img"
  if ! mount -o loop "$work/xfs.img" "$work/xfs"; then
    echo "bench.sh: no xfs: it cannot be mounted here" >&2
    return 0
  fi
  bench_directory xfs none "$work/xfs"
  umount "$work/xfs"
  rm -f "$work/xfs.img"
}

# What passes everything through to the plain filesystem, over /dev/fuse.
bench_bindfs() {
  if ! command -v bindfs >/dev/null; then
    echo "bench.sh: no bindfs: not installed" >&2
    return 0
  fi
  bindfs "$work/plain" "$work/bindfs"
  bench_directory bindfs dev "$work/bindfs"
  fusermount3 -u "$work/bindfs"
}

bench_ceiling() {
  "$build/tests/bench/ceiling_fs" "$work/ceiling" "$1" &
  until mountpoint -q "$work/ceiling"; do sleep 0.02; done
  bench_directory ceiling "$1" "$work/ceiling"
  fusermount3 -u "$work/ceiling"
  wait
}

# bench_mount [--quick] [--only PATTERN] [--runs N] [--peers NAME,...]
bench_mount() {
  local runs=1 chosen peers=plain,xfs,tmpfs,bindfs,ceiling size=full
  only=
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) size=quick ;;
      --only) only=${2:?"--only needs a pattern"} && shift ;;
      --runs) runs=${2:?"--runs needs a number"} && shift ;;
      --peers) peers=${2?"--peers needs names"} && shift ;;
      *) usage ;;
    esac
    shift
  done
  bench_sizes "$size"
  mkdir "$work/mnt" "$work/ceiling" "$work/plain" "$work/xfs" "$work/bindfs"
  plain=$(stat -f -c %T "$work" | sed 's|ext2/ext3|ext4|')
  for ((run = 1; run <= runs; run++)); do
    bench_artfs artfs auto
    chosen=$transport
    [ "$chosen" = dev ] || bench_artfs artfs_dev dev
    bench_latency "$chosen"
    [[ ,$peers, != *,plain,* ]] || bench_directory "$plain" none "$work/plain"
    [[ ,$peers, != *,xfs,* ]] || bench_xfs
    [[ ,$peers, != *,tmpfs,* ]] || bench_directory tmpfs none "$memory"
    [[ ,$peers, != *,bindfs,* ]] || bench_bindfs
    [[ ,$peers, != *,ceiling,* ]] || bench_ceiling "$chosen"
  done
}
