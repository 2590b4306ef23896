/* SPDX-License-Identifier: Apache-2.0 */
/* Login sessions of a C program: one record per session, under the user's name, so that ending all
 * sessions of a user is a scan and one transaction.
 *
 * usage: example_sessions NEW_STORE
 */
#include <stdio.h>
#include <stdlib.h>

#include "artfs/artfs.h"

static void must(int code, const char* what) {
  if (code == ARTFS_OK) return;
  fprintf(stderr, "%s: %s\n", what, artfs_last_error_text());
  exit(1);
}

static void log_in(artfs_tree sessions, const char* user, int number) {
  char key[128];
  snprintf(key, sizeof key, "%s/%08d", user, number);
  must(artfs_put_if_absent(sessions, artfs_text(key), artfs_text("since now"), NULL), "log in");
}

/* All sessions of the user end together. Returns how many there were. */
static int log_out_everywhere(artfs_store* store, artfs_tree sessions, const char* user) {
  char prefix[128];
  snprintf(prefix, sizeof prefix, "%s/", user);
  artfs_scan_options options;
  artfs_scan_options_init(&options, sizeof options);
  options.prefix = artfs_text(prefix);
  options.keys_only = true;
  artfs_scan* scan = NULL;
  artfs_txn* txn = NULL;
  must(artfs_scan_open(sessions, &options, &scan), "scan");
  must(artfs_txn_open(store, &txn), "transaction");
  artfs_entry entry;
  int ended = 0;
  int code = ARTFS_OK;
  while ((code = artfs_scan_next(scan, &entry)) == ARTFS_OK) {
    artfs_txn_erase(txn, sessions, entry.key);
    ++ended;
  }
  if (code != ARTFS_END) must(code, "scan");
  uint64_t version = 0;
  must(artfs_txn_commit(txn, &version), "log out");
  must(artfs_sync_to(store, version), "sync");
  artfs_txn_close(txn);
  artfs_scan_close(scan);
  return ended;
}

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  artfs_store* store = NULL;
  artfs_tree sessions;
  must(artfs_create(arguments[1], "sessions"), "create");
  must(artfs_open(arguments[1], NULL, &store), "open");
  must(artfs_create_tree(store, artfs_text("sessions"), &sessions), "tree");
  for (int i = 0; i < 5; ++i) log_in(sessions, "ada", i);
  log_in(sessions, "ada lovelace", 1); /* another user: the '/' ends a name */
  const int ended = log_out_everywhere(store, sessions, "ada");
  printf("%d sessions ended\n", ended);
  bool is_empty = true;
  must(artfs_prefix_empty(sessions, artfs_text("ada "), &is_empty), "look");
  must(artfs_close(store), "close");
  return ended == 5 && !is_empty ? 0 : 1;
}
