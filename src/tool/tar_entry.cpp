// SPDX-License-Identifier: Apache-2.0
#include "tool/tar_entry.hpp"

#include <archive.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "format/acl.hpp"
#include "tool/path_stack.hpp"

namespace artfs::tool {

namespace {

using format::Acl;
using format::AclEntry;
using format::AclTag;

struct TagPair {
  AclTag tag;
  int archive_tag;
};

constexpr std::array<TagPair, 6> tags = {{{AclTag::owner, ARCHIVE_ENTRY_ACL_USER_OBJ},
                                          {AclTag::user, ARCHIVE_ENTRY_ACL_USER},
                                          {AclTag::group_owner, ARCHIVE_ENTRY_ACL_GROUP_OBJ},
                                          {AclTag::group, ARCHIVE_ENTRY_ACL_GROUP},
                                          {AclTag::mask, ARCHIVE_ENTRY_ACL_MASK},
                                          {AclTag::other, ARCHIVE_ENTRY_ACL_OTHER}}};

bool is_named(AclTag tag) {
  return tag == AclTag::user || tag == AclTag::group;
}

// The name, unless all there is is the number.
std::string known_name(const std::string& name, std::uint32_t id) {
  return name == fmt::format("{}", id) ? std::string() : name;
}

void add_acl(archive_entry* entry, int type, std::string_view value, OwnerNames* owners) {
  const Result<Acl> acl = format::decode_acl(value);
  if (!acl) return;
  for (const AclEntry& one : *acl) {
    const auto pair = std::find_if(tags.begin(), tags.end(),
                                   [&one](const TagPair& each) { return each.tag == one.tag; });
    if (pair == tags.end()) continue;
    std::string name;
    if (owners != nullptr && one.tag == AclTag::user) {
      name = known_name(owners->user(one.id), one.id);
    }
    if (owners != nullptr && one.tag == AclTag::group) {
      name = known_name(owners->group(one.id), one.id);
    }
    // Permissions are the same three bits there.
    archive_entry_acl_add_entry(entry, type, one.permissions, pair->archive_tag,
                                is_named(one.tag) ? static_cast<int>(one.id) : -1,
                                name.empty() ? nullptr : name.c_str());
  }
}

Acl take_acl(archive_entry* entry, int wanted, OwnerIds& owners) {
  Acl acl;
  if (archive_entry_acl_reset(entry, wanted) == 0) return acl;
  int type = 0;
  int permissions = 0;
  int tag = 0;
  int id = 0;
  const char* name = nullptr;
  while (archive_entry_acl_next(entry, wanted, &type, &permissions, &tag, &id, &name) ==
         ARCHIVE_OK) {
    const auto pair = std::find_if(tags.begin(), tags.end(),
                                   [tag](const TagPair& each) { return each.archive_tag == tag; });
    if (pair == tags.end()) continue;
    AclEntry one{.tag = pair->tag, .permissions = static_cast<std::uint16_t>(permissions & 7)};
    const std::string_view text = name == nullptr ? "" : name;
    const auto number = static_cast<std::uint32_t>(id);
    if (one.tag == AclTag::user) one.id = owners.user(text, number);
    if (one.tag == AclTag::group) one.id = owners.group(text, number);
    acl.push_back(one);
  }
  std::sort(acl.begin(), acl.end(), [](const AclEntry& a, const AclEntry& b) {
    return std::pair(a.tag, a.id) < std::pair(b.tag, b.id);
  });
  return acl;
}

// Of the mode, the group's bits are those of the mask.
void apply_acl(FileRecord& record, const Acl& acl) {
  std::uint32_t group = 0;
  std::uint32_t mode = record.mode & ~0777U;
  for (const AclEntry& one : acl) {
    if (one.tag == AclTag::owner) mode |= std::uint32_t{one.permissions} << 6U;
    if (one.tag == AclTag::group_owner || one.tag == AclTag::mask) group = one.permissions;
    if (one.tag == AclTag::other) mode |= one.permissions;
  }
  record.mode = mode | group << 3U;
}

// %25 for '%', as GNU tar and libarchive write what would end a keyword.
std::string decoded_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    unsigned value = 0;
    const char* const digits = name.data() + i + 1;
    if (name[i] == '%' && i + 2 < name.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(name[i]);
    }
  }
  return out;
}

constexpr std::uint32_t second_ns = 1'000'000'000;

// libarchive writes and reads the fraction of a second behind the sign of the whole ones, as digits that belong to
// them: before the epoch its numbers are not those of stat(2), which count up from the second before.
Timestamp to_archive(Timestamp time) {
  if (time.seconds >= 0 || time.nanoseconds == 0) return time;
  // "-0.5" is what it cannot write.
  if (time.seconds == -1) return {.seconds = -1, .nanoseconds = 0};
  return {.seconds = time.seconds + 1, .nanoseconds = second_ns - time.nanoseconds};
}

std::optional<Timestamp> from_archive(bool is_set, time_t seconds, long nanoseconds) {
  if (!is_set) return std::nullopt;
  const auto fraction = static_cast<std::uint32_t>(nanoseconds);
  if (seconds >= 0 || fraction == 0) return Timestamp{.seconds = seconds, .nanoseconds = fraction};
  return Timestamp{.seconds = seconds - 1, .nanoseconds = second_ns - fraction};
}

std::string_view text_of(const char* text) {
  return text == nullptr ? std::string_view() : text;
}

