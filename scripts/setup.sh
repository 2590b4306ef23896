#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages artfs needs. Calls apt only when one is missing, so it may run every time.
# usage: scripts/setup.sh [build] [test] [check] [bench] [apps]     (default: build)
set -euo pipefail

declare -A packages=(
  [build]="g++ meson ninja-build pkg-config python3 libfuse3-dev fuse3 liburing-dev libfmt-dev libspdlog-dev
           libxxhash-dev libexpected-dev libcli11-dev nlohmann-json3-dev catch2
           libarchive-dev"
  [test]="acl attr dpkg-dev e2fsprogs git rsync sqlite3 tar"
  [check]="clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 llvm-14 shellcheck"
  [apps]="acl attr cmake dbench debootstrap fio git make postgresql procps rsync sqlite3 stress-ng tar util-linux"
  [bench]="bindfs fio liblmdb-dev librocksdb-dev libsqlite3-dev xfsprogs"
)

[ $# -gt 0 ] || set -- build
missing=()
for group in "$@"; do
  if [ -z "${packages[$group]:-}" ]; then
    echo "setup.sh: unknown group '$group'; choose from: build test check bench apps" >&2
    exit 2
  fi
  for package in ${packages[$group]}; do
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
      missing+=("$package")
    fi
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: not root and no sudo; install by hand: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup.sh: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
