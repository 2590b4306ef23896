// SPDX-License-Identifier: Apache-2.0
// walk_stream: the entries of a walk as bytes between the daemon and its client, and the request for them.
//
// Contract:   chunks: 4 bytes of length, then entries, each a WalkRecord and its name and target; length 0 ends
//             them. Of a path only the last component travels; the reader puts the rest back, since a directory
//             comes before what is below it. Both ends are on one machine; walk_stream_format() says whether
//             they were built alike, and is compared before the first chunk.
// Threading:  an object: one thread at a time.
// Cost:       one copy at each end; 64 KiB chunks.
// Errors:     WalkReader::add returns false for what no WalkWriter writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/volume.hpp"

namespace artfs::fuse {

inline constexpr std::size_t walk_chunk_bytes = std::size_t{64} * kib;

struct WalkRequest {
  Ino root = root_ino;
  std::string path;  // from `root` to where the walk begins; any bytes
  std::uint64_t levels_max = ~std::uint64_t{0};

  friend bool operator==(const WalkRequest&, const WalkRequest&) = default;
};

// "walk ROOT LEVELS [PATH IN HEX]", and back.
[[nodiscard]] std::string walk_request_text(const WalkRequest& request);
[[nodiscard]] std::optional<WalkRequest> parse_walk_request(std::string_view text);

// Follows the names of the path; symbolic links are names like others. Errors as Volume::lookup.
[[nodiscard]] Result<Ino> find_walk_root(Volume& volume, const WalkRequest& request);

[[nodiscard]] std::string walk_stream_format();

class WalkWriter {
 public:
  void add(const WalkEntry& entry);

  [[nodiscard]] std::size_t size() const noexcept { return chunk_.size(); }

  // The chunk with its length in front; the next one starts. `is_last`: with the end behind it.
  [[nodiscard]] std::string_view take(bool is_last = false);

 private:
  std::string chunk_ = std::string(sizeof(std::uint32_t), '\0');
  std::string taken_;
};

class WalkReader {
 public:
  // `bytes` in any portions. False: they make no sense, or the visitor ended it (was_ended()).
  [[nodiscard]] bool add(std::string_view bytes, const WalkVisit& visit);

  [[nodiscard]] bool was_ended() const noexcept { return was_ended_; }

  [[nodiscard]] bool is_at_end() const noexcept { return is_at_end_; }

  // What came behind the end.
  [[nodiscard]] std::string_view rest() const noexcept {
    return is_at_end_ ? std::string_view(buffer_) : std::string_view();
  }

 private:
  bool show(std::string_view& chunk, const WalkVisit& visit);

  std::string buffer_;  // not whole chunks yet
  std::string path_;
  std::vector<std::size_t> ends_;  // of path_, by depth
  bool is_at_end_ = false;
  bool was_ended_ = false;
};

}  // namespace artfs::fuse
