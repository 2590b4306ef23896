// SPDX-License-Identifier: Apache-2.0
// File contents on a disk that loses power: several lives of one store, each cut at a random point.
#include <catch2/catch.hpp>
#include <map>

#include "support/data_world.hpp"
#include "support/figure.hpp"
#include "support/scale.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;

constexpr std::string_view number_key = "number of the last commit";

// Each commit carries its number, so that a recovered store says exactly which one was its last.
class Lives {
 public:
  explicit Lives(std::uint64_t seed)
      : random_(seed),
        world_(std::make_unique<DataWorld>(
            Layout{.block_bytes = seed % 2 == 0 ? 16384U : 65536U, .inline_bytes_max = 2048})) {
    for (std::uint64_t i = 0; i < files_count; ++i) {
      files_.push_back(std::make_unique<DataFile>());
      files_.back()->ino = Ino{20 + i};
      history_[20 + i][0] = "";
    }
    watch();
  }

  ~Lives() { end_flush(); }

  // Blocks with patches that were found after the cuts.
  [[nodiscard]] std::uint64_t patched() const noexcept { return patched_; }

  void run(int lives, int steps_max) {
    for (int life = 0; life < lives; ++life) {
      CAPTURE(life);
      const auto steps = static_cast<int>(random_() % static_cast<std::uint64_t>(steps_max));
      for (int step = 0; step < steps; ++step) operate();
      cut_power();
    }
  }

 private:
  static constexpr std::uint64_t files_count = 3;

  void watch() {
    world_->before_commit = [this](Txn& txn) {
      std::string number;
      base::append_be64(number, last_ + 1);
      txn.put(world_->volume, number_key, number);
    };
    world_->after_commit = [this](const DataFile& file, Version version) {
      ++last_;
      versions_[last_] = version;
      history_[file.ino.raw][last_] = committed_bytes(file);
    };
  }

  std::string committed_bytes(const DataFile& file) {
    std::string out(file.contents.size, '?');
    const auto got = world_->bytes->read(file.ino, file.contents, nullptr, 0,
                                         std::as_writable_bytes(std::span(out.data(), out.size())));
    REQUIRE(got);
    REQUIRE(*got == out.size());
    return out;
  }

  void operate() {
    DataFile& file = *files_[random_() % files_.size()];
    const std::uint64_t offset = random_() % 300000;
    switch (random_() % 22) {
      case 18:
        clone_part(file, *files_[random_() % files_.size()]);
        break;
      case 19:
      case 20:
      case 21:
        write_common(file);
        break;
      case 16:
      case 17: {
        const bool punch = random_() % 2 == 0;
        REQUIRE(world_->clear(
            file, {.offset = offset, .length = 1 + random_() % 100000, .keep_size = punch},
            punch ? FileBytes::Clear::punch : FileBytes::Clear::zero));
        break;
      }
      case 0:
        REQUIRE(world_->truncate(file, random_() % (file.bytes.size() + 1)));
        break;
      case 1:
        REQUIRE(world_->fallocate(
            file,
            {.offset = offset, .length = 1 + random_() % 50000, .keep_size = random_() % 2 == 0}));
        break;
      case 2:
        REQUIRE(world_->store->sync());
        break;
      case 3:
        if (random_() % 4 == 0) REQUIRE(world_->store->checkpoint());
        break;
      case 4:
        if (flushed_ != &file && random_() % 4 == 0) REQUIRE(world_->remove(file, 5));
        break;
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
        step_flush(file);
        break;
      default:
        REQUIRE(world_->write(file, offset, random_bytes(random_, random_size())));
    }
  }

  // Mostly small: a part of a block.
  std::size_t random_size() { return 1 + random_() % (random_() % 4 == 0 ? 30000 : 5000); }

  // Blocks that all files have: written, found, dropped and found again over the cuts.
  void write_common(DataFile& file) {
    const std::uint64_t size = world_->layout.block_bytes;
    const std::string bytes(size * (1 + random_() % 3), static_cast<char>('a' + random_() % 3));
    REQUIRE(world_->write(file, random_() % 16 * size, bytes));
  }

