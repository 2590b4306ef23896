// SPDX-License-Identifier: Apache-2.0
// StoreModel: a store and a std::map that get the same operations, every result compared; with
// checkpoints, clean reopens and kills in between.
//
// Contract:   what to do comes from a RandomKeys: from a seed, or from the bytes of a fuzzer. A difference is
//             a failed test, or the end of the process where no test runs.
// Threading:  one thread.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/engine_store.hpp"
#include "support/random_keys.hpp"

namespace artfs::test {

struct ModelEntry {
  std::string value;
  Version version;
};

using ModelMap = std::map<std::string, ModelEntry>;

class StoreModel {
 public:
  StoreModel(RandomKeys keys, const StoreOptions& options)
      : options_(options), keys_(std::move(keys)), disk_(std::make_unique<io::MemoryDirectory>()) {
    test::must_create_small(*disk_);
    store_ = test::must_open(*disk_, options_);
    REQUIRE(store_->create_tree("t").has_value());
    tree_ = *store_->open_tree("t");
  }

  [[nodiscard]] RandomKeys& keys() noexcept { return keys_; }

  void step() {
    const std::uint64_t kind = keys_.below(1000);
    if (kind < 300) return put();
    if (kind < 340) return put_if_absent();
    if (kind < 380) return compare_and_put();
    if (kind < 500) return erase();
    if (kind < 560) return rename();
    if (kind < 735) return get();
    if (kind < 742) return rename_prefix();
    if (kind < 750) return count();
    if (kind < 752) return refuse();
    if (kind < 800) return scan();
    if (kind < 840) return scan_directories();
    if (kind < 870) return prefix_empty();
    if (kind < 900) return longest_prefix();
    if (kind < 990) return transaction();
    if (kind < 997) return check_error(store_->sync(), std::nullopt);
    return rarely();
  }

  void compare_all() {
    Scan scan = tree_.scan({});
    for (const auto& [key, entry] : model_) {
      const Result<bool> more = scan.next();
      require(more.has_value() && *more, "a key is missing from the scan");
      require(scan.entry().key == key && scan.entry().value == entry.value &&
                  scan.entry().version == entry.version,
              "the scan differs");
    }
    require(!*scan.next(), "the scan goes on behind the last key");
    require(tree_.counter(0) == counter_, "the counter differs");
    test::require_clean(*store_);
  }

 private:
  // Catch's macros cost more than the operations; they are for failures.
  static void require(bool holds, const char* what) {
    if (!holds) FAIL(what);
  }

  template <typename T>
  static void check_error(const Result<T>& result, std::optional<Errc> expected) {
    if (expected) {
      require(!result.has_value() && result.error().code == *expected, "another error expected");
    } else if (!result) {
      FAIL("unexpected: " << to_text(result.error()));
    }
  }

  std::string known_key() {
    if (model_.empty() || keys_.chance(20)) return keys_.key();
    auto place = model_.lower_bound(keys_.key());
    if (place == model_.end()) place = model_.begin();
    return place->first;
  }

  void put() {
    const std::string key = keys_.key();
    const std::string value = keys_.value();
    const Result<Version> version = tree_.put(key, value);
    check_error(version, std::nullopt);
    note(key, value, *version);
  }

  void note(const std::string& key, const std::string& value, Version version) {
    require(version > latest_, "versions must grow");
    latest_ = version;
    model_[key] = {value, version};
  }

  void put_if_absent() {
    const std::string key = known_key();
    const std::string value = keys_.value();
    const Result<Version> version = tree_.put_if_absent(key, value);
    if (model_.contains(key)) return check_error(version, Errc::key_exists);
    check_error(version, std::nullopt);
    note(key, value, *version);
  }

