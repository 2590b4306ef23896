# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of programs (scripts/apps.sh): lib.sh of the mount tests, and sizes for --quick and full runs.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

# pick QUICK FULL: the one that this run wants.
pick() { if [ -n "${ARTFS_APPS_QUICK:-}" ]; then echo "$1"; else echo "$2"; fi; }
full_only() { [ -z "${ARTFS_APPS_QUICK:-}" ] || skip "only in full runs"; }

# A process and all below it, parents first.
tree_of() { # PID
  local child
  echo "$1"
  for child in $(pgrep -P "$1" || true); do tree_of "$child"; done
}
all_ended() {
  local pid state
  for pid in "$@"; do
    state=$(awk '{print $3}' "/proc/$pid/stat" 2>/dev/null || true)
    [ -z "$state" ] || [ "$state" = Z ] || return 1
  done
}
# SIGKILL for a process of this test and for what it started, parents first; returns when all are gone.
kill_tree() { # PID
  local pids
  mapfile -t pids < <(tree_of "$1")
  kill -KILL "${pids[@]}" 2>/dev/null || true
  wait_until 30 all_ended "${pids[@]}" || fail "processes survived SIGKILL: ${pids[*]}"
}
