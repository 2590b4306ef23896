#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Getting trees in and out: artfs import and export beside tar(1) and cp -a, through a mount and on the host.

usage: bench_in_out.py --artfs PROGRAM [--files N] [--runs N] DIRECTORY

One JSON line for each measurement, a table of medians on standard error. What goes in is on disk when the clock
stops: a store is closed, a mount has answered `artfs sync`, the host's filesystem `sync -f`. What comes out goes
through a pipe to nowhere, or to a directory by copies, and is not synced; the daemon has just been started, the kernel's cache is warm only for
the host.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

FOLDER_FILES = 500
SIZES = 400  # files of 0 to 3,591 bytes


def make_tree(top, files):
    for number in range(files):
        folder = top / f"d{number // FOLDER_FILES:04}"
        if number % FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        (folder / f"file-{number % FOLDER_FILES:04}").write_bytes(b"%08d\n" % number * (number % SIZES))


class Bench:
    def __init__(self, options):
        self.artfs = options.artfs
        self.files = options.files
        self.work = pathlib.Path(options.directory) / f"in-out.{os.getpid()}"
        self.work.mkdir()
        self.store, self.mnt, self.host = self.work / "store", self.work / "mnt", self.work / "host"
        self.mnt.mkdir()
        self.source, self.archive = self.work / "source", self.work / "source.tar"
        self.figures = {}

    def call(self, *words, out=subprocess.DEVNULL):
        subprocess.run([str(word) for word in words], check=True, stdout=out)

    def measure(self, op, way, *commands, out=subprocess.DEVNULL):
        begun = time.monotonic()
        for command in commands:
            self.call(*command, out=out)
        rate = self.files / (time.monotonic() - begun)
        self.figures.setdefault((op, way), []).append(rate)
        print(json.dumps({"suite": "in_out", "op": op, "way": way, "files": self.files, "files_per_s": round(rate)},
                         separators=(",", ":")), flush=True)

    def mount(self):
        self.call(self.artfs, "mount", self.store, self.mnt)

    def remount(self):
        self.call(self.artfs, "umount", self.mnt)
        self.mount()

    def run(self):
        artfs, store, mnt, host, archive, source = self.artfs, self.store, self.mnt, self.host, self.archive, self.source
        shutil.rmtree(store, ignore_errors=True)
        shutil.rmtree(host, ignore_errors=True)
        host.mkdir()
        self.call(artfs, "mkfs", "--quiet", store)
        self.measure("archive_in", "artfs import STORE", [artfs, "import", archive, f"{store}:/t"])
        self.measure("tree_in", "artfs import STORE", [artfs, "import", source, f"{store}:/d"])
        self.measure("archive_out", "artfs export STORE", ["sh", "-c", f"'{artfs}' export '{store}:/t' | cat >/dev/null"])
        self.measure("tree_out", "artfs get STORE", [artfs, "get", "-r", f"{store}:/t", host / "get"])
        self.mount()
        flush = [artfs, "sync", mnt]
        self.measure("archive_in", "artfs import mount", [artfs, "import", archive, mnt / "a"], flush)
        self.measure("archive_in", "tar x mount", ["mkdir", mnt / "b"], ["tar", "-C", mnt / "b", "-xpf", archive], flush)
        self.measure("tree_in", "artfs import mount", [artfs, "import", source, mnt / "c"], flush)
        self.measure("tree_in", "cp -a mount", ["cp", "-a", source, mnt / "e"], flush)
        for op, way, command in (
                # tar(1) reads no file for an archive that is the null device itself.
                ("archive_out", "artfs export mount", ["sh", "-c", f"'{artfs}' export '{mnt}/a' | cat >/dev/null"]),
                ("archive_out", "tar c mount", ["sh", "-c", f"tar -C '{mnt}/a' --xattrs --acls -cf - . | cat >/dev/null"]),
                ("tree_out", "artfs get mount", [artfs, "get", "-r", mnt / "a", host / "get-mount"]),
                ("tree_out", "cp -a mount", ["cp", "-a", mnt / "a", host / "cp-mount"])):
            self.remount()
            self.measure(op, way, command)
        self.call(artfs, "umount", mnt)
        flush = ["sync", "-f", host]
        self.measure("archive_in", "tar x host", ["mkdir", host / "b"], ["tar", "-C", host / "b", "-xpf", archive], flush)
        self.measure("tree_in", "cp -a host", ["cp", "-a", source, host / "e"], flush)
        self.measure("archive_out", "tar c host", ["sh", "-c", f"tar -C '{host}/b' --xattrs --acls -cf - . | cat >/dev/null"])
        self.measure("tree_out", "cp -a host", ["cp", "-a", host / "b", host / "f"])

    def close(self):
        if os.path.ismount(self.mnt):
            subprocess.run([self.artfs, "umount", self.mnt], check=False)
        shutil.rmtree(self.work, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--artfs", required=True)
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("directory")
    options = parser.parse_args()
    bench = Bench(options)
    try:
        make_tree(bench.source, options.files)
        bench.call("tar", "-C", bench.source, "--format=posix", "-cf", bench.archive, ".")
        for _ in range(options.runs):
            bench.run()
    finally:
        bench.close()
    for (op, way), rates in sorted(bench.figures.items(), key=lambda row: (row[0][0], -statistics.median(row[1]))):
        print(f"{op:<12} {way:<20} {statistics.median(rates):>10,.0f} files/s", file=sys.stderr)


if __name__ == "__main__":
    main()
