#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes Debian packages of what `meson install` installs: artfs (program, shared library, man pages, completion) and
# libartfs-dev (headers, static library, pkg-config and CMake files).
# usage: scripts/package.sh [OUTPUT-DIRECTORY]      (default: the current one)
# PACKAGE_BUILD: a build directory to take as it is, with its own prefix; otherwise a release build for /usr is made in
# build-package/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
output=$(cd "${1:-.}" && pwd)
build=${PACKAGE_BUILD:-}
for tool in dpkg-deb dpkg-shlibdeps dpkg-gencontrol; do
  command -v "$tool" >/dev/null || {
    echo "package.sh: no $tool: install dpkg-dev" >&2
    exit 1
  }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "$build" ]; then
  "$root/scripts/setup.sh" build
  build=$root/build-package
  "$root/scripts/build.sh" "$build" -Dbuildtype=release -Dtests=false --prefix=/usr --libdir="lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)"
fi
version=$(meson introspect --projectinfo "$build" | sed -n 's/.*"version": "\([^"]*\)".*/\1/p')
DESTDIR=$work/artfs meson install -C "$build" --no-rebuild --quiet --strip >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}

# What a compiler or linker wants goes to the other package.
cd "$work/artfs"
find . \( -path '*/include/*' -o -name '*.a' -o -name '*.pc' -o -path '*/cmake/artfs/*' -o -name 'libartfs.so' -o -path '*/man3/*' \) \
  ! -type d -printf '%P\n' | while read -r path; do
  mkdir -p "$work/libartfs-dev/$(dirname "$path")"
  mv "$path" "$work/libartfs-dev/$path"
done
find . -type d -empty -delete
find "$work/libartfs-dev" -name '*.a' -exec strip --strip-debug {} +
find "$work" -path '*/share/man/*' -type f -exec gzip -9n {} +

mkdir -p "$work/debian"
cat >"$work/debian/control" <<CONTROL
Source: artfs
Section: utils
Priority: optional
Maintainer: artfs developers <artfs@localhost>

Package: artfs
Architecture: any
Depends: \${shlibs:Depends}, fuse3
Description: filesystem for very many small files, over FUSE
 Names and attributes live in a persistent adaptive radix tree behind a write-ahead log, contents in
 checksummed blocks. With mkfs.artfs, fsck.artfs and mount.artfs, and the shared library.

Package: libartfs-dev
Architecture: any
Section: libdevel
Depends: artfs (= $version), libexpected-dev
Description: filesystem for very many small files: headers and static library
 For programs that use an artfs store, or its raw trees, without a mount.
CONTROL
printf 'artfs (%s) unstable; urgency=low\n\n  * See the log of the repository.\n\n -- artfs developers <artfs@localhost>  %s\n' \
  "$version" "$(date -R)" >"$work/debian/changelog"

cd "$work"
mapfile -t programs < <(find artfs -type f \( -path '*/bin/artfs' -o -name 'libartfs.so.*' \))
dpkg-shlibdeps -O "${programs[@]/#/-e}" 2>"$work/log" >debian/substvars || {
  cat "$work/log" >&2
  exit 1
}
for package in artfs libartfs-dev; do
  mkdir -p "$package/DEBIAN"
  dpkg-gencontrol -p"$package" -P"$package" -Tdebian/substvars -fdebian/files
  dpkg-deb --root-owner-group -Zgzip --build "$package" "$output" >/dev/null
  echo "$output/${package}_${version}_$(dpkg --print-architecture).deb"
done
