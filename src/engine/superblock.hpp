// SPDX-License-Identifier: Apache-2.0
// Superblock: who a store is: uuid, format version, feature words, label, secret; two copies on
// disk.
//
// Contract:   written once by create; never changed afterwards except to repair a damaged copy. It is
//             the last file a new store gets: a directory without one is no store.
// Threading:  free functions; the caller holds the store's lock.
// Errors:     store_missing (the directory is empty or holds no store), store_foreign (files, but not
//             ours), store_newer (detail: format version, or the unknown feature bits),
//             superblock_corrupt (ours, both copies damaged), store_exists from create, io_failed.
// Source:     TigerBeetle `superblock.zig`: several copies, each with its own index and checksum.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "artfs/result.hpp"

#include "io/device.hpp"

namespace artfs::engine {

struct Superblock {
  std::array<std::byte, 16> uuid{};
  std::array<std::byte, 16> content_key{};  // secret that keys the hashes of file contents
  std::uint64_t created_seconds = 0;        // wall clock, since 1970
  std::string label;                        // at most format::label_bytes_max bytes
  std::uint64_t features_compatible = 0;
  std::uint64_t features_read_only_compatible = 0;
  std::uint64_t features_incompatible = 0;
  bool one_copy_damaged = false;  // read_superblock() found one bad copy: repair_superblock() it
};

// Random uuid and content key, created now.
[[nodiscard]] Superblock new_superblock(std::string label);

// Writes and syncs both copies; the directory is the caller's to sync.
[[nodiscard]] Result<void> create_superblock(io::Directory& directory,
                                             const Superblock& superblock);

// A writable open also needs every read-only-compatible feature bit to be known.
[[nodiscard]] Result<Superblock> read_superblock(io::Directory& directory, bool read_only);

// Rewrites the copies that do not verify. No-op when both do.
[[nodiscard]] Result<void> repair_superblock(io::Directory& directory,
                                             const Superblock& superblock);

// "0f9e...": 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] std::string uuid_to_text(const std::array<std::byte, 16>& uuid);

}  // namespace artfs::engine