  void compare_and_put() {
    const std::string key = known_key();
    const std::string value = keys_.value();
    const auto place = model_.find(key);
    Version expected = place == model_.end() ? Version{1} : place->second.version;
    if (keys_.chance(30)) expected.raw += 1;
    const Result<Version> version = tree_.compare_and_put(key, expected, value);
    if (place == model_.end() || place->second.version != expected) {
      return check_error(version, Errc::version_mismatch);
    }
    check_error(version, std::nullopt);
    note(key, value, *version);
  }

  void erase() {
    const std::string key = known_key();
    const Result<Version> version = tree_.erase(key);
    if (model_.erase(key) == 0) return check_error(version, Errc::key_not_found);
    check_error(version, std::nullopt);
    latest_ = *version;
  }

  void rename() {
    const std::string from = known_key();
    const std::string to = known_key();
    const auto mode = static_cast<RenameMode>(keys_.below(3));
    const Result<Version> version = tree_.rename(from, to, mode);
    if (from == to) {  // no change, but the key must be there
      if (!model_.contains(from)) return check_error(version, Errc::key_not_found);
      return check_error(version, std::nullopt);
    }
    const auto source = model_.find(from);
    const auto target = model_.find(to);
    if (source == model_.end() || (mode == RenameMode::exchange && target == model_.end())) {
      return check_error(version, Errc::key_not_found);
    }
    if (mode == RenameMode::no_replace && target != model_.end()) {
      return check_error(version, Errc::key_exists);
    }
    check_error(version, std::nullopt);
    const std::string moved = source->second.value;
    if (mode == RenameMode::exchange) {
      source->second = {target->second.value, *version};
    } else {
      model_.erase(source);
    }
    note(to, moved, *version);
  }

  void get() {
    const std::string key = known_key();
    const Result<Record> record = tree_.get(key);
    const auto place = model_.find(key);
    if (place == model_.end()) return check_error(record, Errc::key_not_found);
    check_error(record, std::nullopt);
    require(record->value == place->second.value && record->version == place->second.version,
            "get differs");
  }

  std::string some_prefix() {
    const std::string key = known_key();
    return key.substr(0, keys_.below(std::min(key.size() + 1, key_bytes_max)));
  }

  [[nodiscard]] bool any_begins_with(const std::string& prefix) const {
    const auto place = model_.lower_bound(prefix);
    return place != model_.end() && place->first.starts_with(prefix);
  }

  void rename_prefix() {
    const std::string from = some_prefix();
    std::string to = keys_.chance(50) ? some_prefix() : keys_.path(keys_.below(50));
    if (keys_.chance(60)) to += "moved" + keys_.letters(keys_.below(3));
    to.resize(std::min(to.size(), key_bytes_max));
    std::vector<std::pair<std::string, ModelEntry>> moved;
    bool is_too_long = false;
    for (auto place = model_.lower_bound(from);
         place != model_.end() && place->first.starts_with(from); ++place) {
      moved.emplace_back(to + place->first.substr(from.size()), place->second);
      is_too_long = is_too_long || moved.back().first.size() > key_bytes_max;
    }
    // Where a key near the limit was ever put, a longer prefix wants all of the subtree resident at once:
    // nothing for the smallest cache.
    constexpr std::size_t resident_max = 200;
    if (to.size() > from.size() && moved.size() > resident_max) return;
    std::vector<Errc> refusals;
    if (moved.empty()) refusals.push_back(Errc::key_not_found);
    if (any_begins_with(to)) refusals.push_back(Errc::prefix_not_empty);
    if (to.starts_with(from)) refusals.push_back(Errc::invalid_argument);
    if (is_too_long) refusals.push_back(Errc::key_too_long);
    const Result<Version> version = tree_.rename_prefix(from, to);
    if (!refusals.empty()) {
      const bool is_right = !version && std::find(refusals.begin(), refusals.end(),
                                                  version.error().code) != refusals.end();
      if (is_right) return;
      FAIL("rename_prefix refused with " << (version ? "nothing" : to_text(version.error())));
    }
    check_error(version, std::nullopt);
    require(*version > latest_, "versions must grow");
    latest_ = *version;
    std::erase_if(model_, [&](const auto& entry) { return entry.first.starts_with(from); });
    for (auto& [key, entry] : moved) model_[key] = std::move(entry);
  }

