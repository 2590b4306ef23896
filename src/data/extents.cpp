// SPDX-License-Identifier: Apache-2.0
#include "data/extents.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "data/contents.hpp"
#include "format/key.hpp"

namespace artfs::data {

namespace {

format::BlockRef to_ref(const Block& block) {
  format::BlockRef ref{};
  ref.first_unit = block.place.first;
  ref.units = static_cast<std::uint16_t>(block.place.count);
  ref.stored_bytes = block.stored_bytes;
  ref.valid_bytes = block.valid_bytes;
  ref.flags = block.unwritten ? format::block_flag_unwritten : std::uint8_t{0};
  if (!block.patches.empty()) ref.flags |= format::block_flag_patched;
  ref.patches = static_cast<std::uint8_t>(block.patches.size());
  ref.content_hash_low = block.hash.low;
  ref.content_hash_high = block.hash.high;
  ARTFS_ASSERT(format::check_block_ref(ref));
  return ref;
}

Block from_ref(const format::BlockRef& ref) {
  return Block{.place = {.first = ref.first_unit, .count = ref.units},
               .stored_bytes = ref.stored_bytes,
               .valid_bytes = ref.valid_bytes,
               .unwritten = (ref.flags & format::block_flag_unwritten) != 0,
               .hash = {.low = ref.content_hash_low, .high = ref.content_hash_high},
               .patches = {}};
}

void append_patches(std::string& value, const Block& block) {
  const format::BlockRef base = to_ref(block);
  unsigned unit_min = 0;
  for (const Patch& patch : block.patches) {
    format::PatchRef ref{};
    ref.place = patch.place;
    ref.unit = static_cast<std::uint8_t>(patch.unit);
    ref.valid_bytes = static_cast<std::uint16_t>(patch.valid_bytes);
    ref.checksum = patch.checksum;
    ARTFS_ASSERT(format::check_patch_ref(ref, base, unit_min));
    unit_min = patch.unit + 1;
    value.append(base::as_chars(base::object_bytes(ref)));
  }
}

// Takes the patches of the block from the front of `bytes`; false: they are no patches of it.
bool take_patches(Block& block, const format::BlockRef& base, std::span<const std::byte>& bytes) {
  if (bytes.size() / sizeof(format::PatchRef) < base.patches) return false;
  unsigned unit_min = 0;
  block.patches.reserve(base.patches);
  for (unsigned i = 0; i < base.patches; ++i) {
    const auto ref = base::copy_object<format::PatchRef>(bytes, 0);
    bytes = bytes.subspan(sizeof(ref));
    if (!format::check_patch_ref(ref, base, unit_min)) return false;
    unit_min = ref.unit + 1U;
    block.patches.push_back({.place = ref.place,
                             .checksum = ref.checksum,
                             .valid_bytes = ref.valid_bytes,
                             .unit = ref.unit});
  }
  return true;
}

}  // namespace

const Patch* Block::patch_of(std::uint32_t unit) const noexcept {
  const auto found = std::lower_bound(
      patches.begin(), patches.end(), unit,
      [](const Patch& patch, std::uint32_t wanted) { return patch.unit < wanted; });
  return found != patches.end() && found->unit == unit ? &*found : nullptr;
}

std::uint32_t Block::end_bytes() const noexcept {
  if (patches.empty()) return valid_bytes;
  const Patch& last = patches.back();
  return std::max(valid_bytes,
                  last.unit * static_cast<std::uint32_t>(unit_bytes) + last.valid_bytes);
}

std::uint64_t Block::units() const noexcept {
  std::uint64_t count = place.count;
  for (const Patch& patch : patches) count += is_in_place(patch) ? 0U : 1U;
  return count;
}

std::vector<UnitRun> Block::patch_places() const {
  std::vector<UnitRun> places;
  for (const Patch& patch : patches) {
    if (!is_in_place(patch)) places.push_back({.first = patch.place, .count = 1});
  }
  return places;
}

std::string encode_run(const Run& run) {
  std::size_t count = run.size();
  while (count > 0 && run[count - 1].is_empty()) --count;
  std::string value;
  value.reserve(count * sizeof(format::BlockRef));
  for (std::size_t i = 0; i < count; ++i) {
    const format::BlockRef ref = run[i].is_empty() ? format::BlockRef{} : to_ref(run[i]);
    value.append(base::as_chars(base::object_bytes(ref)));
  }
  for (std::size_t i = 0; i < count; ++i) append_patches(value, run[i]);
  return value;
}

// Where the references end is where what follows is accounted for by their counts of patches.
Result<Run> decode_run(Ino ino, std::string_view value) {
  constexpr std::size_t ref_bytes = sizeof(format::BlockRef);
  std::span<const std::byte> rest = base::as_bytes(value);
  std::array<format::BlockRef, format::blocks_per_run> refs;
  std::size_t count = 0;
  std::size_t patches = 0;
  while (rest.size() > patches * sizeof(format::PatchRef)) {
    if (count == refs.size() || rest.size() < ref_bytes) return fail(Errc::record_corrupt, ino.raw);
    refs[count] = base::copy_object<format::BlockRef>(rest, 0);
    if (!format::check_block_ref(refs[count])) return fail(Errc::record_corrupt, ino.raw);
    patches += refs[count++].patches;
    rest = rest.subspan(ref_bytes);
  }
  Run run{};
  for (std::size_t i = 0; i < count; ++i) {
    run[i] = from_ref(refs[i]);
    if (!take_patches(run[i], refs[i], rest)) return fail(Errc::record_corrupt, ino.raw);
  }
  if (count == 0 || run[count - 1].is_empty() || !rest.empty()) {
    return fail(Errc::record_corrupt, ino.raw);
  }
  return run;
}

Result<Run> load_run(Tree volume, Ino ino, std::uint64_t first_block) {
  ARTFS_ASSERT(first_block == run_of(first_block));
  const Result<Record> record = volume.get(format::extent_key(ino, first_block));
  if (record) return decode_run(ino, record->value);
  if (record.error().code == Errc::key_not_found) return Run{};
  return fail(record.error());
}

Result<const Block*> ExtentReader::find(std::uint64_t block) {
  const std::uint64_t first = run_of(block);
  if (first != loaded_) {
    loaded_ = ~std::uint64_t{0};
    run_ = ARTFS_TRY(load_run(volume_, ino_, first));
    loaded_ = first;
  }
  return &run_[block - first];
}

namespace {

Scan scan_from(Tree volume, Ino ino, std::uint64_t first) {
  const format::Key prefix = format::extents_prefix(ino);
  // No run has an odd number: this stands right before the first one.
  const format::Key after = format::extent_key(ino, first == 0 ? 0 : first - 1);
  return volume.scan(
      {.prefix = prefix, .start_after = first == 0 ? std::string_view{} : after.view()});
}

}  // namespace

ExtentScan::ExtentScan(Tree volume, Ino ino, std::uint64_t from)
    : ino_(ino), scan_(scan_from(volume, ino, run_of(from))) {}

Result<bool> ExtentScan::next() {
  if (!ARTFS_TRY(scan_.next())) return false;
  const auto key = format::parse_key(scan_.entry().key);
  if (!key || run_of(key->block) != key->block) return fail(Errc::record_corrupt, ino_.raw);
  first_ = key->block;
  run_ = ARTFS_TRY(decode_run(ino_, scan_.entry().value));
  return true;
}

}  // namespace artfs::data
