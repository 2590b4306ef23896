// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/log.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/mutex.hpp"
#include "format/checkpoint.hpp"
#include "io/aligned_buffer.hpp"

namespace artfs::engine::checkpoint {
namespace {

using format::CheckpointCommit;
using format::CheckpointFrame;
using Uuid = std::array<std::byte, 16>;

constexpr const char* file_name = "checkpoint.log";
constexpr std::size_t write_bytes = mib;
constexpr std::size_t page_bytes = format::checkpoint_page_bytes;
// Space that a log keeps for the next checkpoint: a large one gives the rest back.
constexpr std::uint64_t kept_bytes = 64 * mib;
// Beside the pages: the commit page, 32 bytes for each frame, the manifest's changes.
constexpr std::uint64_t beside_pages_bytes = mib;
// With that much left on the device, room is promised without being taken, a step at a time.
constexpr std::uint64_t plenty_bytes = gib;
constexpr std::uint64_t promise_step_bytes = 64 * mib;
constexpr std::uint64_t room_step_bytes = 4 * mib;
constexpr std::uint64_t least_bytes = page_bytes + beside_pages_bytes + checkpoint_room_least;

static_assert(page_bytes == io::page_bytes);
static_assert(format::checkpoint_pages_per_frame == io::pages_per_frame);

[[nodiscard]] std::uint64_t commit_checksum(const CheckpointCommit& commit) noexcept {
  return base::xxh3_64(base::object_bytes(commit).first(offsetof(CheckpointCommit, checksum)));
}

[[nodiscard]] CheckpointFrame encode_frame(const FramePages& frame) noexcept {
  CheckpointFrame entry;
  entry.id = frame.frame.raw;
  entry.slot = frame.slot.raw;
  for (std::size_t page = 0; page < frame.pages.size(); ++page) {
    if (!frame.pages[page]) continue;
    entry.pages[page / 8] = static_cast<std::uint8_t>(entry.pages[page / 8] | (1U << (page % 8)));
  }
  return entry;
}

[[nodiscard]] FramePages decode_frame(const CheckpointFrame& entry) noexcept {
  FramePages frame{FrameId{entry.id}, io::SlotId{entry.slot}, {}, {}};
  for (std::size_t page = 0; page < frame.pages.size(); ++page) {
    frame.pages[page] = ((entry.pages[page / 8] >> (page % 8)) & 1U) != 0;
  }
  return frame;
}

class Writer final : public LogWriter {
 public:
  Writer(io::Directory& directory, const Uuid& uuid, std::unique_ptr<io::File> file)
      : directory_(directory), uuid_(uuid), file_(std::move(file)), buffer_(write_bytes) {}

  [[nodiscard]] Result<void> begin(std::uint64_t generation, Lsn cut) override;
  [[nodiscard]] Result<void> append(const FramePages& frame) override;
  [[nodiscard]] Result<void> commit(const ManifestDelta& delta) override;

  [[nodiscard]] std::uint64_t pages_appended() const noexcept override { return pages_; }

  [[nodiscard]] std::uint64_t room() const noexcept override {
    return room_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] Result<void> make_room(std::uint64_t page_bytes) override;
  // What every store has, however full its device gets later; less when it is full already.
  [[nodiscard]] Result<void> back_least();

 private:
  // What the file has.
  [[nodiscard]] Result<void> measure_room();
  // Into the buffer, hashed, written out in whole buffers.
  [[nodiscard]] Result<void> put(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] Result<void> write_commit_page(std::uint64_t delta_bytes);
  [[nodiscard]] Result<void> give_back_space();

  io::Directory& directory_;
  Uuid uuid_;
  std::unique_ptr<io::File> file_;
  base::Mutex size_mutex_{base::Rank::slots};  // the file's size is being changed
  std::atomic<std::uint64_t> room_{0};         // a level to compare with; orders nothing
  io::AlignedBuffer buffer_;
  std::size_t buffered_ = 0;
  std::uint64_t offset_ = 0;  // where the buffer goes
  base::Xxh3Stream hash_;
  std::vector<CheckpointFrame> frames_;
  std::uint64_t pages_ = 0;
  std::uint64_t generation_ = 0;
  Lsn cut_;
  bool begun_ = false;
  bool failed_ = false;  // a sync failed: P16
};

Result<void> Writer::begin(std::uint64_t generation, Lsn cut) {
  if (failed_) return fail(Errc::io_failed);
  buffered_ = 0;
  offset_ = page_bytes;
  hash_ = base::Xxh3Stream();
  frames_.clear();
  pages_ = 0;
  generation_ = generation;
  cut_ = cut;
  begun_ = true;
  return {};
}

Result<void> Writer::append(const FramePages& frame) {
  ARTFS_ASSERT(begun_ && frame.images.size() == frame.pages.count() * page_bytes);
  ARTFS_ASSERT(frame.frame && frame.slot && frame.pages.any());
  ARTFS_TRY(put(frame.images));
  frames_.push_back(encode_frame(frame));
  pages_ += frame.pages.count();
  return {};
}

Result<void> Writer::put(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), buffer_.size() - buffered_);
    std::memcpy(buffer_.data() + buffered_, bytes.data(), part);
    buffered_ += part;
    bytes = bytes.subspan(part);
    if (buffered_ == buffer_.size()) ARTFS_TRY(flush());
  }
  return {};
}

