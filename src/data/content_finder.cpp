// SPDX-License-Identifier: Apache-2.0
#include "data/content_finder.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::data {

ContentFinder::~ContentFinder() {
  for (const base::Hash128& hash : claims_) impl_.space().withdraw(hash);
}

void ContentFinder::use(Block& block, const StoredBlock& stored, std::uint64_t write_ticket) {
  block.place = stored.place;
  state_.held.push_back(stored);
  state_.write_ticket = std::max(state_.write_ticket, write_ticket);
}

void ContentFinder::withdraw(const base::Hash128& hash) {
  impl_.space().withdraw(hash);
  std::erase(claims_, hash);
}

Result<ContentFinder::Outcome> ContentFinder::find(Block& block, std::span<const std::byte> bytes,
                                                   bool may_claim) {
  ARTFS_ASSERT(block.stored_bytes == bytes.size());
  Space& space = impl_.space();
  const auto pending = space.claim(block.hash);
  if (!pending) {
    claims_.push_back(block.hash);
  } else if (!pending->is_written) {
    return Outcome::being_written;
  } else {
    const BlockHolds::Held& held = pending->held;
    if (impl_.file().equals(held.block, bytes)) {
      use(block, held.block, held.write_ticket);
      return Outcome::found;
    }
    space.release(held.block);
  }
  for (const StoredBlock& stored : ARTFS_TRY(impl_.index().find(block.hash))) {
    // Held first: from then on the entry cannot vanish and the bytes change.
    space.hold(stored);
    const Result<bool> stands = impl_.index().contains(stored);
    if (stands && *stands && impl_.file().equals(stored, bytes)) {
      use(block, stored, 0);
      if (!pending) withdraw(block.hash);
      return Outcome::found;
    }
    space.release(stored);
    if (!stands) return fail(stands.error());
  }
  if (pending) return Outcome::separate;
  if (may_claim) return Outcome::claimed;
  withdraw(block.hash);
  return Outcome::separate;
}

void ContentFinder::offer(const Block& block, std::uint64_t write_ticket) {
  const StoredBlock stored = stored_block(block);
  impl_.space().offer(stored, write_ticket);
  state_.held.push_back(stored);
  std::erase(claims_, block.hash);
}

void ContentFinder::await(const Block& block) {
  ARTFS_ASSERT(claims_.empty());
  impl_.space().await(block.hash);
}

}  // namespace artfs::data
