/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface of artfs: named persistent radix trees over path-shaped keys.
 *
 * Contract:   a store is opened with artfs_open or artfs_open_in_memory and ended with artfs_close, after
 *             all its scans, transactions and views. Keys are any bytes, 0 to 4096, zero bytes included;
 *             values any bytes, 0 to 65536; the order is bytewise. Every function that can fail returns
 *             ARTFS_OK (0) or an ARTFS_* code; the code's number never changes. A call that fails
 *             changed nothing, and its out-parameters are unset unless said otherwise.
 * Threading:  artfs_store, artfs_tree: any thread, any number. artfs_scan, artfs_txn: one thread at a
 *             time. The last error is the calling thread's.
 * Ownership:  what a function hands out as artfs_value the caller frees with artfs_value_free. An
 *             artfs_bytes is borrowed: passed in, until the call returns; handed out, as that call says.
 * Growth:     structs that may grow start with struct_size and are set up with their *_init function;
 *             functions are only added; ARTFS_API_VERSION tells at compile time, artfs_version() at run time.
 * Source:     the C++ interface, artfs/store.hpp, is the same library and says more about each call.
 */
#ifndef ARTFS_ARTFS_H
#define ARTFS_ARTFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "artfs/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ARTFS_API_MAJOR 0
#define ARTFS_API_MINOR 1
#define ARTFS_API_PATCH 0
#define ARTFS_API_VERSION (ARTFS_API_MAJOR * 1000000 + ARTFS_API_MINOR * 1000 + ARTFS_API_PATCH)

/* ARTFS_API_VERSION, and "0.1.0", of the library that runs. */
ARTFS_EXPORT uint32_t artfs_version(void);
ARTFS_EXPORT const char* artfs_version_text(void);

#define ARTFS_KEY_BYTES_MAX 4096
#define ARTFS_VALUE_BYTES_MAX 65536
#define ARTFS_COUNTERS_MAX 16

/* --- Errors ---------------------------------------------------------------------------------- */
enum artfs_code {
  ARTFS_OK = 0,
  ARTFS_END = 1, /* of a scan, or of a list: not an error */

  ARTFS_KEY_NOT_FOUND = 10,
  ARTFS_KEY_EXISTS = 11,
  ARTFS_KEY_TOO_LONG = 12,
  ARTFS_VALUE_TOO_LARGE = 13,
  ARTFS_VERSION_MISMATCH = 14,
  ARTFS_PREFIX_NOT_EMPTY = 15,
  ARTFS_TRANSACTION_TOO_LARGE = 16,
  ARTFS_TREE_NOT_FOUND = 17,
  ARTFS_TREE_EXISTS = 18,
  ARTFS_TREE_NAME_INVALID = 19,
  ARTFS_TREE_NOT_EMPTY = 20,
  ARTFS_KEYS_NOT_SORTED = 21,

  ARTFS_STORE_MISSING = 40,
  ARTFS_STORE_EXISTS = 41,
  ARTFS_STORE_FOREIGN = 42,
  ARTFS_STORE_NEWER = 43,
  ARTFS_STORE_LOCKED = 44,
  ARTFS_STORE_READ_ONLY = 45,
  ARTFS_STORE_STOPPED = 46, /* a device failed: reads go on, changes are refused */
  ARTFS_CORRUPT = 47,       /* what exactly: artfs_last_error_text */

  ARTFS_IO_FAILED = 60,
  ARTFS_NO_SPACE = 61,
  ARTFS_LOG_FULL = 62,
  ARTFS_PERMISSION_DENIED = 63,
  ARTFS_CACHE_EXHAUSTED = 64,
  ARTFS_BUFFER_TOO_SMALL = 65,
  ARTFS_INVALID_ARGUMENT = 66,
  ARTFS_OPTION_INVALID = 67,
  ARTFS_CALLER_STOPPED = 68, /* a callback returned something else than ARTFS_OK */
  ARTFS_OTHER = 99           /* what exactly: artfs_last_error_text */
};

/* "ARTFS_KEY_NOT_FOUND"; never null. */
ARTFS_EXPORT const char* artfs_code_name(int code);

/* Of the calling thread's last call that failed; a call that succeeds leaves them. The text says
 * what went wrong and what to do, and is valid until the thread's next failure. */
ARTFS_EXPORT int artfs_last_error(void);
ARTFS_EXPORT int artfs_last_error_errno(void);
ARTFS_EXPORT uint64_t artfs_last_error_detail(void);
ARTFS_EXPORT const char* artfs_last_error_text(void);

/* --- Bytes ------------------------------------------------------------------------------------ */
typedef struct artfs_bytes {
  const void* data;
  size_t size;
} artfs_bytes;

