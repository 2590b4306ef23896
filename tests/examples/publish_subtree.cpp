// SPDX-License-Identifier: Apache-2.0
// Publishing a new version of a package index: it is built aside, out of sight, and becomes current with
// one transaction. Readers see the old index or the new one, never a mixture, also after a crash.
//
// usage: example_publish_subtree NEW_STORE
#include <cstdio>
#include <string>

#include "artfs/store.hpp"

namespace {

using namespace artfs;

// Everything below "staging/<release>/"; the name of the current release is one record.
Result<void> stage(Tree tree, const std::string& release, int packages) {
  for (int i = 0; i < packages; ++i) {
    const std::string key = "release/" + release + "/package-" + std::to_string(i);
    ARTFS_TRY(tree.put(key, "sha256 of " + release + "." + std::to_string(i)));
  }
  return {};
}

Result<Version> publish(Store& store, Tree tree, const std::string& release, Version seen) {
  Txn txn;
  if (seen == Version{}) {
    txn.assert_absent(tree, "current");
  } else {
    txn.assert_version(tree, "current", seen);  // nobody published meanwhile
  }
  txn.put(tree, "current", release);
  const Version version = ARTFS_TRY(store.commit(txn));
  ARTFS_TRY(store.sync_to(version));
  return version;
}

Result<std::size_t> count_current(Tree tree) {
  const Record current = ARTFS_TRY(tree.get("current"));
  const std::string prefix = "release/" + current.value + "/";
  std::size_t count = 0;
  Scan scan = tree.scan({.prefix = prefix, .keys_only = true});
  for (const Entry& entry : scan) {
    if (entry.key.size() > prefix.size()) ++count;
  }
  ARTFS_TRY(scan.status());
  return count;
}

Result<void> run(const std::string& path) {
  ARTFS_TRY(Store::create(path, {.label = "packages"}));
  const auto store = ARTFS_TRY(Store::open(path, {}));
  const Tree tree = ARTFS_TRY(store->create_tree("index"));
  ARTFS_TRY(stage(tree, "bookworm", 100));
  const Version first = ARTFS_TRY(publish(*store, tree, "bookworm", {}));
  ARTFS_TRY(stage(tree, "trixie", 120));
  const std::size_t before = ARTFS_TRY(count_current(tree));
  ARTFS_TRY(publish(*store, tree, "trixie", first));
  const std::size_t after = ARTFS_TRY(count_current(tree));
  std::printf("the index went from %zu to %zu packages in one step\n", before, after);
  const Result<Version> late = publish(*store, tree, "sid", first);
  const bool is_refused = !late && late.error().code == Errc::version_mismatch;
  if (before != 100 || after != 120 || !is_refused) return fail(Errc::record_corrupt);
  return store->close();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  const Result<void> result = run(arguments[1]);
  if (!result) std::fprintf(stderr, "%s\n", to_text(result.error()).c_str());
  return result ? 0 : 1;
}
