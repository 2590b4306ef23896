// SPDX-License-Identifier: Apache-2.0
#include "tool/entry_text.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <array>
#include <iterator>

namespace artfs::tool {

namespace {

// Bytes of a well-formed character at the front of `text`; 0 when there is none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xc0U) != 0x80) return 0;
  }
  const unsigned second = at(1);
  // Overlong forms, halves of pairs, and what lies behind the last character.
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return bytes;
}

char special_letter(bool executes, bool is_special, char letter) {
  if (!is_special) return executes ? 'x' : '-';
  return executes ? letter : static_cast<char>(letter - 'a' + 'A');
}

std::string time_json(Timestamp time) {
  if (time.seconds >= 0 || time.nanoseconds == 0) {
    return fmt::format("{}.{:09}", time.seconds, time.nanoseconds);
  }
  return fmt::format("-{}.{:09}", -(time.seconds + 1), 1'000'000'000 - time.nanoseconds);
}

}  // namespace

char type_letter(std::uint32_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 'd';
    case S_IFLNK:
      return 'l';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 's';
    case S_IFCHR:
      return 'c';
    case S_IFBLK:
      return 'b';
    default:
      return 'f';
  }
}

std::string mode_text(std::uint32_t mode) {
  const char type = type_letter(mode);
  std::string text(1, type == 'f' ? '-' : type);

  struct Triple {
    unsigned shift;
    std::uint32_t special;
    char letter;
  };

  for (const Triple& triple : {Triple{6, S_ISUID, 's'}, {3, S_ISGID, 's'}, {0, S_ISVTX, 't'}}) {
    const std::uint32_t bits = mode >> triple.shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += special_letter((bits & 1U) != 0, (mode & triple.special) != 0, triple.letter);
  }
  return text;
}

std::string date_text(Timestamp time, Timestamp now) {
  constexpr std::int64_t half_year_s = 31556952 / 2;
  const time_t seconds = time.seconds;
  tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return fmt::format("{}", time.seconds);
  const bool is_recent =
      time > Timestamp{now.seconds - half_year_s, now.nanoseconds} && time <= now;
  std::array<char, 64> text{};
  const std::size_t size =
      ::strftime(text.data(), text.size(), is_recent ? "%b %e %H:%M" : "%b %e  %Y", &parts);
  return {text.data(), size};
}

std::string human_text(std::uint64_t bytes) {
  constexpr std::string_view units = "KMGTPE";
  if (bytes < kib) return fmt::format("{}", bytes);
  std::size_t unit = 0;
  std::uint64_t size = kib;
  while (unit + 1 < units.size() && bytes / size + (bytes % size != 0 ? 1 : 0) >= kib) {
    size *= kib;
    ++unit;
  }
  // Tenths, rounded up; without overflow for any 64 bits.
  const std::uint64_t whole = bytes / size;
  const std::uint64_t tenths = whole * 10 + (bytes % size * 10 + size - 1) / size;
  if (tenths < 100) return fmt::format("{}.{}{}", tenths / 10, tenths % 10, units[unit]);
  return fmt::format("{}{}", whole + (bytes % size != 0 ? 1 : 0), units[unit]);
}

std::string json_text(std::string_view bytes) {
  std::string out(1, '"');
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (size == 0) {
      fmt::format_to(std::back_inserter(out), "\\udc{:02x}", first);
    } else if (first == '"' || first == '\\') {
      out.append({'\\', bytes[0]});
    } else if (first < 0x20 || first == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", first);
    } else {
      out.append(bytes.substr(0, size));
    }
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  out.push_back('"');
  return out;
}

std::string quoted_text(std::string_view bytes) {
  constexpr std::string_view named = "\a\b\f\n\r\t\v";
  constexpr std::string_view letters = "abfnrtv";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (const std::size_t at = named.find(c); at != named.npos) {
      out.append({'\\', letters[at]});
    } else if (c == ' ' || c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\{:03o}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string entry_json(std::string_view path, const WalkEntry& entry) {
  const Attr& attr = entry.attr;
  std::string out = fmt::format(
      R"({{"path":{},"type":"{}","ino":{},"mode":"{:04o}","nlink":{},"uid":{},"gid":{},"size":{},"blocks":{})",
      json_text(path), type_letter(attr.mode), attr.ino.raw, attr.mode & 07777U, attr.nlink,
      attr.uid, attr.gid, attr.size, attr.blocks_512);
  out += fmt::format(R"(,"atime":{},"mtime":{},"ctime":{},"btime":{})", time_json(attr.atime),
                     time_json(attr.mtime), time_json(attr.ctime), time_json(attr.btime));
  const char type = type_letter(attr.mode);
  if (type == 'd') out += fmt::format(R"(,"entries":{})", entry.entries);
  if (type == 'l') out += fmt::format(R"(,"target":{})", json_text(entry.target));
  if (type == 'c' || type == 'b') {
    out += fmt::format(R"(,"rdev":[{},{}])", major(attr.rdev), minor(attr.rdev));
  }
  out.push_back('}');
  return out;
}

const std::string& OwnerNames::user(std::uint32_t uid) {
  const auto [found, is_new] = users_.try_emplace(uid);
  if (is_new) {
    const passwd* const entry = ::getpwuid(uid);
    found->second = entry != nullptr ? std::string(entry->pw_name) : fmt::format("{}", uid);
  }
  return found->second;
}

const std::string& OwnerNames::group(std::uint32_t gid) {
  const auto [found, is_new] = groups_.try_emplace(gid);
  if (is_new) {
    const ::group* const entry = ::getgrgid(gid);
    found->second = entry != nullptr ? std::string(entry->gr_name) : fmt::format("{}", gid);
  }
  return found->second;
}

}  // namespace artfs::tool
