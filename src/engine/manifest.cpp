// SPDX-License-Identifier: Apache-2.0
#include "engine/manifest.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/log.hpp"
#include "format/manifest.hpp"

namespace artfs::engine {
namespace {

using format::ManifestRecordHeader;
using format::ManifestRecordKind;
using Uuid = std::array<std::byte, 16>;

constexpr const char* file_name = "manifest";
constexpr const char* new_file_name = "manifest.new";
// The journal is folded when its deltas are larger than the snapshot and this.
constexpr std::uint64_t fold_bytes_min = 256 * kib;
// Space backed ahead of the tail by reserve().
constexpr std::uint64_t spare_bytes = 64 * kib;
// Space for one fold, so that deltas never run out of theirs on a full device: a file of its own, given up
// for the snapshot and made anew from what the old journal took.
constexpr const char* room_file_name = "manifest.room";

[[nodiscard]] std::uint64_t header_checksum(const ManifestRecordHeader& header) noexcept {
  return base::xxh3_64(
      base::object_bytes(header).first(offsetof(ManifestRecordHeader, header_checksum)));
}

[[nodiscard]] constexpr std::uint64_t record_bytes(std::uint64_t body_bytes) noexcept {
  return (sizeof(ManifestRecordHeader) + body_bytes + format::manifest_record_alignment - 1) &
         ~std::uint64_t{format::manifest_record_alignment - 1};
}

struct Placement {
  ManifestRecordKind kind = ManifestRecordKind::delta;
  std::uint64_t offset = 0;
};

std::vector<std::byte> encode_record(const ManifestDelta& delta, const Uuid& uuid, Placement at) {
  const std::vector<std::byte> body = encode_delta(delta);
  std::vector<std::byte> record(record_bytes(body.size()));
  std::memcpy(record.data() + sizeof(ManifestRecordHeader), body.data(), body.size());
  ManifestRecordHeader header;
  header.magic = format::manifest_magic;
  header.version = format::manifest_version;
  header.kind = static_cast<std::uint16_t>(at.kind);
  header.store_uuid = uuid;
  header.offset = at.offset;
  header.body_bytes = body.size();
  header.body_checksum =
      base::xxh3_64(std::span<const std::byte>(record).subspan(sizeof(ManifestRecordHeader)));
  header.header_checksum = header_checksum(header);
  std::memcpy(record.data(), &header, sizeof(header));
  return record;
}

struct FoundRecord {
  ManifestRecordKind kind = ManifestRecordKind::delta;
  std::span<const std::byte> body;
  std::uint64_t end = 0;
};

// The record at `offset` of the file, if all of it verifies.
std::optional<FoundRecord> find_record(std::span<const std::byte> file, std::uint64_t offset,
                                       const Uuid& uuid) {
  if (file.size() - offset < sizeof(ManifestRecordHeader)) return std::nullopt;
  const auto header = base::copy_object<ManifestRecordHeader>(file, offset);
  if (header.magic != format::manifest_magic || header.version > format::manifest_version ||
      header.version < format::manifest_version_min || header.offset != offset ||
      header.store_uuid != uuid || header.header_checksum != header_checksum(header)) {
    return std::nullopt;
  }
  const std::uint64_t room = file.size() - offset - sizeof(ManifestRecordHeader);
  if (header.body_bytes > room) return std::nullopt;
  const std::uint64_t end = offset + record_bytes(header.body_bytes);
  if (end > file.size()) return std::nullopt;
  const auto padded = file.subspan(offset + sizeof(header), end - offset - sizeof(header));
  if (header.body_checksum != base::xxh3_64(padded)) return std::nullopt;
  return FoundRecord{ManifestRecordKind{header.kind.value()}, padded.first(header.body_bytes), end};
}

ManifestDelta snapshot_of(const ManifestState& state) {
  ManifestDelta delta{.generation = state.generation,
                      .cut = state.cut,
                      .next_frame_id = state.next_frame_id,
                      .next_tree_id = state.next_tree_id,
                      .created = state.locations(),
                      .removed = {},
                      .trees = {},
                      .sealed = {}};
  for (const auto& [id, tree] : state.trees) delta.trees.push_back(tree);
  for (const frame::FrameLocation& frame : delta.created) {
    if (frame.seal != 0) delta.sealed.push_back({frame.id, frame.seal});
  }
  return delta;
}

Result<ManifestState> state_of(const ManifestDelta& snapshot) {
  ManifestState state;
  if (snapshot.generation == 0) {
    ManifestDelta first = snapshot;  // apply() wants a successor
    first.generation = 1;
    ARTFS_TRY(state.apply(first));
    state.generation = 0;
    return state;
  }
  state.generation = snapshot.generation - 1;
  ARTFS_TRY(state.apply(snapshot));
  return state;
}

Result<std::unique_ptr<io::File>> write_snapshot(io::Directory& directory, const char* name,
                                                 std::span<const std::byte> record) {
  auto file = ARTFS_TRY(directory.open(name, {.create = true}));
  ARTFS_TRY(file->truncate(0));
  ARTFS_TRY(file->write_at(0, record));
  ARTFS_TRY(file->sync_data());
  return file;
}

class Journal final : public Manifest {
 public:
  struct Place {
    io::Directory& directory;
    Uuid uuid;
  };

