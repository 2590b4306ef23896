// SPDX-License-Identifier: Apache-2.0
// rename_prefix against std::map: random moves between random changes, with checkpoints, reopens and power
// cuts; after a cut the store is in one of the states it went through, never before what was synced.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "support/engine_store.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

struct Kept {
  std::string value;
  Version version;

  friend bool operator==(const Kept&, const Kept&) = default;
};

using Map = std::map<std::string, Kept>;

class MoveRun {
 public:
  explicit MoveRun(std::uint64_t seed)
      : random_(seed),
        value_bytes_(seed % 3 == 0 ? 20 : 9000),  // one frame, or a tree of them
        disk_(std::make_unique<io::MemoryDirectory>()) {
    options_ = test::small_options();
    if (seed % 3 == 1) options_.cache_bytes = 16 * mib;
    options_.commit_interval = std::chrono::milliseconds(10000);
    test::must_create(*disk_);
    open();
    REQUIRE(store_->create_tree("t").has_value());
    REQUIRE(store_->sync().has_value());
    open();
    states_.push_back({});
  }

  void step() {
    const std::size_t kind = below(100);
    if (kind < 55) {
      put();
    } else if (kind < 62) {
      erase();
    } else if (kind < 90) {
      move();
    } else if (kind < 93) {
      REQUIRE(store_->checkpoint().has_value());
      durable_ = states_.size() - 1;
    } else if (kind < 96) {
      REQUIRE(store_->sync().has_value());
      durable_ = states_.size() - 1;
    } else if (kind < 98) {
      count();
    } else {
      cut_power();
    }
  }

  void compare() {
    Map found;
    const Result<void> read = tree_.for_each({}, [&](const Entry& entry) {
      found[std::string(entry.key)] = {std::string(entry.value), entry.version};
    });
    REQUIRE(read.has_value());
    REQUIRE(found.size() == model_.size());
    REQUIRE(found == model_);
    test::require_clean(*store_);
  }

  std::size_t moves = 0;

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string component() {
    static const std::array<std::string, 7> names{"a", "b", "ab", "abc", "c", "", "long-component"};
    return names[below(names.size())];
  }

  std::string path(std::size_t depth) {
    std::string path;
    for (std::size_t i = 0; i < depth; ++i) path += component() + "/";
    return path;
  }

  std::string prefix() {
    std::string prefix =
        below(2) == 0 || model_.empty()
            ? path(1 + below(3))
            : std::next(model_.begin(), static_cast<std::ptrdiff_t>(below(model_.size())))->first;
    prefix.resize(std::min(prefix.size(), below(prefix.size() + 2)));
    return prefix;
  }

  void open() {
    store_.reset();
    store_ = test::must_open(*disk_, options_);
    if (auto tree = store_->open_tree("t")) tree_ = *tree;
  }

  void put() {
    const std::string key = path(1 + below(4)) + std::to_string(below(50));
    const std::string value(below(value_bytes_), static_cast<char>('A' + below(26)));
    const Result<Version> version = tree_.put(key, value);
    REQUIRE(version.has_value());
    model_[key] = {value, *version};
    states_.push_back(model_);
  }

  void erase() {
    if (model_.empty()) return;
    const auto victim =
        std::next(model_.begin(), static_cast<std::ptrdiff_t>(below(model_.size())));
    REQUIRE(tree_.erase(victim->first).has_value());
    model_.erase(victim);
    states_.push_back(model_);
  }

  std::size_t count_in_model(const std::string& prefix) const {
    std::size_t count = 0;
    for (auto at = model_.lower_bound(prefix); at != model_.end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      ++count;
    }
    return count;
  }

  std::optional<Errc> expected_error(const std::string& from, const std::string& to) const {
    if (to.starts_with(from)) return Errc::invalid_argument;
    if (from.starts_with(to)) return Errc::prefix_not_empty;
    if (count_in_model(from) == 0) return Errc::key_not_found;
    if (count_in_model(to) > 0) return Errc::prefix_not_empty;
    return {};
  }

  void move() {
    const std::string from = prefix();
    const std::string to = prefix();
    CAPTURE(from, to);
    const std::optional<Errc> error = expected_error(from, to);
    const Result<Version> moved = tree_.rename_prefix(from, to);
    if (error) {
      REQUIRE_FALSE(moved.has_value());
      REQUIRE(moved.error().code == *error);
      return;
    }
    if (!moved) FAIL(to_text(moved.error()));
    Map after;
    for (auto& [key, kept] : model_) {
      after[key.starts_with(from) ? to + key.substr(from.size()) : key] = kept;
    }
    model_ = std::move(after);
    states_.push_back(model_);
    ++moves;
    if (moves % 8 == 0) compare();
  }

  void count() {
    const std::string under = prefix();
    REQUIRE(tree_.count(under) == count_in_model(under));
    const Result<CountEstimate> estimate = tree_.estimate_count(under, 1000);
    REQUIRE(estimate.has_value());
    CHECK(estimate->is_exact);
    CHECK(estimate->keys == count_in_model(under));
  }

  void cut_power() {
    auto after = disk_->clone_after_power_cut(random_());
    store_.reset();
    disk_ = std::move(after);
    open();
    Map found;
    const Result<void> read = tree_.for_each({}, [&](const Entry& entry) {
      found[std::string(entry.key)] = {std::string(entry.value), entry.version};
    });
    REQUIRE(read.has_value());
    std::size_t at = states_.size();
    while (at > durable_ && states_[at - 1] != found) --at;
    REQUIRE(at > durable_);  // a state that was, and none older than what was synced
    test::require_clean(*store_);
    states_.resize(at);
    model_ = states_.back();
    durable_ = at - 1;
  }

  std::mt19937_64 random_;
  std::size_t value_bytes_;
  StoreOptions options_;
  std::unique_ptr<io::MemoryDirectory> disk_;
  std::unique_ptr<Store> store_;
  Tree tree_;
  Map model_;
  std::vector<Map> states_;
  std::size_t durable_ = 0;
};

TEST_CASE("model: moved prefixes behave like a map, through power cuts", "[model][engine]") {
  const std::uint64_t seeds = test::rounds({.normal = 40, .in_long_mode = 2000});
  std::size_t moves = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    MoveRun run(seed);
    for (int i = 0; i < 250; ++i) run.step();
    run.compare();
    moves += run.moves;
  }
  CHECK(moves > seeds * 5);
}

}  // namespace

}  // namespace artfs
