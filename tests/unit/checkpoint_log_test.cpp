// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "engine/checkpoint/log.hpp"
#include "format/checkpoint.hpp"
#include "io/memory_directory.hpp"

using namespace artfs;
using engine::ManifestDelta;
using engine::checkpoint::FramePages;
using engine::checkpoint::LogReader;
using engine::checkpoint::LogWriter;
using io::MemoryDirectory;

namespace {

constexpr std::array<std::byte, 16> uuid{std::byte{9}};

struct Checkpoint {
  struct Frame {
    FramePages pages;
    std::vector<std::byte> images;
  };

  std::uint64_t generation = 0;
  Lsn cut;
  std::vector<Frame> frames;
  ManifestDelta delta;
};

Checkpoint random_checkpoint(std::uint64_t generation, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Checkpoint checkpoint{generation, Lsn{random() % 100000}, {}, {}};
  for (std::uint64_t i = random() % 12; i > 0; --i) {
    Checkpoint::Frame frame{{FrameId{1 + random() % 1000}, io::SlotId{1 + random() % 1000}, {}, {}},
                            {}};
    frame.pages.pages.set(0);
    const std::uint64_t one_in = 1 + random() % 60;
    for (std::size_t page = 1; page < 128; ++page) {
      if (random() % one_in == 0) frame.pages.pages.set(page);
    }
    frame.images.resize(frame.pages.pages.count() * 4096);
    for (std::size_t at = 0; at < frame.images.size(); at += 64) {
      frame.images[at] = static_cast<std::byte>(random());
    }
    checkpoint.frames.push_back(std::move(frame));
  }
  checkpoint.delta.generation = generation;
  checkpoint.delta.cut = checkpoint.cut;
  checkpoint.delta.next_frame_id = FrameId{5000};
  checkpoint.delta.next_tree_id = TreeId{2};
  checkpoint.delta.created.push_back({FrameId{4999}, io::SlotId{33}});
  checkpoint.delta.trees.push_back({TreeId{1}, FrameId{1}, "volume", {5, -6}});
  return checkpoint;
}

Result<void> write(LogWriter& writer, const Checkpoint& checkpoint) {
  ARTFS_TRY(writer.begin(checkpoint.generation, checkpoint.cut));
  for (const Checkpoint::Frame& frame : checkpoint.frames) {
    FramePages pages = frame.pages;
    pages.images = frame.images;
    ARTFS_TRY(writer.append(pages));
  }
  return writer.commit(checkpoint.delta);
}

std::unique_ptr<LogWriter> open_writer(io::Directory& directory, bool direct = false) {
  auto writer = LogWriter::open(directory, uuid, direct);
  REQUIRE(writer);
  return std::move(*writer);
}

// Whether exactly this checkpoint is found.
bool holds(io::Directory& directory, const Checkpoint& checkpoint) {
  const auto found = LogReader::find(directory, uuid, checkpoint.generation, false);
  REQUIRE(found);
  if (*found == nullptr) return false;
  const ManifestDelta& delta = (*found)->delta();
  CHECK(delta.cut == checkpoint.cut);
  CHECK((delta.trees == checkpoint.delta.trees));
  CHECK(delta.created.size() == checkpoint.delta.created.size());
  std::size_t index = 0;
  bool same = true;
  REQUIRE((*found)->for_each([&](const FramePages& frame) -> Result<void> {
    const Checkpoint::Frame& expected = checkpoint.frames[index++];
    same = same && frame.frame == expected.pages.frame && frame.slot == expected.pages.slot &&
           frame.pages == expected.pages.pages &&
           std::equal(frame.images.begin(), frame.images.end(), expected.images.begin(),
                      expected.images.end());
    return {};
  }));
  CHECK(same);
  CHECK(index == checkpoint.frames.size());
  return true;
}

}  // namespace

