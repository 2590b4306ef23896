// SPDX-License-Identifier: Apache-2.0
// Random operations on a few files against strings, with flushes in every state of completion.
#include <catch2/catch.hpp>
#include <optional>

#include "support/data_world.hpp"
#include "support/scale.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;

class Model {
 public:
  Model(std::uint64_t seed, const Layout& layout) : random_(seed), world_(layout) {
    // Often full: what was accepted must still be written out.
    world_.leave_room(seed % 2 == 0 ? 24 * mib : 5 * mib);
    for (int i = 0; i < 5; ++i) common_.push_back(random_bytes(random_, layout.block_bytes));
    for (std::uint64_t i = 0; i < 4; ++i) {
      Slot& slot = slots_.emplace_back();
      slot.file = std::make_unique<DataFile>();
      slot.file->ino = Ino{100 + i * 7};
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      CAPTURE(step);
      Slot& slot = slots_[random_() % slots_.size()];
      operate(slot);
      check_part(*slot.file);
      if (step % 250 == 249) check_all();
      if (step % 600 == 599) restart();
    }
    restart();
    REQUIRE((patched_ > 0 || world_.layout.block_bytes < 16384));
    for (Slot& slot : slots_) REQUIRE(world_.remove(*slot.file, 1 + random_() % 100));
    CHECK(world_.bytes->space().units_used == 0);
    test::check_space(world_, files());
  }

 private:
  struct Slot {
    std::unique_ptr<DataFile> file;
    Flush flush;
    int flush_step = 0;  // 0 none, 1 begun, 2 written out
  };

  std::vector<DataFile*> files() {
    std::vector<DataFile*> all;
    for (Slot& slot : slots_) all.push_back(slot.file.get());
    return all;
  }

  std::uint64_t random_offset() {
    const std::uint64_t block = world_.layout.block_bytes;
    switch (random_() % 4) {
      case 0:
        return random_() % 3000;
      case 1:
        return random_() % (block * 3);
      case 2:
        return (random_() % 40) * block;
      default:
        return random_() % (block * 40);
    }
  }

  void operate(Slot& slot) {
    DataFile& file = *slot.file;
    switch (random_() % 19) {
      case 18:
        clone_part(slot, slots_[random_() % slots_.size()]);
        break;
      case 16:
      case 17:
        tolerate(clear_part(file));
        break;
      case 0:
        tolerate(world_.truncate(file, random_offset()));
        break;
      case 1:
        tolerate(world_.truncate(file, random_() % (file.bytes.size() + 1)));
        break;
      case 2:
        tolerate(world_.fallocate(file, {.offset = random_offset(),
                                         .length = 1 + random_() % 100000,
                                         .keep_size = random_() % 2 == 0}));
        break;
      case 3:
      case 4:
      case 5:
      case 6:
        step_flush(slot);
        break;
      case 7:
        end_flush(slot);
        REQUIRE(world_.flush(file));
        break;
      case 8:
        tolerate(
            world_.write(file, file.bytes.size(), random_bytes(random_, 1 + random_() % 5000)));
        break;
      case 10:
      case 11:
        write_common(file);
        break;
      case 9:
        tolerate(
            world_.write(file, random_offset(), random_bytes(random_, 1 + random_() % 200000)));
        break;
      default:
        tolerate(world_.write(file, random_offset(), random_bytes(random_, 1 + random_() % 6000)));
    }
  }

  Result<void> clear_part(DataFile& file) {
    const bool punch = random_() % 2 == 0;
    const bool to_the_end = random_() % 8 == 0;
    return world_.clear(file,
                        {.offset = random_offset(),
                         .length = to_the_end ? std::uint64_t{1} << 50 : 1 + random_() % 200000,
                         .keep_size = punch || to_the_end || random_() % 2 == 0},
                        punch ? FileBytes::Clear::punch : FileBytes::Clear::zero);
  }

