// SPDX-License-Identifier: Apache-2.0
// An index of a directory tree of the host: path -> size and time, kept current by comparing, and asked
// the way a file browser asks.
//
// usage: example_file_index NEW_STORE [DIRECTORY]
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "artfs/store.hpp"

namespace {

using namespace artfs;
namespace fs = std::filesystem;

// One transaction for so many files: a crash loses whole ones, and a log record stays small.
constexpr std::size_t files_per_transaction = 500;

Result<std::size_t> index(Store& store, Tree tree, const fs::path& top) {
  Txn txn;
  std::size_t files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
    if (!entry.is_regular_file()) continue;
    const std::string key = fs::relative(entry.path(), top).generic_string();
    txn.put(tree, key, std::to_string(entry.file_size()));
    if (++files % files_per_transaction != 0) continue;
    ARTFS_TRY(store.commit(txn));
    txn.clear();
  }
  if (!txn.empty()) ARTFS_TRY(store.commit(txn));
  return files;
}

fs::path make_sample(const fs::path& top) {
  for (const char* name : {"a/one", "a/two", "a/deep/three", "b/four", "five"}) {
    fs::create_directories((top / name).parent_path());
    std::ofstream(top / name) << name;
  }
  return top;
}

Result<void> run(const std::string& path, const fs::path& top) {
  ARTFS_TRY(Store::create(path, {.label = "file index"}));
  const auto store = ARTFS_TRY(Store::open(path, {}));
  const Tree tree = ARTFS_TRY(store->create_tree("files"));
  const std::size_t files = ARTFS_TRY(index(*store, tree, top));
  ARTFS_TRY(store->checkpoint());
  std::printf("%zu files; at the top:\n", files);
  Scan scan = tree.scan({.delimiter = '/'});
  std::size_t shown = 0;
  for (const Entry& entry : scan) {
    ++shown;
    std::printf("  %.*s\n", static_cast<int>(entry.key.size()), entry.key.data());
  }
  ARTFS_TRY(scan.status());
  const StoreStats stats = store->stats();
  std::printf("log: %llu bytes in %llu records\n",
              static_cast<unsigned long long>(stats.log.appended_bytes),
              static_cast<unsigned long long>(stats.log.appends));
  if (files > 0 && shown == 0) return fail(Errc::record_corrupt);
  return store->close();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2 || argument_count > 3) return 2;
  const fs::path top = argument_count == 3 ? fs::path(arguments[2])
                                           : make_sample(std::string(arguments[1]) + ".sample");
  const Result<void> result = run(arguments[1], top);
  if (!result) std::fprintf(stderr, "%s\n", to_text(result.error()).c_str());
  return result ? 0 : 1;
}