TEST_CASE("checkpoint log: a committed checkpoint is found, by its generation only",
          "[unit][engine]") {
  const bool direct = GENERATE(false, true);
  MemoryDirectory directory({.direct = direct});
  CHECK(*LogReader::find(directory, uuid, 1, false) == nullptr);
  const auto writer = open_writer(directory, direct);
  CHECK(*LogReader::find(directory, uuid, 1, false) == nullptr);
  for (std::uint64_t generation = 1; generation < 20; ++generation) {
    CAPTURE(generation);
    const Checkpoint checkpoint = random_checkpoint(generation, generation);
    REQUIRE(write(*writer, checkpoint));
    const auto after = directory.clone_durable();
    CHECK(holds(*after, checkpoint));
    // The manifest had its generation before: one that says less has lost something.
    CHECK(LogReader::find(*after, uuid, generation - 1, false).error() ==
          Error{Errc::manifest_corrupt, generation});
    CHECK(*LogReader::find(*after, uuid, generation + 1, false) == nullptr);
    CHECK(*LogReader::find(*after, {std::byte{1}}, generation, false) == nullptr);
  }
}

TEST_CASE("checkpoint log: every bit of it is covered", "[unit][engine]") {
  MemoryDirectory directory;
  Checkpoint checkpoint = random_checkpoint(3, 5);
  checkpoint.frames.resize(1);
  checkpoint.frames[0].pages.pages.reset();
  checkpoint.frames[0].pages.pages.set(0);
  checkpoint.frames[0].images.resize(4096);
  REQUIRE(write(*open_writer(directory), checkpoint));
  const std::uint64_t tail =
      8192 + sizeof(format::CheckpointFrame) + encode_delta(checkpoint.delta).size();
  bool all_caught = true;
  for (std::uint64_t bit = 0; bit < tail * 8; bit += bit < 8192 * 8 ? 5 : 1) {
    // The rest of the commit page has no meaning.
    if (bit >= sizeof(format::CheckpointCommit) * 8 && bit < 4096 * 8) continue;
    REQUIRE(directory.flip_bit("checkpoint.log", bit));
    all_caught = all_caught && *LogReader::find(directory, uuid, 3, false) == nullptr;
    REQUIRE(directory.flip_bit("checkpoint.log", bit));
  }
  CHECK(all_caught);
  CHECK(holds(directory, checkpoint));
}

TEST_CASE("checkpoint log: after a lack of space it begins again", "[unit][engine]") {
  MemoryDirectory directory;
  const auto writer = open_writer(directory);
  REQUIRE(write(*writer, random_checkpoint(1, 1)));
  Checkpoint large = random_checkpoint(2, 2);
  // More than the space that every log has from its start.
  for (std::uint64_t i = 0, pages = 0;
       pages * io::page_bytes <= 2 * engine::checkpoint::checkpoint_room_least; ++i) {
    for (auto& frame : random_checkpoint(2, 100 + i).frames) {
      pages += frame.pages.pages.count();
      large.frames.push_back(std::move(frame));
    }
  }
  directory.set_capacity(64 * kib);
  const auto failed = write(*writer, large);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::no_space);
  CHECK(*LogReader::find(directory, uuid, 2, false) == nullptr);
  directory.set_capacity(gib);
  REQUIRE(write(*writer, large));
  CHECK(holds(directory, large));
}

TEST_CASE("checkpoint log: a failed commit sync is never tried again", "[unit][engine]") {
  MemoryDirectory directory;
  const auto writer = open_writer(directory);
  Checkpoint checkpoint = random_checkpoint(1, 4);
  checkpoint.frames.clear();
  REQUIRE(writer->begin(1, checkpoint.cut));
  directory.fail_call(3, Errc::io_failed);  // tail, commit page, sync
  CHECK(writer->commit(checkpoint.delta).error().code == Errc::io_failed);
  CHECK(writer->begin(1, checkpoint.cut).error().code == Errc::io_failed);
}

TEST_CASE("checkpoint log: a power cut leaves the checkpoint whole or not there",
          "[unit][engine]") {
  int whole = 0;
  int absent = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    MemoryDirectory directory;
    const auto writer = open_writer(directory);
    const Checkpoint old = random_checkpoint(1, seed * 2);
    const Checkpoint next = random_checkpoint(2, seed * 2 + 1);
    REQUIRE(write(*writer, old));
    const bool fails = seed % 4 != 0;
    if (fails) directory.fail_call(1 + seed % 6, Errc::io_failed);
    const auto committed = write(*writer, next);
    const auto after = directory.clone_after_power_cut(seed);
    const bool found = holds(*after, next);
    if (committed) CHECK(found);
    ++(found ? whole : absent);
  }
  CHECK(whole > 100);
  CHECK(absent > 50);
}
