// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/volume.hpp"
#include "support/death.hpp"

namespace artfs::format {
namespace {

Inode regular() {
  Inode inode;
  inode.mode = mode_regular | 04755;
  inode.uid = 1000;
  inode.gid = ~0U;
  inode.nlink = 3;
  inode.size = 5;
  inode.units = 16;
  inode.atime = {-1, 999'999'999};
  inode.mtime = {1, 2};
  inode.ctime = {std::int64_t{1} << 40, 3};
  inode.btime = {4, 0};
  inode.contents = Contents::in_record;
  inode.large_xattrs = 7;
  inode.flags = inode_flags_known;
  inode.xattrs = {{"user.a", "value"}, {"security.selinux", std::string("\0x", 2)}};
  inode.body = "hello";
  return inode;
}

Inode directory() {
  Inode inode;
  inode.mode = mode_directory | 0755;
  inode.nlink = 2;
  inode.parent = Ino{1};
  inode.size = 12;
  inode.flags = inode_append;
  return inode;
}

std::string encoded(const Inode& inode) {
  std::string out;
  encode(inode, out);
  return out;
}

TEST_CASE("format inode: every kind of inode comes back as it was", "[unit][format]") {
  Inode device;
  device.mode = mode_block | 0600;
  device.nlink = 1;
  device.rdev = 0x1234567890;
  Inode link;
  link.mode = mode_symlink | 0777;
  link.nlink = 1;
  link.size = 4095;
  link.body = std::string(4095, 't');
  Inode big = regular();
  big.contents = Contents::extents;
  big.body.clear();
  big.size = file_size_max;
  for (const Inode& inode : {regular(), directory(), device, link, big}) {
    const Result<Inode> decoded = decode_inode(Ino{9}, encoded(inode));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == inode);
  }
}

TEST_CASE("format inode: a record cut anywhere, or longer than it says, is damage",
          "[unit][format]") {
  const std::string record = encoded(regular());
  for (std::size_t bytes = 0; bytes < record.size(); ++bytes) {
    const Result<Inode> decoded = decode_inode(Ino{9}, std::string_view(record).substr(0, bytes));
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error() == Error{Errc::record_corrupt, 9});
  }
  CHECK_FALSE(decode_inode(Ino{9}, record + "x").has_value());
}

TEST_CASE("format inode: unknown version, types, flags and contents are damage", "[unit][format]") {
  const auto changed = [](std::size_t off, char value) {
    std::string record = encoded(regular());
    record[off] = value;
    return decode_inode(Ino{9}, record).has_value();
  };
  CHECK_FALSE(changed(0x00, 2));                        // version
  CHECK_FALSE(changed(0x01, 3));                        // contents
  CHECK_FALSE(changed(0x01, 2));                        // extents, but with a body
  CHECK_FALSE(changed(0x05, 0x10));                     // no such type
  CHECK_FALSE(changed(0x06, 1));                        // mode bits above the type
  CHECK_FALSE(changed(0x18, 6));                        // size is not the body's
  CHECK_FALSE(changed(0x1f, static_cast<char>(0x80)));  // size over 2^63
  CHECK_FALSE(changed(0x28, 1));                        // rdev of a regular file
  CHECK_FALSE(changed(0x3b, 0x7f));                     // nanoseconds
  CHECK_FALSE(changed(0x64, 0x10));                     // flags without a name
  CHECK_FALSE(changed(0x65, 1));
  CHECK_FALSE(changed(0x66, 2));
  CHECK_FALSE(changed(0x67, 1));
  CHECK_FALSE(changed(0x68, 0));  // an xattr without name
}

TEST_CASE("format inode: every single-bit flip decodes to something valid or not at all",
          "[unit][format]") {
  for (const Inode& inode : {regular(), directory()}) {
    const std::string record = encoded(inode);
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
      std::string flipped = record;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const Result<Inode> decoded = decode_inode(Ino{9}, flipped);
      if (decoded) CHECK(encoded(*decoded) == flipped);
      CHECK(decode_inode_view(Ino{9}, flipped).has_value() == decoded.has_value());
    }
  }
}

TEST_CASE("format inode: a view shows what stands in the record", "[unit][format]") {
  for (const Inode& inode : {regular(), directory()}) {
    const std::string record = encoded(inode);
    const Result<InodeView> view = decode_inode_view(Ino{9}, record);
    REQUIRE(view.has_value());
    CHECK(static_cast<const InodeFields&>(*view) == static_cast<const InodeFields&>(inode));
    CHECK(view->body == inode.body);
    CHECK(view->has_small_xattrs == !inode.xattrs.empty());
  }
}

TEST_CASE("format inode: logged writes belong to regular files only", "[unit][format]") {
  std::string record = encoded(directory());
  REQUIRE(decode_inode(Ino{9}, record).has_value());
  record[0x66] = 1;
  CHECK_FALSE(decode_inode(Ino{9}, record).has_value());
}

TEST_CASE("format inode: a record older than the flags has none", "[unit][format]") {
  std::string record = encoded(directory());
  record.replace(0x64, 4, 4, '\0');  // what were reserved bytes
  const Result<Inode> decoded = decode_inode(Ino{9}, record);
  REQUIRE(decoded.has_value());
  CHECK(decoded->flags == 0);
}