  Journal(Place place, std::unique_ptr<io::File> file) : place_(place), file_(std::move(file)) {}

  [[nodiscard]] Result<void> load(bool read_only);

  [[nodiscard]] const ManifestState& state() const noexcept override { return state_; }

  [[nodiscard]] Result<void> reserve(const ManifestDelta& delta) override;
  [[nodiscard]] Result<void> append(const ManifestDelta& delta) override;

  [[nodiscard]] std::uint64_t file_bytes() const noexcept override { return tail_; }

 private:
  [[nodiscard]] Result<std::uint64_t> read_records(std::span<const std::byte> file);
  [[nodiscard]] Result<void> cut_tail();
  [[nodiscard]] Error broken(Error reason) noexcept;
  void fold_if_due();
  void back_next();
  void keep_room();
  [[nodiscard]] bool give_room_up();
  [[nodiscard]] Result<void> fold();

  Place place_;
  std::unique_ptr<io::File> file_;
  ManifestState state_;
  std::uint64_t tail_ = 0;    // end of the last record
  std::uint64_t backed_ = 0;  // the file has space up to here
  std::uint64_t snapshot_bytes_ = 0;
  std::uint64_t room_bytes_ = 0;  // of the file kept for a fold
  bool broken_ = false;           // a sync or a repair failed: nothing is known any more
};

// Any record that verifies at its own offset behind `from` was appended after the one at `from` was
// durable.
[[nodiscard]] bool record_behind(std::span<const std::byte> file, std::uint64_t from,
                                 const Uuid& uuid) {
  for (std::uint64_t at = from + format::manifest_record_alignment; at < file.size();
       at += format::manifest_record_alignment) {
    if (find_record(file, at, uuid)) return true;
  }
  return false;
}

Result<std::uint64_t> Journal::read_records(std::span<const std::byte> file) {
  std::uint64_t at = 0;
  while (const auto record = find_record(file, at, place_.uuid)) {
    const auto delta = decode_delta(record->body);
    if (!delta) return fail(Errc::manifest_corrupt, at);
    const bool is_first = at == 0;
    if (record->kind != (is_first ? ManifestRecordKind::snapshot : ManifestRecordKind::delta)) {
      return fail(Errc::manifest_corrupt, at);
    }
    if (is_first) {
      auto state = state_of(*delta);
      if (!state) return fail(Errc::manifest_corrupt, at);
      state_ = std::move(*state);
      snapshot_bytes_ = record->end;
    } else if (!state_.apply(*delta)) {
      return fail(Errc::manifest_corrupt, at);
    }
    at = record->end;
  }
  // The snapshot was whole before the file got its name; what follows is one append at a time.
  if (at == 0 || record_behind(file, at, place_.uuid)) return fail(Errc::manifest_corrupt, at);
  return at;
}

Result<void> Journal::load(bool read_only) {
  std::vector<std::byte> file(ARTFS_TRY(file_->size()));
  file.resize(ARTFS_TRY(file_->read_at(0, file)));
  tail_ = ARTFS_TRY(read_records(file));
  std::unordered_set<io::SlotId> slots;
  for (const auto& [id, slot] : state_.frames) {
    if (!slots.insert(slot).second) return fail(Errc::manifest_corrupt, tail_);
  }
  backed_ = file.size();
  const bool clean = std::all_of(file.begin() + static_cast<std::ptrdiff_t>(tail_), file.end(),
                                 [](std::byte byte) { return byte == std::byte{0}; });
  if (read_only) return {};
  if (!clean) ARTFS_TRY(cut_tail());
  if (ARTFS_TRY(place_.directory.exists(room_file_name))) {
    const auto room = ARTFS_TRY(place_.directory.open(room_file_name, {}));
    room_bytes_ = ARTFS_TRY(room->size());
  }
  // A killed process may have left its last append in the page cache alone.
  ARTFS_TRY(file_->sync_data());
  back_next();
  return {};
}

// P12: nothing is ever appended behind bytes that are no record.
Result<void> Journal::cut_tail() {
  ARTFS_TRY(file_->truncate(tail_));
  backed_ = tail_;
  return {};
}

Error Journal::broken(Error reason) noexcept {
  broken_ = true;
  base::log_error("manifest: {}", to_text(reason));
  return Error{Errc::io_failed, reason.detail};
}

Result<void> Journal::reserve(const ManifestDelta& delta) {
  if (broken_) return fail(Errc::io_failed);
  ARTFS_TRY(state_.check(delta));
  const std::uint64_t needed = tail_ + record_bytes(encode_delta(delta).size());
  if (needed <= backed_) return {};
  for (const std::uint64_t size : {needed + spare_bytes, needed}) {
    const Result<void> backed = file_->allocate(tail_, size - tail_);
    if (backed) backed_ = size;
    if (backed || backed.error().code != Errc::no_space) return backed;
  }
  const std::uint64_t record = needed - tail_;
  ARTFS_TRY(fold());
  ARTFS_TRY(file_->allocate(tail_, record));
  backed_ = tail_ + record;
  return {};
}

Result<void> Journal::append(const ManifestDelta& delta) {
  if (broken_) return fail(Errc::io_failed);
  ARTFS_TRY(state_.check(delta));
  const auto record = encode_record(delta, place_.uuid, {ManifestRecordKind::delta, tail_});
  if (const auto written = file_->write_at(tail_, record); !written) {
    if (written.error().code != Errc::no_space) return fail(broken(written.error()));
    if (const auto cut = cut_tail(); !cut) return fail(broken(cut.error()));
    return fail(written.error());
  }
  if (const auto synced = file_->sync_data(); !synced) return fail(broken(synced.error()));
  tail_ += record.size();
  backed_ = std::max(backed_, tail_);
  const Result<void> applied = state_.apply(delta);
  ARTFS_ASSERT(applied);  // checked above
  fold_if_due();
  back_next();
  return {};
}

// While there is space: the next delta is what lets a full device free some.
void Journal::back_next() {
  if (broken_) return;
  keep_room();
  if (backed_ - tail_ >= spare_bytes / 2) return;
  if (file_->allocate(tail_, spare_bytes)) backed_ = tail_ + spare_bytes;
}

void Journal::keep_room() {
  const std::uint64_t wanted = snapshot_bytes_ + spare_bytes;
  if (room_bytes_ >= wanted) return;
  auto file = place_.directory.open(room_file_name, {.create = true});
  if (file && (*file)->allocate(0, 2 * wanted)) {
    room_bytes_ = 2 * wanted;
  } else {
    (void)give_room_up();
  }
}

bool Journal::give_room_up() {
  room_bytes_ = 0;
  return place_.directory.remove(room_file_name).has_value();
}

// The delta is durable already: a fold that fails is no failure of the append.
void Journal::fold_if_due() {
  if (tail_ - snapshot_bytes_ <= std::max(snapshot_bytes_, fold_bytes_min)) return;
  const Result<void> folded = fold();
  if (folded || broken_) return;
  base::log_warning("manifest: not folded: {}", to_text(folded.error()));
  (void)place_.directory.remove(new_file_name);
}

Result<void> Journal::fold() {
  const auto record =
      encode_record(snapshot_of(state_), place_.uuid, {ManifestRecordKind::snapshot, 0});
  auto file = write_snapshot(place_.directory, new_file_name, record);
  if (!file && file.error().code == Errc::no_space && give_room_up()) {
    file = write_snapshot(place_.directory, new_file_name, record);
  }
  if (!file) return fail(file.error());
  ARTFS_TRY(place_.directory.rename(new_file_name, file_name));
  file_ = *std::move(file);
  tail_ = record.size();
  backed_ = tail_;
  snapshot_bytes_ = tail_;
  // Until the new name is durable a power cut may bring the old file back: appends to the new one
  // would be lost, so there are none if this fails.
  if (const auto synced = place_.directory.sync(); !synced) return fail(broken(synced.error()));
  return {};
}

}  // namespace

Result<void> Manifest::create(io::Directory& directory, const std::array<std::byte, 16>& uuid,
                              const ManifestState& initial) {
  if (ARTFS_TRY(directory.exists(file_name))) return fail(Errc::store_exists);
  const auto record = encode_record(snapshot_of(initial), uuid, {ManifestRecordKind::snapshot, 0});
  (void)ARTFS_TRY(write_snapshot(directory, new_file_name, record));
  ARTFS_TRY(directory.rename(new_file_name, file_name));
  return directory.sync();
}

Result<std::unique_ptr<Manifest>> Manifest::open(io::Directory& directory,
                                                 const std::array<std::byte, 16>& uuid,
                                                 bool read_only) {
  auto file = directory.open(file_name, {.read_only = read_only});
  if (!file) {
    const bool missing = file.error().code == Errc::store_missing;
    return fail(missing ? Error{Errc::manifest_corrupt, 0} : file.error());
  }
  auto journal = std::make_unique<Journal>(Journal::Place{directory, uuid}, std::move(*file));
  ARTFS_TRY(journal->load(read_only));
  // Left by a fold that a crash interrupted.
  if (!read_only && ARTFS_TRY(directory.exists(new_file_name))) {
    ARTFS_TRY(directory.remove(new_file_name));
  }
  return journal;
}

}  // namespace artfs::engine
