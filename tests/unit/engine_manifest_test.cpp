// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "engine/manifest.hpp"
#include "format/manifest.hpp"
#include "io/memory_directory.hpp"

using namespace artfs;
using engine::Manifest;
using engine::ManifestDelta;
using engine::ManifestState;
using engine::ManifestTree;
using io::MemoryDirectory;

namespace {

constexpr std::array<std::byte, 16> uuid{std::byte{7}};

ManifestState initial_state() {
  ManifestState state;
  state.cut = Lsn{100};
  state.next_frame_id = FrameId{2};
  state.next_tree_id = TreeId{2};
  state.frames.emplace(FrameId{1}, io::SlotId{1});
  state.trees.emplace(TreeId{1}, ManifestTree{TreeId{1}, FrameId{1}, "volume", {1, -2, 3}});
  return state;
}

// A delta that fits the state: some frames more, some fewer, a tree now and then.
ManifestDelta random_delta(const ManifestState& state, std::mt19937_64& random) {
  ManifestDelta delta;
  delta.generation = state.generation + 1;
  delta.cut = Lsn{state.cut.raw + random() % 5000};
  std::uint64_t next_frame = state.next_frame_id.raw;
  for (std::uint64_t i = random() % 20; i > 0; --i) {
    delta.created.push_back({FrameId{next_frame}, io::SlotId{next_frame}});
    ++next_frame;
  }
  for (const frame::FrameLocation& frame : state.locations()) {
    if (frame.id.raw > 1 && random() % 8 == 0) delta.removed.push_back(frame);
  }
  delta.next_tree_id = state.next_tree_id;
  ManifestTree changed = state.trees.at(TreeId{1});
  changed.counters[random() % 16] += static_cast<std::int64_t>(random() % 100) - 50;
  delta.trees.push_back(changed);
  if (state.trees.size() < 5) {
    const TreeId id = state.next_tree_id;
    delta.trees.push_back({id, FrameId{1}, "tree " + std::to_string(id.raw), {}});
    delta.next_tree_id = TreeId{id.raw + 1};
  }
  delta.next_frame_id = FrameId{next_frame};
  delta.sealed.push_back({FrameId{1}, random() | 1});
  for (const frame::FrameLocation& frame : delta.created) {
    if (random() % 4 != 0) delta.sealed.push_back({frame.id, random() | 1});
  }
  return delta;
}

std::unique_ptr<Manifest> open(io::Directory& directory) {
  auto manifest = Manifest::open(directory, uuid, false);
  REQUIRE(manifest);
  return std::move(*manifest);
}

void append_garbage(io::Directory& directory, std::uint64_t offset, std::size_t bytes) {
  const auto file = directory.open("manifest", {});
  REQUIRE(file);
  const std::string garbage(bytes, '\x5a');
  REQUIRE((*file)->write_at(offset, base::as_bytes(garbage)));
  REQUIRE((*file)->sync_data());
}

}  // namespace

TEST_CASE("manifest: deltas and snapshots survive any number of opens", "[unit][engine]") {
  MemoryDirectory directory;
  ManifestState expected = initial_state();
  REQUIRE(Manifest::create(directory, uuid, expected));
  CHECK(Manifest::create(directory, uuid, expected).error().code == Errc::store_exists);
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    const auto manifest = open(directory);
    CHECK((manifest->state() == expected));
    for (std::uint64_t i = random() % 5; i > 0; --i) {
      const ManifestDelta delta = random_delta(expected, random);
      if (random() % 2 == 0) REQUIRE(manifest->reserve(delta));
      REQUIRE(manifest->append(delta));
      REQUIRE(expected.apply(delta));
      CHECK((manifest->state() == expected));
    }
  }
  const auto read_only = Manifest::open(directory, uuid, true);
  REQUIRE(read_only);
  CHECK(((*read_only)->state() == expected));
  CHECK(Manifest::open(directory, {std::byte{8}}, true).error().code == Errc::manifest_corrupt);
}

