// SPDX-License-Identifier: Apache-2.0
// How the keys of the volume tree are spelled: dirents, inodes, extents, xattrs, orphans.
//
// Contract:   class letter, '/', inode number big-endian (numeric order = key order), then by class:
//               d/<dir>/<name>    name in a directory          i/<ino>           inode record
//               e/<ino>/<block>   run of content blocks        x/<ino>/<name>    large xattr value
//               o/<ino>           unlinked but in use   n/<dir>/<number>  the name with that number
//               p/<ino>/<number>  logged write
//             A Key is a value with its bytes inside; views of it live as long as it does. parse_*
//             accept exactly what the makers produce and are total over any bytes.
// Cost:       no allocation; a Key is 272 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "artfs/types.hpp"

#include "base/assert.hpp"

namespace artfs::format {

inline constexpr std::size_t key_name_bytes_max = 255;
inline constexpr std::size_t key_number_bytes = 8;
// "d/" + number + "/": what stands before the name.
inline constexpr std::size_t key_name_off = 2 + key_number_bytes + 1;

class Key {
 public:
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

  operator std::string_view() const noexcept { return view(); }  // NOLINT: keys are passed as views

  Key& add(std::string_view bytes) noexcept {
    ARTFS_ASSERT(bytes.size() <= bytes_.size() - size_);
    std::memcpy(bytes_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return *this;
  }

  Key& add_number(std::uint64_t number) noexcept {
    std::array<char, key_number_bytes> raw{};
    for (std::size_t i = 0; i < key_number_bytes; ++i) {
      raw[i] = static_cast<char>(static_cast<unsigned char>(number >> (56 - 8 * i)));
    }
    return add({raw.data(), raw.size()});
  }

 private:
  std::array<char, 272> bytes_;
  std::size_t size_ = 0;
};

static_assert(key_name_off + key_name_bytes_max <= 272);

// Directory entries. The prefix of a directory's entries, and one entry.
[[nodiscard]] inline Key dirents_prefix(Ino dir) noexcept {
  return Key().add("d/").add_number(dir.raw).add("/");
}

[[nodiscard]] inline Key dirent_key(Ino dir, std::string_view name) noexcept {
  return dirents_prefix(dir).add(name);
}

// The same entries by number, which is the order of listings.
[[nodiscard]] inline Key numbers_prefix(Ino dir) noexcept {
  return Key().add("n/").add_number(dir.raw).add("/");
}

[[nodiscard]] inline Key number_key(Ino dir, std::uint64_t number) noexcept {
  return numbers_prefix(dir).add_number(number);
}

[[nodiscard]] inline Key inode_key(Ino ino) noexcept {
  return Key().add("i/").add_number(ino.raw);
}

// Content: all extents of a file, and the one that starts at a block.
[[nodiscard]] inline Key extents_prefix(Ino ino) noexcept {
  return Key().add("e/").add_number(ino.raw).add("/");
}

[[nodiscard]] inline Key extent_key(Ino ino, std::uint64_t first_block) noexcept {
  return extents_prefix(ino).add_number(first_block);
}

// Extended attributes that do not fit the inode record.
[[nodiscard]] inline Key xattrs_prefix(Ino ino) noexcept {
  return Key().add("x/").add_number(ino.raw).add("/");
}

[[nodiscard]] inline Key xattr_key(Ino ino, std::string_view name) noexcept {
  return xattrs_prefix(ino).add(name);
}

[[nodiscard]] inline Key orphan_key(Ino ino) noexcept {
  return Key().add("o/").add_number(ino.raw);
}

// Logged writes of a file, in the order in which they were made.
[[nodiscard]] inline Key logged_prefix(Ino ino) noexcept {
  return Key().add("p/").add_number(ino.raw).add("/");
}

[[nodiscard]] inline Key logged_key(Ino ino, std::uint64_t number) noexcept {
  return logged_prefix(ino).add_number(number);
}

inline constexpr std::string_view dirents_class = "d/";
inline constexpr std::string_view numbers_class = "n/";
inline constexpr std::string_view inodes_class = "i/";
inline constexpr std::string_view extents_class = "e/";
inline constexpr std::string_view xattrs_class = "x/";
inline constexpr std::string_view orphans_class = "o/";
inline constexpr std::string_view logged_class = "p/";

[[nodiscard]] inline std::uint64_t number_at(std::string_view key, std::size_t off) noexcept {
  ARTFS_ASSERT(off <= key.size() && key.size() - off >= key_number_bytes);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < key_number_bytes; ++i) {
    number = number << 8 | static_cast<unsigned char>(key[off + i]);
  }
  return number;
}

// A key taken apart. `name` is the dirent's or the xattr's; `block` the extent's first block; `number` the
// entry's, or the logged write's.
struct ParsedKey {
  char kind = 0;  // 'd', 'n', 'i', 'e', 'x', 'o', 'p'
  Ino ino;
  std::string_view name;
  std::uint64_t block = 0;
  std::uint64_t number = 0;
};

[[nodiscard]] inline std::optional<ParsedKey> parse_key(std::string_view key) noexcept {
  constexpr std::size_t number_end = 2 + key_number_bytes;
  if (key.size() < number_end || key[1] != '/') return std::nullopt;
  ParsedKey parsed{.kind = key[0], .ino = Ino{number_at(key, 2)}, .name = {}};
  if (!parsed.ino) return std::nullopt;
  if (parsed.kind == 'i' || parsed.kind == 'o') {
    return key.size() == number_end ? std::optional(parsed) : std::nullopt;
  }
  if (key.size() <= key_name_off || key[number_end] != '/') return std::nullopt;
  const std::string_view rest = key.substr(key_name_off);
  if (parsed.kind == 'e' || parsed.kind == 'n' || parsed.kind == 'p') {
    if (rest.size() != key_number_bytes) return std::nullopt;
    (parsed.kind == 'e' ? parsed.block : parsed.number) = number_at(rest, 0);
    return parsed;
  }
  if (parsed.kind != 'd' && parsed.kind != 'x') return std::nullopt;
  if (rest.size() > key_name_bytes_max) return std::nullopt;
  parsed.name = rest;
  return parsed;
}

}  // namespace artfs::format