/* Of a string that ends with a zero byte, which does not count. */
ARTFS_EXPORT artfs_bytes artfs_text(const char* text);

/* Owned by the caller. `data` ends with a zero byte that does not count. */
typedef struct artfs_value {
  void* data;
  size_t size;
  uint64_t version;
} artfs_value;

/* Null and empty values are fine; leaves the value empty. */
ARTFS_EXPORT void artfs_value_free(artfs_value* value);

/* Memory of the caller's. `size` is set to what is there, also when `capacity` is too small. */
typedef struct artfs_buffer {
  void* data;
  size_t capacity;
  size_t size;
} artfs_buffer;

/* --- Stores ----------------------------------------------------------------------------------- */
typedef struct artfs_store artfs_store;

enum artfs_durability {
  ARTFS_DURABLE_STRICT = 0, /* each change is on disk before its call returns */
  ARTFS_DURABLE_FSYNC = 1,  /* at artfs_sync, or after the commit interval */
  ARTFS_DURABLE_RELAXED = 2 /* as fsync; fsync(2) through a mount does not wait */
};

/* Ranges as in artfs/options.hpp; a value outside them is ARTFS_OPTION_INVALID, and the text names it. */
typedef struct artfs_options {
  size_t struct_size;
  uint64_t cache_bytes;
  uint64_t checkpoint_log_bytes;
  uint32_t commit_interval_ms;
  uint32_t checkpoint_interval_ms;
  uint32_t lock_wait_ms;
  uint32_t durability; /* enum artfs_durability */
  bool read_only;
  bool direct_io;
} artfs_options;

/* The defaults. Pass sizeof(artfs_options). */
ARTFS_EXPORT void artfs_options_init(artfs_options* options, size_t struct_size);

/* `label` may be null. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_create(const char* path, const char* label);
/* `options` may be null: the defaults. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_open(const char* path, const artfs_options* options,
                                             artfs_store** store);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_open_in_memory(const artfs_options* options,
                                                       artfs_store** store);
/* Ends the handle whatever it returns; null is fine. */
ARTFS_EXPORT int artfs_close(artfs_store* store);

/* Returns when everything acknowledged before the call is on disk. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_sync(artfs_store* store);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_sync_to(artfs_store* store, uint64_t version);
ARTFS_EXPORT bool artfs_is_durable(const artfs_store* store, uint64_t version);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_checkpoint(artfs_store* store);
/* One JSON object with every counter; takes no lock that a change waits for. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_stats_json(const artfs_store* store, artfs_value* json);
/* Walks everything. `problems`: one line each; empty: clean. May be null. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_verify(artfs_store* store, uint64_t* problem_count,
                                               artfs_value* problems);

/* --- Trees ------------------------------------------------------------------------------------ */
/* A plain value, valid while its store is open. */
typedef struct artfs_tree {
  artfs_store* store;
  uint32_t id;
} artfs_tree;

ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_create_tree(artfs_store* store, artfs_bytes name,
                                                    artfs_tree* tree);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_open_tree(artfs_store* store, artfs_bytes name,
                                                  artfs_tree* tree);
/* The name of the tree number `index`, from 0; ARTFS_END behind the last. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_tree_name(artfs_store* store, size_t index,
                                                  artfs_value* name);

ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_get(artfs_tree tree, artfs_bytes key, artfs_value* value);
/* Into the caller's memory: ARTFS_BUFFER_TOO_SMALL with buffer->size set. `version` may be null. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_get_into(artfs_tree tree, artfs_bytes key,
                                                 artfs_buffer* buffer, uint64_t* version);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_contains(artfs_tree tree, artfs_bytes key, bool* found);

/* In all changes `version`, that of the change, may be null. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_put(artfs_tree tree, artfs_bytes key, artfs_bytes value,
                                            uint64_t* version);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_put_if_absent(artfs_tree tree, artfs_bytes key,
                                                      artfs_bytes value, uint64_t* version);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_compare_and_put(artfs_tree tree, artfs_bytes key,
                                                        uint64_t expected, artfs_bytes value,
                                                        uint64_t* version);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_erase(artfs_tree tree, artfs_bytes key, uint64_t* version);

enum artfs_rename_mode {
  ARTFS_RENAME_NO_REPLACE = 0,
  ARTFS_RENAME_REPLACE = 1,
  ARTFS_RENAME_EXCHANGE = 2
};

ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_rename(artfs_tree tree, artfs_bytes from, artfs_bytes to,
                                               int mode, uint64_t* version);

/* Every key that begins with `from` begins with `to` instead; atomic, the same time for any number. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_rename_prefix(artfs_tree tree, artfs_bytes from,
                                                      artfs_bytes to, uint64_t* version);
/* Keys that begin with the prefix. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_count(artfs_tree tree, artfs_bytes prefix, uint64_t* count);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_prefix_empty(artfs_tree tree, artfs_bytes prefix,
                                                     bool* empty);
/* The longest stored key that is a prefix of `key`: its length. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_longest_prefix(artfs_tree tree, artfs_bytes key,
                                                       size_t* prefix_bytes);
/* Changed by artfs_txn_add only; 0 when there is no such tree or counter. */
ARTFS_EXPORT int64_t artfs_counter(artfs_tree tree, size_t index);

