# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh and twin.sh set what is used here
# For the parts of the POSIX suite: sourced after lib.sh and twin.sh.
#
# posix_groups GROUPS runs these groups (commas between) of posix_rules on a fresh mount and on ext4: each assertion
# must hold on both, and both must have made as many.
posix_groups() {
  local program fs
  program=$(dirname "$ARTFS")/../tests/e2e/posix_rules
  [ -x "$program" ] || fail "no program posix_rules beside $ARTFS"
  need_root
  make_twin
  [ "$(stat -f -c %T "$twin")" = ext2/ext3 ] || skip "no ext4 to compare with"
  make_store
  start
  chmod 755 "$mnt"
  "$program" "$twin" --groups "$1" >"$work/ext4.out" || { cat "$work/ext4.out"; fail "an assertion is wrong"; }
  "$program" "$mnt" --artfs --groups "$1" | tee "$work/artfs.out" || fail "the mount differs from ext4"
  for fs in ext4 artfs; do sed -n "s/^$fs: \([0-9]*\) .*/\1/p" "$work/$fs.out" >"$work/$fs.count"; done
  cmp -s "$work/ext4.count" "$work/artfs.count" || fail "not as many assertions on the mount as on ext4"
  stop
  fsck_clean
}