  void clone_part(DataFile& from, DataFile& to) {
    if (flushed_ != nullptr || &from == &to) return;
    REQUIRE(world_->flush(from));
    REQUIRE(world_->flush(to));
    const std::uint64_t size = world_->layout.block_bytes;
    const std::uint64_t blocks = from.bytes.size() / size;
    if (from.contents.is_inline || blocks == 0) return;
    const std::uint64_t target = to.contents.is_inline ? 0 : random_() % 16;
    const auto cloned = world_->clone(from, to,
                                      {.source = from.ino,
                                       .target = to.ino,
                                       .target_block = target,
                                       .count = blocks,
                                       .target_size = (target + blocks) * size});
    REQUIRE(cloned);
    if (*cloned < blocks) REQUIRE(world_->patches(from).contains(*cloned));
  }

  void step_flush(DataFile& file) {
    if (flushed_ == nullptr) {
      flush_ = world_->bytes->begin_flush(file.ino, file.contents, file.buffer);
      flushed_ = flush_ ? &file : nullptr;
      written_out_ = false;
    } else if (!written_out_) {
      REQUIRE(world_->bytes->write_out(flush_));
      written_out_ = true;
    } else {
      REQUIRE(world_->bytes->sync_data());
      REQUIRE(world_->finish(*std::exchange(flushed_, nullptr), std::move(flush_)));
    }
  }

  void end_flush() {
    if (std::exchange(flushed_, nullptr) != nullptr) world_->bytes->aborted(std::move(flush_));
  }

  void cut_power() {
    std::uint64_t durable = floor_;
    for (const auto& [number, version] : versions_) {
      if (world_->store->is_durable(version)) durable = number;
    }
    auto disk = world_->disk->clone_after_power_cut(random_());
    end_flush();
    for (auto& file : files_) file->buffer.discard();
    world_ = std::make_unique<DataWorld>(world_->layout, std::move(disk));
    watch();

    const auto record = world_->volume.get(number_key);
    const std::uint64_t number = record ? base::load_be64(record->value.data()) : 0;
    CAPTURE(number, durable, last_);
    REQUIRE(number >= durable);
    REQUIRE(number <= last_);
    std::vector<DataFile*> all;
    for (auto& file : files_) {
      world_->load(*file);
      auto& states = history_[file->ino.raw];
      states.erase(states.upper_bound(number), states.end());
      file->bytes = committed_bytes(*file);
      REQUIRE(file->bytes == states.rbegin()->second);
      states.erase(states.begin(), std::prev(states.end()));
      all.push_back(file.get());
      patched_ += world_->patches(*file).size();
    }
    versions_.clear();
    last_ = number;
    floor_ = number;
    test::check_space(*world_, all);
  }

  std::mt19937_64 random_;
  std::unique_ptr<DataWorld> world_;
  std::vector<std::unique_ptr<DataFile>> files_;
  Flush flush_;
  DataFile* flushed_ = nullptr;
  bool written_out_ = false;
  std::uint64_t patched_ = 0;
  std::uint64_t last_ = 0;                     // number of the last commit
  std::uint64_t floor_ = 0;                    // recovered once: must never be lost again
  std::map<std::uint64_t, Version> versions_;  // of this life's commits
  std::map<std::uint64_t, std::map<std::uint64_t, std::string>> history_;  // inode, commit: bytes
};

TEST_CASE("crash: after a power cut every file is as one commit left it, and space adds up",
          "[crash][data]") {
  const std::uint64_t seeds = test::scaled(40);
  std::uint64_t patched = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Lives lives(seed);
    lives.run(5, 150);
    patched += lives.patched();
  }
  CHECK(patched > seeds);
  test::figure("power cuts under flushes of file contents", seeds * 5);
}

}  // namespace
}  // namespace artfs::data
