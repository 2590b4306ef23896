#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the decoders and the operations (tests/fuzz) with libFuzzer under ASan and UBSan.
# usage: scripts/fuzz.sh [--quick] [--seconds N] [--merge] [TARGET]...
#   --quick      20 seconds for each target instead of 600
#   --merge      afterwards, what adds coverage goes into tests/data/corpus, at most 48 small files per target
#   TARGET       checkpoint frame log manifest ops superblock   (default: all)
# The build is build-fuzz/; inputs found go to build-fuzz/corpus/, failures to build-fuzz/findings/.
# A failure is replayed by build/tests/fuzz/replay_TARGET FILE, and belongs into tests/data/corpus once fixed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
seconds=600
merge=no
targets=()
files_max=48
while [ $# -gt 0 ]; do
  case $1 in
    --quick) seconds=20 ;;
    --seconds)
      seconds=$2
      shift
      ;;
    --merge) merge=yes ;;
    -*)
      sed -n '3,10s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
    *) targets+=("$1") ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=(checkpoint frame log manifest ops superblock)

scripts/setup.sh build check
echo "== build"
CXX=clang++-14 TARGETS=fuzz scripts/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
  -Db_lundef=false -Dfuse=disabled -Doptimization=1

# merge_corpus TARGET: the smallest inputs that reach what all inputs reach, the shortest of them.
merge_corpus() {
  local merged=build-fuzz/merged/$1 name
  rm -rf "$merged"
  mkdir -p "$merged"
  "build-fuzz/tests/fuzz/fuzz_$1" -merge=1 -max_len=4096 "$merged" "tests/data/corpus/$1" "build-fuzz/corpus/$1" >/dev/null 2>&1
  while read -r name; do
    cp "$merged/$name" "tests/data/corpus/$1/"
  done < <(find "$merged" -type f -printf '%s %f\n' | sort -n | head -n "$files_max" | cut -d' ' -f2)
}

failed=0
for target in "${targets[@]}"; do
  echo "== $target, $seconds s"
  mkdir -p "build-fuzz/corpus/$target" build-fuzz/findings
  if ! "build-fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=4096 \
    -print_final_stats=1 -entropic=0 -artifact_prefix="build-fuzz/findings/$target-" \
    "build-fuzz/corpus/$target" "tests/data/corpus/$target" >"build-fuzz/$target.txt" 2>&1; then
    failed=$((failed + 1))
    tail -n 40 "build-fuzz/$target.txt"
  fi
  grep -E 'number_of_executed_units|average_exec_per_sec' "build-fuzz/$target.txt" || true
  [ "$merge" = no ] || merge_corpus "$target"
done
echo "${#targets[@]} targets, $failed with findings"
[ "$failed" -eq 0 ]
