// SPDX-License-Identifier: Apache-2.0
#include "data/extents.hpp"

#include "base/bytes.hpp"
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
               .hash = {.low = ref.content_hash_low, .high = ref.content_hash_high}};
}

}  // namespace

std::string encode_run(const Run& run) {
  std::size_t count = run.size();
  while (count > 0 && run[count - 1].is_hole()) --count;
  std::string value;
  value.reserve(count * sizeof(format::BlockRef));
  for (std::size_t i = 0; i < count; ++i) {
    const format::BlockRef ref = run[i].is_hole() ? format::BlockRef{} : to_ref(run[i]);
    value.append(base::as_chars(base::object_bytes(ref)));
  }
  return value;
}

Result<Run> decode_run(Ino ino, std::string_view value) {
  constexpr std::size_t ref_bytes = sizeof(format::BlockRef);
  const std::size_t count = value.size() / ref_bytes;
  if (value.empty() || value.size() % ref_bytes != 0 || count > format::blocks_per_run) {
    return fail(Errc::record_corrupt, ino.raw);
  }
  Run run{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto ref = base::copy_object<format::BlockRef>(base::as_bytes(value), i * ref_bytes);
    if (!format::check_block_ref(ref)) return fail(Errc::record_corrupt, ino.raw);
    run[i] = from_ref(ref);
  }
  if (run[count - 1].is_hole()) return fail(Errc::record_corrupt, ino.raw);
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
