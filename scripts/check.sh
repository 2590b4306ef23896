#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that must hold before a change lands. Stops at the first thing that does not.
# usage: scripts/check.sh [--full]
#   --full  also clang-tidy, and unit, model and crash tests under ASan+UBSan and TSan
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
full=no
case ${1:-} in
  "") ;;
  --full) full=yes ;;
  *)
    sed -n '3,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

step() { echo "== $*"; }

check_format() {
  find include src fuse tests -name '*.hpp' -o -name '*.cpp' | sort |
    xargs clang-format-14 --dry-run -Werror
}

# The named invariants of the README stand in the source beside their check, and in a test.
check_invariants() {
  local name status=0
  while read -r name; do
    grep -rqw "$name" src || { echo "README names $name, src/ does not" && status=1; }
    grep -rqw "$name" tests || { echo "README names $name, no test does" && status=1; }
  done < <(sed -n 's/^| \*\*\([A-Z0-9]*\)\*\* |.*/\1/p' README.md)
  return "$status"
}

check_readme() {
  local path lines status=0
  lines=$(wc -l <README.md)
  [ "$lines" -lt 250 ] || { echo "README.md has $lines lines, must be under 250" && status=1; }
  # shellcheck disable=SC2016  # backquotes are Markdown here
  for path in $(grep -o '`\(src\|include\|fuse\|tests\|scripts\|man\)/[A-Za-z0-9_./-]*`' README.md | tr -d '`' | sort -u); do
    [ -e "$path" ] || { echo "README.md names $path, which does not exist" && status=1; }
  done
  return "$status"
}

check_shell() {
  local script scripts=()
  while read -r script; do
    if head -c 32 "$script" | grep -q '^#!.*\(bash\|/sh\)'; then scripts+=("$script"); fi
  done < <(find scripts tests .ci -type f)
  shellcheck -x -P SCRIPTDIR "${scripts[@]}"
}

step "setup"
scripts/setup.sh build test check
step "format"
check_format
step "layers, sizes, banned calls"
scripts/check_layers.py
scripts/check_sizes.py
step "shell scripts"
check_shell
step "README"
check_readme
check_invariants
step "gcc, warnings are errors"
CXX=g++ scripts/build.sh build-gcc -Dwerror=true -Dheader_check=true -Dbench=true
step "clang, warnings are errors"
CXX=clang++-14 scripts/build.sh build-clang -Dwerror=true -Dheader_check=true -Dbench=true
step "unit tests"
scripts/run_tests.py build-gcc --suite unit

if [ "$full" = yes ]; then
  step "clang-tidy"
  find src fuse -name '*.cpp' -print0 | xargs -0 -n 4 -P 2 clang-tidy-14 -p build-clang --quiet
  for sanitizer in address,undefined thread; do
    step "$sanitizer"
    directory=build-${sanitizer%%,*}
    CXX=clang++-14 TARGETS="unit model crash" scripts/build.sh "$directory" -Db_sanitize="$sanitizer" \
      -Db_lundef=false -Dfuse=disabled -Dassertions=all -Doptimization=1
    ARTFS_TEST_SCALE=${ARTFS_TEST_SCALE:-20} scripts/run_tests.py "$directory" \
      --suite unit --suite model --suite crash --slower 10
  done
fi
echo "all checks passed"
