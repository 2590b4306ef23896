// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

#include "io/aligned_buffer.hpp"
#include "io/file_store.hpp"
#include "io/memory_directory.hpp"
#include "io/memory_store.hpp"

namespace artfs::io {
namespace {

constexpr std::string_view file_name = "frames.dat";

std::unique_ptr<FileStore> make_store(Directory& directory, bool create = true) {
  return FileStore::open(directory, file_name, {.create = create}).value();
}

AlignedBuffer pages_of(std::size_t count, std::uint8_t value) {
  AlignedBuffer buffer(count * page_bytes);
  std::fill_n(buffer.data(), buffer.size(), static_cast<std::byte>(value));
  return buffer;
}

std::uint8_t first_byte(BlobStore& store, SlotId slot, std::uint32_t page) {
  const AlignedBuffer buffer(page_bytes);
  REQUIRE(store.read(slot, page, buffer.span()));
  CHECK(std::all_of(buffer.data(), buffer.data() + page_bytes,
                    [&](std::byte byte) { return byte == buffer.data()[0]; }));
  return std::to_integer<std::uint8_t>(buffer.data()[0]);
}

}  // namespace

TEST_CASE("file store: neighbouring pages are written in one call, in file order", "[unit][io]") {
  MemoryDirectory directory({.direct = true});
  const auto store = make_store(directory);
  REQUIRE(store->reserve(4));
  std::vector<SlotId> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(store->allocate());
  CHECK(slots.front() == SlotId{1});
  const AlignedBuffer one = pages_of(1, 1);
  const AlignedBuffer two = pages_of(2, 2);
  const AlignedBuffer whole = pages_of(pages_per_frame, 3);
  const std::vector<PageWrite> writes{{slots[3], 0, whole.span()},
                                      {slots[1], 126, two.span()},
                                      {slots[2], 0, whole.span()},
                                      {slots[1], 7, one.span()},
                                      {slots[0], 5, one.span()}};
  const auto before = directory.counters();
  REQUIRE(store->write(writes));
  CHECK(directory.counters().writes - before.writes == 3);  // {0,5} {1,7} {1,126..3,127}
  CHECK(first_byte(*store, slots[0], 5) == 1);
  CHECK(first_byte(*store, slots[0], 6) == 0);
  CHECK(first_byte(*store, slots[1], 7) == 1);
  CHECK(first_byte(*store, slots[1], 127) == 2);
  CHECK(first_byte(*store, slots[3], 127) == 3);
}

TEST_CASE("file store: pages at odd addresses reach a direct file through a bounce", "[unit][io]") {
  MemoryDirectory directory({.direct = true});
  const auto store = make_store(directory);
  CHECK(store->is_direct());
  REQUIRE(store->reserve(3));
  const SlotId slot = store->allocate();
  std::vector<std::byte> odd(pages_per_frame * page_bytes + 1);
  for (std::size_t page = 0; page < pages_per_frame; ++page) {
    std::fill_n(odd.begin() + 1 + static_cast<std::ptrdiff_t>(page * page_bytes), page_bytes,
                static_cast<std::byte>(page));
  }
  const auto pages = std::span<const std::byte>(odd).subspan(1);
  const AlignedBuffer aligned = pages_of(1, 200);
  const std::vector<PageWrite> writes{{slot, 0, aligned.span()},
                                      {slot, 1, pages.subspan(page_bytes, 2 * page_bytes)},
                                      {slot, 3, aligned.span()},
                                      {slot, 4, pages.subspan(4 * page_bytes)}};
  REQUIRE(store->write(writes));
  for (std::uint32_t page = 0; page < pages_per_frame; ++page) {
    CHECK(first_byte(*store, slot, page) == (page == 0 || page == 3 ? 200 : page));
  }
}

TEST_CASE("file store: ENOSPC in reserve leaves everything as it was", "[unit][io]") {
  MemoryDirectory directory;
  directory.set_capacity(10 * frame_bytes);
  const auto store = make_store(directory);
  REQUIRE(store->reserve(6));
  const std::uint64_t size = store->size_bytes();
  CHECK(store->reserve(5).error().code == Errc::no_space);
  CHECK(store->size_bytes() == size);
  CHECK(directory.open(file_name, {}).value()->size().value() == size);
  REQUIRE(store->reserve(4));  // exactly what is left
  CHECK(store->reserve(1).error().code == Errc::no_space);
  std::set<SlotId> slots;
  for (int i = 0; i < 10; ++i) slots.insert(store->allocate());
  CHECK(slots.size() == 10);
  CHECK(slots.rbegin()->raw == 10);
  store->free(SlotId{4});
  REQUIRE(store->reserve(1));
  CHECK(store->allocate() == SlotId{4});
}

TEMPLATE_TEST_CASE("blob store: a batch of reads is what single reads are", "[unit][io]", FileStore,
                   MemoryStore) {
  MemoryDirectory directory({.direct = true});
  std::unique_ptr<BlobStore> store;
  if constexpr (std::is_same_v<TestType, FileStore>) {
    store = make_store(directory);
  } else {
    store = std::make_unique<MemoryStore>();
  }
  REQUIRE(store->reserve(3));
  std::vector<SlotId> slots;
  for (int i = 0; i < 3; ++i) slots.push_back(store->allocate());
  REQUIRE(store->write(std::vector<PageWrite>{{slots[0], 1, pages_of(2, 11).span()},
                                              {slots[2], 127, pages_of(1, 33).span()}}));
  const AlignedBuffer first = pages_of(3, 255);
  const AlignedBuffer second = pages_of(1, 255);
  const AlignedBuffer third = pages_of(1, 255);
  REQUIRE(store->read_batch(std::vector<PageRead>{
      {slots[2], 127, second.span()}, {slots[0], 0, first.span()}, {slots[1], 4, third.span()}}));
  CHECK(std::to_integer<int>(first.data()[0]) == 0);
  CHECK(std::to_integer<int>(first.data()[page_bytes]) == 11);
  CHECK(std::to_integer<int>(first.data()[3 * page_bytes - 1]) == 11);
  CHECK(std::to_integer<int>(second.data()[0]) == 33);
  CHECK(std::to_integer<int>(third.data()[0]) == 0);
  CHECK(store->read_batch({}));
}

TEST_CASE("file store: growth is in steps, small ones near a full device", "[unit][io]") {
  MemoryDirectory directory;
  const auto store = make_store(directory);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(store->reserve(1));
    static_cast<void>(store->allocate());
  }
  CHECK(directory.counters().allocates < 40);
  CHECK(store->size_bytes() <= 1000 * frame_bytes + 64 * mib);

