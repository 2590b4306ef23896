// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: taking an input apart, and the end of the process when something is wrong.
//
// Contract:   each *_fuzz.cpp defines LLVMFuzzerTestOneInput. With -Dfuzz=true it is linked with libFuzzer;
//             always with replay_main.cpp, which runs it over the files of tests/data/corpus/<target>.
// Threading:  one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "io/memory_directory.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace artfs::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// Takes numbers and bytes off the front; zeros and nothing once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : rest_(data, size) {}

  [[nodiscard]] bool used_up() const noexcept { return rest_.empty(); }

  [[nodiscard]] std::uint64_t number(std::size_t bytes) noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes && !rest_.empty(); ++i, rest_ = rest_.subspan(1)) {
      number |= std::uint64_t{rest_[0]} << (8 * i);
    }
    return number;
  }

  [[nodiscard]] std::span<const std::byte> bytes(std::size_t wanted) noexcept {
    const auto taken = rest_.first(std::min(wanted, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return std::as_bytes(taken);
  }

  [[nodiscard]] std::span<const std::byte> rest() noexcept { return bytes(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

inline void write_file(io::Directory& directory, std::string_view name, std::uint64_t offset,
                       std::span<const std::byte> bytes) {
  const auto file = directory.open(name, {.create = true});
  require(file && (*file)->write_at(offset, bytes), "the directory in memory failed");
}

}  // namespace artfs::fuzz
