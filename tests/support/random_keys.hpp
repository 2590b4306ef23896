// SPDX-License-Identifier: Apache-2.0
// RandomKeys: keys and values of the shapes that break trees: paths, shared prefixes, zero bytes, one key a
// prefix of another, now and then a very long one.
//
// Contract:   from a seed, or from bytes: then every choice takes two of them, and when they are used up
//             it goes on like a seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>

#include "artfs/types.hpp"

namespace artfs::test {

class RandomKeys {
 public:
  RandomKeys(std::uint64_t seed, std::uint64_t paths) : random_(seed), paths_(paths) {}

  RandomKeys(std::span<const std::uint8_t> input, std::uint64_t paths)
      : random_(1), paths_(paths), input_(input) {}

  [[nodiscard]] bool used_up() const noexcept { return input_.empty(); }

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return draw() % bound; }

  [[nodiscard]] bool chance(std::uint64_t percent) { return below(100) < percent; }

  [[nodiscard]] std::string key() {
    const std::uint64_t kind = below(100);
    if (kind < 85) return path(below(paths_));
    if (kind < 98) return letters(below(6));
    if (kind == 98 && chance(20)) return padded(path(below(paths_)) + letters(2), key_bytes_max);
    return path(below(paths_)) + std::string(below(key_bytes_max - 64), 'x') + letters(2);
  }

  // Values of up to so many bytes more: many frames from few operations.
  void make_values_large(std::uint64_t bytes) { extra_bytes_ = bytes; }

  [[nodiscard]] std::string value() {
    const std::uint64_t kind = below(1000);
    std::uint64_t length = below(64);
    if (kind >= 850) length = below(1000);
    if (kind >= 990) length = below(16 * kib);
    if (kind == 999) length = below(value_bytes_max + 1);
    if (extra_bytes_ > 0 && length < 1000) length += below(extra_bytes_);
    std::string value(length, '\0');
    for (std::size_t at = 0; at < length; at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random_();
      std::memcpy(value.data() + at, &word, std::min(sizeof word, value.size() - at));
    }
    return value;
  }

  [[nodiscard]] std::string path(std::uint64_t number) const {
    return "usr/share/d" + std::to_string(number % 37) + "/e" + std::to_string(number % 401) +
           "/file-" + std::to_string(number);
  }

  [[nodiscard]] std::string letters(std::uint64_t length) {
    static constexpr char alphabet[] = {'a', 'b', '/', '\0', '\xff'};
    std::string text;
    for (std::uint64_t index = 0; index < length; ++index) text += alphabet[below(5)];
    return text;
  }

  [[nodiscard]] static std::string padded(std::string key, std::size_t length) {
    key.insert(key.size() / 2, length - key.size(), 'l');
    return key;
  }

 private:
  std::uint64_t draw() {
    if (input_.empty()) return random_();
    std::uint64_t number = input_[0];
    if (input_.size() > 1) number |= std::uint64_t{input_[1]} << 8U;
    input_ = input_.subspan(std::min<std::size_t>(2, input_.size()));
    return number;
  }

  std::mt19937_64 random_;
  std::uint64_t paths_;
  std::uint64_t extra_bytes_ = 0;
  std::span<const std::uint8_t> input_;
};

}  // namespace artfs::test
