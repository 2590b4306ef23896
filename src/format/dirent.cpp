// SPDX-License-Identifier: Apache-2.0
#include "format/dirent.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"

namespace artfs::format {

namespace {

constexpr std::uint64_t number_max = (std::uint64_t{1} << 63) - 1;

template <typename Raw>
void append(std::string& out, const Raw& raw) {
  const std::size_t at = out.size();
  out.resize(at + sizeof raw);
  std::memcpy(out.data() + at, &raw, sizeof raw);
}

template <typename Raw>
bool take(std::string_view& rest, Raw& raw) {
  if (rest.size() < sizeof raw) return false;
  std::memcpy(static_cast<void*>(&raw), rest.data(), sizeof raw);
  rest.remove_prefix(sizeof raw);
  return true;
}

bool valid(const Dirent& dirent) {
  return dirent.ino && is_known_type(dirent.type) && dirent.number != 0 &&
         dirent.number <= number_max;
}

bool is_own(const Dirent& dirent) {
  return dirent.number == dirent.ino.raw;
}

}  // namespace

std::string encode(const Dirent& dirent) {
  ARTFS_ASSERT(valid(dirent));
  DirentValue value{};
  value.ino = dirent.ino.raw;
  value.type = static_cast<std::uint8_t>(dirent.type >> 12);
  std::string out;
  if (is_own(dirent)) {
    append(out, value);
  } else {
    NumberedDirentValue numbered{};
    numbered.dirent = value;
    numbered.number = dirent.number;
    append(out, numbered);
  }
  return out;
}

Result<Dirent> decode_dirent(Ino dir, std::string_view value) {
  std::string_view rest = value;
  DirentValue raw{};
  if (!take(rest, raw)) return fail(Errc::record_corrupt, dir.raw);
  Dirent dirent{
      .ino = Ino{raw.ino}, .type = static_cast<std::uint32_t>(raw.type) << 12, .number = raw.ino};
  if (!rest.empty()) {
    base::le64 number;
    if (!take(rest, number) || !rest.empty()) return fail(Errc::record_corrupt, dir.raw);
    dirent.number = number;
    if (is_own(dirent)) return fail(Errc::record_corrupt, dir.raw);
  }
  if (!valid(dirent)) return fail(Errc::record_corrupt, dir.raw);
  return dirent;
}

std::string encode_by_number(const NamedDirent& entry) {
  ARTFS_ASSERT(valid(entry.dirent) && !entry.name.empty());
  NumberValue value{};
  value.type = static_cast<std::uint8_t>(entry.dirent.type >> 12);
  std::string out;
  out.reserve(sizeof value + sizeof(base::le64) + entry.name.size());
  if (is_own(entry.dirent)) {
    append(out, value);
  } else {
    value.type |= number_has_ino;
    append(out, value);
    base::le64 ino;
    ino = entry.dirent.ino.raw;
    append(out, ino);
  }
  out += entry.name;
  return out;
}

Result<NamedDirent> decode_by_number(Ino dir, std::uint64_t number, std::string_view value) {
  std::string_view rest = value;
  NumberValue raw{};
  if (!take(rest, raw)) return fail(Errc::record_corrupt, dir.raw);
  NamedDirent entry;
  entry.dirent.ino = Ino{number};
  entry.dirent.number = number;
  const unsigned type = raw.type;
  entry.dirent.type = (type & ~unsigned{number_has_ino}) << 12;
  if ((type & number_has_ino) != 0) {
    base::le64 ino;
    if (!take(rest, ino)) return fail(Errc::record_corrupt, dir.raw);
    entry.dirent.ino = Ino{ino};
    if (is_own(entry.dirent)) return fail(Errc::record_corrupt, dir.raw);
  }
  entry.name = rest;
  if (!valid(entry.dirent) || rest.empty() || rest.size() > key_name_bytes_max) {
    return fail(Errc::record_corrupt, dir.raw);
  }
  return entry;
}

}  // namespace artfs::format
