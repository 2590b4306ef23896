// SPDX-License-Identifier: Apache-2.0
// The inode record: what stands under "i/<ino>", in memory and on disk.
//
// Contract:   decode(encode(x)) == x for every x that is valid, and decode accepts nothing else: the
//             version, the type, the flags, every length and which field may be set for which
//             type are checked. On disk: InodeHeader, then the small xattrs (u8 name bytes, le16
//             value bytes, name, value; each), then the body (symlink target or inline contents).
// Cost:       encode and decode are linear in the record; decode allocates only for xattrs and body,
//             decode_inode_view nothing.
// Errors:     record_corrupt, detail = the inode number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

using base::le16;
using base::le32;
using base::le64;

// File type bits of `mode`, as stat(2) has them; spelled here because they are on disk.
inline constexpr std::uint32_t mode_type_mask = 0170000;
inline constexpr std::uint32_t mode_fifo = 0010000;
inline constexpr std::uint32_t mode_character = 0020000;
inline constexpr std::uint32_t mode_directory = 0040000;
inline constexpr std::uint32_t mode_block = 0060000;
inline constexpr std::uint32_t mode_regular = 0100000;
inline constexpr std::uint32_t mode_symlink = 0120000;
inline constexpr std::uint32_t mode_socket = 0140000;
inline constexpr std::uint32_t mode_permission_mask = 07777;

// Where the bytes of a regular file stand. Other types have `none`.
enum class Contents : std::uint8_t {
  none = 0,
  in_record = 1,  // all of them in the body: body.size() == size
  extents = 2,    // "e/" keys; a block without a key is a hole
};

struct InodeXattr {
  std::string name;   // 1 to 255 bytes
  std::string value;  // up to 65535 bytes here; what the record takes in all is vol's decision

  friend bool operator==(const InodeXattr&, const InodeXattr&) = default;
};

// Inode::flags, as on disk. Bits without a name here are zero. The first four are what chattr(1) shows
// as i, a, A and d.
inline constexpr std::uint32_t inode_immutable = 1U << 0;    // nothing about it changes
inline constexpr std::uint32_t inode_append = 1U << 1;       // contents and names are only added
inline constexpr std::uint32_t inode_noatime = 1U << 2;      // reading leaves atime alone
inline constexpr std::uint32_t inode_nodump = 1U << 3;       // a mark for backup programs
inline constexpr std::uint32_t inode_has_logged = 1U << 16;  // regular files: "p/" keys may stand
inline constexpr std::uint32_t inode_flags_known =
    inode_immutable | inode_append | inode_noatime | inode_nodump | inode_has_logged;

// What has a fixed place in the record.
struct InodeFields {
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint64_t size = 0;   // bytes; a directory: its number of entries
  std::uint64_t units = 0;  // allocated content units of 4 KiB; also behind inline contents
  std::uint64_t rdev = 0;   // devices only
  Ino parent;               // directories only; the root is its own
  Timestamp atime, mtime, ctime, btime;
  Contents contents = Contents::none;
  std::uint32_t large_xattrs = 0;  // how many stand under "x/" keys
  std::uint32_t flags = 0;         // inode_* bits

  [[nodiscard]] std::uint32_t type() const noexcept { return mode & mode_type_mask; }

  [[nodiscard]] bool is_directory() const noexcept { return type() == mode_directory; }

  [[nodiscard]] bool is_regular() const noexcept { return type() == mode_regular; }

  [[nodiscard]] bool is_symlink() const noexcept { return type() == mode_symlink; }

  [[nodiscard]] bool is_device() const noexcept {
    return type() == mode_character || type() == mode_block;
  }

  friend bool operator==(const InodeFields&, const InodeFields&) = default;
};

struct Inode : InodeFields {
  std::vector<InodeXattr> xattrs;  // the small ones, in no order
  std::string body;                // symlink target, or inline contents

  friend bool operator==(const Inode&, const Inode&) = default;
};

// An inode as it lies in a record, for who reads many: nothing is copied but the fields.
struct InodeView : InodeFields {
  bool has_small_xattrs = false;
  std::string_view body;  // of the record
};

inline constexpr std::uint8_t inode_version = 1;
inline constexpr std::uint64_t file_size_max = (std::uint64_t{1} << 63) - 1;

struct InodeTime {
  le64 seconds;      // 0x00  two's complement
  le32 nanoseconds;  // 0x08  below 1e9
};

static_assert(sizeof(InodeTime) == 12);

struct InodeHeader {
  std::uint8_t version = 0;   // 0x00  inode_version
  std::uint8_t contents = 0;  // 0x01  Contents
  le16 xattrs_count;          // 0x02  small xattrs that follow
  le32 mode;                  // 0x04
  le32 uid;                   // 0x08
  le32 gid;                   // 0x0c
  le32 nlink;                 // 0x10
  le32 large_xattrs;          // 0x14
  le64 size;                  // 0x18
  le64 units;                 // 0x20
  le64 parent_or_rdev;        // 0x28  parent of a directory, rdev of a device, else 0
  InodeTime atime;            // 0x30
  InodeTime mtime;            // 0x3c
  InodeTime ctime;            // 0x48
  InodeTime btime;            // 0x54
  le32 body_bytes;            // 0x60  at the end of the record
  le32 flags;                 // 0x64  inode_* bits; zero in records older than the flags
};

static_assert(sizeof(InodeHeader) == 0x68 && offsetof(InodeHeader, size) == 0x18);
static_assert(offsetof(InodeHeader, atime) == 0x30 && offsetof(InodeHeader, body_bytes) == 0x60 &&
              offsetof(InodeHeader, flags) == 0x64);

struct InodeXattrHeader {
  std::uint8_t name_bytes = 0;  // 0x00  1 to 255
  le16 value_bytes;             // 0x01
};

static_assert(sizeof(InodeXattrHeader) == 3);

// Replaces `out` with the record; the caller keeps the buffer.
void encode(const Inode& inode, std::string& out);
[[nodiscard]] Result<Inode> decode_inode(Ino ino, std::string_view record);
// Accepts the same records.
[[nodiscard]] Result<InodeView> decode_inode_view(Ino ino, std::string_view record);

[[nodiscard]] bool is_known_type(std::uint32_t type) noexcept;

}  // namespace artfs::format
