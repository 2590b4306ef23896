#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All crash figures: power cuts, kills, damage, full disks, at the level of the engine and of files.
# usage: scripts/crash.sh [--long] [--only PATTERN]
#   --long          the counts of scripts/test.sh --long (hours), else those of continuous integration
#   --only PATTERN  only programs and mount tests whose name matches
# Builds, runs, and prints a table: what was done, how often, with which first seed. A figure stands there only
# when every round of it passed. The last line is "N figures, N violations"; exits with 1 after a violation.
# The JSON lines are left in build/crash-figures.json. ARTFS_TEST_SEED=N sets the first seed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
only=
mount_tests=(kill_rounds full_disk_rounds scrub fsck_repair)
export ARTFS_TEST_SCALE=${ARTFS_TEST_SCALE:-100} ARTFS_E2E_LIMIT_S=${ARTFS_E2E_LIMIT_S:-900}
prefix=
while [ $# -gt 0 ]; do
  case $1 in
    --long)
      ARTFS_TEST_SCALE=1000
      ARTFS_E2E_LIMIT_S=14400
      export ARTFS_TEST_SEED=${ARTFS_TEST_SEED:-$(date +%s)}
      mount_tests=(kill_rounds full_disk_rounds scrub)
      prefix=long/
      ;;
    --only)
      only=${2:?--only needs a pattern}
      shift
      ;;
    *)
      sed -n '3,10s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

scripts/setup.sh build test
scripts/build.sh build

figures=$root/build/crash-figures.json
output=$(mktemp)
trap 'rm -f "$output"' EXIT
: >"$figures"
violations=0

failed() {
  cat "$output"
  echo "VIOLATION: $1"
  violations=$((violations + 1))
}

for program in build/tests/crash/crash_*; do
  if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
  name=$(basename "$program")
  [[ $name =~ $only ]] || continue
  echo "-- $name"
  ARTFS_CRASH_FIGURES=1 "$program" >"$output" 2>&1 || failed "$name"
  grep '^{"suite":"crash"' "$output" >>"$figures" || true
done
for name in "${mount_tests[@]}"; do
  [[ $name =~ $only ]] || continue
  echo "-- mount test $prefix$name"
  ARTFS_CRASH_FIGURES=$figures ARTFS=$root/build/fuse/artfs tests/e2e/run.sh "$prefix$name" >"$output" 2>&1 ||
    failed "mount test $name"
done

python3 - "$figures" <<'PY'
import json
import sys

sums = {}
for line in open(sys.argv[1], encoding="utf-8"):
    figure = json.loads(line)
    known = sums.setdefault(figure["op"], [0, figure["seed"]])
    known[0] += figure["value"]
for what, (count, seed) in sums.items():
    print(f"{count:>10,}  {what}  (first seed {seed})")
PY
echo "$(cut -d'"' -f8 "$figures" | sort -u | wc -l) figures, $violations violations"
[ "$violations" -eq 0 ]
