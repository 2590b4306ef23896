// SPDX-License-Identifier: Apache-2.0
// BlockHolds: blocks that running flushes count on, before a transaction says so.
//
// Contract:   a flush that is about to write new content claims its hash, writes the bytes, and offers
//             the block to everybody; a flush that finds a block, offered or committed, holds it. While
//             a block is held its units are not given to anybody else, whatever becomes of the
//             references: a flush may name it even when the one that wrote it was aborted, and when the
//             last reference went meanwhile. Where the units belong when the last hold goes follows
//             them through these states:
//               taken   nobody committed a reference (the writer would give the units back)
//               used    a committed extent names the block
//               freed   the last reference went with the version freed_at (quarantine is next)
// Threading:  the owner serialises (Space, under its mutex).
// Cost:       one hash look-up per call; about 150 bytes per block held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "data/change.hpp"

namespace artfs::data {

class BlockHolds {
 public:
  enum class State : std::uint8_t { taken, used, freed };

  struct Held {
    StoredBlock block;
    State state = State::used;
    Version freed_at{};
    std::uint64_t write_ticket = 0;  // the device must have synced this far (W-DATA)
    std::uint64_t holds = 0;
    bool offered = false;
  };

  // Content that somebody stores or has stored: being written while it is not held.
  struct Pending {
    bool is_written = false;
    Held held;
  };

  // Takes one more hold when the content is written.
  [[nodiscard]] std::optional<Pending> find(const base::Hash128& hash);
  [[nodiscard]] bool is_being_written(const base::Hash128& hash) const;
  // The content is not pending. offer() or withdraw() must follow.
  void claim(const base::Hash128& hash);
  void withdraw(const base::Hash128& hash);
  // The claimed content is written; the writer holds the block.
  void offer(const StoredBlock& block, std::uint64_t write_ticket);

  void hold(const StoredBlock& block);
  // The last hold is gone: what its units are now.
  [[nodiscard]] std::optional<Held> release(std::uint64_t first_unit);

  // A commit moved the units; the state before, if the block is held.
  std::optional<State> now_used(std::uint64_t first_unit);
  std::optional<State> now_freed(UnitRun run, Version version);

 private:
  static constexpr std::uint64_t unwritten = ~std::uint64_t{0};

  struct HashOfHash {
    std::size_t operator()(const base::Hash128& hash) const noexcept { return hash.low; }
  };

  std::unordered_map<base::Hash128, std::uint64_t, HashOfHash>
      pending_;                                   // -> first unit, unwritten
  std::unordered_map<std::uint64_t, Held> held_;  // by first unit
};

}  // namespace artfs::data
