// SPDX-License-Identifier: Apache-2.0
// Resident: one frame in memory, or a place for one; private to src/frame.
//
// Contract:   residents are recycled, never freed before the cache is: a reader that looks at one which
//             meanwhile serves another frame reads valid memory, and finds out (see below).
// Threading:  `state`, `id`, `chain`, `dirty` by anyone; what is marked (books) under CacheCore's mutex;
//             the rest under `mutex` unless said otherwise.
// Invariants: EV state's flags dirty and frozen, and the pins, stand in one word: claiming a frame
//             for eviction is one compare-and-swap of that word against "clean and unpinned".
//
// Life of `state`:
//   vacant             no frame; not in the map
//   loading            in the map, bytes being read; one pin, the loader's
//   (none of these)    in the map, can be pinned
//   partial            in the map, only some pages are present; pinned by try_pin_partial() alone. Never
//                      written: whoever needs the whole frame replaces it by another resident
//   removed            out of the map; vacant once unpinned and no longer frozen
// A Look (look.hpp) reads the latch's version, then `state`, `id` and `bytes`: withdrawn after the resident
// became vacant and before its bytes go, offered before it is available, the version tells afterwards whether
// all of that belonged together.
// A pin adds 1 first and looks at the flags and the id after: pinned and available, neither can change.
// A reader that came too late takes its 1 back; so transitions are read-modify-writes, never stores.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "base/mutex.hpp"
#include "frame/cache.hpp"
#include "io/blob_store.hpp"
#include "sync/latch.hpp"

namespace artfs::frame {

// 128 pages as two words, bit n of word n / 64.
struct PageBits {
  std::array<std::uint64_t, 2> words{};

  // The pages of [offset, offset + length), and the header page, whose checksums will change.
  static PageBits touched(std::size_t offset, std::size_t length) noexcept {
    const std::size_t first = offset / io::page_bytes;
    const std::size_t last = length == 0 ? first : (offset + length - 1) / io::page_bytes;
    PageBits bits{{1, 0}};
    bits.words[0] |= range(first, last, 0);
    bits.words[1] |= range(first, last, 64);
    return bits;
  }

  // [begin, end), at least one page.
  static PageBits range_of(std::size_t begin, std::size_t end) noexcept {
    return {{range(begin, end - 1, 0), range(begin, end - 1, 64)}};
  }

  void add(PageBits other) noexcept {
    words[0] |= other.words[0];
    words[1] |= other.words[1];
  }

  [[nodiscard]] std::uint64_t count() const noexcept {
    return static_cast<std::uint64_t>(std::popcount(words[0]) + std::popcount(words[1]));
  }

  [[nodiscard]] bool none() const noexcept { return (words[0] | words[1]) == 0; }

  [[nodiscard]] bool test(std::size_t page) const noexcept {
    return ((words[page / 64] >> (page % 64)) & 1) != 0;
  }

  void remove(PageBits other) noexcept { *this = without(other); }

  // call(begin, end) for each run of neighbours, in order.
  template <typename Call>
  void for_each_run(const Call& call) const {
    for (std::size_t page = 0; page < io::pages_per_frame; ++page) {
      if (!test(page)) continue;
      const std::size_t begin = page;
      while (page < io::pages_per_frame && test(page)) ++page;
      call(begin, page);
    }
  }

  [[nodiscard]] std::size_t first() const noexcept {  // not of none()
    return static_cast<std::size_t>(words[0] != 0 ? std::countr_zero(words[0])
                                                  : 64 + std::countr_zero(words[1]));
  }

  // These without those.
  [[nodiscard]] PageBits without(PageBits other) const noexcept {
    return {{words[0] & ~other.words[0], words[1] & ~other.words[1]}};
  }

  [[nodiscard]] PageBits intersected(PageBits other) const noexcept {
    return {{words[0] & other.words[0], words[1] & other.words[1]}};
  }

 private:
  // Bits first..last of the word that starts at page `base`.
  static std::uint64_t range(std::size_t first, std::size_t last, std::size_t base) noexcept {
    if (last < base || first >= base + 64) return 0;
    const std::size_t low = first > base ? first - base : 0;
    const std::size_t high = last < base + 63 ? last - base : 63;
    return (~std::uint64_t{0} >> (63 - (high - low))) << low;
  }
};

// A PageBits that one thread changes while others look. Relaxed: the bits order nothing, the caller's
// latches (writers), the commit gate (freeze) and Resident::mutex (capture, release) do. Except for
// publish() and published(): who sees a bit sees what was written before it was set.
class AtomicPageBits {
 public:
  [[nodiscard]] PageBits load() const noexcept {
    return {{words_[0].load(std::memory_order_relaxed), words_[1].load(std::memory_order_relaxed)}};
  }

  void add(PageBits bits) noexcept {
    words_[0].fetch_or(bits.words[0], std::memory_order_relaxed);
    words_[1].fetch_or(bits.words[1], std::memory_order_relaxed);
  }

  void publish(PageBits bits) noexcept {
    words_[0].fetch_or(bits.words[0], std::memory_order_release);
    words_[1].fetch_or(bits.words[1], std::memory_order_release);
  }

  [[nodiscard]] PageBits published() const noexcept {
    return {{words_[0].load(std::memory_order_acquire), words_[1].load(std::memory_order_acquire)}};
  }

  void store(PageBits bits) noexcept {
    words_[0].store(bits.words[0], std::memory_order_relaxed);
    words_[1].store(bits.words[1], std::memory_order_relaxed);
  }

