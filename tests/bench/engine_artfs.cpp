// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <utility>

#include "artfs/store.hpp"

#include "bench/engine.hpp"

namespace artfs::bench {
namespace {

constexpr std::string_view tree_name = "bench";
constexpr std::uint64_t frame_bytes = 512 * kib;

void check(const Error& error, std::string_view what) {
  fatal(what, to_text(error));
}

template <typename T>
T checked(Result<T> result, std::string_view what) {
  if (!result) check(result.error(), what);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// In bulk by an artfs that can, else one by one.
template <typename AnyTree>
void load_ascending(const AnyTree& tree, std::span<const Pair> pairs) {
  if constexpr (requires { tree.load_sorted(pairs); }) {
    checked(tree.load_sorted(pairs), "load_sorted");
  } else {
    for (const Pair& pair : pairs) checked(tree.put(pair.key, pair.value), "put");
  }
}

class ArtfsSession final : public Session {
 public:
  explicit ArtfsSession(Tree tree) noexcept : tree_(tree) {}

  bool get(std::string_view key, std::string& value) override {
    const Result<Version> found = tree_.get_into(key, value);
    if (!found && found.error().code != Errc::key_not_found) check(found.error(), "get");
    return found.has_value();
  }

  void put(std::string_view key, std::string_view value) override {
    checked(tree_.put(key, value), "put");
  }

  void create(std::string_view key, std::string_view value) override {
    checked(tree_.put_if_absent(key, value), "put_if_absent");
  }

  void erase(std::string_view key) override { checked(tree_.erase(key), "erase"); }

  void rename(std::string_view from, std::string_view to) override {
    checked(tree_.rename(from, to, RenameMode::no_replace), "rename");
  }

  std::size_t list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    return count({.prefix = prefix, .start_after = after, .delimiter = {}, .limit = limit});
  }

  std::size_t list_dir(std::string_view prefix, std::size_t limit) override {
    return count({.prefix = prefix, .start_after = {}, .delimiter = '/', .limit = limit});
  }

  std::size_t list_dir_naive(std::string_view prefix) override {
    Scan scan = tree_.scan({.prefix = prefix, .start_after = {}, .delimiter = {}});
    std::string last;
    std::size_t names = 0;
    while (checked(scan.next(), "scan")) {
      const std::string_view below = scan.entry().key.substr(prefix.size());
      const std::string_view name = below.substr(0, below.find('/'));
      if (names == 0 || name != last) {
        last = name;
        ++names;
      }
    }
    return names;
  }

 private:
  std::size_t count(const ScanOptions& options) const {
    Scan scan = tree_.scan(options);
    std::size_t entries = 0;
    while (checked(scan.next(), "scan")) {
      keep(scan.entry());
      ++entries;
    }
    return entries;
  }

  Tree tree_;
};

class ArtfsEngine final : public Engine {
 public:
  explicit ArtfsEngine(std::unique_ptr<Store> store) : store_(std::move(store)) {
    const Result<Tree> opened = store_->open_tree(tree_name);
    tree_ = opened ? *opened : checked(store_->create_tree(tree_name), "create_tree");
  }

  ~ArtfsEngine() override { checked(store_->close(), "close"); }

  std::unique_ptr<Session> session() override { return std::make_unique<ArtfsSession>(tree_); }

  void load(std::span<const Pair> batch) override {
    for (const Pair& pair : batch) checked(tree_.put(pair.key, pair.value), "put");
  }

  void load_sorted(std::span<const Pair> pairs) override { load_ascending(tree_, pairs); }

  void move_prefix(std::string_view from, std::string_view to) override {
    checked(tree_.rename_prefix(from, to), "rename_prefix");
  }

  void sync() override { checked(store_->sync(), "sync"); }

  void settle() override { checked(store_->checkpoint(), "checkpoint"); }

  std::uint64_t log_bytes() override {
    const LogStats log = store_->stats().log;
    return log.end_lsn - log.cut_lsn;
  }

  std::optional<double> fill() override {
    const VerifyReport report = checked(store_->verify(), "verify");
    require(report.problems.empty(), "verify", "found problems");
    const auto room = static_cast<double>(report.frames * frame_bytes);
    return static_cast<double>(report.bytes_live) / room;
  }

 private:
  std::unique_ptr<Store> store_;
  Tree tree_;
};

}  // namespace

std::unique_ptr<Engine> open_artfs(const EngineOptions& options) {
  StoreOptions store_options;
  store_options.cache_bytes = options.cache_bytes;
  if (options.keep_log) {
    store_options.checkpoint_log_bytes = 192 * mib;
    store_options.checkpoint_interval = std::chrono::hours(1);
  }
  if (options.mode == Mode::sync) store_options.durability = Durability::strict;
  if (options.mode == Mode::memory) {
    return std::make_unique<ArtfsEngine>(
        checked(Store::open_in_memory(store_options), "open_in_memory"));
  }
  const std::string path = options.directory + "/artfs";
  if (!std::filesystem::exists(path)) checked(Store::create(path, {}), "create");
  return std::make_unique<ArtfsEngine>(checked(Store::open(path, store_options), "open"));
}

}  // namespace artfs::bench
