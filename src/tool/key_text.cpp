// SPDX-License-Identifier: Apache-2.0
#include "tool/key_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/logged.hpp"

namespace artfs::tool {

namespace {

constexpr bool is_class(char letter) {
  return std::string_view("dnieoxp").find(letter) != std::string_view::npos;
}

// A decimal number at the front of `rest`, if one stands there whole (up to '/' or the end).
bool take_number(std::string_view& rest, std::string& out) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const auto length = static_cast<std::size_t>(end - rest.data());
  if (error != std::errc() || (length < rest.size() && rest[length] != '/')) return false;
  out.append(format::Key().add_number(number).view());
  rest.remove_prefix(length);
  return true;
}

std::string time_text(Timestamp time) {
  return fmt::format("{}.{:09}", time.seconds, time.nanoseconds);
}

// As lsattr(1) has them; L for logged writes.
std::string flags_text(std::uint32_t flags) {
  std::string text;
  if ((flags & format::inode_immutable) != 0) text += 'i';
  if ((flags & format::inode_append) != 0) text += 'a';
  if ((flags & format::inode_noatime) != 0) text += 'A';
  if ((flags & format::inode_nodump) != 0) text += 'd';
  if ((flags & format::inode_has_logged) != 0) text += 'L';
  return text;
}

std::string inode_text(const format::Inode& inode) {
  std::string text =
      fmt::format("mode {:o} links {} uid {} gid {} size {} units {} mtime {} ctime {}", inode.mode,
                  inode.nlink, inode.uid, inode.gid, inode.size, inode.units,
                  time_text(inode.mtime), time_text(inode.ctime));
  if (inode.is_directory()) text += fmt::format(" parent {}", inode.parent.raw);
  if (inode.is_device()) text += fmt::format(" rdev {:#x}", inode.rdev);
  if (inode.flags != 0) text += " flags " + flags_text(inode.flags);
  if (inode.large_xattrs != 0) text += fmt::format(" large_xattrs {}", inode.large_xattrs);
  for (const format::InodeXattr& xattr : inode.xattrs) {
    text += fmt::format(" xattr {}={}", escaped_text(xattr.name), escaped_text(xattr.value));
  }
  if (!inode.body.empty()) text += " body " + escaped_text(inode.body);
  return text;
}

std::string dirent_text(const format::Dirent& dirent) {
  std::string text = fmt::format("inode {} type {:o}", dirent.ino.raw, dirent.type);
  if (dirent.number != dirent.ino.raw) text += fmt::format(" number {}", dirent.number);
  return text;
}

// Where the bytes stand, not what they are.
std::string logged_text(const format::LoggedWrite& write) {
  std::string text = fmt::format("size {}", write.size);
  if (write.cut != format::logged_no_cut) text += fmt::format(" cut {}", write.cut);
  for (const format::ClearedBlocks& blocks : write.cleared) {
    text += fmt::format(" clear {}+{}", blocks.first, blocks.count);
  }
  for (const format::LoggedSpan& span : write.spans) {
    text += fmt::format(" write {}+{}", span.offset, span.bytes.size());
  }
  return text;
}

}  // namespace

std::string escaped_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code < 0x7f && c != '\\') {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", code);
    }
  }
  return out;
}

std::optional<std::string> unescaped_text(std::string_view text) {
  constexpr std::size_t escape_length = 4;
  std::string bytes;
  while (!text.empty()) {
    if (text.front() != '\\') {
      bytes.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    unsigned code = 0;
    if (text.size() < escape_length || text[1] != 'x') return std::nullopt;
    const char* const end = text.data() + escape_length;
    const auto [stop, error] = std::from_chars(text.data() + 2, end, code, 16);
    if (error != std::errc() || stop != end) return std::nullopt;
    bytes.push_back(static_cast<char>(code));
    text.remove_prefix(escape_length);
  }
  return bytes;
}

std::string volume_key_text(std::string_view key) {
  const std::optional<format::ParsedKey> parsed = format::parse_key(key);
  if (!parsed) return escaped_text(key);
  std::string text = fmt::format("{}/{}", parsed->kind, parsed->ino.raw);
  if (parsed->kind == 'e') text += fmt::format("/{}", parsed->block);
  if (parsed->kind == 'n' || parsed->kind == 'p') text += fmt::format("/{}", parsed->number);
  if (!parsed->name.empty()) text += "/" + escaped_text(parsed->name);
  return text;
}

std::string volume_value_text(std::string_view key, std::string_view value) {
  const std::optional<format::ParsedKey> parsed = format::parse_key(key);
  if (parsed && parsed->kind == 'd') {
    const Result<format::Dirent> dirent = format::decode_dirent(parsed->ino, value);
    if (dirent) return dirent_text(*dirent);
  }
  if (parsed && parsed->kind == 'n') {
    const Result<format::NamedDirent> entry =
        format::decode_by_number(parsed->ino, parsed->number, value);
    if (entry) return dirent_text(entry->dirent) + " name " + escaped_text(entry->name);
  }
  if (parsed && parsed->kind == 'i') {
    const Result<format::Inode> inode = format::decode_inode(parsed->ino, value);
    if (inode) return inode_text(*inode);
  }
  if (parsed && parsed->kind == 'p') {
    const Result<format::LoggedWrite> write = format::decode_logged(parsed->ino, value);
    if (write) return logged_text(*write);
  }
  return escaped_text(value);
}

std::string volume_key_prefix(std::string_view text) {
  const bool is_known = text.size() > 2 && text[1] == '/' && is_class(text[0]);
  if (!is_known) return std::string(text);
  std::string out(text.substr(0, 2));
  std::string_view rest = text.substr(2);
  if (!take_number(rest, out)) return std::string(text);
  if ((text[0] == 'e' || text[0] == 'n' || text[0] == 'p') && rest.starts_with('/') &&
      rest.size() > 1) {
    out.push_back('/');
    rest.remove_prefix(1);
    if (!take_number(rest, out)) out.append(rest);
    return out;
  }
  return out.append(rest);
}

}  // namespace artfs::tool
