// SPDX-License-Identifier: Apache-2.0
// Hostile superblocks: two copies of the fuzzer's bytes, with and without checksums that are right. What
// opens is the same after a repair.
#include "base/checksum.hpp"
#include "engine/superblock.hpp"
#include "format/superblock.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  using format::SuperblockCopy;
  fuzz::Input input(data, size);
  const auto form = input.number(1);
  io::MemoryDirectory directory;
  for (std::uint32_t index = 0; index < format::superblock_copies; ++index) {
    SuperblockCopy copy;
    const auto bytes = input.bytes(index == 0 ? input.number(2) : sizeof(copy));
    std::memcpy(base::object_bytes_mutable(copy).data(), bytes.data(),
                std::min(bytes.size(), sizeof(copy)));
    if ((form & 1U) == 0) copy.magic = format::superblock_magic;
    if ((form & 2U) == 0) copy.version = static_cast<std::uint32_t>(form >> 6U);
    if ((form & 4U) == 0) copy.copy = index;
    if ((form & 8U) == 0) {
      copy.checksum =
          base::xxh3_64(base::object_bytes(copy).first(offsetof(SuperblockCopy, checksum)));
    }
    if ((form & 16U) == 0 || index == 0) {
      fuzz::write_file(directory, "superblock", index * sizeof(copy), base::object_bytes(copy));
    }
  }
  const auto seen = engine::read_superblock(directory, (form & 32U) != 0);
  if (!seen) return 0;
  fuzz::require(seen->label.size() <= format::label_bytes_max, "a label that is too long");
  fuzz::require(engine::repair_superblock(directory, *seen).has_value(), "the repair failed");
  const auto again = engine::read_superblock(directory, true);
  fuzz::require(
      again && again->uuid == seen->uuid && again->label == seen->label && !again->one_copy_damaged,
      "the repair changed it");
  return 0;
}
