// SPDX-License-Identifier: Apache-2.0
// CrashHistory: what a store was told, and the question a crash test asks of what came back.
//
// Contract:   each commit() is one transaction that writes random keys, its own number under "seq" and
//             counter 0. After a crash, check_prefix() demands that the store holds exactly the first
//             k transactions for some k that covers all acknowledged as durable, and goes on from there.
// Threading:  one thread.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
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
    const std::string number = std::to_string(history_.size() + 1);
    txn.put(tree, "seq", number).add(tree, 0, 1);
    changes.emplace_back("seq", number);
    history_.push_back(std::move(changes));
    Result<Version> version = store.commit(txn);
    if (version) {
      latest_ = *version;
      acknowledged_ = history_.size();
    } else if (!store.stats().stopped) {
      history_.pop_back();  // refused, and nothing changed
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
      found = std::stoull(seq->value);
    } else {
      REQUIRE(seq.error().code == Errc::key_not_found);
    }
    INFO("found " << found << " of " << history_.size() << ", durable " << durable_);
    REQUIRE(found >= durable_);
    REQUIRE(found <= history_.size());
    REQUIRE(tree.counter(0) == static_cast<std::int64_t>(found));
    advance_to(found);
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
  }

 private:
  using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

  void advance_to(std::uint64_t count) {
    for (; applied_ < count; ++applied_) {
      for (const auto& [key, value] : history_[applied_]) {
        if (value) {
          state_[key] = *value;
        } else {
          state_.erase(key);
        }
      }
    }
  }

  RandomKeys keys_;
  std::vector<Changes> history_;
  std::uint64_t acknowledged_ = 0;  // of the history
  std::uint64_t durable_ = 0;       // of those
  Version latest_;
  std::map<std::string, std::string> state_;  // after applied_ transactions
  std::uint64_t applied_ = 0;
};

}  // namespace artfs::test