void add_ranges(archive_entry* entry, const FileRecord& record,
                const std::vector<DataRange>& ranges) {
  for (const DataRange& range : ranges) {
    archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(range.offset),
                                   static_cast<la_int64_t>(range.length));
  }
  // All of it is a hole.
  if (ranges.empty()) {
    archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(record.size), 0);
  }
}

void take_xattrs(archive_entry* entry, FileRecord& record) {
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    record.xattrs.push_back({.name = decoded_name(text_of(name)),
                             .value = std::string(static_cast<const char*>(value), size)});
  }
}

}  // namespace

void fill_tar_entry(archive_entry* entry, const FileRecord& record,
                    const std::vector<DataRange>* ranges, OwnerNames* owners) {
  archive_entry_clear(entry);
  archive_entry_set_pathname(entry, record.path.c_str());
  archive_entry_set_mode(entry, record.mode);
  archive_entry_set_uid(entry, record.uid);
  archive_entry_set_gid(entry, record.gid);
  if (owners != nullptr) {
    archive_entry_set_uname(entry, known_name(owners->user(record.uid), record.uid).c_str());
    archive_entry_set_gname(entry, known_name(owners->group(record.gid), record.gid).c_str());
  }
  if (record.mtime) {
    const Timestamp mtime = to_archive(*record.mtime);
    archive_entry_set_mtime(entry, mtime.seconds, mtime.nanoseconds);
  }
  if (record.hard_link) {
    archive_entry_set_hardlink(entry, record.hard_link->c_str());
    return;
  }
  if (record.atime) {
    const Timestamp atime = to_archive(*record.atime);
    archive_entry_set_atime(entry, atime.seconds, atime.nanoseconds);
  }
  if (S_ISLNK(record.mode)) archive_entry_set_symlink(entry, record.target.c_str());
  if (S_ISCHR(record.mode) || S_ISBLK(record.mode)) {
    archive_entry_set_rdevmajor(entry, ::major(record.rdev));
    archive_entry_set_rdevminor(entry, ::minor(record.rdev));
  }
  archive_entry_set_size(entry, static_cast<la_int64_t>(record.size));
  if (ranges != nullptr) add_ranges(entry, record, *ranges);
  for (const Xattr& xattr : record.xattrs) {
    if (xattr.name == acl_access_xattr) {
      add_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, xattr.value, owners);
    } else if (xattr.name == acl_default_xattr) {
      add_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, xattr.value, owners);
    } else {
      archive_entry_xattr_add_entry(entry, xattr.name.c_str(), xattr.value.data(),
                                    xattr.value.size());
    }
  }
}

std::uint32_t OwnerIds::user(std::string_view name, std::uint32_t number) {
  if (only_numbers_ || name.empty()) return number;
  const auto [found, is_new] = users_.try_emplace(std::string(name));
  if (is_new) {
    if (const passwd* const entry = ::getpwnam(found->first.c_str())) found->second = entry->pw_uid;
  }
  return found->second.value_or(number);
}

std::uint32_t OwnerIds::group(std::string_view name, std::uint32_t number) {
  if (only_numbers_ || name.empty()) return number;
  const auto [found, is_new] = groups_.try_emplace(std::string(name));
  if (is_new) {
    if (const ::group* const entry = ::getgrnam(found->first.c_str())) {
      found->second = entry->gr_gid;
    }
  }
  return found->second.value_or(number);
}

Result<TarRecord> read_tar_entry(archive_entry* entry, OwnerIds& owners) {
  TarRecord out;
  FileRecord& record = out.record;
  const std::string_view path = text_of(archive_entry_pathname(entry));
  record.path = ARTFS_TRY(clean_path(path));
  out.was_cut = path.starts_with('/');
  if (const char* const link = archive_entry_hardlink(entry)) {
    record.hard_link = ARTFS_TRY(clean_path(link));
    out.was_cut = out.was_cut || *link == '/';
  }
  record.mode = archive_entry_mode(entry);
  // Old archives say of a hard link nothing but its name.
  if (record.hard_link && (record.mode & S_IFMT) == 0) record.mode |= S_IFREG;
  record.uid = owners.user(text_of(archive_entry_uname(entry)),
                           static_cast<std::uint32_t>(archive_entry_uid(entry)));
  record.gid = owners.group(text_of(archive_entry_gname(entry)),
                            static_cast<std::uint32_t>(archive_entry_gid(entry)));
  record.rdev = ::makedev(static_cast<unsigned>(archive_entry_rdevmajor(entry)),
                          static_cast<unsigned>(archive_entry_rdevminor(entry)));
  if (S_ISREG(record.mode)) record.size = static_cast<std::uint64_t>(archive_entry_size(entry));
  record.atime = from_archive(archive_entry_atime_is_set(entry) != 0, archive_entry_atime(entry),
                              archive_entry_atime_nsec(entry));
  record.mtime = from_archive(archive_entry_mtime_is_set(entry) != 0, archive_entry_mtime(entry),
                              archive_entry_mtime_nsec(entry));
  record.target = text_of(archive_entry_symlink(entry));
  take_xattrs(entry, record);
  if (Acl acl = take_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, owners); !acl.empty()) {
    apply_acl(record, acl);
    record.xattrs.push_back({.name = std::string(acl_access_xattr), .value = encode(acl)});
  }
  if (const Acl acl = take_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, owners); !acl.empty()) {
    record.xattrs.push_back({.name = std::string(acl_default_xattr), .value = encode(acl)});
  }
  return out;
}

}  // namespace artfs::tool