  void count() {
    const std::string prefix = some_prefix();
    std::uint64_t expected = 0;
    for (auto place = model_.lower_bound(prefix);
         place != model_.end() && place->first.starts_with(prefix); ++place) {
      ++expected;
    }
    const Result<std::uint64_t> counted = tree_.count(prefix);
    check_error(counted, std::nullopt);
    require(*counted == expected, "the count differs");
  }

  // What is too long is refused, whatever the call, and changes nothing.
  void refuse() {
    const std::string too_long(key_bytes_max + 1, 'k');
    const std::string key = known_key();
    check_error(tree_.put(too_long, "v"), Errc::key_too_long);
    check_error(tree_.put(key, std::string(value_bytes_max + 1, 'v')), Errc::value_too_large);
    check_error(tree_.rename(key, too_long, RenameMode::replace), Errc::key_too_long);
    Txn txn;
    txn.put(tree_, key, "v").erase(tree_, too_long);
    check_error(store_->commit(txn), Errc::key_too_long);
  }

  void scan() {
    const std::string prefix = some_prefix();
    const std::string after = keys_.chance(50) ? known_key() : std::string();
    const std::size_t limit = 1 + keys_.below(60);
    Scan scan = tree_.scan({.prefix = prefix, .start_after = after, .limit = limit});
    auto place =
        after.empty() || after < prefix ? model_.lower_bound(prefix) : model_.upper_bound(after);
    std::size_t count = 0;
    for (; place != model_.end() && place->first.starts_with(prefix) && count < limit; ++place) {
      const Result<bool> more = scan.next();
      check_error(more, std::nullopt);
      require(
          *more && scan.entry().key == place->first && scan.entry().value == place->second.value,
          "scan differs");
      ++count;
    }
    require(!*scan.next(), "scan returns too much");
  }

  // What a scan with a delimiter has to show, from the map.
  std::vector<std::pair<std::string, bool>> rolled_up(const std::string& prefix,
                                                      const std::string& after, char delimiter,
                                                      std::size_t limit) const {
    std::vector<std::pair<std::string, bool>> entries;
    auto place = model_.lower_bound(prefix);
    while (place != model_.end() && place->first.starts_with(prefix) && entries.size() < limit) {
      const std::size_t end = place->first.find(delimiter, prefix.size());
      const bool is_rollup = end != std::string::npos;
      const std::string key = is_rollup ? place->first.substr(0, end + 1) : place->first;
      if (after.empty() || key > after) entries.emplace_back(key, is_rollup);
      ++place;
      while (is_rollup && place != model_.end() && place->first.starts_with(key)) ++place;
    }
    return entries;
  }

  void scan_directories() {
    const std::string prefix = keys_.chance(50) ? "usr/share/" : some_prefix();
    const char delimiter = keys_.chance(80) ? '/' : keys_.chance(50) ? '\0' : 'e';
    std::string after;
    if (keys_.chance(40)) after = known_key();
    if (keys_.chance(20)) after = after.substr(0, after.find(delimiter) + 1);  // after a roll-up
    const std::size_t limit = 1 + keys_.below(40);
    Scan scan = tree_.scan(
        {.prefix = prefix, .start_after = after, .delimiter = delimiter, .limit = limit});
    for (const auto& [key, is_rollup] : rolled_up(prefix, after, delimiter, limit)) {
      const Result<bool> more = scan.next();
      check_error(more, std::nullopt);
      require(*more && scan.entry().key == key && scan.entry().is_rollup == is_rollup,
              "roll-up differs");
    }
    require(!*scan.next(), "roll-up returns too much");
  }