  // Whole blocks of one file by reference into another, or into itself.
  void clone_part(Slot& from, Slot& to) {
    for (Slot* slot : {&from, &to}) {
      end_flush(*slot);
      REQUIRE(world_.flush(*slot->file));
    }
    const std::uint64_t size = world_.layout.block_bytes;
    const std::uint64_t blocks = from.file->bytes.size() / size;
    if (from.file->contents.is_inline || blocks == 0) return;
    const std::uint64_t source = random_() % blocks;
    const std::uint64_t count = 1 + random_() % (blocks - source);
    std::uint64_t target = random_() % 30;
    const std::uint64_t distance = std::max(source, target) - std::min(source, target);
    if (&from == &to && distance < count) return;
    if (to.file->contents.is_inline) target = 0;
    if (&from == &to && target == 0 && source < count) return;
    const Result<std::uint64_t> done = world_.clone(*from.file, *to.file,
                                                    {.source = from.file->ino,
                                                     .target = to.file->ino,
                                                     .source_block = source,
                                                     .target_block = target,
                                                     .count = count,
                                                     .target_size = (target + count) * size});
    REQUIRE(done);
    if (*done < count) REQUIRE(world_.patches(*from.file).contains(source + *done));
  }

  // Blocks that other files have too, mostly whole ones.
  void write_common(DataFile& file) {
    const std::uint64_t count = 1 + random_() % 5;
    const std::uint64_t first = random_() % 20;
    std::string bytes;
    for (std::uint64_t i = 0; i < count; ++i) bytes += common_[random_() % common_.size()];
    if (random_() % 8 == 0) bytes.resize(1 + random_() % bytes.size());
    tolerate(world_.write(file, first * world_.layout.block_bytes, bytes));
  }

  // The disk is small: refusing is right, as long as nothing changed.
  static void tolerate(const Result<void>& result) {
    if (!result) REQUIRE(result.error().code == Errc::no_space);
  }

  void step_flush(Slot& slot) {
    DataFile& file = *slot.file;
    if (slot.flush_step == 0) {
      slot.flush = world_.bytes->begin_flush(file.ino, file.contents, file.buffer);
      slot.flush_step = slot.flush ? 1 : 0;
      return;
    }
    if (random_() % 8 == 0) {
      slot.flush_step = 0;
      world_.bytes->aborted(std::move(slot.flush));
      return;
    }
    if (slot.flush_step == 1) {
      REQUIRE(world_.bytes->write_out(slot.flush));
      slot.flush_step = 2;
      return;
    }
    REQUIRE(world_.bytes->sync_data());
    slot.flush_step = 0;
    REQUIRE(world_.finish(file, std::move(slot.flush)));
    if (random_() % 4 == 0) REQUIRE(world_.store->sync());
  }

  void end_flush(Slot& slot) {
    while (slot.flush_step != 0) step_flush(slot);
  }

  void check_part(DataFile& file) {
    const std::uint64_t offset = random_() % (file.bytes.size() + 10);
    const std::size_t count = random_() % 40000;
    const std::string expected =
        offset < file.bytes.size() ? file.bytes.substr(offset, count) : std::string();
    REQUIRE(file.buffer.size(file.contents) == file.bytes.size());
    REQUIRE(world_.read(file, offset, count) == expected);
  }

  void check_all() {
    for (DataFile* file : files()) {
      REQUIRE(world_.read(*file, 0, file->bytes.size() + 1) == file->bytes);
      world_.check_map(*file);
      patched_ += world_.patches(*file).size();
    }
    test::check_space(world_, files());
  }

  void restart() {
    for (Slot& slot : slots_) {
      end_flush(slot);
      REQUIRE(world_.flush(*slot.file));
    }
    CHECK(world_.bytes->space().units_reserved == 0);
    CHECK(world_.bytes->buffered_bytes() == 0);
    world_.reopen_bytes(files());
    check_all();
  }

  std::mt19937_64 random_;
  DataWorld world_;
  std::vector<std::string> common_;
  std::vector<Slot> slots_;
  std::uint64_t patched_ = 0;  // blocks seen with patches
};

TEST_CASE("file bytes: random operations read as on a string, at any stage of a flush",
          "[unit][data][model]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{5}));
  const std::uint32_t block_bytes = GENERATE(4096U, 16384U, 65536U);
  CAPTURE(seed, block_bytes);
  Model model(seed + block_bytes, {.block_bytes = block_bytes, .inline_bytes_max = 2048});
  model.run(static_cast<int>(test::scaled(1200)));
}

TEST_CASE("file bytes: random operations without an inline limit, with and without dedup",
          "[unit][data][model]") {
  const bool dedup = GENERATE(true, false);
  Model model(77, {.block_bytes = 8192, .inline_bytes_max = 0, .dedup = dedup});
  model.run(static_cast<int>(test::scaled(1200)));
}

}  // namespace
}  // namespace artfs::data
