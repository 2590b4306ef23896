// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "fuse/walk_stream.hpp"

namespace artfs::fuse {
namespace {

struct Seen {
  std::string path, name, target;
  std::uint64_t depth, ino, size;
  std::optional<Error> error;

  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen seen_of(const WalkEntry& entry) {
  return {.path = std::string(entry.path),
          .name = std::string(entry.name),
          .target = std::string(entry.target),
          .depth = entry.depth,
          .ino = entry.attr.ino.raw,
          .size = entry.attr.size,
          .error = entry.error};
}

WalkEntry entry_of(std::string_view path, std::uint64_t depth, std::uint64_t ino) {
  WalkEntry entry;
  entry.path = path;
  entry.name = path.substr(path.rfind('/') + 1);
  entry.depth = depth;
  entry.attr.ino = Ino{ino};
  entry.attr.size = ino * 10;
  return entry;
}

// A root, a file, a directory with two files, another that cannot be listed, a link.
std::vector<WalkEntry> tree() {
  std::vector<WalkEntry> entries = {entry_of("", 0, 1),          entry_of("a\nb", 1, 64),
                                    entry_of("dir", 1, 65),      entry_of("dir/x", 2, 66),
                                    entry_of("dir/\xff", 2, 67), entry_of("bad", 1, 68),
                                    entry_of("bad", 1, 68),      entry_of("link", 1, 69)};
  entries[6].error = Error{Errc::frame_corrupt, 7};
  entries[7].target = "dir/x";
  return entries;
}

TEST_CASE("walk stream: what is written is read, in portions of any size", "[unit][fuse]") {
  std::vector<Seen> wanted;
  WalkWriter writer;
  std::string bytes;
  for (const WalkEntry& entry : tree()) {
    wanted.push_back(seen_of(entry));
    writer.add(entry);
    if (wanted.size() % 3 == 0) bytes += writer.take();
  }
  bytes += writer.take(true);
  bytes += "rest";
  for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    WalkReader reader;
    std::vector<Seen> seen;
    for (std::size_t at = 0; at < bytes.size(); at += portion) {
      REQUIRE(reader.add(std::string_view(bytes).substr(at, portion), [&](const WalkEntry& entry) {
        seen.push_back(seen_of(entry));
        return true;
      }));
    }
    CHECK(seen == wanted);
    CHECK(reader.is_at_end());
    CHECK(reader.rest() == "rest");
  }
}

TEST_CASE("walk stream: an end without entries, an end by the visitor, nonsense", "[unit][fuse]") {
  WalkWriter writer;
  WalkReader reader;
  const auto stop = [](const WalkEntry&) { return false; };
  CHECK(reader.add(writer.take(true), stop));
  CHECK(reader.is_at_end());
  writer.add(entry_of("", 0, 1));
  WalkReader other;
  CHECK_FALSE(other.add(writer.take(), stop));
  CHECK(other.was_ended());
  WalkReader lost;
  CHECK_FALSE(lost.add("\xff\xff\xff\xff", stop));
  WalkReader cut;
  CHECK_FALSE(cut.add(std::string("\x03\0\0\0abc", 7), stop));
  writer.add(entry_of("a/b", 2, 9));  // no directory before it
  WalkReader deep;
  CHECK_FALSE(deep.add(writer.take(), stop));
  CHECK_FALSE(deep.was_ended());
}

TEST_CASE("walk requests: back as they were; anything else is none", "[unit][fuse]") {
  const WalkRequest request{.root = Ino{77}, .path = "a b/\xff\n", .levels_max = 3};
  CHECK(walk_request_text(request) == "walk 77 3 6120622fff0a");
  CHECK(parse_walk_request(walk_request_text(request)) == request);
  CHECK(parse_walk_request(walk_request_text({})) == WalkRequest{});
  for (const char* text : {"", "walk", "walk 1", "walk 1 2", "walk 0 1 ", "walk 1 2 6",
                           "walk 1 2 6x", "walk x 2 ", "walk 1 2 61 ", "talk 1 2 "}) {
    CAPTURE(text);
    CHECK_FALSE(parse_walk_request(text).has_value());
  }
}

TEST_CASE("walk requests: the path is followed by names", "[unit][fuse]") {
  const auto volume = Volume::open_in_memory({}, {});
  REQUIRE(volume.has_value());
  const Ino dir = (*volume)->mkdir(root_ino, "a", 0755, {})->ino;
  const Ino sub = (*volume)->mkdir(dir, "b", 0755, {})->ino;
  CHECK(find_walk_root(**volume, {})->raw == root_ino.raw);
  CHECK(*find_walk_root(**volume, {.path = "a//./b/"}) == sub);
  CHECK(*find_walk_root(**volume, {.path = "a/b/.."}) == dir);
  CHECK(find_walk_root(**volume, {.path = "a/c"}).error().code == Errc::entry_not_found);
}

}  // namespace
}  // namespace artfs::fuse
