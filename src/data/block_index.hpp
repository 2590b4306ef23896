// SPDX-License-Identifier: Apache-2.0
// BlockIndex: the tree `blocks`: which blocks have which content, and how many references name each.
//
// Contract:   a block without an entry has one reference. Entries change in the transactions that
//             change references, made by Space::commit, which serialises them (its turn); readers
//             run beside them and see committed entries. A volume that was never opened for writing
//             since version 1 has no such tree: nothing is found then.
// Threading:  any thread; count() and write() by the holder of Space's turn.
// Cost:       contains: one descent; an entry is 36 bytes, at a random place of the tree.
// Errors:     record_corrupt (detail: first unit) when an entry contradicts the block; Store errors.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "artfs/store.hpp"

#include "base/bytes.hpp"
#include "data/change.hpp"
#include "format/content.hpp"

namespace artfs::data {

struct BlockFigures {
  std::uint64_t entries = 0;
  std::uint64_t shared = 0;       // of these, with two references and more
  std::uint64_t saved_units = 0;  // what the further references would take

  // A block with an entry of this many references.
  void add(std::uint64_t references, std::uint64_t units) noexcept {
    ++entries;
    if (references < 2) return;
    ++shared;
    saved_units += (references - 1) * units;
  }
};

// An entry as it stands in the tree.
struct BlockRecord {
  std::array<char, format::block_key_bytes> key{};
  format::BlockEntry value;

  [[nodiscard]] std::string_view key_view() const noexcept { return {key.data(), key.size()}; }

  [[nodiscard]] std::string_view value_view() const noexcept {
    return base::as_chars(base::object_bytes(value));
  }
};

struct CountedBlock {
  StoredBlock block;
  std::uint64_t references = 0;
};

[[nodiscard]] BlockRecord encode_block(const StoredBlock& block, std::uint64_t references);
[[nodiscard]] Result<CountedBlock> decode_block(std::string_view key, std::string_view value);

class BlockIndex {
 public:
  // keep_all: blocks with one reference have entries too (deduplication).
  BlockIndex(std::optional<Tree> tree, bool keep_all) noexcept : tree_(tree), keep_all_(keep_all) {}

  // Equal content is looked for.
  [[nodiscard]] bool finds_content() const noexcept { return keep_all_ && tree_; }

  // Blocks whose content has this hash, as of now; mostly none or one.
  [[nodiscard]] Result<std::vector<StoredBlock>> find(const base::Hash128& hash) const;
  // The block has an entry right now.
  [[nodiscard]] Result<bool> contains(const StoredBlock& block) const;

  struct Count {
    std::uint64_t references = 0;
    bool has_entry = false;
  };

  // How the figures change, modulo 2^64.
  using Delta = BlockFigures;

  // Of a block whose units are in use.
  [[nodiscard]] Result<Count> count(const StoredBlock& block) const;
  // Adds to the transaction what makes `references` out of `before`.
  void write(Txn& txn, const StoredBlock& block, const Count& before, std::uint64_t references,
             Delta& delta) const;
  // After the last write().
  void write_figures(Txn& txn, const Delta& delta) const;

  [[nodiscard]] BlockFigures figures() const;
  [[nodiscard]] Result<void> for_each(
      const std::function<void(const StoredBlock&, std::uint64_t references)>& visit) const;

 private:
  std::optional<Tree> tree_;
  bool keep_all_;
};

}  // namespace artfs::data