TEST_CASE("manifest: it is folded when deltas outgrow it, and old ones stay gone",
          "[unit][engine]") {
  MemoryDirectory directory;
  ManifestState expected = initial_state();
  REQUIRE(Manifest::create(directory, uuid, expected));
  std::mt19937_64 random(2);
  {
    const auto manifest = open(directory);
    for (int i = 0; i < 3000; ++i) {
      const ManifestDelta delta = random_delta(expected, random);
      REQUIRE(manifest->append(delta));
      REQUIRE(expected.apply(delta));
    }
    CHECK(manifest->file_bytes() < 512 * kib);
  }
  CHECK((open(*directory.clone_durable())->state() == expected));
  CHECK_FALSE(*directory.exists("manifest.new"));
}

TEST_CASE("manifest: a delta that does not fit changes nothing", "[unit][engine]") {
  MemoryDirectory directory;
  const ManifestState before = initial_state();
  REQUIRE(Manifest::create(directory, uuid, before));
  const auto manifest = open(directory);
  std::mt19937_64 random(3);
  const ManifestDelta good = random_delta(before, random);
  const auto refused = [&](auto change) {
    ManifestDelta delta = good;
    change(delta);
    const auto appended = manifest->append(delta);
    return !appended && appended.error().code == Errc::manifest_corrupt &&
           !manifest->reserve(delta) && manifest->state() == before;
  };
  CHECK(refused([](ManifestDelta& d) { d.generation = 7; }));
  CHECK(refused([](ManifestDelta& d) { d.cut = Lsn{1}; }));
  CHECK(refused([](ManifestDelta& d) { d.created.push_back({FrameId{1}, io::SlotId{9}}); }));
  CHECK(refused([](ManifestDelta& d) { d.removed.push_back({FrameId{77}, io::SlotId{9}}); }));
  CHECK(refused([](ManifestDelta& d) { d.removed.push_back({FrameId{1}, io::SlotId{1}}); }));
  CHECK(refused([](ManifestDelta& d) { d.trees[0].root = FrameId{77}; }));
  CHECK(refused([](ManifestDelta& d) { d.next_frame_id = FrameId{1}; }));
  REQUIRE(manifest->append(good));
}

TEST_CASE("P12: a partial append is cut off before the next one", "[unit][engine]") {
  MemoryDirectory directory;
  ManifestState expected = initial_state();
  REQUIRE(Manifest::create(directory, uuid, expected));
  std::mt19937_64 random(4);
  const auto manifest = open(directory);
  const ManifestDelta delta = random_delta(expected, random);
  directory.fail_call(1, Errc::no_space);  // half of the record reaches the file
  const auto failed = manifest->append(delta);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::no_space);
  CHECK((manifest->state() == expected));
  CHECK((open(*directory.clone_current())->state() == expected));
  REQUIRE(manifest->append(delta));
  REQUIRE(expected.apply(delta));
  CHECK((open(*directory.clone_current())->state() == expected));
  // The cut itself fails: nothing is appended any more.
  const ManifestDelta next = random_delta(expected, random);
  directory.fail_call(1, Errc::no_space, MemoryDirectory::Repeat::for_ever);
  CHECK_FALSE(manifest->append(next));
  directory.fail_call(0, Errc::no_space);
  CHECK(manifest->append(next).error().code == Errc::io_failed);
  const auto after = directory.clone_current();
  const auto again = open(*after);
  CHECK((again->state() == expected));
  CHECK(again->append(next));
}

TEST_CASE("manifest: a torn tail is cut, damage before the end is an error", "[unit][engine]") {
  MemoryDirectory directory;
  ManifestState expected = initial_state();
  REQUIRE(Manifest::create(directory, uuid, expected));
  std::mt19937_64 random(5);
  std::vector<std::uint64_t> ends;
  {
    const auto manifest = open(directory);
    for (int i = 0; i < 3; ++i) {
      ends.push_back(manifest->file_bytes());
      const ManifestDelta delta = random_delta(expected, random);
      REQUIRE(manifest->append(delta));
      REQUIRE(expected.apply(delta));
    }
    ends.push_back(manifest->file_bytes());
  }
  append_garbage(directory, ends.back(), 1000);
  {
    const auto changes = directory.counters().changes;
    const auto read_only = Manifest::open(directory, uuid, true);
    REQUIRE(read_only);
    CHECK(((*read_only)->state() == expected));
    CHECK(directory.counters().changes == changes);
    const auto manifest = open(directory);
    CHECK((manifest->state() == expected));
    const ManifestDelta delta = random_delta(expected, random);
    REQUIRE(manifest->append(delta));
    REQUIRE(expected.apply(delta));
  }
  CHECK((open(directory)->state() == expected));
  for (const std::uint64_t start : {std::uint64_t{0}, ends[0], ends[1], ends[2], ends[3] - 1}) {
    const auto damaged = directory.clone_current();
    REQUIRE(damaged->flip_bit("manifest", start * 8 + 1));
    const auto opened = Manifest::open(*damaged, uuid, false);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::manifest_corrupt);
  }
}

