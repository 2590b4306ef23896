// SPDX-License-Identifier: Apache-2.0
#include "format/inode.hpp"

#include <cstring>
#include <type_traits>

#include "base/assert.hpp"

namespace artfs::format {
namespace {

static_assert(std::is_trivially_copyable_v<InodeHeader>);

constexpr std::uint32_t nanoseconds_per_second = 1'000'000'000;

InodeTime to_disk(Timestamp time) {
  InodeTime out{};
  out.seconds = static_cast<std::uint64_t>(time.seconds);
  out.nanoseconds = time.nanoseconds;
  return out;
}

Timestamp from_disk(const InodeTime& time) {
  const std::uint64_t seconds = time.seconds;
  return {static_cast<std::int64_t>(seconds), time.nanoseconds};
}

bool known_type(std::uint32_t type) {
  return type == mode_fifo || type == mode_character || type == mode_directory ||
         type == mode_block || type == mode_regular || type == mode_symlink || type == mode_socket;
}

bool times_valid(const InodeFields& inode) {
  for (const Timestamp* time : {&inode.atime, &inode.mtime, &inode.ctime, &inode.btime}) {
    if (time->nanoseconds >= nanoseconds_per_second) return false;
  }
  return true;
}

// Which fields may be set depends on the type; checked before the bytes go out and after they come in.
bool valid(const InodeFields& inode, std::size_t body_bytes) {
  if (!known_type(inode.type()) || inode.mode > (mode_type_mask | mode_permission_mask))
    return false;
  if ((inode.flags & ~inode_flags_known) != 0) return false;
  if (!inode.is_regular() && (inode.flags & inode_has_logged) != 0) return false;
  if (!times_valid(inode) || inode.size > file_size_max) return false;
  if (inode.is_directory() != static_cast<bool>(inode.parent)) return false;
  if (inode.rdev != 0 && !inode.is_device()) return false;
  if (inode.is_regular() == (inode.contents == Contents::none)) return false;
  if (!inode.is_regular() && inode.units != 0) return false;
  if (inode.is_symlink() || inode.contents == Contents::in_record) {
    return body_bytes == inode.size;
  }
  if (body_bytes != 0) return false;
  return inode.is_regular() || inode.is_directory() || inode.size == 0;
}

template <typename T>
bool take(std::string_view& rest, T& out) {
  if (rest.size() < sizeof(T)) return false;
  std::memcpy(&out, rest.data(), sizeof(T));
  rest.remove_prefix(sizeof(T));
  return true;
}

bool take_bytes(std::string_view& rest, std::size_t bytes, std::string& out) {
  if (rest.size() < bytes) return false;
  out.assign(rest.substr(0, bytes));
  rest.remove_prefix(bytes);
  return true;
}

template <typename T>
void append(std::string& out, const T& object) {
  std::array<char, sizeof(T)> raw{};
  std::memcpy(raw.data(), &object, sizeof(T));
  out.append(raw.data(), raw.size());
}

bool take_xattrs(std::string_view& rest, std::size_t count, std::vector<InodeXattr>& out) {
  for (std::size_t i = 0; i < count; ++i) {
    InodeXattrHeader header{};
    InodeXattr xattr;
    if (!take(rest, header) || header.name_bytes == 0) return false;
    if (!take_bytes(rest, header.name_bytes, xattr.name)) return false;
    if (!take_bytes(rest, header.value_bytes, xattr.value)) return false;
    out.push_back(std::move(xattr));
  }
  return true;
}

bool skip_xattrs(std::string_view& rest, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    InodeXattrHeader header{};
    if (!take(rest, header) || header.name_bytes == 0) return false;
    const std::size_t bytes = header.name_bytes + std::size_t{header.value_bytes};
    if (rest.size() < bytes) return false;
    rest.remove_prefix(bytes);
  }
  return true;
}

bool decode_fields(const InodeHeader& header, InodeFields& inode) {
  if (header.version != inode_version) return false;
  if (header.contents > static_cast<std::uint8_t>(Contents::extents)) return false;
  inode.contents = static_cast<Contents>(header.contents);
  inode.mode = header.mode;
  inode.uid = header.uid;
  inode.gid = header.gid;
  inode.nlink = header.nlink;
  inode.large_xattrs = header.large_xattrs;
  inode.flags = header.flags;
  inode.size = header.size;
  inode.units = header.units;
  inode.atime = from_disk(header.atime);
  inode.mtime = from_disk(header.mtime);
  inode.ctime = from_disk(header.ctime);
  inode.btime = from_disk(header.btime);
  const std::uint64_t parent_or_rdev = header.parent_or_rdev;
  if (inode.is_directory()) {
    inode.parent = Ino{parent_or_rdev};
  } else {
    inode.rdev = parent_or_rdev;
  }
  return true;
}

}  // namespace

void encode(const Inode& inode, std::string& out) {
  ARTFS_ASSERT(valid(inode, inode.body.size()));
  InodeHeader header{};
  header.version = inode_version;
  header.contents = static_cast<std::uint8_t>(inode.contents);
  header.xattrs_count = static_cast<std::uint16_t>(inode.xattrs.size());
  header.mode = inode.mode;
  header.uid = inode.uid;
  header.gid = inode.gid;
  header.nlink = inode.nlink;
  header.large_xattrs = inode.large_xattrs;
  header.flags = inode.flags;
  header.size = inode.size;
  header.units = inode.units;
  header.parent_or_rdev = inode.is_directory() ? inode.parent.raw : inode.rdev;
  header.atime = to_disk(inode.atime);
  header.mtime = to_disk(inode.mtime);
  header.ctime = to_disk(inode.ctime);
  header.btime = to_disk(inode.btime);
  header.body_bytes = static_cast<std::uint32_t>(inode.body.size());
  out.clear();
  append(out, header);
  for (const InodeXattr& xattr : inode.xattrs) {
    ARTFS_ASSERT(!xattr.name.empty() && xattr.name.size() <= 255 && xattr.value.size() <= 65535);
    InodeXattrHeader xattr_header{};
    xattr_header.name_bytes = static_cast<std::uint8_t>(xattr.name.size());
    xattr_header.value_bytes = static_cast<std::uint16_t>(xattr.value.size());
    append(out, xattr_header);
    out += xattr.name;
    out += xattr.value;
  }
  out += inode.body;
}

Result<Inode> decode_inode(Ino ino, std::string_view record) {
  std::string_view rest = record;
  InodeHeader header{};
  Inode inode;
  if (!take(rest, header) || !decode_fields(header, inode))
    return fail(Errc::record_corrupt, ino.raw);
  if (!take_xattrs(rest, header.xattrs_count, inode.xattrs))
    return fail(Errc::record_corrupt, ino.raw);
  if (rest.size() != header.body_bytes) return fail(Errc::record_corrupt, ino.raw);
  inode.body.assign(rest);
  if (!valid(inode, inode.body.size())) return fail(Errc::record_corrupt, ino.raw);
  return inode;
}

Result<InodeView> decode_inode_view(Ino ino, std::string_view record) {
  std::string_view rest = record;
  InodeHeader header{};
  InodeView inode;
  if (!take(rest, header) || !decode_fields(header, inode) ||
      !skip_xattrs(rest, header.xattrs_count) || rest.size() != header.body_bytes ||
      !valid(inode, rest.size())) {
    return fail(Errc::record_corrupt, ino.raw);
  }
  inode.has_small_xattrs = header.xattrs_count != 0;
  inode.body = rest;
  return inode;
}

bool is_known_type(std::uint32_t type) noexcept {
  return known_type(type);
}

}  // namespace artfs::format
