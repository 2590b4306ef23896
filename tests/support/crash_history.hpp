// SPDX-License-Identifier: Apache-2.0
// CrashHistory: what a store was told, and the question a crash test asks of what came back.
//
// Contract:   each commit() is one transaction that writes random keys, its own number under "seq" and in
//             counter 0, and the number of live keys in counter 1. After a crash, check_prefix() demands
//             that the store holds exactly the first k transactions for some k that covers all
//             acknowledged as durable, and goes on from there.
// Threading:  one thread.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/engine_store.hpp"
#include "support/random_keys.hpp"

namespace artfs::test {

class CrashHistory {
 public:
  // One seed in three makes megabytes and so many frames, the others few.
  explicit CrashHistory(std::uint64_t seed) : keys_(seed, 3000) {
    if (seed % 3 == 0) keys_.make_values_large(16 * kib);
  }

  [[nodiscard]] std::uint64_t committed() const noexcept { return history_.size(); }

  [[nodiscard]] std::uint64_t durable() const noexcept { return durable_; }

  [[nodiscard]] RandomKeys& random() noexcept { return keys_; }

  // The error of the store, if it has one. A change that failed may be the last one found later.
  [[nodiscard]] Result<Version> commit(Store& store, Tree tree) {
    Changes changes;
    Txn txn;
    const std::uint64_t count = 1 + keys_.below(4);
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::string key = keys_.key();
      if (keys_.chance(25)) {
        txn.erase(tree, key);
        changes.emplace_back(key, std::nullopt);
      } else {
        std::string value = keys_.value();
        txn.put(tree, key, value);
        changes.emplace_back(key, std::move(value));
      }
    }
    const std::string number = std::to_string(commits_of(history_.size()) + 1);
    changes.emplace_back("seq", number);
    const std::vector<std::string> toggled = apply_to_live(changes);
    txn.put(tree, "seq", number).add(tree, 0, 1).add(tree, 1, growth_);
    history_.push_back({std::move(changes), {}});
    Result<Version> version = store.commit(txn);
    if (version) {
      latest_ = *version;
      acknowledged_ = history_.size();
    } else if (!store.stats().stopped) {
      history_.pop_back();  // refused, and nothing changed
      for (const std::string& key : toggled) toggle(key);
    }
    return version;
  }

  // Every key below a directory gets another one, in one change; no transaction, so "seq" stays.
  [[nodiscard]] Result<Version> move(Store& store, Tree tree) {
    const std::string from = "usr/share/d" + std::to_string(keys_.below(37)) + "/";
    const std::string to = "moved/" + std::to_string(history_.size()) + "/";
    const auto first = live_.lower_bound(from);
    if (first == live_.end() || !first->starts_with(from)) return Version{};
    history_.push_back({{}, Move{from, to}});
    Result<Version> version = tree.rename_prefix(from, to);
    if (version) {
      latest_ = *version;
      acknowledged_ = history_.size();
    }
    if (version || store.stats().stopped) {
      for (const std::string& key : keys_below(from)) {
        live_.erase(key);
        live_.insert(to + key.substr(from.size()));
      }
    } else {
      history_.pop_back();
    }
    return version;
  }

  // What the store says is durable now, it must have after a crash.
  void note_durable(const Store& store) {
    if (latest_.raw != 0 && store.is_durable(latest_)) durable_ = acknowledged_;
  }

  void check_prefix(Store& store, Tree tree) {
    std::uint64_t found = 0;
    if (const Result<Record> seq = tree.get("seq")) {
      found = after_commits(std::stoull(seq->value));
    } else {
      REQUIRE(seq.error().code == Errc::key_not_found);
    }
    if (found < history_.size() && history_[found].move &&
        !tree.prefix_empty(history_[found].move->to).value()) {
      ++found;
    }
    INFO("found " << found << " of " << history_.size() << ", durable " << durable_);
    REQUIRE(found >= durable_);
    REQUIRE(found <= history_.size());
    REQUIRE(tree.counter(0) == static_cast<std::int64_t>(commits_of(found)));
    advance_to(found);
    REQUIRE(tree.counter(1) == static_cast<std::int64_t>(state_.size()));
    Scan scan = tree.scan({});
    for (const auto& [key, value] : state_) {
      const Result<bool> more = scan.next();
      if (!more || !*more || scan.entry().key != key || scan.entry().value != value) {
        FAIL("the state differs at key " << key);
      }
    }
    REQUIRE_FALSE(*scan.next());
    require_clean(store);
    history_.resize(found);
    durable_ = found;
    acknowledged_ = found;
    latest_ = Version{};
    live_.clear();
    for (const auto& [key, value] : state_) live_.insert(live_.end(), key);
  }

