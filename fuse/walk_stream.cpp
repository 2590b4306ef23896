// SPDX-License-Identifier: Apache-2.0
#include "fuse/walk_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "base/bytes.hpp"

namespace artfs::fuse {

namespace {

struct WalkRecord {
  Attr attr;
  std::uint64_t entries = 0;
  std::uint64_t depth = 0;
  std::uint64_t error_detail = 0;
  std::uint32_t error_code = 0;
  std::uint16_t has_error = 0;
  std::uint16_t name_bytes = 0;
  std::uint64_t target_bytes = 0;
};

static_assert(std::is_trivially_copyable_v<WalkRecord>);

using ChunkSize = std::uint32_t;

constexpr std::string_view request_word = "walk ";
constexpr std::size_t chunk_bytes_max = 2 * walk_chunk_bytes;  // the last entry comes on top

template <typename Raw>
void append(std::string& out, const Raw& raw) {
  const std::size_t at = out.size();
  out.resize(at + sizeof raw);
  std::memcpy(out.data() + at, &raw, sizeof raw);
}

template <typename Number>
bool take_number(std::string_view& rest, Number& out) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

bool take_space(std::string_view& rest) {
  if (!rest.starts_with(' ')) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

std::string walk_request_text(const WalkRequest& request) {
  std::string text = fmt::format("{}{} {} ", request_word, request.root.raw, request.levels_max);
  for (const char c : request.path) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::optional<WalkRequest> parse_walk_request(std::string_view text) {
  if (!text.starts_with(request_word)) return std::nullopt;
  text.remove_prefix(request_word.size());
  WalkRequest request;
  if (!take_number(text, request.root.raw) || !take_space(text)) return std::nullopt;
  if (!take_number(text, request.levels_max) || !take_space(text)) return std::nullopt;
  if (!request.root || text.size() % 2 != 0) return std::nullopt;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc{} || end != text.data() + 2) return std::nullopt;
    request.path.push_back(static_cast<char>(byte));
  }
  return request;
}

Result<Ino> find_walk_root(Volume& volume, const WalkRequest& request) {
  Ino at = request.root;
  for (std::string_view rest = request.path; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name.empty() || name == ".") continue;
    at = ARTFS_TRY(volume.lookup(at, name)).ino;
  }
  return at;
}

std::string walk_stream_format() {
  return fmt::format("{} {}", ARTFS_VERSION, sizeof(WalkRecord));
}

void WalkWriter::add(const WalkEntry& entry) {
  WalkRecord record;
  record.attr = entry.attr;
  record.entries = entry.entries;
  record.depth = entry.depth;
  if (entry.error) {
    record.has_error = 1;
    record.error_code = static_cast<std::uint32_t>(entry.error->code);
    record.error_detail = entry.error->detail;
  }
  record.name_bytes = static_cast<std::uint16_t>(entry.name.size());
  record.target_bytes = entry.target.size();
  append(chunk_, record);
  chunk_.append(entry.name);
  chunk_.append(entry.target);
}

std::string_view WalkWriter::take(bool is_last) {
  std::swap(chunk_, taken_);
  chunk_.assign(sizeof(ChunkSize), '\0');
  const auto bytes = static_cast<ChunkSize>(taken_.size() - sizeof(ChunkSize));
  std::memcpy(taken_.data(), &bytes, sizeof bytes);
  if (is_last && bytes > 0) append(taken_, ChunkSize{0});
  return taken_;
}

bool WalkReader::add(std::string_view bytes, const WalkVisit& visit) {
  buffer_.append(bytes);
  std::string_view rest = buffer_;
  while (!is_at_end_ && rest.size() >= sizeof(ChunkSize)) {
    const auto size = base::copy_object<ChunkSize>(std::as_bytes(std::span(rest)));
    if (size > chunk_bytes_max) return false;
    if (rest.size() - sizeof size < size) break;
    std::string_view chunk = rest.substr(sizeof size, size);
    rest.remove_prefix(sizeof size + size);
    is_at_end_ = size == 0;
    while (!chunk.empty()) {
      if (!show(chunk, visit)) return false;
    }
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return true;
}

bool WalkReader::show(std::string_view& chunk, const WalkVisit& visit) {
  if (chunk.size() < sizeof(WalkRecord)) return false;
  const auto record = base::copy_object<WalkRecord>(std::as_bytes(std::span(chunk)));
  chunk.remove_prefix(sizeof record);
  if (chunk.size() < record.name_bytes || chunk.size() - record.name_bytes < record.target_bytes) {
    return false;
  }
  // The path of a directory that is shown again is there already, one of its own level gives way.
  if (record.depth > ends_.size()) return false;
  ends_.resize(record.depth);
  path_.resize(ends_.empty() ? 0 : ends_.back());
  if (!path_.empty()) path_.push_back('/');
  WalkEntry entry;
  const std::size_t name_off = path_.size();
  path_.append(chunk.substr(0, record.name_bytes));
  ends_.push_back(path_.size());
  entry.path = path_;
  entry.name = entry.path.substr(name_off);
  entry.target = chunk.substr(record.name_bytes, record.target_bytes);
  chunk.remove_prefix(record.name_bytes + record.target_bytes);
  entry.depth = record.depth;
  entry.attr = record.attr;
  entry.entries = record.entries;
  if (record.has_error != 0) {
    entry.error = Error{static_cast<Errc>(record.error_code), record.error_detail};
  }
  was_ended_ = !visit(entry);
  return !was_ended_;
}

}  // namespace artfs::fuse
