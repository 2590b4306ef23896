// SPDX-License-Identifier: Apache-2.0
#include "vol/open_inodes.hpp"

#include <utility>

#include "base/assert.hpp"

namespace artfs::vol {

OpenInodes::Ref::Ref(Ref&& other) noexcept
    : table_(other.table_), state_(std::exchange(other.state_, nullptr)) {}

OpenInodes::Ref& OpenInodes::Ref::operator=(Ref&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(state_, other.state_);
  return *this;
}

OpenInodes::Ref::~Ref() {
  if (state_ != nullptr) table_->drop(state_);
}

OpenInodes::OpenInodes() = default;

OpenInodes::Shard& OpenInodes::shard_of(Ino ino) noexcept {
  return shards_[ino.raw % shards_count];
}

OpenInodes::Ref OpenInodes::acquire(Ino ino) {
  Shard& shard = shard_of(ino);
  const base::MutexLock lock(shard.mutex);
  std::unique_ptr<InodeState>& slot = shard.states[ino.raw];
  if (!slot) slot = std::make_unique<InodeState>(ino);
  ++slot->refs_;
  return {this, slot.get()};
}

OpenInodes::Ref OpenInodes::find(Ino ino) {
  Shard& shard = shard_of(ino);
  const base::MutexLock lock(shard.mutex);
  const auto found = shard.states.find(ino.raw);
  if (found == shard.states.end()) return {};
  ++found->second->refs_;
  return {this, found->second.get()};
}

void OpenInodes::drop(InodeState* state) noexcept {
  Shard& shard = shard_of(state->ino);
  std::unique_ptr<InodeState> last;
  const base::MutexLock lock(shard.mutex);
  ARTFS_ASSERT(state->refs_ > 0);
  if (--state->refs_ > 0) return;
  {
    const base::MutexLock fields(state->mutex);
    if (!state->idle()) return;
  }
  const auto found = shard.states.find(state->ino.raw);
  last = std::move(found->second);
  shard.states.erase(found);
}

std::size_t OpenInodes::size() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    count += shard.states.size();
  }
  return count;
}

void OpenInodes::clear() {
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    for (const auto& [number, state] : shard.states) ARTFS_ASSERT(state->refs_ == 0);
    shard.states.clear();
  }
}

}  // namespace artfs::vol
