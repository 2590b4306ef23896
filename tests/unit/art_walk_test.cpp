// SPDX-License-Identifier: Apache-2.0
// The optimistic descent: where it ends, what it passes, and that it notices what changes under it.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "art/walk.hpp"
#include "support/memory_tree.hpp"

namespace artfs::test {

namespace {

// Some thirty frames, several levels of them.
void fill(MemoryTree& tree) {
  const std::string value(3000, 'v');
  for (int i = 0; i < 4000; ++i) {
    tree.put("usr/share/" + std::to_string(i % 7) + "/file-" + std::to_string(i), value);
  }
}

constexpr std::string_view there = "usr/share/3/file-1501";

sync::ExclusiveGuard exclusive(const frame::Pin& pin) {
  return {pin.latch(), base::SameRank{pin.id().raw}};
}

}  // namespace

TEST_CASE("walk: ends in the key's frame, with the frames above as its ways", "[unit][art]") {
  MemoryTree tree;
  fill(tree);
  std::vector<art::Way> ways;
  art::WayEnd end = art::walk(tree.view(), there, art::Goal::whole_key, &ways).value();
  CHECK(end.stop.kind == art::StopKind::leaf);
  CHECK(end.stop.matched == there.size() - end.stop.key_off);
  REQUIRE(!ways.empty());
  CHECK(ways[0].look.id() == tree.view().root);
  CHECK(ways[0].key_off == 0);
  end.look.close();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const FrameId next = i + 1 < ways.size() ? ways[i + 1].look.id() : end.look.id();
    const std::size_t next_off = i + 1 < ways.size() ? ways[i + 1].key_off : end.key_off;
    REQUIRE(ways[i].look.reopen());
    CHECK(art::View(ways[i].look.bytes()).crossing(ways[i].crossing) == next);
    REQUIRE(!ways[i].path.empty());
    CHECK(ways[i].path.back().byte == static_cast<std::uint8_t>(there[next_off]));
    CHECK(next_off >= ways[i].key_off);
    ways[i].look.close();
  }
  CHECK(end.look.valid());
  // What is on the way can be latched, parents and child, and is unchanged.
  const frame::Pin pin = end.look.pin();
  REQUIRE(pin);
  CHECK(sync::ExclusiveGuard::take_unchanged(pin.latch(), {pin.id().raw}, end.look.version()));
  CHECK_FALSE(end.look.valid());
}

TEST_CASE("walk: a prefix stops where its answer is, a key goes on", "[unit][art]") {
  MemoryTree tree;
  fill(tree);
  std::vector<art::Way> ways;
  const std::size_t frames_of_key = [&] {
    (void)art::walk(tree.view(), there, art::Goal::whole_key, &ways).value();
    return ways.size();
  }();
  // The prefix that ends with the edge byte of the last crossing.
  const std::string_view prefix = [&] {
    art::WayEnd end = art::walk(tree.view(), there, art::Goal::whole_key, &ways).value();
    return there.substr(0, end.key_off + 1);
  }();
  (void)art::walk(tree.view(), prefix, art::Goal::prefix, &ways).value();
  CHECK(ways.size() == frames_of_key - 1);
  (void)art::walk(tree.view(), prefix, art::Goal::whole_key, &ways).value();
  CHECK(ways.size() == frames_of_key);
}

TEST_CASE("answer: is read again when the frame changed meanwhile, and given up in the end",
          "[unit][art]") {
  MemoryTree tree;
  fill(tree);
  const frame::Pin pin = [&] {
    art::WayEnd end = art::walk(tree.view(), there, art::Goal::whole_key, nullptr).value();
    return end.look.pin();
  }();
  unsigned calls = 0;
  unsigned disturbed = 3;
  const auto read = [&](art::WayEnd& end) -> Result<FrameId> {
    ++calls;
    end.look.close();
    if (calls <= disturbed) const sync::ExclusiveGuard writing = exclusive(pin);
    return end.look.id();
  };
  CHECK(art::answer(tree.view(), there, art::Goal::whole_key, read).value() == pin.id());
  CHECK(calls == 4);
  calls = 0;
  disturbed = 1000;
  CHECK(art::answer(tree.view(), there, art::Goal::whole_key, read).error().code ==
        Errc::contended);
  CHECK(calls == art::attempts_max);
}

}  // namespace artfs::test
