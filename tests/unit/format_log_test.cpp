// SPDX-License-Identifier: Apache-2.0
// The bytes on disk, pinned: a change of one of these numbers is a new format version.
#include <catch2/catch.hpp>
#include <cstddef>
#include <string>

#include "base/bytes.hpp"
#include "format/checkpoint.hpp"
#include "format/log.hpp"
#include "format/manifest.hpp"
#include "format/superblock.hpp"
#include "wal/record.hpp"

using namespace artfs;
using namespace artfs::format;

TEST_CASE("format: magics read as text in a dump of the store", "[unit][format]") {
  const auto text = [](const auto& magic) {
    return std::string(base::as_chars(base::object_bytes(magic)));
  };
  CHECK(text(base::le64(log_segment_magic)) == "ALWSEG01");
  CHECK(text(base::le32(log_record_magic)) == "AWRC");
  CHECK(text(base::le64(superblock_magic)) == "ARTFS-SB");
  CHECK(text(base::le32(manifest_magic)) == "AMNF");
  CHECK(text(base::le64(checkpoint_magic)) == "ARTFSCKP");
}

TEST_CASE("format: offsets of the log", "[unit][format]") {
  CHECK(sizeof(LogSegmentHeader) == 56);
  CHECK(offsetof(LogSegmentHeader, magic) == 0);
  CHECK(offsetof(LogSegmentHeader, version) == 8);
  CHECK(offsetof(LogSegmentHeader, segment_bytes) == 12);
  CHECK(offsetof(LogSegmentHeader, store_uuid) == 16);
  CHECK(offsetof(LogSegmentHeader, start) == 32);
  CHECK(offsetof(LogSegmentHeader, continues_from) == 40);
  CHECK(offsetof(LogSegmentHeader, checksum) == 48);
  CHECK(sizeof(LogRecordHeader) == 48);
  CHECK(offsetof(LogRecordHeader, magic) == 0);
  CHECK(offsetof(LogRecordHeader, payload_bytes) == 4);
  CHECK(offsetof(LogRecordHeader, lsn) == 8);
  CHECK(offsetof(LogRecordHeader, durable_lsn) == 16);
  CHECK(offsetof(LogRecordHeader, payload_checksum) == 24);
  CHECK(offsetof(LogRecordHeader, kind) == 32);
  CHECK(offsetof(LogRecordHeader, reserved) == 34);
  CHECK(offsetof(LogRecordHeader, header_checksum) == 40);
  CHECK(log_segment_bytes == 16777216);
  CHECK(log_segment_header_bytes == 4096);
}

TEST_CASE("format: offsets of the superblock", "[unit][format]") {
  CHECK(sizeof(SuperblockCopy) == 4096);
  CHECK(offsetof(SuperblockCopy, version) == 8);
  CHECK(offsetof(SuperblockCopy, copy) == 12);
  CHECK(offsetof(SuperblockCopy, features_compatible) == 16);
  CHECK(offsetof(SuperblockCopy, features_read_only_compatible) == 24);
  CHECK(offsetof(SuperblockCopy, features_incompatible) == 32);
  CHECK(offsetof(SuperblockCopy, store_uuid) == 40);
  CHECK(offsetof(SuperblockCopy, content_key) == 56);
  CHECK(offsetof(SuperblockCopy, created_seconds) == 72);
  CHECK(offsetof(SuperblockCopy, label_bytes) == 80);
  CHECK(offsetof(SuperblockCopy, label) == 82);
  CHECK(offsetof(SuperblockCopy, checksum) == 4088);
}

TEST_CASE("format: offsets of the manifest", "[unit][format]") {
  CHECK(sizeof(ManifestRecordHeader) == 56);
  CHECK(offsetof(ManifestRecordHeader, version) == 4);
  CHECK(offsetof(ManifestRecordHeader, kind) == 6);
  CHECK(offsetof(ManifestRecordHeader, store_uuid) == 8);
  CHECK(offsetof(ManifestRecordHeader, offset) == 24);
  CHECK(offsetof(ManifestRecordHeader, body_bytes) == 32);
  CHECK(offsetof(ManifestRecordHeader, body_checksum) == 40);
  CHECK(offsetof(ManifestRecordHeader, header_checksum) == 48);
  CHECK(sizeof(ManifestBody) == 48);
  CHECK(offsetof(ManifestBody, cut) == 8);
  CHECK(offsetof(ManifestBody, next_frame_id) == 16);
  CHECK(offsetof(ManifestBody, next_tree_id) == 24);
  CHECK(offsetof(ManifestBody, trees) == 28);
  CHECK(offsetof(ManifestBody, created) == 32);
  CHECK(offsetof(ManifestBody, removed) == 40);
  CHECK(sizeof(ManifestFrame) == 16);
  CHECK(sizeof(ManifestTreeHead) == 144);
  CHECK(offsetof(ManifestTreeHead, root) == 8);
  CHECK(offsetof(ManifestTreeHead, counters) == 16);
}

TEST_CASE("format: offsets of the checkpoint log", "[unit][format]") {
  CHECK(sizeof(CheckpointCommit) == 88);
  CHECK(offsetof(CheckpointCommit, version) == 8);
  CHECK(offsetof(CheckpointCommit, store_uuid) == 16);
  CHECK(offsetof(CheckpointCommit, generation) == 32);
  CHECK(offsetof(CheckpointCommit, cut) == 40);
  CHECK(offsetof(CheckpointCommit, pages) == 48);
  CHECK(offsetof(CheckpointCommit, frames) == 56);
  CHECK(offsetof(CheckpointCommit, delta_bytes) == 64);
  CHECK(offsetof(CheckpointCommit, content_checksum) == 72);
  CHECK(offsetof(CheckpointCommit, checksum) == 80);
  CHECK(sizeof(CheckpointFrame) == 32);
}

TEST_CASE("format: operations of a transaction, byte by byte", "[unit][format]") {
  using namespace std::string_literals;
  using wal::OpKind;
  const auto encoded = [](const wal::Op& op) {
    std::string out;
    wal::append_op(out, op);
    return out;
  };
  CHECK(encoded({.kind = OpKind::put, .tree = TreeId{0x01020304}, .key = "ab", .value = "xyz"}) ==
        "\x01\x04\x03\x02\x01\x02\x00\x03\x00\x00\x00"s + "abxyz");
  CHECK(encoded({.kind = OpKind::erase, .tree = TreeId{1}, .key = "ab"}) ==
        "\x02\x01\x00\x00\x00\x02\x00"s + "ab");
  CHECK(encoded({.kind = OpKind::add, .tree = TreeId{1}, .index = 3, .delta = -2}) ==
        "\x03\x01\x00\x00\x00\x03\xfe\xff\xff\xff\xff\xff\xff\xff"s);
  CHECK(encoded({.kind = OpKind::create_tree, .tree = TreeId{2}, .key = "t"}) ==
        "\x04\x02\x00\x00\x00\x01\x00"s + "t");
  CHECK(
      encoded({.kind = OpKind::assert_version, .tree = TreeId{2}, .key = "k", .version = Lsn{5}}) ==
      "\x11\x02\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00"s + "k");
}