Result<void> Writer::flush() {
  const std::size_t padded = (buffered_ + page_bytes - 1) / page_bytes * page_bytes;
  std::memset(buffer_.data() + buffered_, 0, padded - buffered_);
  if (padded > 0) {
    ARTFS_TRY(file_->write_at(offset_, std::span<const std::byte>(buffer_.data(), padded)));
  }
  offset_ += padded;
  buffered_ = 0;
  return {};
}

Result<void> Writer::write_commit_page(std::uint64_t delta_bytes) {
  CheckpointCommit commit;
  commit.magic = format::checkpoint_magic;
  commit.version = format::checkpoint_version;
  commit.store_uuid = uuid_;
  commit.generation = generation_;
  commit.cut = cut_.raw;
  commit.pages = pages_;
  commit.frames = frames_.size();
  commit.delta_bytes = delta_bytes;
  commit.content_checksum = hash_.digest();
  commit.checksum = commit_checksum(commit);
  std::memset(buffer_.data(), 0, page_bytes);
  std::memcpy(buffer_.data(), &commit, sizeof(commit));
  return file_->write_at(0, std::span<const std::byte>(buffer_.data(), page_bytes));
}

Result<void> Writer::commit(const ManifestDelta& delta) {
  ARTFS_ASSERT(begun_ && delta.generation == generation_ && delta.cut == cut_);
  const std::vector<std::byte> encoded = encode_delta(delta);
  ARTFS_TRY(put(std::as_bytes(std::span(frames_))));
  ARTFS_TRY(put(encoded));
  ARTFS_TRY(flush());
  ARTFS_TRY(give_back_space());
  ARTFS_TRY(write_commit_page(encoded.size()));
  // The commit point. When it fails nobody knows what is on the device.
  if (const auto synced = file_->sync_data(); !synced) {
    failed_ = true;
    return fail(Errc::io_failed, synced.error().detail);
  }
  begun_ = false;
  return {};
}

// Before the commit, so that the sync covers it.
Result<void> Writer::give_back_space() {
  const base::MutexLock lock(size_mutex_);
  const std::uint64_t size = ARTFS_TRY(file_->size());
  const std::uint64_t wanted = std::max(offset_, kept_bytes);
  if (size > wanted) ARTFS_TRY(file_->truncate(wanted));
  return measure_room();
}

Result<void> Writer::measure_room() {
  const std::uint64_t size = ARTFS_TRY(file_->size());
  room_.store(size - std::min(size, page_bytes + beside_pages_bytes), std::memory_order_relaxed);
  return {};
}

Result<void> Writer::back_least() {
  const std::uint64_t size = ARTFS_TRY(file_->size());
  if (size < least_bytes) {
    const Result<void> backed = file_->allocate(size, least_bytes - size);
    if (!backed && backed.error().code != Errc::no_space) return backed;
    if (!backed) ARTFS_TRY(file_->truncate(size));
  }
  return measure_room();
}

Result<void> Writer::make_room(std::uint64_t wanted_bytes) {
  const base::MutexLock lock(size_mutex_);
  if (wanted_bytes <= room()) return {};
  const std::uint64_t free = ARTFS_TRY(directory_.free_bytes());
  if (free >= plenty_bytes && free - plenty_bytes >= 2 * wanted_bytes) {
    room_.store(wanted_bytes + promise_step_bytes, std::memory_order_relaxed);
    return {};
  }
  const std::uint64_t size = ARTFS_TRY(file_->size());
  const std::uint64_t least = wanted_bytes + page_bytes + beside_pages_bytes;
  if (size >= least) return measure_room();
  Result<void> backed = file_->allocate(size, least + room_step_bytes - size);
  if (!backed && backed.error().code == Errc::no_space) {
    backed = file_->allocate(size, least - size);
  }
  if (backed) return measure_room();
  // What little it got is given back to others.
  ARTFS_TRY(file_->truncate(size));
  return backed;
}

class Reader final : public LogReader {
 public:
  Reader(std::unique_ptr<io::File> file, const CheckpointCommit& commit)
      : file_(std::move(file)), commit_(commit) {}

  // A process killed inside commit() leaves a whole log that is in the page cache only. Nothing may
  // be written home on its word before it is on the device.
  [[nodiscard]] Result<void> make_durable() { return file_->sync_data(); }

  // False: what follows the commit page is not what it speaks of.
  [[nodiscard]] Result<bool> verify();

