// SPDX-License-Identifier: Apache-2.0
// What the cache's tests share: a cache over a device in memory, and the checkpoint the engine would do.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "format/frame.hpp"
#include "frame/cache.hpp"
#include "io/aligned_buffer.hpp"
#include "io/file_store.hpp"
#include "io/memory_directory.hpp"

namespace artfs::frame::test {

inline constexpr std::array<std::byte, 16> uuid{std::byte{0xa5}, std::byte{1}, std::byte{2}};

// The durable map of a store, as the manifest would keep it.
struct Manifest {
  std::map<std::uint64_t, io::SlotId> slots;
  std::map<std::uint64_t, std::uint64_t> seals;
  FrameId next{1};

  [[nodiscard]] std::vector<FrameLocation> frames() const {
    std::vector<FrameLocation> all;
    for (const auto& [id, slot] : slots) {
      const auto seal = seals.find(id);
      all.push_back({FrameId{id}, slot, seal == seals.end() ? 0 : seal->second});
    }
    return all;
  }
};

// Bytes from `offset` on become used: the frame's pages below are read and verified from then on.
inline void use_up_to(const Pin& pin, std::size_t offset) {
  auto header = base::copy_object<format::FrameHeader>(pin.bytes());
  if (header.bump >= offset) return;
  header.bump = static_cast<std::uint32_t>(offset);
  header.bytes_live = static_cast<std::uint32_t>(offset - format::page_bytes);
  std::memcpy(pin.write(0, sizeof header), &header, sizeof header);
}

inline void put_number(const Pin& pin, std::size_t offset, std::uint64_t number) {
  use_up_to(pin, offset + sizeof number);
  std::memcpy(pin.write(offset, sizeof number), &number, sizeof number);
}

inline std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t offset) {
  return base::copy_object<std::uint64_t>(bytes, offset);
}

class World {
 public:
  explicit World(CacheOptions options = {}, std::uint64_t capacity = 0)
      : options_(std::move(options)) {
    if (capacity != 0) directory_.set_capacity(capacity);
    store_ = io::FileStore::open(directory_, "frames.dat", {.create = true}).value();
    cache_ = std::make_unique<Cache>(*store_, uuid, options_);
  }

  [[nodiscard]] Cache& cache() noexcept { return *cache_; }

  [[nodiscard]] io::MemoryDirectory& directory() noexcept { return directory_; }

  [[nodiscard]] io::FileStore& store() noexcept { return *store_; }

  [[nodiscard]] Manifest& manifest() noexcept { return manifest_; }

  // A frame whose number stands in page `page`.
  FrameId make_frame(std::uint64_t number, std::size_t page = 1) {
    FrameReserve reserve = cache_->reserve(1).value();
    const Pin pin = cache_->create(reserve);
    put_number(pin, page * io::page_bytes, number);
    return pin.id();
  }

  [[nodiscard]] std::uint64_t read_number(FrameId id, std::size_t page = 1) {
    const Pin pin = cache_->load(id).value();
    return number_at(pin.bytes(), page * io::page_bytes);
  }

  void write_number(FrameId id, std::uint64_t number, std::size_t page = 1) {
    const Pin pin = cache_->load(id).value();
    put_number(pin, page * io::page_bytes, number);
  }

  Result<void> write_home(FrozenSet& set) {
    std::vector<io::AlignedBuffer> images;
    std::vector<io::PageWrite> writes;
    for (FrozenFrame& frame : set.frames) {
      io::AlignedBuffer image(frame.pages.count() * io::page_bytes);
      cache_->capture(frame, image.span());
      std::size_t at = 0;
      for (std::uint32_t page = 0; page < io::pages_per_frame; ++page) {
        if (!frame.pages.test(page)) continue;
        writes.push_back({frame.slot, page, image.span().subspan(at, io::page_bytes)});
        at += io::page_bytes;
      }
      images.push_back(std::move(image));
    }
    ARTFS_TRY(store_->write(writes));
    return store_->sync();
  }

  void commit(FrozenSet&& set) {
    for (const FrameLocation& frame : set.created) manifest_.slots[frame.id.raw] = frame.slot;
    for (const FrozenFrame& frame : set.frames) manifest_.seals[frame.id.raw] = frame.seal;
    for (const FrameLocation& frame : set.removed) manifest_.slots.erase(frame.id.raw);
    manifest_.next = set.next_frame_id;
    cache_->release(std::move(set));
  }

  void checkpoint() {
    FrozenSet set = cache_->freeze();
    REQUIRE(write_home(set));
    commit(std::move(set));
  }

  // As after a crash: what was not checkpointed is gone.
  void reopen() {
    cache_.reset();
    store_.reset();
    store_ = io::FileStore::open(directory_, "frames.dat", {}).value();
    cache_ = std::make_unique<Cache>(*store_, uuid, options_);
    cache_->restore(manifest_.frames(), manifest_.next);
  }

 private:
  CacheOptions options_;
  io::MemoryDirectory directory_{{.direct = true}};
  std::unique_ptr<io::FileStore> store_;
  std::unique_ptr<Cache> cache_;
  Manifest manifest_;
};

inline CacheOptions with_frames(std::size_t frames) {
  CacheOptions options;
  options.budget_bytes = frames * io::frame_bytes;
  return options;
}

}  // namespace artfs::frame::test