  void prefix_empty() {
    std::string prefix = some_prefix();
    if (keys_.chance(30)) prefix += "~";
    const auto place = model_.lower_bound(prefix);
    const bool empty = place == model_.end() || !place->first.starts_with(prefix);
    const Result<bool> result = tree_.prefix_empty(prefix);
    check_error(result, std::nullopt);
    require(*result == empty, "prefix_empty differs");
  }

  void longest_prefix() {
    const std::string key = (known_key() + keys_.letters(keys_.below(3))).substr(0, key_bytes_max);
    const Result<std::string> result = tree_.longest_prefix(key);
    for (std::size_t length = key.size() + 1; length-- > 0;) {
      if (!model_.contains(key.substr(0, length))) continue;
      check_error(result, std::nullopt);
      return require(*result == key.substr(0, length), "longest_prefix differs");
    }
    check_error(result, Errc::key_not_found);
  }

  // Guards that hold, one in ten that does not: then the error expected.
  std::optional<Errc> add_guards(Txn& txn) {
    std::optional<Errc> expected;
    const std::uint64_t guards = keys_.below(3);
    if (keys_.chance(20)) {
      const std::string prefix = some_prefix() + "~";
      const auto place = model_.lower_bound(prefix);
      const bool empty = place == model_.end() || !place->first.starts_with(prefix);
      txn.assert_prefix_empty(tree_, prefix);
      if (!empty) expected = Errc::prefix_not_empty;
    }
    for (std::uint64_t guard = 0; guard < guards; ++guard) {
      const std::string key = keys_.chance(50) ? known_key() : keys_.key();
      const auto place = model_.find(key);
      if (place == model_.end()) {
        txn.assert_absent(tree_, key);
      } else if (keys_.chance(10)) {
        txn.assert_absent(tree_, key);
        if (!expected) expected = Errc::key_exists;
      } else {
        txn.assert_version(tree_, key, place->second.version);
      }
    }
    return expected;
  }

  void transaction() {
    Txn txn;
    const std::optional<Errc> expected = add_guards(txn);
    std::vector<std::pair<std::string, std::optional<std::string>>> changes;
    const std::uint64_t count = 1 + keys_.below(8);
    for (std::uint64_t change = 0; change < count; ++change) {
      const std::string key = known_key();
      if (keys_.chance(30)) {
        txn.erase(tree_, key);
        changes.emplace_back(key, std::nullopt);
      } else {
        const std::string value = keys_.value();
        txn.put(tree_, key, value);
        changes.emplace_back(key, value);
      }
    }
    txn.add(tree_, 0, 3);
    const Result<Version> version = store_->commit(txn);
    check_error(version, expected);
    if (expected) return;
    require(*version > latest_, "versions must grow");
    latest_ = *version;
    counter_ += 3;
    for (const auto& [key, value] : changes) {
      if (value) {
        model_[key] = {*value, *version};
      } else {
        model_.erase(key);
      }
    }
  }

  void rarely() {
    const std::uint64_t kind = keys_.below(100);
    if (kind < 70) return check_error(store_->checkpoint(), std::nullopt);
    if (kind < 85) {
      check_error(store_->close(), std::nullopt);
      store_.reset();
    } else {
      // As after SIGKILL: what was written to the files is there.
      check_error(store_->sync(), std::nullopt);
      auto after_kill = disk_->clone_current();
      store_.reset();
      disk_ = std::move(after_kill);
    }
    store_ = test::must_open(*disk_, options_);
    tree_ = *store_->open_tree("t");
    if (kind % 3 == 0) compare_all();
  }

  const StoreOptions options_;
  test::RandomKeys keys_;
  std::unique_ptr<io::MemoryDirectory> disk_;
  std::unique_ptr<Store> store_;
  Tree tree_;
  ModelMap model_;
  std::int64_t counter_ = 0;
  Version latest_;
};

}  // namespace artfs::test
