// SPDX-License-Identifier: Apache-2.0
// Racy<T>: a field that optimistic readers load while a writer may store it.
//
// Contract:   T fits one lock-free atomic. A loaded value means nothing until the guard under which
//             it was loaded says valid(): copy, validate, use.
// Threading:  load: anyone. store: the holder of the exclusive latch.
// Cost:       a plain load or store: the order comes from the latch's fences.
// Source:     unodb `in_critical_section`; Boehm, "Can seqlocks get along with programming language
//             memory models?" (MSPC 2012).
#pragma once

#include <atomic>
#include <type_traits>

namespace artfs::sync {

#if defined(__SANITIZE_THREAD__)
#define ARTFS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ARTFS_TSAN 1
#endif
#endif

#if defined(ARTFS_TSAN)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

// TSan does not model fences: there the order moves onto the accesses.
inline constexpr std::memory_order racy_load_order =
    thread_sanitizer ? std::memory_order_acquire : std::memory_order_relaxed;
inline constexpr std::memory_order racy_store_order =
    thread_sanitizer ? std::memory_order_release : std::memory_order_relaxed;

inline void fence([[maybe_unused]] std::memory_order order) noexcept {
#if !defined(ARTFS_TSAN)
  std::atomic_thread_fence(order);
#endif
}

// A field of `T` among racy bytes, loaded once and whole: what is checked is what is used. The caller's
// guard orders it; under TSan the caller holds the data shared.
template <typename T>
[[nodiscard]] inline T racy_load(const void* at) noexcept {
  static_assert(std::is_integral_v<T> && std::atomic<T>::is_always_lock_free);
  using Field [[gnu::may_alias]] = T;
  return __atomic_load_n(static_cast<const Field*>(at), __ATOMIC_RELAXED);
}

template <typename T>
class Racy {
  static_assert(std::is_trivially_copyable_v<T> && std::atomic<T>::is_always_lock_free);

 public:
  constexpr Racy() noexcept = default;

  constexpr explicit Racy(T value) noexcept : value_(value) {}

  [[nodiscard]] T load() const noexcept { return value_.load(racy_load_order); }

  void store(T value) noexcept { value_.store(value, racy_store_order); }

 private:
  std::atomic<T> value_{};
};

}  // namespace artfs::sync
