// SPDX-License-Identifier: Apache-2.0
#include "vol/inode_locks.hpp"

#include "base/assert.hpp"

namespace artfs::vol {
namespace {

// Siblings have consecutive numbers and so stripes of their own.
std::size_t stripe_of(Ino ino) {
  return ino.raw % InodeLocks::stripes_count;
}

}  // namespace

InodeLocks::InodeLocks() {
  stripes_.reserve(stripes_count);
  for (std::size_t i = 0; i < stripes_count; ++i) {
    stripes_.push_back(std::make_unique<base::Mutex>(base::Rank::inode));
  }
}

InodeLocks::Guard::Guard(InodeLocks& locks, std::initializer_list<Ino> inos) {
  ARTFS_ASSERT(inos.size() <= held_max);
  std::array<std::size_t, held_max> wanted{};  // ascending, none twice
  std::size_t count = 0;
  for (const Ino ino : inos) {
    if (!ino) continue;
    const std::size_t stripe = stripe_of(ino);
    std::size_t at = 0;
    while (at < count && wanted[at] < stripe) ++at;
    if (at < count && wanted[at] == stripe) continue;
    for (std::size_t i = count++; i > at; --i) wanted[i] = wanted[i - 1];
    wanted[at] = stripe;
  }
  for (std::size_t i = 0; i < count; ++i) {
    held_[i].emplace(*locks.stripes_[wanted[i]], base::SameRank{.order = wanted[i] + 1});
  }
}

// Innermost first, so that the lock-order check sees a stack.
InodeLocks::Guard::~Guard() {
  for (auto lock = held_.rbegin(); lock != held_.rend(); ++lock) lock->reset();
}

}  // namespace artfs::vol
