#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs real programs on an artfs mount: databases, version control, copies, builds, containers, load.
# usage: scripts/apps.sh [--quick] [PATTERN]
#   --quick   small inputs, about a minute: what continuous integration runs
#   PATTERN   only tests whose name contains it
# Each executable tests/apps/*.test is one program (or family) with a store and a mount of its own; what it
# starts and mounts is gone when it ends, however it ends. The last line is "N passed, N failed, N skipped".
# ARTFS: the program to test (default: build/fuse/artfs, which is built first).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pattern=
for argument in "$@"; do
  case $argument in
    --quick) export ARTFS_APPS_QUICK=1 ;;
    -*)
      sed -n '4,6s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
    *) pattern=$argument ;;
  esac
done

"$root/scripts/setup.sh" build test
"$root/scripts/setup.sh" apps ||
  echo "apps.sh: not every program could be installed; the tests of those that are missing are skipped" >&2
if [ -z "${ARTFS:-}" ]; then
  TARGETS=fuse/artfs "$root/scripts/build.sh" "$root/build"
  export ARTFS=$root/build/fuse/artfs
fi
export ARTFS_E2E_TESTS=$root/tests/apps ARTFS_E2E_LIMIT_S=${ARTFS_E2E_LIMIT_S:-3600}
exec "$root/tests/e2e/run.sh" "$pattern"
