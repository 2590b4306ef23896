// SPDX-License-Identifier: Apache-2.0
#include "io/memory_directory.hpp"

#include <unistd.h>

#include <utility>

#include "io/memory_file.hpp"
#include "io/memory_state.hpp"

namespace artfs::io {

using base::MutexLock;

class MemoryLock final : public DirectoryLock {
 public:
  MemoryLock(std::shared_ptr<MemoryDirectory::State> state, std::string name, bool shared,
             std::uint64_t power_cuts)
      : state_(std::move(state)),
        name_(std::move(name)),
        shared_(shared),
        power_cuts_(power_cuts) {}

  MemoryLock(const MemoryLock&) = delete;
  MemoryLock& operator=(const MemoryLock&) = delete;

  ~MemoryLock() override {
    const MutexLock lock(state_->mutex);
    if (state_->power_cuts != power_cuts_) return;
    LockState& held = state_->locks[name_];
    if (shared_) {
      --held.shared;
    } else {
      held.exclusive = false;
    }
    state_->unlocked.notify_all();
  }

 private:
  std::shared_ptr<MemoryDirectory::State> state_;
  std::string name_;
  bool shared_;
  std::uint64_t power_cuts_;
};

namespace {

std::unique_ptr<MemoryDirectory> directory_of(MemoryDirectory::Options options, NameMap names) {
  auto state = std::make_shared<MemoryDirectory::State>(options);
  {
    const MutexLock lock(state->mutex);
    state->durable_names = names;
    state->names = std::move(names);
  }
  return std::make_unique<MemoryDirectory>(std::move(state));
}

}  // namespace

MemoryDirectory::MemoryDirectory(Options options) : state_(std::make_shared<State>(options)) {}

MemoryDirectory::MemoryDirectory(std::shared_ptr<State> state) : state_(std::move(state)) {}

MemoryDirectory::~MemoryDirectory() = default;

Result<std::unique_ptr<File>> MemoryDirectory::open(std::string_view name, OpenFlags flags) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->names.find(name);
  InodePtr inode;
  if (found != state_->names.end()) {
    if (flags.create && flags.exclusive) return fail(Errc::store_exists);
    inode = found->second;
  } else {
    if (!flags.create) return fail(Errc::store_missing);
    if (const auto error = state_->next_change()) return fail(*error);
    inode = std::make_shared<MemoryInode>();
    state_->change_name({std::string(name), inode, {}});
  }
  const bool is_direct = flags.direct && state_->options.direct;
  return std::make_unique<MemoryFile>(
      state_, std::move(inode), MemoryFile::Mode{is_direct, flags.read_only, state_->power_cuts});
}

Result<bool> MemoryDirectory::exists(std::string_view name) {
  const MutexLock lock(state_->mutex);
  return state_->names.contains(name);
}

Result<void> MemoryDirectory::remove(std::string_view name) {
  const MutexLock lock(state_->mutex);
  if (const auto error = state_->next_change()) return fail(*error);
  if (!state_->names.contains(name)) return fail(Errc::store_missing);
  state_->change_name({std::string(name), nullptr, {}});
  return {};
}

Result<void> MemoryDirectory::rename(std::string_view from, std::string_view to) {
  const MutexLock lock(state_->mutex);
  if (const auto error = state_->next_change()) return fail(*error);
  const auto found = state_->names.find(from);
  if (found == state_->names.end()) return fail(Errc::store_missing);
  if (from == to) return {};
  state_->change_name({std::string(from), found->second, std::string(to)});
  return {};
}

Result<std::vector<std::string>> MemoryDirectory::list() {
  const MutexLock lock(state_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, inode] : state_->names) names.push_back(name);
  return names;
}

Result<void> MemoryDirectory::sync() {
  const MutexLock lock(state_->mutex);
  ++state_->counters.directory_syncs;
  if (const auto error = state_->next_sync()) return fail(*error);
  state_->durable_names = state_->names;
  state_->name_changes.clear();
  return {};
}

