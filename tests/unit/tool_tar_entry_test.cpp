// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "format/acl.hpp"
#include "tool/tar_entry.hpp"

using artfs::Errc;
using artfs::Timestamp;
using artfs::format::AclTag;
using namespace artfs::tool;

namespace {

struct FreeEntry {
  void operator()(archive_entry* freed) const noexcept { archive_entry_free(freed); }
};

using Entry = std::unique_ptr<archive_entry, FreeEntry>;

FileRecord regular() {
  FileRecord record;
  record.path = "dir/name";
  record.mode = S_IFREG | 04640;
  record.uid = 4'000'000'000;
  record.gid = 12345;
  record.size = 10;
  record.mtime = Timestamp{1'500'000'000, 1};
  record.atime = Timestamp{1'600'000'000, 999'999'999};
  return record;
}

FileRecord there_and_back(const FileRecord& record) {
  const Entry entry(archive_entry_new());
  fill_tar_entry(entry.get(), record, nullptr, nullptr);
  OwnerIds owners(true);
  return read_tar_entry(entry.get(), owners).value().record;
}

}  // namespace

TEST_CASE("tool tar entry: a record comes back as it went", "[unit][tool]") {
  FileRecord record = regular();
  record.xattrs = {{"user.a", std::string("\0\xff", 2)}, {"user.empty", ""}};
  const FileRecord back = there_and_back(record);
  CHECK(back.path == record.path);
  CHECK(back.mode == record.mode);
  CHECK(back.uid == record.uid);
  CHECK(back.gid == record.gid);
  CHECK(back.size == record.size);
  CHECK(back.mtime == record.mtime);
  CHECK(back.atime == record.atime);
  CHECK(back.xattrs.size() == 2);
  CHECK(!back.hard_link);
}

TEST_CASE("tool tar entry: times before the epoch come back, and go as POSIX writes them",
          "[unit][tool]") {
  FileRecord record = regular();
  record.mtime = Timestamp{-86'401, 999'999'999};  // a nanosecond before -86,400 s
  const Entry entry(archive_entry_new());
  fill_tar_entry(entry.get(), record, nullptr, nullptr);
  CHECK(archive_entry_mtime(entry.get()) == -86'400);
  CHECK(archive_entry_mtime_nsec(entry.get()) == 1);
  CHECK(there_and_back(record).mtime == record.mtime);
  record.mtime = Timestamp{-5, 0};
  CHECK(there_and_back(record).mtime == record.mtime);
}

TEST_CASE("tool tar entry: the group's bits of the mode are the mask's of an ACL", "[unit][tool]") {
  FileRecord record = regular();
  record.mode = S_IFREG | 0660;
  const artfs::format::Acl acl = {{AclTag::owner, 6, ~0U},  {AclTag::user, 7, 3},
                                  {AclTag::user, 4, 70000}, {AclTag::group_owner, 0, ~0U},
                                  {AclTag::group, 5, 9},    {AclTag::mask, 6, ~0U},
                                  {AclTag::other, 0, ~0U}};
  record.xattrs = {{std::string(acl_access_xattr), encode(acl)}};
  const FileRecord back = there_and_back(record);
  CHECK(back.mode == record.mode);
  CHECK(back.xattrs == record.xattrs);
}

TEST_CASE("tool tar entry: names that lead out are refused or cut", "[unit][tool]") {
  const Entry entry(archive_entry_new());
  OwnerIds owners(true);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_pathname(entry.get(), "/etc/passwd");
  const auto cut = read_tar_entry(entry.get(), owners);
  CHECK(cut->record.path == "etc/passwd");
  CHECK(cut->was_cut);
  archive_entry_set_hardlink(entry.get(), "../../etc/shadow");
  const auto refused = read_tar_entry(entry.get(), owners);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::name_invalid);
}