TEST_CASE("manifest: every bit of the snapshot is covered", "[unit][engine]") {
  MemoryDirectory directory;
  REQUIRE(Manifest::create(directory, uuid, initial_state()));
  const std::uint64_t bits = open(directory)->file_bytes() * 8;
  bool all_caught = true;
  for (std::uint64_t bit = 0; bit < bits; ++bit) {
    REQUIRE(directory.flip_bit("manifest", bit));
    all_caught = all_caught && !Manifest::open(directory, uuid, true);
    REQUIRE(directory.flip_bit("manifest", bit));
  }
  CHECK(all_caught);
  CHECK(Manifest::open(directory, uuid, true));
}

TEST_CASE("manifest: one of version 1, without seals, opens and goes on", "[unit][engine]") {
  MemoryDirectory directory;
  REQUIRE(Manifest::create(directory, uuid, initial_state()));
  {
    const auto file = directory.open("manifest", {}).value();
    format::ManifestRecordHeader header;
    REQUIRE(file->read_at(0, base::object_bytes_mutable(header)));
    header.version = format::manifest_version_min;
    header.header_checksum = base::xxh3_64(
        base::object_bytes(header).first(offsetof(format::ManifestRecordHeader, header_checksum)));
    REQUIRE(file->write_at(0, base::object_bytes(header)));
  }
  std::mt19937_64 random(3);
  ManifestState expected = initial_state();
  {
    const auto manifest = open(directory);
    REQUIRE((manifest->state() == expected));
    const ManifestDelta delta = random_delta(expected, random);
    REQUIRE(expected.apply(delta));
    REQUIRE(manifest->append(delta));
  }
  CHECK((open(directory)->state() == expected));
  CHECK_FALSE(expected.seals.empty());
}

TEST_CASE("manifest: a power cut or a failure at any call leaves a state that was there",
          "[unit][engine]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    MemoryDirectory first;
    ManifestState acknowledged = initial_state();
    // Large enough for a fold every few appends.
    for (std::uint64_t id = 2; id < 20000 && seed % 10 == 0; ++id) {
      acknowledged.frames.emplace(FrameId{id}, io::SlotId{id});
      acknowledged.next_frame_id = FrameId{id + 1};
    }
    REQUIRE(Manifest::create(first, uuid, acknowledged));
    std::unique_ptr<MemoryDirectory> directory = first.clone_current();
    for (int life = 0; life < 4; ++life) {
      const auto manifest = open(*directory);
      REQUIRE((manifest->state() == acknowledged));
      if (random() % 2 == 0) {
        directory->fail_call(1 + random() % 12,
                             random() % 2 == 0 ? Errc::no_space : Errc::io_failed);
      }
      ManifestState attempted = acknowledged;
      for (std::uint64_t i = random() % 6; i > 0; --i) {
        const ManifestDelta delta = random_delta(acknowledged, random);
        if (random() % 2 == 0 && !manifest->reserve(delta)) continue;
        attempted = acknowledged;
        REQUIRE(attempted.apply(delta));
        const auto appended = manifest->append(delta);
        if (appended) acknowledged = attempted;
        if (!appended && appended.error().code == Errc::io_failed) break;  // it takes no more
      }
      auto after = directory->clone_after_power_cut(random());
      const auto reopened = open(*after);
      const bool last_came_through = reopened->state() == attempted;
      REQUIRE((last_came_through || reopened->state() == acknowledged));
      acknowledged = reopened->state();
      directory = std::move(after);
    }
  }
}
