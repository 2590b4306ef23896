// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>

#include "data/extents.hpp"

namespace artfs::data {
namespace {

Block random_base(std::mt19937_64& random) {
  switch (random() % 3) {
    case 0:
      return {};
    case 1:
      return {.place = {.first = random() >> 25U, .count = 16}, .unwritten = true};
    default: {
      const auto stored = static_cast<std::uint32_t>(1 + random() % (64 * kib));
      return {.place = {.first = random() >> 25U, .count = (stored + 4095) / 4096},
              .stored_bytes = stored,
              .valid_bytes = static_cast<std::uint32_t>(random() % (stored + 1)),
              .hash = {.low = random(), .high = random()}};
    }
  }
}

Block random_block(std::mt19937_64& random) {
  Block block = random_base(random);
  if (random() % 3 != 0) return block;
  for (std::uint32_t unit = 0; unit < 16; ++unit) {
    if (random() % 4 != 0) continue;
    const bool in_place = block.unwritten && random() % 2 == 0;
    block.patches.push_back({.place = in_place ? block.place.first + unit : random() >> 24U,
                             .checksum = random(),
                             .valid_bytes = static_cast<std::uint32_t>(1 + random() % 4096),
                             .unit = unit});
  }
  return block;
}

TEST_CASE("extents: a run decodes to what was encoded, holes included", "[unit][data]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    Run run{};
    for (Block& block : run) block = random_block(random);
    const std::string value = encode_run(run);
    if (value.empty()) continue;
    const auto decoded = decode_run(Ino{3}, value);
    REQUIRE(decoded);
    REQUIRE(*decoded == run);
  }
}

TEST_CASE("extents: a run of holes has no record", "[unit][data]") {
  CHECK(encode_run(Run{}).empty());
  CHECK_FALSE(decode_run(Ino{3}, ""));
}

TEST_CASE("extents: what is decoded encodes to the same bytes, whatever the bytes",
          "[unit][data]") {
  std::mt19937_64 random(11);
  Run run{};
  for (Block& block : run) block = random_block(random);
  run[15] = {.place = {.first = 1, .count = 1}, .stored_bytes = 5, .valid_bytes = 5};
  const std::string good = encode_run(run);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string value = good;
    value[random() % value.size()] = static_cast<char>(random());
    if (random() % 8 == 0) value.resize(random() % value.size());
    const auto decoded = decode_run(Ino{3}, value);
    if (!decoded) {
      REQUIRE(decoded.error() == Error{Errc::record_corrupt, 3});
      continue;
    }
    ++accepted;
    REQUIRE(encode_run(*decoded) == value);
  }
  CHECK(accepted > 0);
}

TEST_CASE("extents: a patch names a unit of its own, or its own place in space put aside",
          "[unit][data]") {
  Run run{};
  run[1] = {.place = {.first = 100, .count = 16}, .unwritten = true};
  run[1].patches = {{.place = 103, .checksum = 1, .valid_bytes = 4096, .unit = 3}};
  const std::string good = encode_run(run);
  REQUIRE(good.size() == 2 * sizeof(format::BlockRef) + sizeof(format::PatchRef));
  CHECK(decode_run(Ino{3}, good));
  const std::size_t patch = 2 * sizeof(format::BlockRef);
  const auto with = [&good](std::size_t at, char byte) {
    std::string value = good;
    value[at] = byte;
    return value;
  };
  CHECK(decode_run(Ino{3}, with(patch, 99)));         // elsewhere
  CHECK_FALSE(decode_run(Ino{3}, with(patch, 104)));  // another unit of the base
  CHECK_FALSE(decode_run(Ino{3}, with(patch + 5, 4)));
  CHECK_FALSE(decode_run(Ino{3}, with(patch + 6, 1)));   // 4,097 valid bytes
  CHECK_FALSE(decode_run(Ino{3}, with(patch - 17, 0)));  // no patches, and yet the flag
  CHECK_FALSE(decode_run(Ino{3}, with(patch - 17, 2)));  // one is missing
  CHECK_FALSE(decode_run(Ino{3}, good + std::string(sizeof(format::PatchRef), '\1')));
}

}  // namespace
}  // namespace artfs::data