  [[nodiscard]] const ManifestDelta& delta() const noexcept override { return delta_; }

  [[nodiscard]] Result<void> for_each(const VisitFn& visit) override;

 private:
  [[nodiscard]] bool sizes_fit(std::uint64_t file_bytes) const noexcept;
  [[nodiscard]] bool decode_tail(std::span<const std::byte> tail);

  std::unique_ptr<io::File> file_;
  CheckpointCommit commit_;
  std::vector<FramePages> frames_;  // without images
  ManifestDelta delta_;
};

bool Reader::sizes_fit(std::uint64_t file_bytes) const noexcept {
  if (file_bytes < page_bytes) return false;
  std::uint64_t left = file_bytes - page_bytes;
  if (commit_.pages > left / page_bytes) return false;
  left -= commit_.pages * page_bytes;
  if (commit_.frames > left / sizeof(CheckpointFrame)) return false;
  left -= commit_.frames * sizeof(CheckpointFrame);
  return commit_.delta_bytes <= left;
}

Result<bool> Reader::verify() {
  if (!sizes_fit(ARTFS_TRY(file_->size()))) return false;
  const std::uint64_t pages_end = page_bytes * (1 + commit_.pages);
  base::Xxh3Stream hash;
  const io::AlignedBuffer buffer(write_bytes);
  for (std::uint64_t at = page_bytes; at < pages_end;) {
    const auto part = buffer.span().first(std::min<std::uint64_t>(write_bytes, pages_end - at));
    if (ARTFS_TRY(file_->read_at(at, part)) != part.size()) return false;
    hash.update(part);
    at += part.size();
  }
  std::vector<std::byte> tail(commit_.frames * sizeof(CheckpointFrame) + commit_.delta_bytes);
  if (ARTFS_TRY(file_->read_at(pages_end, tail)) != tail.size()) return false;
  hash.update(tail);
  return hash.digest() == commit_.content_checksum && decode_tail(tail);
}

bool Reader::decode_tail(std::span<const std::byte> tail) {
  std::uint64_t pages = 0;
  for (std::uint64_t i = 0; i < commit_.frames; ++i) {
    frames_.push_back(
        decode_frame(base::copy_object<CheckpointFrame>(tail, i * sizeof(CheckpointFrame))));
    pages += frames_.back().pages.count();
  }
  auto delta = decode_delta(tail.subspan(commit_.frames * sizeof(CheckpointFrame)));
  if (!delta || pages != commit_.pages) return false;
  if (delta->generation != commit_.generation || delta->cut.raw != commit_.cut) return false;
  delta_ = std::move(*delta);
  return true;
}

Result<void> Reader::for_each(const VisitFn& visit) {
  const io::AlignedBuffer buffer(io::frame_bytes);
  std::uint64_t offset = page_bytes;
  for (FramePages frame : frames_) {
    const auto images = buffer.span().first(frame.pages.count() * page_bytes);
    const std::size_t read = ARTFS_TRY(file_->read_at(offset, images));
    if (read != images.size()) return fail(Errc::checkpoint_corrupt, offset);
    frame.images = images;
    ARTFS_TRY(visit(frame));
    offset += images.size();
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(io::Directory& directory,
                                                   const std::array<std::byte, 16>& uuid,
                                                   bool direct) {
  auto file = ARTFS_TRY(directory.open(file_name, {.create = true, .direct = direct}));
  ARTFS_TRY(directory.sync());
  auto writer = std::make_unique<Writer>(directory, uuid, std::move(file));
  ARTFS_TRY(writer->back_least());
  return writer;
}

Result<std::unique_ptr<LogReader>> LogReader::find(io::Directory& directory,
                                                   const std::array<std::byte, 16>& uuid,
                                                   std::uint64_t generation, bool read_only) {
  if (!ARTFS_TRY(directory.exists(file_name))) return nullptr;
  auto file = ARTFS_TRY(directory.open(file_name, {.read_only = read_only}));
  CheckpointCommit commit;
  const std::size_t read = ARTFS_TRY(file->read_at(0, base::object_bytes_mutable(commit)));
  if (read < sizeof(commit) || commit.magic != format::checkpoint_magic ||
      commit.checksum != commit_checksum(commit) || commit.version > format::checkpoint_version ||
      commit.version < format::checkpoint_version_min || commit.store_uuid != uuid ||
      commit.generation < generation) {
    return nullptr;
  }
  // The manifest had every checkpoint before this one, synced, when this one was begun.
  if (commit.generation > generation) return fail(Errc::manifest_corrupt, commit.generation);
  auto reader = std::make_unique<Reader>(std::move(file), commit);
  if (!ARTFS_TRY(reader->verify())) return nullptr;
  if (!read_only) ARTFS_TRY(reader->make_durable());
  return reader;
}

}  // namespace artfs::engine::checkpoint
