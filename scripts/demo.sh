#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The five-minute proof: builds artfs, makes a store, mounts it, copies a real tree in, looks at it,
# unmounts, mounts again, and compares every byte.
# usage: scripts/demo.sh [TREE]      (default: /usr/include)
# Everything happens in a private directory under /tmp that is removed at the end, however it ends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tree=$(readlink -f "${1:-/usr/include}")
artfs=$root/build/fuse/artfs

[ -d "$tree" ] || { echo "demo.sh: $tree is not a directory" >&2; exit 2; }

work=
clean_up() {
  local status=$?
  trap - EXIT
  if [ -n "$work" ]; then
    if mountpoint -q "$work/mnt"; then
      "$artfs" umount "$work/mnt" || fusermount3 -u -z "$work/mnt" || true
    fi
    rm -rf --one-file-system "$work"
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }
show() { # prints a command, then runs it
  printf '$ %s\n' "$*"
  "$@"
}

say "setup and build"
"$root/scripts/setup.sh" build
TARGETS=fuse/artfs "$root/scripts/build.sh" "$root/build"
[ -e /dev/fuse ] || { echo "demo.sh: no /dev/fuse here: load the fuse module or allow the device" >&2; exit 1; }

work=$(mktemp -d /tmp/artfs-demo.XXXXXX)
mkdir "$work/mnt"
cd "$work"

say "make a store and mount it"
show "$artfs" mkfs store
show "$artfs" mount store mnt

say "copy $tree into it"
name=$(basename "$tree")
show cp -a "$tree" mnt/
echo "$ ls -l mnt/$name | head"
# shellcheck disable=SC2012  # the listing itself is what is shown
ls -l "mnt/$name" | sed -n 1,10p
echo "$ find mnt | wc -l"
find mnt | wc -l
show du -sh mnt
show df -h mnt

say "unmount, mount again, compare"
show "$artfs" umount mnt
show "$artfs" mount store mnt
show diff -r --no-dereference "$tree" "mnt/$name"
echo "no difference"

say "unmount and check the store"
show "$artfs" umount mnt
show "$artfs" fsck store

say "done: $tree went in, came back after a remount, and nothing changed"
