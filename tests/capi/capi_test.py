#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C interface from another language: Python's ctypes and the shared library, no compiler.

usage: capi_test.py LIBRARY. Exits with 77 (skipped) when the library cannot be loaded into this Python.
"""
import ctypes
import sys


class Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]

    @classmethod
    def of(cls, raw):
        return cls(raw, len(raw))


class Value(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("version", ctypes.c_uint64)]


class Tree(ctypes.Structure):
    _fields_ = [("store", ctypes.c_void_p), ("id", ctypes.c_uint32)]


class Entry(ctypes.Structure):
    _fields_ = [("key_data", ctypes.c_void_p), ("key_size", ctypes.c_size_t),
                ("value_data", ctypes.c_void_p), ("value_size", ctypes.c_size_t),
                ("version", ctypes.c_uint64), ("is_rollup", ctypes.c_bool)]


def load(path):
    library = ctypes.CDLL(path)
    library.artfs_last_error_text.restype = ctypes.c_char_p
    library.artfs_version_text.restype = ctypes.c_char_p
    library.artfs_put.argtypes = [Tree, Bytes, Bytes, ctypes.c_void_p]
    library.artfs_get.argtypes = [Tree, Bytes, ctypes.POINTER(Value)]
    library.artfs_scan_open.argtypes = [Tree, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)]
    library.artfs_scan_next.argtypes = [ctypes.c_void_p, ctypes.POINTER(Entry)]
    library.artfs_scan_close.argtypes = [ctypes.c_void_p]
    library.artfs_create_tree.argtypes = [ctypes.c_void_p, Bytes, ctypes.POINTER(Tree)]
    library.artfs_close.argtypes = [ctypes.c_void_p]
    return library


def main():
    try:
        artfs = load(sys.argv[1])
    except OSError as error:
        print(f"skipped: {error}")
        return 77

    def must(code):
        assert code == 0, artfs.artfs_last_error_text().decode()

    store = ctypes.c_void_p()
    must(artfs.artfs_open_in_memory(None, ctypes.byref(store)))
    tree = Tree()
    must(artfs.artfs_create_tree(store, Bytes.of(b"main"), ctypes.byref(tree)))
    records = {b"a": b"1", b"a\0b": b"zero\0inside", b"b/\xff": b"", b"": b"the empty key"}
    for key, value in records.items():
        must(artfs.artfs_put(tree, Bytes.of(key), Bytes.of(value), None))
    for key, value in records.items():
        found = Value()
        must(artfs.artfs_get(tree, Bytes.of(key), ctypes.byref(found)))
        assert ctypes.string_at(found.data, found.size) == value
        artfs.artfs_value_free(ctypes.byref(found))
    assert artfs.artfs_get(tree, Bytes.of(b"none"), ctypes.byref(Value())) == 10  # ARTFS_KEY_NOT_FOUND
    assert artfs.artfs_last_error_text() == b"key_not_found: no such key"

    scan = ctypes.c_void_p()
    must(artfs.artfs_scan_open(tree, None, ctypes.byref(scan)))
    entry = Entry()
    seen = []
    while artfs.artfs_scan_next(scan, ctypes.byref(entry)) == 0:
        seen.append((ctypes.string_at(entry.key_data, entry.key_size),
                     ctypes.string_at(entry.value_data, entry.value_size)))
    artfs.artfs_scan_close(scan)
    assert seen == sorted(records.items()), seen
    must(artfs.artfs_close(store))
    print(f"ctypes: {artfs.artfs_version_text().decode()}: {len(seen)} records went through")
    return 0


if __name__ == "__main__":
    sys.exit(main())
