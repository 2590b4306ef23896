#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every executable tests/e2e/*.test, two at a time, each in a private directory.
# usage: [ARTFS=path/of/artfs] tests/e2e/run.sh [PATTERN...]
# ARTFS_E2E_TRANSPORT=dev|uring: how requests travel in the mounts of all tests (lib.sh).
# ARTFS_E2E_TESTS: another directory of tests (scripts/apps.sh); ARTFS_E2E_LIMIT_S: seconds a test may take.
#
# A test is given ARTFS (the program) and starts in an empty directory of its own ($PWD, also TMPDIR).
# Exit 0 is a pass, 77 a skip, anything else a failure. What it leaves mounted below that directory,
# or running from it, is cleaned up and makes it fail. "artfs: N assertions" in its output is added up, and what it
# says it masked is repeated. The last line is "N passed, N failed, N skipped".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ARTFS=${ARTFS:-$here/../../build/fuse/artfs}
limit_s=${ARTFS_E2E_LIMIT_S:-900}
tests=$(readlink -f "${ARTFS_E2E_TESTS:-$here}")

mounts_below() { awk -v top="$1/" 'index($2, top) == 1 {print $2}' /proc/self/mounts | sort -r; }

# Daemons started by a test name their store or mount point below the test's directory.
daemons_below() {
  local entry
  for entry in /proc/[0-9]*; do
    if [ "$(readlink "$entry/exe" 2>/dev/null || true)" = "$ARTFS" ] &&
      tr '\0' '\n' <"$entry/cmdline" 2>/dev/null | grep -qF "$1/"; then
      echo "${entry#/proc/}"
    fi
  done
}

run_one() {
  local test=$1 name status=0 start=$SECONDS work left mount pid counted
  name=$(basename "$test" .test)
  work=$(mktemp -d "${TMPDIR:-/tmp}/artfs-e2e-$name.XXXXXX")
  (cd "$work" && TMPDIR=$work exec timeout --kill-after=20 "$limit_s" "$test") \
    >"$results/$name.log" 2>&1 </dev/null || status=$?

  # A daemon may take a moment to end after its unmount returned.
  for _ in $(seq 50); do
    [ -n "$(daemons_below "$work")" ] || break
    sleep 0.1
  done
  left=$(mounts_below "$work"; daemons_below "$work")
  if [ -n "$left" ]; then
    echo "left behind: ${left//$'\n'/ }" >>"$results/$name.log"
    [ "$status" -ne 0 ] || status=1
  fi
  for pid in $(daemons_below "$work"); do kill -KILL "$pid" 2>/dev/null || true; done
  while read -r mount; do
    [ -z "$mount" ] || fusermount3 -u -z "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
  done < <(mounts_below "$work")
  rm -rf --one-file-system "$work" || true

  case $status in
    0)
      counted=$(sed -n 's/^artfs: \([0-9]*\) assertions.*/\1/p' "$results/$name.log")
      echo "ok     $name ($((SECONDS - start)) s${counted:+, $counted assertions})"
      echo pass >"$results/$name.result"
      [ -z "$counted" ] || echo "$counted" >"$results/$name.assertions"
      grep ^MASKED "$results/$name.log" | sort -u | sed "s/^/       $name: /" || true
      ;;
    77)
      echo "skip   $name: $(tail -n 1 "$results/$name.log")"
      echo skip >"$results/$name.result"
      ;;
    *)
      sed "s/^/$name: /" "$results/$name.log"
      echo "FAILED $name (exit $status, $((SECONDS - start)) s)"
      echo fail >"$results/$name.result"
      ;;
  esac
}

count_of() { { grep -lx "$1" "$results"/*.result 2>/dev/null || true; } | wc -l; }

if [ ! -x "$ARTFS" ]; then
  echo "run.sh: no program at $ARTFS; build it or set ARTFS" >&2
  exit 2
fi
ARTFS=$(readlink -f "$ARTFS")
export ARTFS
if [ ! -w /dev/fuse ]; then
  echo "mount tests need /dev/fuse; none was run"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
chosen=()
for pattern in "${@:-}"; do chosen+=("$tests"/*"$pattern"*.test); done
for test in "${chosen[@]}"; do
  [ -x "$test" ] || continue
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  run_one "$test" &
done
wait

failed=$(count_of fail)
{ cat "$results"/*.assertions 2>/dev/null || true; } |
  awk '{sum += $1} END {if (sum) print sum " assertions of the POSIX suite hold on the mount, as on ext4"}'
echo "$(count_of pass) passed, $failed failed, $(count_of skip) skipped"
[ "$failed" -eq 0 ]
