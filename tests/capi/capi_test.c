/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface, from C11: every function once, and what its contract promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artfs/artfs.h"

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      fprintf(stderr, "  last error: %s\n", artfs_last_error_text()); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

static int is_text(artfs_bytes bytes, const char* text) {
  return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static void put_text(artfs_tree tree, const char* key, const char* value) {
  CHECK(artfs_put(tree, artfs_text(key), artfs_text(value), NULL) == ARTFS_OK);
}

static void test_records(artfs_tree tree) {
  uint64_t first = 0;
  uint64_t second = 0;
  CHECK(artfs_put(tree, artfs_text("a"), artfs_text("one"), &first) == ARTFS_OK);
  CHECK(artfs_put(tree, artfs_text("a"), artfs_text("three"), &second) == ARTFS_OK);
  CHECK(second > first);
  artfs_value value = {0};
  CHECK(artfs_get(tree, artfs_text("a"), &value) == ARTFS_OK);
  CHECK(value.size == 5 && strcmp(value.data, "three") == 0 && value.version == second);
  artfs_value_free(&value);
  CHECK(value.data == NULL);

  char small[3];
  artfs_buffer buffer = {small, sizeof small, 0};
  CHECK(artfs_get_into(tree, artfs_text("a"), &buffer, NULL) == ARTFS_BUFFER_TOO_SMALL);
  CHECK(buffer.size == 5);
  char large[8];
  buffer = (artfs_buffer){large, sizeof large, 0};
  CHECK(artfs_get_into(tree, artfs_text("a"), &buffer, &first) == ARTFS_OK);
  CHECK(first == second && memcmp(large, "three", 5) == 0);

  CHECK(artfs_put_if_absent(tree, artfs_text("a"), artfs_text("x"), NULL) == ARTFS_KEY_EXISTS);
  CHECK(artfs_compare_and_put(tree, artfs_text("a"), first + 1, artfs_text("x"), NULL) ==
        ARTFS_VERSION_MISMATCH);
  CHECK(artfs_compare_and_put(tree, artfs_text("a"), first, artfs_text("x"), NULL) == ARTFS_OK);
  CHECK(artfs_rename(tree, artfs_text("a"), artfs_text("b"), ARTFS_RENAME_NO_REPLACE, NULL) ==
        ARTFS_OK);
  CHECK(artfs_rename(tree, artfs_text("a"), artfs_text("b"), 17, NULL) == ARTFS_INVALID_ARGUMENT);
  bool found = true;
  CHECK(artfs_contains(tree, artfs_text("a"), &found) == ARTFS_OK && !found);
  CHECK(artfs_contains(tree, artfs_text("b"), &found) == ARTFS_OK && found);
  size_t length = 0;
  CHECK(artfs_longest_prefix(tree, artfs_text("bcd"), &length) == ARTFS_OK && length == 1);
  CHECK(artfs_erase(tree, artfs_text("b"), NULL) == ARTFS_OK);
  CHECK(artfs_prefix_empty(tree, artfs_text(""), &found) == ARTFS_OK && found);

  CHECK(artfs_erase(tree, artfs_text("b"), NULL) == ARTFS_KEY_NOT_FOUND);
  CHECK(artfs_last_error() == ARTFS_KEY_NOT_FOUND && artfs_last_error_errno() == 2);
  CHECK(strcmp(artfs_last_error_text(), "key_not_found: no such key") == 0);
  CHECK(strcmp(artfs_code_name(artfs_last_error()), "ARTFS_KEY_NOT_FOUND") == 0);
}

static void test_binary_keys(artfs_tree tree) {
  const artfs_bytes zero = {"k\0", 2};
  const artfs_bytes longer = {"k\0\0", 3};
  const artfs_bytes empty = {NULL, 0};
  CHECK(artfs_put(tree, artfs_text("k"), empty, NULL) == ARTFS_OK);
  CHECK(artfs_put(tree, zero, artfs_text("two"), NULL) == ARTFS_OK);
  CHECK(artfs_put(tree, longer, artfs_text("three"), NULL) == ARTFS_OK);
  CHECK(artfs_put(tree, empty, artfs_text("nothing"), NULL) == ARTFS_OK);
  artfs_value value = {0};
  CHECK(artfs_get(tree, zero, &value) == ARTFS_OK && strcmp(value.data, "two") == 0);
  artfs_value_free(&value);
  CHECK(artfs_get(tree, artfs_text("k"), &value) == ARTFS_OK && value.size == 0);
  artfs_value_free(&value);
  static char key[ARTFS_KEY_BYTES_MAX + 1];
  CHECK(artfs_put(tree, (artfs_bytes){key, sizeof key}, empty, NULL) == ARTFS_KEY_TOO_LONG);
  CHECK(artfs_last_error_detail() == sizeof key);
  CHECK(artfs_erase(tree, empty, NULL) == ARTFS_OK);
}

static void test_scans(artfs_tree tree) {
  put_text(tree, "dir/a/1", "x");
  put_text(tree, "dir/a/2", "x");
  put_text(tree, "dir/b", "y");
  artfs_scan_options options;
  artfs_scan_options_init(&options, sizeof options);
  options.prefix = artfs_text("dir/");
  options.delimiter = '/';
  artfs_scan* scan = NULL;
  artfs_entry entry;
  CHECK(artfs_scan_open(tree, &options, &scan) == ARTFS_OK);
  CHECK(artfs_scan_next(scan, &entry) == ARTFS_OK);
  CHECK(is_text(entry.key, "dir/a/") && entry.is_rollup && entry.version == 0);
  CHECK(artfs_scan_next(scan, &entry) == ARTFS_OK);
  CHECK(is_text(entry.key, "dir/b") && is_text(entry.value, "y") && !entry.is_rollup);
  CHECK(artfs_scan_next(scan, &entry) == ARTFS_END);
  CHECK(artfs_scan_next(scan, &entry) == ARTFS_END);
  artfs_scan_close(scan);

  CHECK(artfs_scan_open(tree, NULL, &scan) == ARTFS_OK);
  int count = 0;
  while (artfs_scan_next(scan, &entry) == ARTFS_OK) ++count;
  CHECK(count == 6);
  artfs_scan_close(scan);
  options.delimiter = 256;
  CHECK(artfs_scan_open(tree, &options, &scan) == ARTFS_INVALID_ARGUMENT);
}

static void test_transactions(artfs_store* store, artfs_tree tree) {
  artfs_txn* txn = NULL;
  CHECK(artfs_txn_open(store, &txn) == ARTFS_OK);
  artfs_txn_assert_absent(txn, tree, artfs_text("t/1"));
  artfs_txn_assert_prefix_empty(txn, tree, artfs_text("t/"));
  artfs_txn_put(txn, tree, artfs_text("t/1"), artfs_text("1"));
  artfs_txn_put(txn, tree, artfs_text("t/2"), artfs_text("2"));
  artfs_txn_add(txn, tree, 3, -7);
  uint64_t version = 0;
  CHECK(artfs_txn_commit(txn, &version) == ARTFS_OK);
  CHECK(artfs_counter(tree, 3) == -7);
  CHECK(artfs_txn_commit(txn, NULL) == ARTFS_KEY_EXISTS);
  artfs_txn_clear(txn);
  artfs_txn_assert_version(txn, tree, artfs_text("t/2"), version);
  artfs_txn_erase(txn, tree, artfs_text("t/1"));
  CHECK(artfs_txn_commit(txn, NULL) == ARTFS_OK);
  artfs_txn_close(txn);
  bool found = true;
  CHECK(artfs_contains(tree, artfs_text("t/1"), &found) == ARTFS_OK && !found);
}

struct pair_of_sizes {
  artfs_tree tree;
  size_t first;
  size_t second;
};

static int read_two(artfs_view* view, void* user) {
  struct pair_of_sizes* sizes = user;
  artfs_value value = {0};
  int code = artfs_view_get(view, sizes->tree, artfs_text("moved/0001"), &value);
  if (code != ARTFS_OK) return code;
  sizes->first = value.size;
  artfs_value_free(&value);
  code = artfs_view_get(view, sizes->tree, artfs_text("moved/0002"), &value);
  if (code != ARTFS_OK) return code;
  sizes->second = value.size;
  artfs_value_free(&value);
  return ARTFS_OK;
}

static int read_none(artfs_view* view, void* user) {
  struct pair_of_sizes* sizes = user;
  artfs_value value = {0};
  return artfs_view_get(view, sizes->tree, artfs_text("not there"), &value);
}

static void test_whole_trees(artfs_store* store) {
  artfs_tree tree;
  artfs_load* load = NULL;
  CHECK(artfs_create_tree(store, artfs_text("loaded"), &tree) == ARTFS_OK);
  CHECK(artfs_load_open(tree, 99, &load) == ARTFS_OPTION_INVALID);
  CHECK(artfs_load_open(tree, 0, &load) == ARTFS_OK);
  for (int i = 0; i < 1000; ++i) {
    char key[32];
    snprintf(key, sizeof key, "old/%04d", i);
    CHECK(artfs_load_add(load, artfs_text(key), artfs_text("value")) == ARTFS_OK);
  }
  uint64_t count = 0;
  CHECK(artfs_load_finish(load, &count) == ARTFS_OK && count == 1000);
  artfs_load_close(load);
  CHECK(artfs_load_open(tree, 0, &load) == ARTFS_TREE_NOT_EMPTY);
  CHECK(artfs_rename_prefix(tree, artfs_text("old/"), artfs_text("moved/"), NULL) == ARTFS_OK);
  CHECK(artfs_rename_prefix(tree, artfs_text("old/"), artfs_text("x/"), NULL) ==
        ARTFS_KEY_NOT_FOUND);
  CHECK(artfs_count(tree, artfs_text("moved/00"), &count) == ARTFS_OK && count == 100);
  struct pair_of_sizes sizes = {tree, 0, 0};
  CHECK(artfs_read(store, read_two, &sizes) == ARTFS_OK);
  CHECK(sizes.first == 5 && sizes.second == 5);
  CHECK(artfs_read(store, read_none, &sizes) == ARTFS_KEY_NOT_FOUND);

  CHECK(artfs_create_tree(store, artfs_text("unsorted"), &tree) == ARTFS_OK);
  CHECK(artfs_load_open(tree, 80, &load) == ARTFS_OK);
  CHECK(artfs_load_add(load, artfs_text("b"), artfs_text("")) == ARTFS_OK);
  CHECK(artfs_load_add(load, artfs_text("a"), artfs_text("")) == ARTFS_KEYS_NOT_SORTED);
  artfs_load_close(load);
  bool is_empty = false;
  CHECK(artfs_prefix_empty(tree, artfs_text(""), &is_empty) == ARTFS_OK && is_empty);
}

static void test_errors(artfs_store* store) {
  artfs_tree tree;
  CHECK(artfs_open_tree(store, artfs_text("none"), &tree) == ARTFS_TREE_NOT_FOUND);
  CHECK(artfs_create_tree(store, artfs_text("main"), &tree) == ARTFS_TREE_EXISTS);
  CHECK(artfs_get((artfs_tree){NULL, 1}, artfs_text("a"), NULL) == ARTFS_INVALID_ARGUMENT);
  artfs_options options;
  artfs_options_init(&options, sizeof options);
  options.cache_bytes = 1;
  artfs_store* other = NULL;
  CHECK(artfs_open_in_memory(&options, &other) == ARTFS_OPTION_INVALID);
  CHECK(strstr(artfs_last_error_text(), "cache_bytes: 8 MiB") != NULL);
  options.struct_size = sizeof options + 8; /* set by a caller that knows more than the library */
  CHECK(artfs_open_in_memory(&options, &other) == ARTFS_INVALID_ARGUMENT);
  CHECK(other == NULL);
  CHECK(artfs_open("/nonexistent/store", NULL, &other) != ARTFS_OK);
}

static void test_store_on_disk(const char* path) {
  CHECK(artfs_create(path, "from C") == ARTFS_OK);
  CHECK(artfs_create(path, NULL) == ARTFS_STORE_EXISTS);
  artfs_store* store = NULL;
  artfs_tree tree;
  CHECK(artfs_open(path, NULL, &store) == ARTFS_OK);
  CHECK(artfs_create_tree(store, artfs_text("main"), &tree) == ARTFS_OK);
  uint64_t version = 0;
  CHECK(artfs_put(tree, artfs_text("kept"), artfs_text("yes"), &version) == ARTFS_OK);
  CHECK(artfs_sync_to(store, version) == ARTFS_OK && artfs_is_durable(store, version));
  CHECK(artfs_sync(store) == ARTFS_OK && artfs_checkpoint(store) == ARTFS_OK);
  artfs_value text = {0};
  uint64_t problems = 1;
  CHECK(artfs_verify(store, &problems, &text) == ARTFS_OK && problems == 0 && text.size == 0);
  artfs_value_free(&text);
  CHECK(artfs_stats_json(store, &text) == ARTFS_OK);
  CHECK(strstr(text.data, "\"label\"") != NULL && strstr(text.data, "from C") != NULL);
  artfs_value_free(&text);
  CHECK(artfs_close(store) == ARTFS_OK);

  artfs_options options;
  artfs_options_init(&options, sizeof options);
  options.read_only = true;
  CHECK(artfs_open(path, &options, &store) == ARTFS_OK);
  CHECK(artfs_tree_name(store, 0, &text) == ARTFS_OK && strcmp(text.data, "main") == 0);
  artfs_value_free(&text);
  CHECK(artfs_tree_name(store, 1, &text) == ARTFS_END);
  CHECK(artfs_open_tree(store, artfs_text("main"), &tree) == ARTFS_OK);
  bool found = false;
  CHECK(artfs_contains(tree, artfs_text("kept"), &found) == ARTFS_OK && found);
  CHECK(artfs_put(tree, artfs_text("x"), artfs_text("y"), NULL) == ARTFS_STORE_READ_ONLY);
  CHECK(artfs_close(store) == ARTFS_OK);
}

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    fprintf(stderr, "usage: capi_test EMPTY_DIRECTORY\n");
    return 2;
  }
  CHECK(artfs_version() == ARTFS_API_VERSION);
  CHECK(strcmp(artfs_version_text(), "0.1.0") == 0);
  artfs_store* store = NULL;
  artfs_tree tree;
  CHECK(artfs_open_in_memory(NULL, &store) == ARTFS_OK);
  CHECK(artfs_create_tree(store, artfs_text("main"), &tree) == ARTFS_OK);
  test_records(tree);
  test_binary_keys(tree);
  test_scans(tree);
  test_transactions(store, tree);
  test_whole_trees(store);
  test_errors(store);
  CHECK(artfs_close(store) == ARTFS_OK);
  CHECK(artfs_close(NULL) == ARTFS_OK);
  test_store_on_disk(arguments[1]);
  if (failures == 0) printf("the C interface: all checks passed\n");
  return failures == 0 ? 0 : 1;
}