/* --- Scans ------------------------------------------------------------------------------------ */
typedef struct artfs_scan artfs_scan;

typedef struct artfs_scan_options {
  size_t struct_size;
  artfs_bytes prefix;      /* only keys that start with it */
  artfs_bytes start_after; /* only entries behind it; empty: from the start */
  int delimiter;           /* roll up at this byte, 0 to 255; -1: do not */
  bool keys_only;
  size_t limit; /* entries; 0: all */
} artfs_scan_options;

typedef struct artfs_entry {
  artfs_bytes key; /* valid until the next call for the scan */
  artfs_bytes value;
  uint64_t version; /* 0 for a roll-up */
  bool is_rollup;
} artfs_entry;

ARTFS_EXPORT void artfs_scan_options_init(artfs_scan_options* options, size_t struct_size);
/* `options` may be null: every key. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_scan_open(artfs_tree tree,
                                                  const artfs_scan_options* options,
                                                  artfs_scan** scan);
/* ARTFS_OK with an entry, or ARTFS_END. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_scan_next(artfs_scan* scan, artfs_entry* entry);
/* Null is fine. */
ARTFS_EXPORT void artfs_scan_close(artfs_scan* scan);

/* --- Read transactions ------------------------------------------------------------------------ */
/* What was read through the view was true together. The body may run several times, and returns
 * ARTFS_OK, or what artfs_read is to return. */
typedef struct artfs_view artfs_view;
typedef int (*artfs_read_body)(artfs_view* view, void* user);

ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_read(artfs_store* store, artfs_read_body body, void* user);
/* An error other than ARTFS_KEY_NOT_FOUND the body returns at once. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_view_get(artfs_view* view, artfs_tree tree, artfs_bytes key,
                                                 artfs_value* value);

/* --- Bulk loading ------------------------------------------------------------------------------ */
/* Records in ascending order of key, into an empty tree: all of them or none. */
typedef struct artfs_load artfs_load;

/* `fill_percent`: how full frames get, 50 to 95; 0: the default. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_load_open(artfs_tree tree, unsigned fill_percent,
                                                  artfs_load** load);
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_load_add(artfs_load* load, artfs_bytes key,
                                                 artfs_bytes value);
/* On return everything is visible and on disk. `records` may be null. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_load_finish(artfs_load* load, uint64_t* records);
/* Without artfs_load_finish nothing was loaded. Null is fine. */
ARTFS_EXPORT void artfs_load_close(artfs_load* load);

/* --- Transactions ------------------------------------------------------------------------------ */
/* A list of guards and changes that happen together or not at all. What is put in is copied; what is
 * wrong with it is the error of the commit. */
typedef struct artfs_txn artfs_txn;

ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_txn_open(artfs_store* store, artfs_txn** txn);
ARTFS_EXPORT void artfs_txn_assert_absent(artfs_txn* txn, artfs_tree tree, artfs_bytes key);
ARTFS_EXPORT void artfs_txn_assert_version(artfs_txn* txn, artfs_tree tree, artfs_bytes key,
                                           uint64_t version);
ARTFS_EXPORT void artfs_txn_assert_prefix_empty(artfs_txn* txn, artfs_tree tree,
                                                artfs_bytes prefix);
ARTFS_EXPORT void artfs_txn_put(artfs_txn* txn, artfs_tree tree, artfs_bytes key,
                                artfs_bytes value);
ARTFS_EXPORT void artfs_txn_erase(artfs_txn* txn, artfs_tree tree, artfs_bytes key);
ARTFS_EXPORT void artfs_txn_add(artfs_txn* txn, artfs_tree tree, size_t counter, int64_t delta);
/* The transaction stays as it is: it may be committed again, or cleared and filled anew. */
ARTFS_EXPORT ARTFS_MUST_CHECK int artfs_txn_commit(artfs_txn* txn, uint64_t* version);
ARTFS_EXPORT void artfs_txn_clear(artfs_txn* txn);
/* Null is fine. */
ARTFS_EXPORT void artfs_txn_close(artfs_txn* txn);

#ifdef __cplusplus
}
#endif

#endif
