# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For mount tests that compare with a filesystem of the host: sourced after lib.sh.
#
# make_twin sets $twin to a directory of the same owner and mode as a fresh mount's root: an ext4 image on a loop
# device where that can be had; else a directory below the test's own, and what it lacks is masked by those who ask.
# shellcheck disable=SC2154  # lib.sh sets work
twin=$work/twin

make_twin() {
  mkdir "$twin"
  truncate -s "${1:-2G}" "$work/twin.img"
  # Values of extended attributes in inodes of their own: up to 64 KiB, as artfs has them.
  if mkfs.ext4 -q -O ea_inode "$work/twin.img" 2>/dev/null && mount -o loop "$work/twin.img" "$twin" 2>/dev/null; then
    more_mounts+=("$twin")
    rmdir "$twin/lost+found"
  else
    say "no ext4 on a loop device here: the directory beside the mount is $(stat -f -c %T "$twin")"
  fi
  chmod 755 "$work" "$twin"
}