TEST_CASE("format inode: an impossible inode never reaches the disk", "[unit][format]") {
  Inode inode = directory();
  inode.parent = Ino{};
  CHECK(test::aborts([&] { (void)encoded(inode); }));
}

TEST_CASE("format dirent: comes back, and nothing else is accepted", "[unit][format]") {
  for (const std::uint64_t number : {77UL, 78UL, (1UL << 63) - 1}) {
    CAPTURE(number);
    const Dirent entry{.ino = Ino{77}, .type = mode_symlink, .number = number};
    const std::string value = encode(entry);
    CHECK(value.size() == (number == 77 ? 9 : 17));
    REQUIRE(decode_dirent(Ino{1}, value).has_value());
    CHECK(*decode_dirent(Ino{1}, value) == entry);
    CHECK_FALSE(decode_dirent(Ino{1}, value + "x").has_value());
    CHECK_FALSE(decode_dirent(Ino{1}, std::string_view(value).substr(0, 8)).has_value());
    const std::string by_number = encode_by_number({.dirent = entry, .name = "name"});
    CHECK(by_number.size() == (number == 77 ? 5 : 13));
    const Result<NamedDirent> named = decode_by_number(Ino{1}, number, by_number);
    REQUIRE(named.has_value());
    CHECK(named->dirent == entry);
    CHECK(named->name == "name");
    for (std::size_t bytes = 0; bytes + 4 <= by_number.size(); ++bytes) {
      CHECK_FALSE(decode_by_number(Ino{1}, number, by_number.substr(0, bytes)).has_value());
    }
    CHECK_FALSE(decode_by_number(Ino{1}, number, by_number + std::string(252, 'x')).has_value());
  }
}

TEST_CASE("format dirent: one spelling of each, no impossible inode, type or number",
          "[unit][format]") {
  const std::string own = encode(first_entry(Ino{77}, mode_symlink));
  const std::string number(own.substr(0, 8));
  CHECK_FALSE(decode_dirent(Ino{1}, own + number).has_value());  // the own number spelled out
  CHECK_FALSE(decode_dirent(Ino{1}, own + std::string(8, '\0')).has_value());
  CHECK_FALSE(decode_dirent(Ino{1}, own + std::string(8, '\xff')).has_value());
  CHECK_FALSE(decode_dirent(Ino{1}, std::string(8, '\0') + own.back()).has_value());
  CHECK_FALSE(decode_dirent(Ino{1}, number + '\0').has_value());
  const std::string type(1, own.back());
  const std::string flagged(1, static_cast<char>(static_cast<unsigned char>(own.back()) | 0x80U));
  CHECK(decode_by_number(Ino{1}, 77, type + "name").has_value());
  CHECK_FALSE(decode_by_number(Ino{1}, 77, flagged + number + "name").has_value());
  CHECK_FALSE(decode_by_number(Ino{1}, 78, flagged + std::string(8, '\0') + "name").has_value());
  CHECK_FALSE(decode_by_number(Ino{1}, 0, type + "name").has_value());
  CHECK_FALSE(decode_by_number(Ino{1}, 1UL << 63, type + "name").has_value());
  CHECK_FALSE(decode_by_number(Ino{1}, 77, std::string(1, '\x03') + "name").has_value());
  CHECK(
      test::aborts([] { (void)encode(Dirent{.ino = Ino{}, .type = mode_symlink, .number = 5}); }));
  CHECK(test::aborts([] { (void)encode(Dirent{.ino = Ino{1}, .type = mode_fifo, .number = 0}); }));
}

TEST_CASE("format volume settings: version 1 has no flags", "[unit][format]") {
  const VolumeSettings settings{.inline_bytes_max = 0, .block_bytes = 1 << 20};
  std::string record = encode(settings);
  record[0] = 1;
  CHECK_FALSE(decode_volume_settings(record).has_value());
  record.replace(0x0c, 4, 4, '\0');
  REQUIRE(decode_volume_settings(record).has_value());
  CHECK_FALSE(decode_volume_settings(record)->is_numbered);
}

TEST_CASE("format volume settings: strict, and a newer version says so", "[unit][format]") {
  const VolumeSettings settings{.inline_bytes_max = 0, .block_bytes = 1 << 20};
  const std::string record = encode(settings);
  REQUIRE(decode_volume_settings(record).has_value());
  CHECK(*decode_volume_settings(record) == settings);
  CHECK(decode_volume_settings(record + "x").error().code == Errc::record_corrupt);
  std::string newer = record;
  newer[0] = static_cast<char>(volume_settings_version + 1);
  CHECK(decode_volume_settings(newer).error().code == Errc::store_newer);
  std::string odd = record;
  odd[8] = 1;  // not a power of two
  CHECK(decode_volume_settings(odd).error().code == Errc::record_corrupt);
  std::string reserved = record;
  reserved[31] = 1;
  CHECK(decode_volume_settings(reserved).error().code == Errc::record_corrupt);
  std::string unknown_flag = record;
  unknown_flag[12] = 4;
  CHECK(decode_volume_settings(unknown_flag).error().code == Errc::record_corrupt);
  CHECK_FALSE(valid({.inline_bytes_max = 4097, .block_bytes = 65536}));
  CHECK_FALSE(valid({.inline_bytes_max = 0, .block_bytes = 2048}));
}

}  // namespace
}  // namespace artfs::format
