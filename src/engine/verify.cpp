// SPDX-License-Identifier: Apache-2.0
#include "engine/verify.hpp"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "art/tree.hpp"
#include "engine/store_impl.hpp"
#include "format/frame.hpp"
#include "io/aligned_buffer.hpp"

namespace artfs::engine {

namespace {

class FrameWalk {
 public:
  FrameWalk(const VerifyParts& parts, VerifyReport& report)
      : parts_(parts), report_(report), live_(parts.cache.live_frames()) {
    for (const frame::FrameLocation& frame : live_) slots_.emplace(frame.id, frame.slot);
  }

  void walk(const TreeState& tree) {
    follow({.id = tree.root}, fmt::format("the root of tree '{}'", tree.name));
    while (!waiting_.empty()) {
      const Entered frame = waiting_.back();
      waiting_.pop_back();
      check(frame);
    }
  }

  void compare_with_live() {
    std::unordered_map<io::SlotId, FrameId> owners;
    for (const frame::FrameLocation& frame : live_) {
      const auto [other, fresh] = owners.emplace(frame.slot, frame.id);
      if (!fresh && frame.slot.raw != 0) {  // in memory mode frames have no slot
        problem("frames {} and {} share slot {}", other->second.raw, frame.id.raw, frame.slot.raw);
      }
      const auto seen = seen_.find(frame.id);
      if (seen != seen_.end()) {
        seen->second = true;
      } else if (damaged_ > 0) {
        problem("frame {} in slot {} is out of reach, perhaps behind a damaged one", frame.id.raw,
                frame.slot.raw);
      } else {
        problem("frame {} in slot {} belongs to no tree", frame.id.raw, frame.slot.raw);
      }
    }
    for (const auto& [id, is_live] : seen_) {
      if (!is_live) problem("frame {} is used by a tree but has no slot", id.raw);
    }
  }

 private:
  // A frame and the edges that lead into it; none into the root of a tree.
  struct Entered {
    FrameId id{};
    art::EdgeSet edges{};
  };

  template <typename... Args>
  void problem(fmt::format_string<Args...> format, Args&&... args) {
    report_.problems.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void follow(const Entered& frame, const std::string& from) {
    if (!seen_.emplace(frame.id, false).second) {
      problem("frame {} is reached twice, also from {}", frame.id.raw, from);
      return;
    }
    waiting_.push_back(frame);
  }

  void check(const Entered& frame) {
    const FrameId id = frame.id;
    ++report_.frames;
    if (const Result<frame::Pin> pin = parts_.cache.pin(id))
      return check_bytes(frame, pin->bytes());
    const Result<void> sound = read(id);
    if (sound) return check_bytes(frame, buffer_.span());
    ++damaged_;
    problem("frame {}: {}", id.raw, to_text(sound.error()));
  }

  // Clean, since it is not resident, and nobody can change it: its slot holds what it is.
  [[nodiscard]] Result<void> read(FrameId id) {
    const auto slot = slots_.find(id);
    if (slot == slots_.end()) return fail(Errc::frame_corrupt, id.raw);
    return check_home(parts_.blobs, parts_.uuid, {.id = id, .slot = slot->second, .seal = 0},
                      buffer_.span());
  }

  void check_bytes(const Entered& frame, std::span<const std::byte> bytes) {
    const FrameId id = frame.id;
    art::FrameCheck check;
    art::check_frame(id, bytes, check);
    if (frame.edges.any()) art::check_entry(frame.edges, check);
    for (const std::string& line : check.problems) problem("frame {}: {}", id.raw, line);
    if (!check.problems.empty()) ++damaged_;
    report_.keys += check.keys;
    report_.bytes_live += check.bytes_live;
    for (std::size_t i = 0; i < check.children.size(); ++i) {
      follow({.id = check.children[i], .edges = check.child_edges[i]},
             fmt::format("frame {}", id.raw));
    }
  }

  const VerifyParts& parts_;
  VerifyReport& report_;
  const std::vector<frame::FrameLocation> live_;
  std::unordered_map<FrameId, io::SlotId> slots_;
  io::AlignedBuffer buffer_{io::frame_bytes};
  std::vector<Entered> waiting_;
  std::unordered_map<FrameId, bool> seen_;  // -> is live
  std::uint64_t damaged_ = 0;
};

bool is_damage(Errc code) noexcept {
  return code == Errc::superblock_corrupt || code == Errc::manifest_corrupt ||
         code == Errc::frame_corrupt || code == Errc::log_corrupt ||
         code == Errc::checkpoint_corrupt || code == Errc::io_failed;
}

Result<std::unique_ptr<StoreImpl>> open_to_check(const std::string& path, StoreOptions options,
                                                 bool skip_replay) {
  options.read_only = true;
  auto directory = ARTFS_TRY(io::open_posix_directory(path));
  return StoreImpl::open(std::move(directory),
                         {.path = path, .options = options, .skip_replay = skip_replay});
}

}  // namespace

Result<void> check_home(io::BlobStore& blobs, const std::array<std::byte, 16>& uuid,
                        const frame::FrameLocation& frame, std::span<std::byte> buffer) {
  ARTFS_TRY(blobs.read(frame.slot, 0, buffer));
  const std::span<const std::byte> header = buffer.first(io::page_bytes);
  ARTFS_TRY(format::check_header(header, uuid, frame.id));
  const std::size_t used = format::pages_used(header);
  for (std::size_t page = 1; page < used; ++page) {
    ARTFS_TRY(format::check_page(buffer, page));
  }
  return {};
}

void verify_frames(const VerifyParts& parts, VerifyReport& report) {
  const sync::GateExclusive alone(parts.gate);
  FrameWalk walk(parts, report);
  for (const TreeState* tree : parts.trees.all()) walk.walk(*tree);
  walk.compare_with_live();
}

Result<VerifyReport> check_store(const std::string& path, const StoreOptions& options) {
  VerifyReport report;
  for (const bool skip_replay : {false, true}) {
    auto store = open_to_check(path, options, skip_replay);
    if (store) {
      (*store)->verify_into(report);
      return report;
    }
    if (!is_damage(store.error().code)) return fail(store.error());
    report.problems.push_back(to_text(store.error()));
    const bool without_log =
        store.error().code == Errc::log_corrupt || store.error().code == Errc::frame_corrupt;
    if (!without_log) return report;
    report.problems.push_back("the log cannot be replayed: checking the state before it");
  }
  return report;
}

}  // namespace artfs::engine
