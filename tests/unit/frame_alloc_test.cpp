// SPDX-License-Identifier: Apache-2.0
#include "frame/frame_alloc.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>

#include "io/memory_store.hpp"

namespace artfs::frame {

namespace {

class OneFrame {
 public:
  OneFrame()
      : cache_(blobs_, {}, {.budget_bytes = 8 * mib, .on_pressure = {}, .volatile_frames = true}) {
    FrameReserve reserve = cache_.reserve(1).value();
    pin_ = cache_.create(reserve);
  }

  [[nodiscard]] Editor editor() const { return Editor(pin_); }

 private:
  io::MemoryStore blobs_;
  Cache cache_;
  Pin pin_;
};

// FS: every byte is in use, free, or never handed out.
bool adds_up(const Editor& editor, std::size_t used_bytes) {
  const format::FrameHeader& header = editor.view().header();
  return header.bytes_live == used_bytes &&
         header.bytes_live + header.bytes_free == header.bump - format::page_bytes;
}

}  // namespace

TEST_CASE("frame allocator: sizes map to lists without gaps", "[unit][frame]") {
  CHECK(free_list_of(1) == 0);
  CHECK(free_list_of(64) == 63);
  CHECK(free_list_of(65) == 64);
  CHECK(free_list_of(128) == 64);
  CHECK(free_list_of(129) == 65);
  CHECK(free_list_of(32769) == format::free_lists - 1);
  CHECK(free_list_of(65535) == format::free_lists - 1);
}

TEST_CASE("frame allocator: blocks never overlap and no byte is lost (FS)", "[unit][frame]") {
  const OneFrame frame;
  const Editor editor = frame.editor();
  std::mt19937_64 random(7);
  std::map<Ref, std::size_t> blocks;  // -> bytes
  std::size_t used = 0;
  for (int i = 0; i < 60000; ++i) {
    const bool wants_more = used < format::frame_capacity_bytes / 10 * 9;
    if (blocks.empty() || (wants_more && random() % 100 < 60)) {
      const std::size_t units = random() % 50 == 0 ? 1 + random() % 8000 : 1 + random() % 40;
      const std::size_t bytes = units * format::unit_bytes;
      const Ref ref = editor.allocate(bytes);
      if (ref == format::no_ref) continue;
      const auto next = blocks.lower_bound(ref);
      if (next != blocks.end() && next->first < ref + units) FAIL("overlaps the next block");
      if (next != blocks.begin()) {
        const auto [before, size] = *std::prev(next);
        if (before + size / format::unit_bytes > ref) FAIL("overlaps the block before");
      }
      std::memset(editor.write(ref, bytes), 0xee, bytes);
      blocks[ref] = bytes;
      used += bytes;
    } else {
      auto it = blocks.lower_bound(static_cast<Ref>(random()));
      if (it == blocks.end()) it = blocks.begin();
      const std::size_t kept = random() % 3 == 0 ? it->second / 16 * 8 : 0;
      if (kept > 0) {
        editor.trim(it->first, it->second, kept);
        used -= it->second - kept;
        it->second = kept;
      } else {
        editor.release(it->first, it->second);
        used -= it->second;
        blocks.erase(it);
      }
    }
    if (!adds_up(editor, used)) FAIL("the header's counts are wrong");
  }
  for (const auto& [ref, bytes] : blocks) editor.release(ref, bytes);
  CHECK(adds_up(editor, 0));
}

TEST_CASE("frame allocator: a damaged free list is dropped, never followed", "[unit][frame]") {
  const OneFrame frame;
  const Editor editor = frame.editor();
  const Ref first = editor.allocate(64);
  const Ref guard = editor.allocate(64);
  editor.release(first, 64);
  SECTION("not a free block") {
    *editor.write(first, 1) = std::byte{0xff};
  }
  SECTION("a size beyond the used space") {
    editor.write<format::FreeBlock>(format::offset_of(first)).units = 0xffff;
  }
  SECTION("a size of nothing") {
    editor.write<format::FreeBlock>(format::offset_of(first)).units = 0;
  }
  SECTION("a head in the header page") {
    editor.write_header().free_heads[7] = 3;
  }
  const Ref second = editor.allocate(64);
  CHECK(second != format::no_ref);
  CHECK(second != first);
  CHECK(second != guard);
}

}  // namespace artfs::frame
