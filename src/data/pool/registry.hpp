// SPDX-License-Identifier: Apache-2.0
// Registry: the hashes that somebody deals with, and for each the marks of what is true of it.
//
// Contract:   a Registration is a shared handle of one hash; the entry exists while one does. Marks:
//               cached   the pool holds a registered block of this hash (set and cleared by the pool, under
//                        its lock, in the transition itself)
//               loading  somebody is bringing the block from the device
//             One caller at a time gets the loading mark; the others wait until it is dropped and look again.
//             Who holds a Loading waits for nobody else's, so that no circle can close.
// Threading:  any thread. Rank::block_registry, taken before the pool's lock and never while it is held:
//             the pool flips marks without it, and lets go of registrations after it has unlocked.
// Cost:       one hash look-up to enrol and to leave; about 100 bytes per entry.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/mutex.hpp"
#include "data/pool/slot.hpp"

namespace artfs::data::pool {

enum class Mark : std::uint32_t { cached = 1, loading = 2 };

class Registry;

namespace detail {

struct RegistryEntry {
  base::Hash128 hash{};
  std::atomic<std::uint32_t> marks{0};
  std::size_t handles = 0;  // under the registry's mutex
};

}  // namespace detail

class [[nodiscard]] Registration {
 public:
  Registration() noexcept = default;
  Registration(Registration&& other) noexcept;
  Registration& operator=(Registration&& other) noexcept;
  ~Registration();

  [[nodiscard]] explicit operator bool() const noexcept { return entry_ != nullptr; }

  [[nodiscard]] const base::Hash128& hash() const noexcept { return entry_->hash; }

  [[nodiscard]] bool has(Mark mark) const noexcept;

 private:
  friend class Registry;
  friend class Loading;
  friend class States;

  Registration(Registry* registry, detail::RegistryEntry* entry) noexcept
      : registry_(registry), entry_(entry) {}

  // True when it was not set.
  bool set(Mark mark) noexcept;
  void clear(Mark mark) noexcept;

  Registry* registry_ = nullptr;
  detail::RegistryEntry* entry_ = nullptr;
};

// The loading mark of one hash; dropped, it wakes who waits.
class [[nodiscard]] Loading {
 public:
  Loading(Loading&& other) noexcept = default;
  Loading& operator=(Loading&& other) noexcept;
  ~Loading();

  // Somebody registered the block meanwhile.
  [[nodiscard]] bool is_cached() const noexcept { return registration_.has(Mark::cached); }

 private:
  friend class Registry;

  explicit Loading(Registration registration) noexcept : registration_(std::move(registration)) {}

  void drop() noexcept;

  Registration registration_;
};

class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  Registration enrol(const base::Hash128& hash) ARTFS_EXCLUDES(mutex_);

  // Nothing when somebody else has it.
  [[nodiscard]] std::optional<Loading> try_load(const base::Hash128& hash) ARTFS_EXCLUDES(mutex_);
  // Returns when nobody loads this hash.
  void wait_until_loaded(const base::Hash128& hash) ARTFS_EXCLUDES(mutex_);

  [[nodiscard]] bool has(const base::Hash128& hash, Mark mark) const ARTFS_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t size() const ARTFS_EXCLUDES(mutex_);

 private:
  friend class Registration;
  friend class Loading;

  using Entry = detail::RegistryEntry;

  [[nodiscard]] Entry& share_locked(const base::Hash128& hash) ARTFS_REQUIRES(mutex_);
  void leave(Entry* entry) noexcept ARTFS_EXCLUDES(mutex_);
  void loaded(Registration& registration) noexcept ARTFS_EXCLUDES(mutex_);

  mutable base::Mutex mutex_{base::Rank::block_registry};
  base::CondVar loaded_;
  std::unordered_map<base::Hash128, Entry, HashOfHash> entries_ ARTFS_GUARDED_BY(mutex_);
};

}  // namespace artfs::data::pool
