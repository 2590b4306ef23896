// SPDX-License-Identifier: Apache-2.0
// Change: what a caller wants done, until it is resolved to operations for the log.
//
// Contract:   a Change is built and its sizes are validated before any lock; resolve() runs under a lease of
//             the commit gate, reads through the plan, checks the guards, and returns the operations to
//             log (empty: nothing to do). They hold when the plan's latch() succeeds. It may run several
//             times: each restart resolves anew. The log never sees a guard, a rename or a compare-and-put.
// Threading:  one thread.
// Errors:     resolve: the guard's error, true of a moment in the call; frame_not_resident (detail: its id),
//             contended, frame_corrupt.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "artfs/store.hpp"

#include "engine/applier.hpp"
#include "engine/tree_table.hpp"

namespace artfs::engine {

class Change {
 public:
  Change() = default;
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  virtual ~Change() = default;

  // True: what it does is right only while nobody else is in the commit gate.
  [[nodiscard]] virtual bool is_alone() const noexcept { return false; }

  // It erases something, or was promised to succeed: on a full device it may take the last frames.
  [[nodiscard]] virtual bool takes_reserve() const noexcept = 0;

  // Upper bound of what resolve() returns.
  [[nodiscard]] virtual std::size_t operations_bytes_max() const noexcept = 0;
  [[nodiscard]] virtual Result<std::string_view> resolve(const Applier& applier,
                                                         art::WritePlan& plan) = 0;
};

// Guards and operations as they stand, both encoded.
class ListChange final : public Change {
 public:
  // tree_not_found, log_corrupt.
  [[nodiscard]] Result<void> init(const TreeTable& table, std::string_view guards,
                                  std::string_view operations);

  void take_reserve() noexcept { takes_reserve_ = true; }

  [[nodiscard]] bool takes_reserve() const noexcept override { return takes_reserve_; }

  [[nodiscard]] std::size_t operations_bytes_max() const noexcept override {
    return operations_.size();
  }

  [[nodiscard]] Result<std::string_view> resolve(const Applier& applier,
                                                 art::WritePlan& plan) override;

 private:
  [[nodiscard]] Result<void> add_trees(const TreeTable& table, std::string_view list);

  std::string_view guards_;
  std::string_view operations_;
  std::vector<TreeState*> trees_;
  bool takes_reserve_ = false;
};

enum class Guard : std::uint8_t { none, absent, present, version };

// One put or erase, with at most one guard on its key: key_exists, key_not_found, version_mismatch.
class KeyChange final : public Change {
 public:
  struct Target {
    TreeState* tree = nullptr;
    std::string_view key{};
    Guard guard = Guard::none;
    Version version{};  // for Guard::version
    bool is_erase = false;
  };

  KeyChange(const Target& target, std::string_view operations) noexcept
      : target_(target), operations_(operations) {}

  [[nodiscard]] bool takes_reserve() const noexcept override { return target_.is_erase; }

  [[nodiscard]] std::size_t operations_bytes_max() const noexcept override {
    return operations_.size();
  }

  [[nodiscard]] Result<std::string_view> resolve(const Applier& applier,
                                                 art::WritePlan& plan) override;

 private:
  Target target_;
  std::string_view operations_;
};

// rename of one key: resolved to puts and an erase once the values are known.
class RenameChange final : public Change {
 public:
  struct Keys {
    std::string_view from;
    std::string_view to;
  };

  RenameChange(TreeState& tree, Keys keys, RenameMode mode) noexcept
      : tree_(&tree), keys_(keys), mode_(mode) {}

  [[nodiscard]] bool takes_reserve() const noexcept override { return true; }

  [[nodiscard]] std::size_t operations_bytes_max() const noexcept override;
  [[nodiscard]] Result<std::string_view> resolve(const Applier& applier,
                                                 art::WritePlan& plan) override;

 private:
  TreeState* tree_;
  Keys keys_;
  RenameMode mode_;
  std::string operations_;
  std::string from_value_;
  std::string to_value_;
};

}  // namespace artfs::engine
