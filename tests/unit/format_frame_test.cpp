// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "format/frame.hpp"

namespace artfs::format {

namespace {

constexpr StoreUuid uuid{std::byte{1}, std::byte{2}, std::byte{3}};
constexpr FrameId id{77};

// A frame with three used pages after the header.
std::vector<std::byte> sealed_frame() {
  std::vector<std::byte> frame(frame_bytes);
  format_header(frame, uuid, id);
  auto& header = *reinterpret_cast<FrameHeader*>(frame.data());
  header.bump = static_cast<std::uint32_t>(3 * page_bytes + 100 * unit_bytes);
  header.bytes_live = static_cast<std::uint32_t>(header.bump - page_bytes);
  std::vector<PageChecksum> checksums;
  for (std::uint32_t page = 1; page < 4; ++page) {
    frame[page * page_bytes + page] = std::byte{0x5a};
    const auto bytes = std::span(frame).subspan(page * page_bytes, page_bytes);
    checksums.push_back({.page = page, .checksum = page_checksum(bytes)});
  }
  seal_header(std::span(frame).first(page_bytes), checksums);
  return frame;
}

}  // namespace

TEST_CASE("frame format: a sealed frame passes its checks", "[unit][format]") {
  const std::vector<std::byte> frame = sealed_frame();
  CHECK(check_header(frame, uuid, id));
  REQUIRE(pages_used(frame) == 4);
  for (std::size_t page = 1; page < 4; ++page) CHECK(check_page(frame, page));
}

TEST_CASE("frame format: a fresh header is an empty frame", "[unit][format]") {
  std::vector<std::byte> frame(frame_bytes);
  format_header(frame, uuid, id);
  seal_header(frame, {});
  CHECK(check_header(frame, uuid, id));
  CHECK(pages_used(frame) == 1);
}

TEST_CASE("frame format: a frame of another store, another id or another version is refused",
          "[unit][format]") {
  std::vector<std::byte> frame = sealed_frame();
  CHECK(check_header(frame, uuid, FrameId{78}).error() == Error{Errc::frame_corrupt, 78});
  CHECK_FALSE(check_header(frame, StoreUuid{}, id));
  reinterpret_cast<FrameHeader*>(frame.data())->version = 2;
  seal_header(frame, {});
  CHECK_FALSE(check_header(frame, uuid, id));
}

TEST_CASE("frame format: every single flipped bit is detected (P11)", "[unit][format]") {
  std::vector<std::byte> frame = sealed_frame();
  std::size_t missed = 0;
  for (std::size_t at = 0; at < page_bytes * 2; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      frame[at] ^= std::byte{1} << bit;
      const bool is_seen =
          at < page_bytes ? !check_header(frame, uuid, id) : !check_page(frame, at / page_bytes);
      if (!is_seen) ++missed;
      frame[at] ^= std::byte{1} << bit;
    }
  }
  CHECK(missed == 0);
}

TEST_CASE("frame format: a page in the place of another is detected", "[unit][format]") {
  std::vector<std::byte> frame = sealed_frame();
  const auto first = frame.begin() + page_bytes;
  std::swap_ranges(first, first + page_bytes, first + page_bytes);
  CHECK(check_page(frame, 1).error() == Error{Errc::frame_corrupt, id.raw});
  CHECK_FALSE(check_page(frame, 2));
}

TEST_CASE("frame format: counts that do not add up are refused (FS)", "[unit][format]") {
  std::vector<std::byte> frame = sealed_frame();
  auto& header = *reinterpret_cast<FrameHeader*>(frame.data());
  SECTION("live bytes") {
    header.bytes_live = header.bytes_live + 8;
  }
  SECTION("bump outside the frame") {
    header.bump = static_cast<std::uint32_t>(frame_bytes + 8);
  }
  SECTION("root in the header page") {
    header.root = 5;
  }
  seal_header(frame, {});
  CHECK_FALSE(check_header(frame, uuid, id));
}

}  // namespace artfs::format