  [[nodiscard]] bool contains(PageBits bits) const noexcept { return bits.without(load()).none(); }

 private:
  std::array<std::atomic<std::uint64_t>, 2> words_{};
};

// Images of frozen pages that a writer wanted before the checkpoint was done with them.
struct SavedPages {
  using Image = std::array<std::byte, io::page_bytes>;
  std::array<std::unique_ptr<Image>, io::pages_per_frame> images;
  std::uint64_t count = 0;
};

enum class QueueKind : std::uint8_t { none, young, trial, main };

class alignas(64) Resident {
 public:
  static constexpr std::size_t cache_line_bytes = 64;
  // The low 32 bits of `state` count pins.
  static constexpr std::uint64_t one_pin = 1;
  static constexpr std::uint64_t pins_mask = 0xffffffff;
  static constexpr std::uint64_t vacant = std::uint64_t{1} << 32U;
  static constexpr std::uint64_t loading = std::uint64_t{1} << 33U;
  static constexpr std::uint64_t removed = std::uint64_t{1} << 34U;
  static constexpr std::uint64_t dirty_flag = std::uint64_t{1} << 35U;   // in the dirty list
  static constexpr std::uint64_t frozen_flag = std::uint64_t{1} << 36U;  // in the frozen set
  static constexpr std::uint64_t referenced = std::uint64_t{1}
                                              << 37U;  // since eviction last looked
  static constexpr std::uint64_t partial = std::uint64_t{1} << 38U;
  static constexpr std::uint64_t unavailable = vacant | loading | removed | partial;

  explicit Resident(CacheCore& core) noexcept : owner(core) {}

  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;
  ~Resident() = default;

  // Acquire pairs with the release that made the frame available: its bytes are seen whole.
  [[nodiscard]] bool try_pin(FrameId wanted) noexcept {
    const std::uint64_t before = state.fetch_add(one_pin, std::memory_order_acquire);
    if ((before & unavailable) != 0 || id.load(std::memory_order_relaxed) != wanted.raw) {
      unpin();
      return false;
    }
    if ((before & referenced) == 0) state.fetch_or(referenced, std::memory_order_relaxed);
    return true;
  }

  // As try_pin, of a frame whose `present` pages can be read.
  [[nodiscard]] bool try_pin_partial(FrameId wanted) noexcept {
    const std::uint64_t before = state.fetch_add(one_pin, std::memory_order_acquire);
    const bool is_partial = (before & unavailable) == partial;
    if (!is_partial || id.load(std::memory_order_relaxed) != wanted.raw) {
      unpin();
      return false;
    }
    if ((before & referenced) == 0) state.fetch_or(referenced, std::memory_order_relaxed);
    return true;
  }

  // Release pairs with the acquire of claim(): the pin's reads and writes are over by then.
  void unpin() noexcept { state.fetch_sub(one_pin, std::memory_order_release); }

  // EV: from clean, unpinned to vacant in one step. `also` are flags that may be set besides.
  [[nodiscard]] bool claim(std::uint64_t also) noexcept {
    std::uint64_t seen = state.load(std::memory_order_relaxed);
    if ((seen & ~(also | referenced | partial)) != 0) return false;
    return state.compare_exchange_strong(seen, vacant, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  // The lines that freeze() reads, into the processor's cache.
  void prefetch() const noexcept {
    const auto* const lines = reinterpret_cast<const std::byte*>(this);
    for (std::size_t line = 0; line < 4; ++line)
      __builtin_prefetch(lines + line * cache_line_bytes, 1);
  }

  [[nodiscard]] bool has(std::uint64_t flag) const noexcept {
    return (state.load(std::memory_order_relaxed) & flag) != 0;
  }

  // What a Look reads is one line of the processor's cache.
  std::atomic<std::uint64_t> state{vacant};
  std::atomic<std::uint64_t> id{0};        // changed while vacant only
  std::atomic<Resident*> chain{nullptr};   // next in its map bucket; changed under (books)
  std::atomic<std::byte*> bytes{nullptr};  // changed while vacant only
  // Withdrawn from vacated() until the bytes are there, so that looks notice.
  sync::Latch latch{base::Rank::frame_latch, sync::Latch::Data::absent};
  AtomicPageBits dirty;  // changed since the last freeze
  CacheCore& owner;

  base::Mutex mutex{base::Rank::resident};
  AtomicPageBits frozen;  // in the frozen set; changed under `mutex` or the gate
  std::unique_ptr<SavedPages> saved ARTFS_GUARDED_BY(mutex);
  // Pages below this one equal their checksum at home, or are dirty or frozen. Freeze and loader.
  std::size_t pages_home = 1;
  bool captured = false;  // since the freeze; the checkpointer's

  io::SlotId slot;                    // (books)
  bool is_new = false;                // (books) created since the last freeze
  QueueKind queue = QueueKind::none;  // (books)
  std::size_t pages = 0;              // (books) of memory that it takes
  Resident* newer = nullptr;          // (books) neighbours in the queue
  Resident* older = nullptr;
  std::size_t dirty_index = 0;  // (books) place in the dirty list

  // Of a partial frame.
  AtomicPageBits present;              // changed under (books)
  std::atomic<std::uint32_t> hits{0};  // since eviction last looked
  PageBits arriving;                   // (books) being read from the device
  std::uint32_t misses = 0;            // (books) reads so far
  bool is_sparse = false;              // (books) its buffer is; set while it has one

  // Of the newest captured or read image of each page; the checkpointer's, or the loader's.
  std::array<std::uint32_t, io::pages_per_frame> checksums{};
};

}  // namespace artfs::frame
