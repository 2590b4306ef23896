#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: every #include of the tree against the table below.

Lowest first: vocabulary <- base <- {format, io, sync} <- {frame, wal} <- art <- engine <- data <- vol
<- {fuse, tool, tests}; capi stands on the public headers alone. Exits with 1 and one line per violation.
"""
import pathlib
import re
import sys

VOCABULARY = {"types", "error", "result"}
# What each layer may include besides itself and its libraries. "artfs" is include/artfs.
ALLOWED = {
    "base": {"vocabulary"},
    "io": {"vocabulary", "artfs", "base"},
    "sync": {"vocabulary", "base"},
    "format": {"vocabulary", "artfs", "base"},
    "frame": {"vocabulary", "artfs", "base", "format", "io", "sync"},
    "wal": {"vocabulary", "artfs", "base", "format", "io", "sync"},
    "art": {"vocabulary", "artfs", "base", "format", "io", "sync", "frame"},
    "engine": {"vocabulary", "artfs", "base", "format", "io", "sync", "frame", "wal", "art"},
    "data": {"vocabulary", "artfs", "base", "format", "io", "sync", "engine"},
    "vol": {"vocabulary", "artfs", "base", "format", "io", "sync", "engine", "data"},
    "capi": {"vocabulary", "artfs"},
    "tool": {"vocabulary", "artfs", "base", "format", "io", "sync", "frame", "wal", "art", "engine",
             "data", "vol", "fuse"},
    "fuse": {"vocabulary", "artfs", "base"},
}
PUBLIC = {"vocabulary", "artfs"}
# Public headers name engine and volume classes without including them; these files may see more.
EXCEPTIONS = set()
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def layer_of_include(target):
    folder, _, name = target.rpartition("/")
    if folder == "artfs":
        return "vocabulary" if pathlib.PurePath(name).stem in VOCABULARY else "artfs"
    return folder.split("/")[0]


def layer_of_file(path):
    parts = path.parts
    if parts[0] == "include":
        return "public"
    return parts[1] if parts[0] == "src" else parts[0]


def violations_in(root, path):
    own = layer_of_file(path)
    allowed = PUBLIC if own == "public" else ALLOWED.get(own)
    if allowed is None:
        yield f"{path}:1: the folder is no layer known to check_layers.py"
        return
    for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        if "/" not in target:
            yield f'{path}:{number}: write "{target}" with its folder'
            continue
        used = layer_of_include(target)
        if used == own or used in allowed or (str(path), used) in EXCEPTIONS:
            continue
        yield f"{path}:{number}: {own} may not include {target}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = []
    files = 0
    for top in ("include", "src", "fuse"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".hpp", ".cpp") and path.is_file():
                files += 1
                found += violations_in(root, path.relative_to(root))
    for line in found:
        print(line)
    print(f"layers: {files} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
