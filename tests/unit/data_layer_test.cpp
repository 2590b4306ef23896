// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "base/bytes.hpp"
#include "data/layer.hpp"

namespace artfs::data {
namespace {

constexpr std::uint32_t block_bytes = 64;

TEST_CASE("byte spans: adding, clipping and splitting agree with a bit map", "[unit][data]") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    ByteSpans spans;
    std::string bits(block_bytes, '.');
    for (int step = 0; step < 12; ++step) {
      const auto begin = static_cast<std::uint32_t>(random() % block_bytes);
      const auto end = begin + static_cast<std::uint32_t>(random() % (block_bytes - begin + 1));
      if (random() % 4 == 0) {
        spans.clip(begin);
        std::fill(bits.begin() + begin, bits.end(), '.');
      } else {
        spans.add({begin, end});
        std::fill(bits.begin() + begin, bits.begin() + end, 'x');
      }
      std::string seen(block_bytes, '?');
      const auto mark = [&seen](ByteSpan span, char with) {
        std::fill(seen.begin() + span.begin, seen.begin() + span.end, with);
      };
      spans.split(
          {0, block_bytes}, [&](ByteSpan span) { mark(span, 'x'); },
          [&](ByteSpan span) { mark(span, '.'); });
      REQUIRE(seen == bits);
      const std::string part = bits.substr(begin, end - begin);
      REQUIRE(spans.covers({begin, end}) == (part.find('.') == std::string::npos));
      for (std::size_t i = 1; i < spans.all().size(); ++i) {
        REQUIRE(spans.all()[i - 1].end < spans.all()[i].begin);
      }
    }
  }
}

// What a reader sees of two layers over a file of '#'.
std::string look(const Layer& top, const Layer* below, std::string base) {
  if (below != nullptr) base = look(*below, nullptr, base);
  base.resize(std::min<std::uint64_t>(base.size(), top.cut));
  base.resize(top.size, '\0');
  for (const auto& [index, block] : top.blocks) {
    for (const ByteSpan& span : block.valid.all()) {
      base.replace(index * block_bytes + span.begin, span.end - span.begin,
                   base::as_chars(block.at(span)));
    }
  }
  return base;
}

Layer random_layer(std::mt19937_64& random, std::uint64_t size) {
  Layer layer;
  layer.size = size;
  for (int step = 0; step < 8; ++step) {
    if (random() % 3 == 0) {
      const std::uint64_t new_size = random() % (6 * block_bytes);
      if (new_size < layer.size) {
        REQUIRE(layer.cut_at(new_size, block_bytes) == 0);
      } else {
        layer.size = new_size;
      }
      continue;
    }
    const std::uint64_t index = random() % 6;
    const auto from = static_cast<std::uint32_t>(random() % block_bytes);
    const std::string data(1 + random() % (block_bytes - from),
                           static_cast<char>('a' + random() % 26));
    layer.write(index, from, base::as_bytes(data), block_bytes);
    layer.size = std::max<std::uint64_t>(layer.size, index * block_bytes + from + data.size());
  }
  return layer;
}

TEST_CASE("layer: absorbing the layer below shows the same bytes as both did", "[unit][data]") {
  std::mt19937_64 random(23);
  for (int round = 0; round < 3000; ++round) {
    const std::string base(random() % (6 * block_bytes), '#');
    Layer below = random_layer(random, base.size());
    Layer top = random_layer(random, below.size);
    const std::string expected = look(top, &below, base);
    CAPTURE(round);
    REQUIRE(top.absorb(std::move(below), block_bytes) == 0);
    REQUIRE(look(top, nullptr, base) == expected);
    std::uint64_t held = 0;
    for (const auto& [index, block] : top.blocks) held += block.bytes.capacity();
    REQUIRE(top.held_bytes == held);
  }
}

TEST_CASE("layer: cutting gives back what was promised to the blocks behind", "[unit][data]") {
  Layer layer;
  for (std::uint64_t i = 0; i < 4; ++i) {
    layer.write(i, 0, base::as_bytes("abc"), block_bytes);
    layer.blocks[i].reserved_units = 2;
    layer.reserved_units += 2;
  }
  layer.size = 4 * block_bytes;
  CHECK(layer.cut_at(block_bytes + 1, block_bytes) == 4);
  CHECK(layer.reserved_units == 4);
  CHECK(layer.blocks.size() == 2);
  CHECK(layer.blocks[1].valid.end() == 1);
}

}  // namespace
}  // namespace artfs::data
