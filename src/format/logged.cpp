// SPDX-License-Identifier: Apache-2.0
#include "format/logged.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/assert.hpp"
#include "format/inode.hpp"

namespace artfs::format {
namespace {

constexpr std::uint64_t blocks_max = std::uint64_t{1} << 63;

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// Checked before the bytes go out and after they come in.
bool valid(const LoggedWrite& write) {
  if (write.size > file_size_max) return false;
  if (write.cut != logged_no_cut && write.cut > file_size_max) return false;
  for (const ClearedBlocks& blocks : write.cleared) {
    if (blocks.count == 0 || blocks.count > blocks_max || blocks.first > blocks_max) return false;
  }
  std::uint64_t end = 0;
  for (const LoggedSpan& span : write.spans) {
    if (span.bytes.empty() || span.offset < end) return false;
    if (span.offset > write.size || span.bytes.size() > write.size - span.offset) return false;
    end = span.offset + span.bytes.size();
  }
  return true;
}

template <typename T>
void append(std::string& out, const T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::array<char, sizeof(T)> raw{};
  std::memcpy(raw.data(), &object, sizeof(T));
  out.append(raw.data(), raw.size());
}

template <typename T>
bool take(std::string_view& rest, T& out) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (rest.size() < sizeof(T)) return false;
  std::memcpy(&out, rest.data(), sizeof(T));
  rest.remove_prefix(sizeof(T));
  return true;
}

// The tables; counts are believed as far as the record is long enough for them.
bool take_tables(std::string_view& rest, const LoggedHeader& header, LoggedWrite& write,
                 std::vector<std::size_t>& lengths) {
  for (std::uint32_t i = 0; i < header.cleared_count; ++i) {
    LoggedBlocks blocks{};
    if (!take(rest, blocks)) return false;
    write.cleared.push_back({.first = blocks.first, .count = blocks.count});
  }
  for (std::uint32_t i = 0; i < header.spans_count; ++i) {
    LoggedSpanHeader span{};
    if (!take(rest, span)) return false;
    write.spans.push_back({.offset = span.offset, .bytes = {}});
    lengths.push_back(span.span_bytes);
  }
  return true;
}

}  // namespace

std::size_t encoded_bytes(const LoggedWrite& write) noexcept {
  std::size_t bytes = sizeof(LoggedHeader) + write.cleared.size() * sizeof(LoggedBlocks);
  for (const LoggedSpan& span : write.spans) bytes += sizeof(LoggedSpanHeader) + span.bytes.size();
  return bytes;
}

std::string encode(const LoggedWrite& write) {
  ARTFS_ASSERT(valid(write) && encoded_bytes(write) <= value_bytes_max);
  LoggedHeader header{};
  header.version = logged_version;
  header.cleared_count = static_cast<std::uint32_t>(write.cleared.size());
  header.spans_count = static_cast<std::uint32_t>(write.spans.size());
  header.cut = write.cut;
  header.size = write.size;
  std::string out;
  out.reserve(encoded_bytes(write));
  append(out, header);
  for (const ClearedBlocks& blocks : write.cleared) {
    LoggedBlocks raw{};
    raw.first = blocks.first;
    raw.count = blocks.count;
    append(out, raw);
  }
  for (const LoggedSpan& span : write.spans) {
    LoggedSpanHeader raw{};
    raw.offset = span.offset;
    raw.span_bytes = static_cast<std::uint32_t>(span.bytes.size());
    append(out, raw);
  }
  for (const LoggedSpan& span : write.spans) out += span.bytes;
  return out;
}

Result<LoggedWrite> decode_logged(Ino ino, std::string_view record) {
  std::string_view rest = record;
  LoggedHeader header{};
  LoggedWrite write;
  std::vector<std::size_t> lengths;
  if (!take(rest, header) || header.version != logged_version || !all_zero(header.zero) ||
      !all_zero(header.reserved)) {
    return fail(Errc::record_corrupt, ino.raw);
  }
  write.cut = header.cut;
  write.size = header.size;
  if (!take_tables(rest, header, write, lengths)) return fail(Errc::record_corrupt, ino.raw);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (rest.size() < lengths[i]) return fail(Errc::record_corrupt, ino.raw);
    write.spans[i].bytes = rest.substr(0, lengths[i]);
    rest.remove_prefix(lengths[i]);
  }
  if (!rest.empty() || !valid(write)) return fail(Errc::record_corrupt, ino.raw);
  return write;
}

}  // namespace artfs::format
