// SPDX-License-Identifier: Apache-2.0
// PrefixChange: rename_prefix as a change: one small log record, whatever hangs below the prefix.
//
// Contract:   resolve() finds out whether a key would get too long: by the tree's bound when that tells, by
//             `walked` when the walk made before is still true, else by reading what lies below the prefix.
// Threading:  commit gate exclusive (is_alone): art/move.hpp.
// Errors:     key_not_found, prefix_not_empty, invalid_argument, key_too_long (detail: the length);
//             frame_not_resident, frame_corrupt, contended.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/change.hpp"

namespace artfs::engine {

class PrefixChange final : public Change {
 public:
  struct Prefixes {
    std::string_view from;
    std::string_view to;
  };

  // The longest key below `from`, found after `growths` was read from the tree.
  struct Walked {
    std::size_t key_bytes = 0;
    std::uint64_t growths = 0;
  };

  PrefixChange(TreeState& tree, Prefixes prefixes, std::optional<Walked> walked);

  [[nodiscard]] bool is_alone() const noexcept override { return true; }

  [[nodiscard]] bool takes_reserve() const noexcept override { return true; }

  [[nodiscard]] std::size_t operations_bytes_max() const noexcept override {
    return operations_.size();
  }

  [[nodiscard]] Result<std::string_view> resolve(const Applier& applier,
                                                 art::WritePlan& plan) override;

 private:
  [[nodiscard]] Result<void> check_lengths(const art::TreeView& view) const;

  TreeState* tree_;
  Prefixes prefixes_;
  std::optional<Walked> walked_;
  std::string operations_;
};

}  // namespace artfs::engine
