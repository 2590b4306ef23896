// SPDX-License-Identifier: Apache-2.0
// ContentFinder: looks for the content of a flush's blocks among what is stored or being stored.
//
// Contract:   for one flush. A block that is found gets the place of the stored one, which holds the
//             same bytes (compared, not only hashed) and stays there until the flush has ended. Content
//             found nowhere is claimed: others who want to store it wait for offer(), which hands it
//             out, or for this object's end, which withdraws what was not offered.
// Threading:  one thread, no lock held; finding reads the index and the device.
// Cost:       new content: one descent in the index; a hit reads the stored block once.
// Errors:     Store errors. A stored block that cannot be read is as good as different.
// Invariants: W-DATA: the flush must not commit before the found block's write is synced; FRESH.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/file_bytes_impl.hpp"

namespace artfs::data {

class ContentFinder {
 public:
  ContentFinder(FileBytesImpl& impl, FlushState& state) noexcept : impl_(impl), state_(state) {}

  ContentFinder(const ContentFinder&) = delete;
  ContentFinder& operator=(const ContentFinder&) = delete;
  ~ContentFinder();

  enum class Outcome : std::uint8_t {
    found,          // block.place is set
    claimed,        // store it and offer it
    being_written,  // another flush stores this content: await it, then find again
    separate,       // store it without telling others
  };

  // `block` has a hash and lengths. A block that is not to be claimed is written in a place where
  // nobody else may refer to it before the transaction.
  [[nodiscard]] Result<Outcome> find(Block& block, std::span<const std::byte> bytes,
                                     bool may_claim);
  void offer(const Block& block, std::uint64_t write_ticket);
  // Nothing may be claimed.
  void await(const Block& block);

 private:
  void use(Block& block, const StoredBlock& stored, std::uint64_t write_ticket);
  void withdraw(const base::Hash128& hash);

  FileBytesImpl& impl_;
  FlushState& state_;
  std::vector<base::Hash128> claims_;
};

}  // namespace artfs::data
