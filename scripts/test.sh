#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, runs the tests, and ends with the line "N passed, N failed".
# usage: scripts/test.sh [--quick|--long] [--sanitize]
#   --quick     unit and lint tests only
#   --long      ten times the operations and seeds in model tests; in crash tests 100,000 power cuts,
#               1,000,000 bit flips, 20,000 lost writes, 2,000 kills; 10 M operations of the linearizability
#               test; mount tests and programs of full size. Hours. Seeds differ from run to run: the first
#               one is printed, and ARTFS_TEST_SEED=N repeats it
#   --sanitize  then also unit and model tests under ASan+UBSan and under TSan (clang)
# Build directories are build/ and build-asan/, build-tsan/ in the clone.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
depth=normal
sanitize=no
for argument in "$@"; do
  case $argument in
    --quick) depth=quick ;;
    --long) depth=long ;;
    --sanitize) sanitize=yes ;;
    *)
      sed -n '3,12s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
done

passed=0
failed=0

# Adds the last "N passed, N failed" line of a file to the sums; a run without one is one failure.
add_counts() {
  local line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$1" | tail -n 1 || true)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    [ "$2" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
}

# run_counted TITLE COMMAND...: runs it, shows its output, adds its counts.
run_counted() {
  local status=0
  echo "== $1"
  shift
  "$@" 2>&1 | tee "$output" || status=$?
  add_counts "$output" "$status"
}

# run_sanitized NAME MESON_SANITIZE: a clang build and the unit and model tests in it.
run_sanitized() {
  if ! CXX=clang++-14 TARGETS="unit model" scripts/build.sh "build-$1" -Db_sanitize="$2" \
    -Db_lundef=false -Dfuse=disabled -Dassertions=all -Doptimization=1; then
    echo "the build with $2 failed"
    failed=$((failed + 1))
    return
  fi
  run_counted "$2" env ARTFS_TEST_SCALE="$sanitize_scale" scripts/run_tests.py "build-$1" \
    --suite unit --suite model --slower 5
}

output=$(mktemp)
trap 'rm -f "$output"' EXIT

groups=(build test)
[ "$sanitize" = no ] || groups+=(check)
scripts/setup.sh "${groups[@]}"
echo "== build"
scripts/build.sh build

# Percent of the normal number of operations and seeds in model and crash tests.
sanitize_scale=20
export ARTFS_TEST_SCALE=${ARTFS_TEST_SCALE:-100}
slower=1
if [ "$depth" = long ]; then
  slower=4
  export ARTFS_TEST_SCALE=1000
  export ARTFS_TEST_SEED=${ARTFS_TEST_SEED:-$(date +%s)}
  echo "seeds from ARTFS_TEST_SEED=$ARTFS_TEST_SEED"
fi

run_counted "unit" scripts/run_tests.py build --suite unit --suite lint --suite api
if [ "$depth" != quick ]; then
  run_counted "model and crash" scripts/run_tests.py build --suite model --suite crash --slower "$slower"
  run_counted "mount" env ARTFS="$root/build/fuse/artfs" tests/e2e/run.sh
  # Where the ring is possible the tests above ran on it. /dev/fuse is what others have.
  dev_tests=(mount_basics names rename signals durability requests)
  [ "$depth" != long ] || dev_tests=("")
  run_counted "mount, over /dev/fuse" env ARTFS="$root/build/fuse/artfs" ARTFS_E2E_TRANSPORT=dev \
    tests/e2e/run.sh "${dev_tests[@]}"
  apps=()
  [ "$depth" = long ] || apps=(--quick)
  run_counted "programs" env ARTFS="$root/build/fuse/artfs" scripts/apps.sh "${apps[@]}"
fi
if [ "$depth" = long ]; then
  run_counted "mount, full size" env ARTFS="$root/build/fuse/artfs" ARTFS_E2E_LIMIT_S=3600 tests/e2e/run.sh long/
fi
if [ "$sanitize" = yes ]; then
  run_sanitized asan address,undefined
  run_sanitized tsan thread
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