  // How the state after every transaction differs from what the store holds: wrong bytes, a key too
  // many or one too few that is no error of the store.
  struct Differences {
    std::uint64_t errors = 0;       // keys or scans the store refuses to show
    std::vector<std::string> lies;  // what it shows instead of the truth
  };

  // Against the state after all transactions or, when `last_may_miss`, all but the last.
  [[nodiscard]] Differences compare(Tree tree, bool last_may_miss) {
    std::uint64_t found = history_.size();
    if (last_may_miss) {
      const Result<Record> seq = tree.get("seq");
      if (seq && seq->value == std::to_string(commits_of(found) - 1)) --found;
    }
    advance_to(found);
    Differences differences;
    compare_scan(tree, differences);
    for (const auto& [key, value] : state_) {
      const Result<Record> record = tree.get(key);
      if (!record && record.error().code != Errc::key_not_found) {
        ++differences.errors;
      } else if (!record || record->value != value) {
        differences.lies.push_back("get of " + key);
      }
    }
    for (const auto& [index, expected] : {std::pair{0U, commits_of(found)}, {1U, state_.size()}}) {
      if (tree.counter(index) != static_cast<std::int64_t>(expected)) {
        differences.lies.push_back("counter " + std::to_string(index));
      }
    }
    return differences;
  }

 private:
  using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

  struct Move {
    std::string from;
    std::string to;
  };

  // A transaction, or a move.
  struct Step {
    Changes changes;
    std::optional<Move> move;
  };

  [[nodiscard]] std::uint64_t commits_of(std::uint64_t steps) const {
    return static_cast<std::uint64_t>(
        std::count_if(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(steps),
                      [](const Step& step) { return !step.move; }));
  }

  // The steps up to that commit.
  [[nodiscard]] std::uint64_t after_commits(std::uint64_t commits) const {
    std::uint64_t steps = 0;
    for (; commits > 0 && steps < history_.size(); ++steps) {
      if (!history_[steps].move) --commits;
    }
    return steps + commits;  // more than there were is more than the history
  }

  [[nodiscard]] std::vector<std::string> keys_below(const std::string& prefix) const {
    std::vector<std::string> keys;
    for (auto at = live_.lower_bound(prefix); at != live_.end() && at->starts_with(prefix); ++at) {
      keys.push_back(*at);
    }
    return keys;
  }

  // Also sets growth_, the number of keys more. Returns the keys that came or went.
  std::vector<std::string> apply_to_live(const Changes& changes) {
    const auto before = static_cast<std::int64_t>(live_.size());
    std::vector<std::string> toggled;
    for (const auto& [key, value] : changes) {
      if (live_.contains(key) == value.has_value()) continue;
      toggle(key);
      toggled.push_back(key);
    }
    growth_ = static_cast<std::int64_t>(live_.size()) - before;
    return toggled;
  }

  void toggle(const std::string& key) {
    if (live_.erase(key) == 0) live_.insert(key);
  }

  void compare_scan(Tree tree, Differences& differences) {
    Scan scan = tree.scan({});
    auto expected = state_.begin();
    for (;; ++expected) {
      const Result<bool> more = scan.next();
      if (!more) {
        ++differences.errors;
        return;
      }
      const bool at_end = expected == state_.end();
      if (!*more && at_end) return;
      if (!*more || at_end || scan.entry().key != expected->first ||
          scan.entry().value != expected->second) {
        differences.lies.push_back("scan at " + (at_end ? "the end" : expected->first));
        return;
      }
    }
  }

  void apply_move(const Move& move) {
    for (auto at = state_.lower_bound(move.from);
         at != state_.end() && at->first.starts_with(move.from);) {
      state_[move.to + at->first.substr(move.from.size())] = std::move(at->second);
      at = state_.erase(at);
    }
  }

  void advance_to(std::uint64_t count) {
    for (; applied_ < count; ++applied_) {
      if (history_[applied_].move) apply_move(*history_[applied_].move);
      for (const auto& [key, value] : history_[applied_].changes) {
        if (value) {
          state_[key] = *value;
        } else {
          state_.erase(key);
        }
      }
    }
  }

  RandomKeys keys_;
  std::vector<Step> history_;
  std::uint64_t acknowledged_ = 0;  // of the history
  std::uint64_t durable_ = 0;       // of those
  Version latest_;
  std::map<std::string, std::string> state_;  // after applied_ transactions
  std::uint64_t applied_ = 0;
  std::set<std::string> live_;  // keys, after the whole history
  std::int64_t growth_ = 0;     // of them, by the last transaction
};

}  // namespace artfs::test
