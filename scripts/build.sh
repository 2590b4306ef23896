#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures a build directory when it is new, and builds it. Quiet unless it fails.
# usage: [CXX=compiler] [TARGETS="a b"] scripts/build.sh DIRECTORY [meson setup options...]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT

if [ ! -f "$directory/build.ninja" ]; then
  if ! meson setup "$directory" "$root" "$@" >"$output" 2>&1; then
    cat "$output" >&2
    exit 1
  fi
fi
read -r -a targets <<<"${TARGETS:-}"
if ! ninja -C "$directory" "${targets[@]}" >"$output" 2>&1; then
  grep -v '^\[[0-9]*/[0-9]*\] \(Compiling\|Linking\)' "$output" >&2 || true
  exit 1
fi