Result<std::unique_ptr<DirectoryLock>> MemoryDirectory::lock(std::string_view name, bool shared,
                                                             std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  MutexLock lock(state_->mutex);
  if (!state_->names.contains(name)) {
    if (const auto error = state_->next_change()) return fail(*error);
    state_->change_name({std::string(name), std::make_shared<MemoryInode>(), {}});
  }
  for (;;) {
    LockState& held = state_->locks[std::string(name)];
    if (!held.exclusive && (shared || held.shared == 0)) {
      if (shared) {
        ++held.shared;
      } else {
        held.exclusive = true;
      }
      return std::make_unique<MemoryLock>(state_, std::string(name), shared, state_->power_cuts);
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::store_locked, static_cast<std::uint64_t>(::getpid()));
    }
    static_cast<void>(state_->unlocked.wait_until(lock, deadline));
  }
}

Result<std::uint64_t> MemoryDirectory::free_bytes() {
  const MutexLock lock(state_->mutex);
  if (!state_->capacity) return 1024 * gib;
  const std::uint64_t used = state_->used_bytes();
  return used < *state_->capacity ? *state_->capacity - used : 0;
}

void MemoryDirectory::fail_call(std::uint64_t n, Errc code, Repeat repeat) {
  const MutexLock lock(state_->mutex);
  state_->change_failure = {n, code, repeat};
}

void MemoryDirectory::fail_read(std::uint64_t n, Errc code) {
  const MutexLock lock(state_->mutex);
  state_->read_failure = {n, code, Repeat::once};
}

void MemoryDirectory::fail_sync(std::uint64_t n, Errc code) {
  const MutexLock lock(state_->mutex);
  state_->sync_failure = {n, code, Repeat::once};
}

void MemoryDirectory::damage_write(std::uint64_t n, WriteFault fault, std::uint64_t seed) {
  const MutexLock lock(state_->mutex);
  state_->write_damage = {n, fault, seed};
  state_->damage.clear();
}

std::string MemoryDirectory::damage() const {
  const MutexLock lock(state_->mutex);
  return state_->damage;
}

void MemoryDirectory::set_capacity(std::uint64_t bytes) {
  const MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

void MemoryDirectory::set_sync_delay(std::chrono::microseconds delay) {
  const MutexLock lock(state_->mutex);
  state_->sync_delay = delay;
}

void MemoryDirectory::power_cut(std::uint64_t seed) {
  const MutexLock lock(state_->mutex);
  state_->names = state_->after_power_cut(seed);
  state_->durable_names = state_->names;
  state_->name_changes.clear();
  state_->locks.clear();
  state_->change_failure = {};
  state_->read_failure = {};
  state_->sync_failure = {};
  state_->write_damage = {};
  ++state_->power_cuts;
  state_->unlocked.notify_all();
}

std::unique_ptr<MemoryDirectory> MemoryDirectory::clone_after_power_cut(std::uint64_t seed) const {
  MutexLock lock(state_->mutex);
  NameMap names = state_->after_power_cut(seed);
  lock.unlock();
  return directory_of(state_->options, std::move(names));
}

std::unique_ptr<MemoryDirectory> MemoryDirectory::clone_durable() const {
  MutexLock lock(state_->mutex);
  NameMap names = state_->after_power_cut(std::nullopt);
  lock.unlock();
  return directory_of(state_->options, std::move(names));
}

std::unique_ptr<MemoryDirectory> MemoryDirectory::clone_current() const {
  NameMap names;
  MutexLock lock(state_->mutex);
  for (const auto& [name, inode] : state_->names) {
    auto copy = std::make_shared<MemoryInode>();
    copy->assign(inode->current().clone());
    names[name] = std::move(copy);
  }
  lock.unlock();
  return directory_of(state_->options, std::move(names));
}

bool MemoryDirectory::flip_bit(std::string_view name, std::uint64_t bit) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->names.find(name);
  if (found == state_->names.end()) return false;
  MemoryInode& inode = *found->second;
  if (bit / 8 >= inode.size()) return false;
  inode.flip_bit(bit);
  return true;
}

MemoryDirectory::Counters MemoryDirectory::counters() const {
  const MutexLock lock(state_->mutex);
  return state_->counters;
}

}  // namespace artfs::io
