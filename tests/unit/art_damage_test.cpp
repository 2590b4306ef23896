// SPDX-License-Identifier: Apache-2.0
// Frames whose checksums are right and whose structure is not: every call ends, and none leaves the frame.
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "support/memory_tree.hpp"
#include "support/scale.hpp"

namespace artfs::test {

namespace {

using Random = std::mt19937_64;

// As after a load: nobody in this process has checked the frame.
void forget_check(const frame::Pin& pin) {
  frame::Editor(pin).write_header().checked_by = 0;
}

bool is_expected(const Error& error) {
  return error.code == Errc::frame_corrupt || error.code == Errc::frame_not_resident ||
         error.code == Errc::key_not_found;
}

template <typename T>
void accept(const Result<T>& result) {
  if (!result && !is_expected(result.error())) FAIL("unexpected error");
}

void use_everything(MemoryTree& tree, const std::string& key, const frame::Pin& pin) {
  accept(art::find(tree.view(), key));
  accept(art::prefix_empty(tree.view(), key));
  accept(art::longest_prefix(tree.view(), key + "/and/more"));
  for (const bool has_delimiter : {false, true}) {
    art::ScanBatch batch;
    art::ScanRequest request;
    request.prefix = std::string_view(key).substr(0, key.size() / 3);
    if (has_delimiter) request.delimiter = '/';
    accept(art::scan(tree.view(), request, 20000, 8 * mib, batch));
  }
  art::FrameCheck check;
  art::check_frame(pin.id(), pin.bytes(), check);
  const std::string text = art::frame_to_text(pin.bytes(), false);
  if (text.empty()) FAIL("no text");
  art::WritePlan plan;
  Result<void> put = plan.add_put(tree.view(), key, 100);
  if (put) put = plan.latch();
  accept(put);
  // What the plan accepts must be applied, whatever it is.
  if (put) {
    frame::FrameReserve reserve = tree.cache().reserve(plan.frames_needed()).value();
    plan.put(std::string(100, 'n'), Lsn{1}, reserve);
  }
  plan.clear();
  for (int attempt = 0; attempt < 2; ++attempt) {
    Result<void> erase = plan.add_erase(tree.view(), key);
    if (erase) erase = plan.latch();
    if (erase) (void)plan.erase(Lsn{1});
    if (erase || erase.error().code != Errc::contended) break;
    plan.restart();
  }
}

struct Victim {
  MemoryTree tree;
  std::vector<std::string> keys;
  std::vector<FrameId> frames;
  std::vector<std::vector<std::byte>> images;

  explicit Victim(Random& random) {
    for (int i = 0; i < 9000; ++i) {
      keys.push_back("d" + std::to_string(random() % 30) + "/sub/" +
                     std::to_string(random() % 100000));
      tree.put(keys.back(), std::string(random() % 200, 'v'));
    }
    for (const frame::FrameLocation& location : tree.cache().live_frames()) {
      const frame::Pin pin = tree.cache().pin(location.id).value();
      frames.push_back(location.id);
      images.emplace_back(pin.bytes().begin(), pin.bytes().end());
    }
  }

  // False when a frame of the tree is gone.
  [[nodiscard]] bool restore() {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Result<frame::Pin> pin = tree.cache().pin(frames[i]);
      if (!pin) return false;
      std::memcpy(pin->write(0, io::frame_bytes), images[i].data(), io::frame_bytes);
    }
    return true;
  }
};

}  // namespace

TEST_CASE("damage: random bytes in a frame lead to an error or a wrong answer, never outside",
          "[unit][art]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{4}));
  CAPTURE(seed);
  Random random(seed);
  auto victim = std::make_unique<Victim>(random);
  REQUIRE(victim->frames.size() > 2);
  for (std::uint64_t round = 0; round < scaled(150); ++round) {
    const FrameId id = victim->frames[random() % victim->frames.size()];
    {
      const frame::Pin pin = victim->tree.cache().pin(id).value();
      const std::size_t used = frame::View(pin.bytes()).header().bump;
      const std::size_t hits = 1 + random() % 200;
      for (std::size_t i = 0; i < hits; ++i) {
        const std::size_t at = 0x3c + random() % (used - 0x3c);
        *pin.write(at, 1) = static_cast<std::byte>(random() % 4 == 0 ? random() % 8 : random());
      }
      forget_check(pin);
      use_everything(victim->tree, victim->keys[random() % victim->keys.size()], pin);
    }
    if (!victim->restore()) victim = std::make_unique<Victim>(random);
  }
}

TEST_CASE("damage: a change that reads a damaged record does not take it for an absent one",
          "[unit][art]") {
  MemoryTree tree;
  tree.put("a", "value");
  tree.put("ab", "another");
  const frame::Pin root = tree.cache().pin(tree.view().root).value();
  const frame::View view(root.bytes());
  frame::Node node;
  REQUIRE(view.node(view.root(), node));
  *root.write(format::offset_of(node.own), 1) = std::byte{0};  // no kind
  art::WritePlan plan;
  const Result<Lsn> read = plan.read(tree.view(), "a", nullptr);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error() == Error{Errc::frame_corrupt, tree.view().root.raw});
}

TEST_CASE("damage: loops of references end", "[unit][art]") {
  MemoryTree tree;
  for (int i = 0; i < 300; ++i) tree.put("k" + std::to_string(i), "v");
  const frame::Pin pin = tree.cache().pin(tree.view().root).value();
  const frame::Editor editor(pin);
  art::Node root;
  REQUIRE(editor.view().node(editor.view().root(), root));
  const art::Edges edges = art::edges_of(root);
  SECTION("a node below itself, at every edge") {
    for (std::size_t i = 0; i < edges.count; ++i) {
      editor.set_slot(art::find_edge(root, edges.bytes[i]).slot_off, root.ref);
    }
  }
  SECTION("a crossing to its own frame") {
    const format::Ref ref = editor.allocate(frame::crossing_bytes);
    auto& crossing = editor.write<format::Crossing>(format::offset_of(ref));
    crossing = {};
    crossing.kind = static_cast<std::uint8_t>(format::ObjectKind::crossing);
    crossing.edges = 1;
    crossing.frame = pin.id().raw;
    editor.set_slot(art::find_edge(root, edges.bytes[0]).slot_off, ref);
  }
  forget_check(pin);
  const std::string key =
      "k" + std::string(1, static_cast<char>(edges.bytes[0])) + std::string(3000, '1');
  accept(art::find(tree.view(), key));
  accept(art::longest_prefix(tree.view(), key));
  art::ScanBatch batch;
  accept(art::scan(tree.view(), {}, 1000000, gib, batch));
  art::WritePlan plan;
  REQUIRE(plan.add_put(tree.view(), "k299", 1));
  CHECK(plan.latch().error().code == Errc::frame_corrupt);
  plan.clear();
  art::FrameCheck check;
  art::check_frame(pin.id(), pin.bytes(), check);
  CHECK_FALSE(check.problems.empty());
}

}  // namespace artfs::test
