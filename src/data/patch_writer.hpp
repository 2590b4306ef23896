// SPDX-License-Identifier: Apache-2.0
// PatchWriter: the part of a flush that stores changed units as patches.
//
// Contract:   add() what choose_way() said is patched; run() writes it all and tells the FlushState. Units
//             that the layer has only in part are completed first; nothing else is read. Fresh units are
//             taken for many patches at once, so that neighbours go out in one write.
// Errors:     as FlushWriter.
// Invariants: FRESH, W-DATA.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/file_bytes_impl.hpp"
#include "data/patch_policy.hpp"

namespace artfs::data {

class PatchWriter {
 public:
  PatchWriter(FileBytesImpl& impl, FlushState& state, ByteReader& reader) noexcept
      : impl_(impl), state_(state), reader_(reader) {}

  // `dirty` outlives this object.
  void add(std::uint64_t index, const DirtyBlock& dirty, const BlockChange& change);
  [[nodiscard]] Result<void> run();

 private:
  struct Item {
    std::uint64_t index = 0;
    const DirtyBlock* dirty = nullptr;
    Patch patch;
    bool in_place = false;
    std::vector<std::byte> completed;  // when the layer alone does not have the unit
    std::span<const std::byte> bytes;
  };

  // Windows bound the memory for completed units.
  [[nodiscard]] Result<void> store_window(std::span<Item> window);
  [[nodiscard]] Result<void> load(Item& item);
  [[nodiscard]] Result<void> place(std::span<Item> window);
  [[nodiscard]] Result<void> write(std::span<const Item> window);
  [[nodiscard]] Result<void> name(const Item& item);

  FileBytesImpl& impl_;
  FlushState& state_;
  ByteReader& reader_;
  std::vector<Item> items_;
};

}  // namespace artfs::data
