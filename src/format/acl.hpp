// SPDX-License-Identifier: Apache-2.0
// A POSIX ACL: entries in memory, and in the encoding that Linux gives to xattrs system.posix_acl_*.
//
// Contract:   decode_acl takes what posix_acl_valid of Linux takes: the owner, named users, the group,
//             named groups, a mask (needed when anything is named), the others, in this order, each
//             permission a combination of r, w and x. No entries at all is an empty ACL. encode gives
//             the bytes back, with the ids of unnamed entries as Linux writes them.
// Errors:     invalid_argument; operation_not_supported for another version of the encoding.
// Source:     linux/posix_acl_xattr.h; POSIX 1003.1e draft 17.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"

#include "base/endian.hpp"

namespace artfs::format {

enum class AclTag : std::uint16_t {
  owner = 0x01,
  user = 0x02,
  group_owner = 0x04,
  group = 0x08,
  mask = 0x10,
  other = 0x20,
};

struct AclEntry {
  AclTag tag = AclTag::owner;
  std::uint16_t permissions = 0;  // as one digit of a mode
  std::uint32_t id = ~0U;         // of users and groups

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

using Acl = std::vector<AclEntry>;

inline constexpr std::uint32_t acl_version = 2;
// What the kernel's page of 4 KiB holds.
inline constexpr std::size_t acl_entries_max = 511;

struct AclHeader {
  base::le32 version;  // 0x00  acl_version
};

struct AclEntryRecord {
  base::le16 tag;          // 0x00  AclTag
  base::le16 permissions;  // 0x02  0 to 7
  base::le32 id;           // 0x04  all ones where there is none
};

static_assert(sizeof(AclHeader) == 4 && sizeof(AclEntryRecord) == 8);

[[nodiscard]] Result<Acl> decode_acl(std::string_view value);
[[nodiscard]] std::string encode(const Acl& acl);

}  // namespace artfs::format
