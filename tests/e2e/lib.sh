# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For mount tests in bash: a private store, mount point and log, and their end in every exit path.
#
# A test starts in an empty directory of its own and finds the program in $ARTFS (run.sh). Run by hand,
# it makes the directory itself. Uses: store, mnt, log; make_store, start, stop, restart, kill_daemon.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ARTFS:=$(readlink -f "$here/../../build/fuse/artfs")}"
own_work=
if [ -n "$(ls -A .)" ]; then
  own_work=$(mktemp -d "${TMPDIR:-/tmp}/artfs-e2e.XXXXXX")
  cd "$own_work"
fi
work=$PWD
store=$work/store
mnt=$work/mnt
# shellcheck disable=SC2034  # read by tests
log=$work/daemon.log
more_mounts=()  # what a test mounts beside $mnt
before_clean_up=true  # a function that ends what else a test started
[ -w /dev/fuse ] || { echo "no access to /dev/fuse"; exit 77; }
mkdir "$mnt"

say() { echo "-- $*"; }
fail() {
  echo "FAIL: $*" >&2
  [ ! -s "$log" ] || sed 's/^/daemon: /' "$log" | tail -n 20 >&2
  exit 1
}
skip() { echo "$*"; exit 77; }
need() {
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || skip "no $tool here"; done
}
need_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }

same() { [ "$1" = "$2" ] || fail "${3:-values}: expected '$2', got '$1'"; }
# expect_exit STATUS COMMAND...: also keeps stdout and stderr in $work/out and $work/err.
expect_exit() {
  local wanted=$1 status=0
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
  [ "$status" -eq "$wanted" ] || fail "$* ended with $status, not $wanted: $(cat "$work/err")"
}
# What a user sees for an error: one line that starts with the program's name.
one_line_error() {
  same "$(wc -l <"$work/err")" 1 "lines on stderr ($(cat "$work/err"))"
  grep -q '^artfs' "$work/err" || fail "no 'artfs' at the start of: $(cat "$work/err")"
  [ -z "${1:-}" ] || grep -q -- "$1" "$work/err" || fail "'$1' is not in: $(cat "$work/err")"
}

is_mounted() { awk -v m="${1:-$mnt}" '$2 == m {found = 1} END {exit !found}' /proc/self/mounts; }
make_store() { "$ARTFS" mkfs --quiet "$@" "$store"; }
# ARTFS_E2E_TRANSPORT=dev|uring: how requests travel in every mount made here; otherwise as artfs chooses.
transport=${ARTFS_E2E_TRANSPORT:+,transport=$ARTFS_E2E_TRANSPORT}
start() { "$ARTFS" mount -o "log=$log$transport${1:+,$1}" "$store" "$mnt"; }
stop() { "$ARTFS" umount "$mnt"; }
restart() {
  stop
  start "${1:-}"
}
# The live daemons of this test: they name its directory on their command line.
daemons() {
  local entry state
  for entry in /proc/[0-9]*; do
    [ "$(readlink "$entry/exe" 2>/dev/null || true)" = "$ARTFS" ] || continue
    tr '\0' '\n' 2>/dev/null <"$entry/cmdline" | grep -qF "$work/" || continue
    state=$(awk '{print $3}' "$entry/stat" 2>/dev/null || true)
    [ -z "$state" ] || [ "$state" = Z ] || echo "${entry#/proc/}"
  done
}
# SIGKILL, as a crash: then the dead mount is detached.
kill_daemon() {
  local pid
  for pid in $(daemons); do kill -KILL "$pid"; done
  while [ -n "$(daemons)" ]; do sleep 0.02; done
  fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt"
}
wait_until() { # SECONDS COMMAND...
  local tries=$(($1 * 50))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.02
  done
}
fsck_clean() {
  expect_exit 0 "$ARTFS" fsck "$store"
  grep -q ': clean' "$work/out" || fail "fsck says: $(cat "$work/out")"
}

clean_up() {
  local status=$? pid mount
  trap - EXIT
  cd /
  "$before_clean_up" || true
  for mount in "${more_mounts[@]}"; do
    ! is_mounted "$mount" || umount -l "$mount" || true
  done
  if is_mounted; then fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt" || true; fi
  for pid in $(daemons); do kill -TERM "$pid" 2>/dev/null || true; done
  wait_until 10 test -z "$(daemons)" || true
  for pid in $(daemons); do kill -KILL "$pid" 2>/dev/null || true; done
  [ -z "$own_work" ] || rm -rf --one-file-system "$own_work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
