// SPDX-License-Identifier: Apache-2.0
// A metadata service for objects in buckets: records by path, listings by directory, usage counters that
// never disagree with the records, updates that never lose somebody else's.
//
// usage: example_metadata_service NEW_STORE
#include <charconv>
#include <cstdio>
#include <string>

#include "artfs/store.hpp"

namespace {

using namespace artfs;

enum Counter : std::size_t { objects, bytes };

class MetadataService {
 public:
  MetadataService(Store& store, Tree tree) noexcept : store_(store), tree_(tree) {}

  // A new object: its record and both counters, or nothing.
  Result<Version> add(std::string_view path, std::uint64_t size) {
    Txn txn;
    txn.assert_absent(tree_, path)
        .put(tree_, path, std::to_string(size))
        .add(tree_, objects, 1)
        .add(tree_, bytes, static_cast<std::int64_t>(size));
    return store_.commit(txn);
  }

  // Somebody else may change it between our read and our write: then we read again.
  Result<Version> grow(std::string_view path, std::uint64_t more) {
    for (;;) {
      const Record record = ARTFS_TRY(tree_.get(path));
      std::uint64_t size = 0;
      std::from_chars(record.value.data(), record.value.data() + record.value.size(), size);
      Txn txn;
      txn.assert_version(tree_, path, record.version)
          .put(tree_, path, std::to_string(size + more))
          .add(tree_, bytes, static_cast<std::int64_t>(more));
      const Result<Version> version = store_.commit(txn);
      if (version || version.error().code != Errc::version_mismatch) return version;
    }
  }

  // One directory: its files, and each directory below it once, however much is in there.
  Result<void> list(std::string_view directory) const {
    return tree_.for_each({.prefix = directory, .delimiter = '/'}, [](const Entry& entry) {
      std::printf("  %.*s %.*s\n", static_cast<int>(entry.key.size()), entry.key.data(),
                  static_cast<int>(entry.value.size()), entry.value.data());
    });
  }

  [[nodiscard]] std::int64_t total(Counter counter) const { return tree_.counter(counter); }

 private:
  Store& store_;
  Tree tree_;
};

Result<void> run(const std::string& path) {
  ARTFS_TRY(Store::create(path, {.label = "metadata"}));
  const auto store = ARTFS_TRY(Store::open(path, {.cache_bytes = 64 * mib}));
  const Tree tree = ARTFS_TRY(store->create_tree("objects"));
  MetadataService service(*store, tree);
  ARTFS_TRY(service.add("bucket/logs/2026/01.gz", 1000));
  ARTFS_TRY(service.add("bucket/logs/2026/02.gz", 500));
  ARTFS_TRY(service.add("bucket/readme", 80));
  const Version version = ARTFS_TRY(service.grow("bucket/readme", 20));
  if (service.add("bucket/readme", 1).has_value()) return fail(Errc::key_exists);
  ARTFS_TRY(store->sync_to(version));  // what the service has acknowledged is on disk
  ARTFS_TRY(service.list("bucket/"));
  std::printf("%lld objects, %lld bytes\n", static_cast<long long>(service.total(objects)),
              static_cast<long long>(service.total(bytes)));
  const bool adds_up = service.total(objects) == 3 && service.total(bytes) == 1600;
  if (!adds_up) return fail(Errc::record_corrupt);
  return store->close();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  const Result<void> result = run(arguments[1]);
  if (!result) std::fprintf(stderr, "%s\n", to_text(result.error()).c_str());
  return result ? 0 : 1;
}
