// SPDX-License-Identifier: Apache-2.0
#include "vol/scrub.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "engine/scrub.hpp"
#include "engine/store_impl.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "io/blob_store.hpp"
#include "vol/check.hpp"
#include "vol/paths.hpp"

namespace artfs::vol {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t progress_interval_ns = 100'000'000;
constexpr std::uint64_t ns_per_second = 1'000'000'000;
// Looks at something that seems damaged: each time it would have to be caught in the middle of a write.
constexpr int looks_max = 4;
constexpr auto look_again_after = std::chrono::milliseconds(50);

class Scrubber {
 public:
  Scrubber(Core& core, const ScrubOptions& options) noexcept
      : core_(core), options_(options), store_(core.store->impl()) {}

  Result<ScrubReport> run() {
    begun_ns_ = base::now_ns();
    scrub_frames();
    ARTFS_TRY(scrub_files());
    ARTFS_TRY(name_files());
    // Where it ends is all there was: files may have come and gone.
    if (!is_ended_) report_.done.bytes_total = report_.done.bytes;
    if (options_.on_progress) static_cast<void>(options_.on_progress(report_.done));
    report_.is_complete = !is_ended_;
    return std::move(report_);
  }

 private:
  struct BadBlock {
    std::uint64_t ino;
    std::uint64_t index;
    Error error;
  };

  // True: go on. Waits as long as the rate asks for.
  bool read(std::uint64_t bytes) {
    report_.done.bytes += bytes;
    for (;;) {
      const std::uint64_t now = base::now_ns();
      if (options_.on_progress && now - told_ns_ >= progress_interval_ns) {
        told_ns_ = now;
        estimate_total();
        if (!options_.on_progress(report_.done)) is_ended_ = true;
      }
      if (is_ended_) return false;
      const std::uint64_t wait = due_ns() > now ? due_ns() - now : 0;
      if (wait == 0) return true;
      std::this_thread::sleep_for(nanoseconds(std::min(wait, progress_interval_ns)));
    }
  }

  // When what was read so far may have been read.
  [[nodiscard]] std::uint64_t due_ns() const {
    if (options_.bytes_per_second == 0) return 0;
    const double seconds =
        static_cast<double>(report_.done.bytes) / static_cast<double>(options_.bytes_per_second);
    return begun_ns_ + static_cast<std::uint64_t>(seconds * static_cast<double>(ns_per_second));
  }

  void estimate_total() {
    const std::uint64_t blocks = core_.bytes->space().units_used * data::unit_bytes;
    report_.done.bytes_total = std::max(frames_bytes_ + blocks, report_.done.bytes);
  }

  void problem(std::string line) {
    ++report_.done.problems;
    if (report_.problems.size() < problems_max) report_.problems.push_back(std::move(line));
  }

  // --- frames ---

  void scrub_frames() {
    engine::scrub_frames(store_, [this](const engine::ScrubbedFrame& frame) {
      frames_bytes_ = frame.of * io::frame_bytes;
      ++report_.done.frames;
      if (!frame.problem.empty()) problem(frame.problem);
      return read(io::frame_bytes);
    });
  }

  // --- blocks ---

  Result<void> scrub_files() {
    Scan scan = core_.tree.scan({.prefix = format::inodes_class});
    while (!is_ended_ && ARTFS_TRY(scan.next())) {
      const auto key = format::parse_key(scan.entry().key);
      if (!key) continue;
      const Result<format::Inode> inode = format::decode_inode(key->ino, scan.entry().value);
      if (!inode) {
        problem(fmt::format("inode {}: the record is damaged", key->ino.raw));
      } else if (inode->is_regular()) {
        ARTFS_TRY(scrub_file(key->ino));
      }
    }
    return {};
  }

  Result<void> scrub_file(Ino ino) {
    std::vector<data::BlockInfo> blocks;
    const Result<void> listed = core_.bytes->for_each_block(ino, [&](const data::BlockInfo& block) {
      const bool is_written = !block.unwritten && block.stored_bytes != 0;
      if (is_written || block.patches != 0) blocks.push_back(block);
    });
    if (!listed) add_bad({.ino = ino.raw, .index = 0, .error = listed.error()});
    for (const data::BlockInfo& block : blocks) {
      if (block.patches == 0) {
        if (is_known(ino, block)) continue;
      } else {
        ++report_.done.blocks;  // its patches are nobody else's
      }
      check_block(ino, block);
      if (!read((block.place.count + block.patch_places.size()) * data::unit_bytes)) return {};
    }
    return {};
  }

  // Read before, for another file that shares it.
  bool is_known(Ino ino, const data::BlockInfo& block) {
    const std::uint64_t unit = block.place.first;
    if (const auto bad = bad_units_.find(unit); bad != bad_units_.end()) {
      add_bad({.ino = ino.raw, .index = block.index, .error = bad->second});
      return true;
    }
    if (unit >= seen_.size()) seen_.resize(std::max(unit + 1, core_.bytes->units_total()));
    if (seen_[unit]) return true;
    seen_[unit] = true;
    ++report_.done.blocks;
    return false;
  }

  void check_block(Ino ino, const data::BlockInfo& block) {
    Result<void> sound = core_.bytes->verify_block(ino, block.index);
    for (int look = 1; !sound && look < looks_max; ++look) {
      std::this_thread::sleep_for(look_again_after);
      sound = core_.bytes->verify_block(ino, block.index);  // where its extent says now
    }
    if (sound) return;
    if (block.patches == 0) bad_units_.emplace(block.place.first, sound.error());
    add_bad({.ino = ino.raw, .index = block.index, .error = sound.error()});
  }

  void add_bad(const BadBlock& block) {
    ++report_.done.problems;
    if (bad_.size() < problems_max) bad_.push_back(block);
  }

  Result<void> name_files() {
    std::set<std::uint64_t> inos;
    for (const BadBlock& block : bad_) inos.insert(block.ino);
    const Paths paths = ARTFS_TRY(find_paths(core_, inos));
    for (const BadBlock& block : bad_) {
      if (report_.problems.size() >= problems_max) break;
      report_.problems.push_back(fmt::format("{}: block {}: {}", inode_text(paths, block.ino),
                                             block.index, to_text(block.error)));
    }
    return {};
  }

  Core& core_;
  const ScrubOptions& options_;
  engine::StoreImpl& store_;
  ScrubReport report_;
  std::uint64_t frames_bytes_ = 0;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t told_ns_ = 0;
  bool is_ended_ = false;
  std::vector<bool> seen_;                    // by first unit
  std::map<std::uint64_t, Error> bad_units_;  // by first unit
  std::vector<BadBlock> bad_;
};

}  // namespace

Result<ScrubReport> scrub(Core& core, const ScrubOptions& options) {
  return Scrubber(core, options).run();
}

}  // namespace artfs::vol