  MemoryDirectory small;
  small.set_capacity(32 * mib);
  const auto tight = make_store(small);
  REQUIRE(tight->reserve(1));
  CHECK(tight->size_bytes() <= 4 * mib);
}

TEST_CASE("file store: after a reopen only the named slots are used", "[unit][io]") {
  MemoryDirectory directory;
  std::vector<SlotId> kept{SlotId{2}, SlotId{7}, SlotId{5}};
  {
    const auto store = make_store(directory);
    REQUIRE(store->reserve(8));
    for (int i = 0; i < 8; ++i) static_cast<void>(store->allocate());
    REQUIRE(store->write(std::vector<PageWrite>{{SlotId{7}, 0, pages_of(1, 9).span()}}));
    REQUIRE(store->sync());
    REQUIRE(directory.sync());
  }
  const auto after = directory.clone_durable();
  const auto store = make_store(*after, false);
  store->restore(kept);
  CHECK(first_byte(*store, SlotId{7}, 0) == 9);
  REQUIRE(store->reserve(5));
  std::set<std::uint64_t> slots;
  for (int i = 0; i < 5; ++i) slots.insert(store->allocate().raw);
  CHECK(slots == std::set<std::uint64_t>{1, 3, 4, 6, 8});
  store->restore(std::vector<SlotId>{SlotId{100}});  // beyond the end: reads as zeros
  CHECK(first_byte(*store, SlotId{100}, 3) == 0);
}

TEST_CASE("file store: a device error in growth or write is reported", "[unit][io]") {
  MemoryDirectory directory;
  const auto store = make_store(directory);
  directory.fail_call(1, Errc::io_failed);
  CHECK(store->reserve(1).error().code == Errc::io_failed);
  REQUIRE(store->reserve(1));
  const SlotId slot = store->allocate();
  directory.fail_call(1, Errc::io_failed);
  const AlignedBuffer page = pages_of(1, 1);
  CHECK(store->write(std::vector<PageWrite>{{slot, 0, page.span()}}).error().code ==
        Errc::io_failed);
  directory.fail_call(1, Errc::io_failed);
  CHECK(store->sync().error().code == Errc::io_failed);
  directory.fail_read(1, Errc::io_failed);
  CHECK(store->read(slot, 0, page.span()).error().code == Errc::io_failed);
}

TEST_CASE("memory store: frames, limits, and memory of freed slots", "[unit][io]") {
  MemoryStore store(2);
  REQUIRE(store.reserve(2));
  CHECK(store.reserve(1).error().code == Errc::no_space);
  store.unreserve(1);
  const SlotId slot = store.allocate();
  CHECK(first_byte(store, slot, 127) == 0);
  REQUIRE(store.write(std::vector<PageWrite>{{slot, 127, pages_of(1, 5).span()}}));
  CHECK(first_byte(store, slot, 127) == 5);
  CHECK(store.size_bytes() == frame_bytes);
  store.free(slot);
  CHECK(store.size_bytes() == 0);
  CHECK(store.reserve(2));
}

}  // namespace artfs::io
