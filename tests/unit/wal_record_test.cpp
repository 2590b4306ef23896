// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "support/wal_log.hpp"
#include "wal/record.hpp"
#include "wal/record_codec.hpp"

using namespace artfs;
using wal::Op;
using wal::OpKind;

namespace {

std::vector<std::byte> encode(Lsn lsn, Lsn durable, const std::string& payload) {
  auto header = wal::prepare_header(format::LogRecordKind::transaction, base::as_bytes(payload));
  wal::seal_header(header, {lsn, durable});
  std::vector<std::byte> bytes(wal::record_bytes(payload.size()));
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), payload.data(), payload.size());
  return bytes;
}

void flip(std::vector<std::byte>& bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
}

bool same(const Op& a, const Op& b) {
  return a.kind == b.kind && a.tree == b.tree && a.key == b.key && a.value == b.value &&
         a.version == b.version && a.index == b.index && a.delta == b.delta;
}

std::vector<Op> one_of_each() {
  static const std::string long_key(key_bytes_max, 'k');
  static const std::string long_value(value_bytes_max, 'v');
  using namespace std::string_view_literals;
  return {
      {.kind = OpKind::put, .tree = TreeId{1}, .key = "a\0b"sv, .value = ""},
      {.kind = OpKind::put, .tree = TreeId{0xffffffff}, .key = long_key, .value = long_value},
      {.kind = OpKind::erase, .tree = TreeId{2}, .key = ""},
      {.kind = OpKind::add, .tree = TreeId{3}, .index = 15, .delta = -5},
      {.kind = OpKind::create_tree, .tree = TreeId{4}, .key = "a tree"},
      {.kind = OpKind::move_prefix, .tree = TreeId{4}, .key = "from/", .value = "to\0/"sv},
      {.kind = OpKind::assert_absent, .tree = TreeId{5}, .key = "x"},
      {.kind = OpKind::assert_version, .tree = TreeId{6}, .key = "y", .version = Lsn{1ULL << 47}},
      {.kind = OpKind::assert_prefix_empty, .tree = TreeId{7}, .key = "z/"},
  };
}

}  // namespace

TEST_CASE("wal record: every single-bit flip is caught", "[unit][wal]") {
  const std::size_t payload_bytes = GENERATE(as<std::size_t>{}, 0, 1, 7, 8, 100, 300);
  const std::string payload(payload_bytes, '\x5c');
  auto bytes = encode(Lsn{4096}, Lsn{4000}, payload);
  REQUIRE(bytes.size() % 8 == 0);
  const auto record = wal::decode_record(bytes, Lsn{4096});
  REQUIRE(record);
  CHECK(record->end.raw == 4096 + bytes.size());
  CHECK(record->durable == Lsn{4000});
  CHECK(base::as_chars(record->payload) == payload);
  bool all_caught = true;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    flip(bytes, bit);
    all_caught = all_caught && !wal::decode_record(bytes, Lsn{4096});
    flip(bytes, bit);
  }
  CHECK(all_caught);
}

TEST_CASE("wal record: it is believed only at its own LSN and only whole", "[unit][wal]") {
  const auto bytes = encode(Lsn{8192}, Lsn{8192}, "payload of a record");
  CHECK(wal::decode_record(bytes, Lsn{8192}));
  CHECK_FALSE(wal::decode_record(bytes, Lsn{8200}));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(wal::decode_record(std::span(bytes).first(size), Lsn{8192}));
  }
}

TEST_CASE("wal record: the search behind the end finds what was durable and nothing else",
          "[unit][wal]") {
  std::vector<std::byte> area(64 * 1024, std::byte{0x41});
  const auto place = [&](std::size_t at, Lsn lsn, Lsn durable) {
    const auto bytes = encode(lsn, durable, "some payload");
    std::memcpy(area.data() + at, bytes.data(), bytes.size());
  };
  const Lsn first{1 << 20};
  place(800, Lsn{first.raw + 800}, first);                 // not known durable
  place(1600, Lsn{777}, Lsn{first.raw + 1});               // of another position
  place(2404, Lsn{first.raw + 2404}, Lsn{first.raw + 1});  // not aligned
  CHECK_FALSE(wal::find_record(area, first, first));
  place(64 * 1024 - 64, Lsn{first.raw + 64 * 1024 - 64}, Lsn{first.raw + 1});
  const auto found = wal::find_record(area, first, first);
  REQUIRE(found);
  CHECK(found->lsn.raw == first.raw + 64 * 1024 - 64);
}

TEST_CASE("wal operations: what is encoded is read back, in order", "[unit][wal]") {
  std::string payload;
  std::size_t bytes = 0;
  for (const Op& op : one_of_each()) {
    wal::append_op(payload, op);
    bytes += wal::encoded_bytes(op);
    CHECK(payload.size() == bytes);
  }
  wal::OpReader reader(payload);
  for (const Op& op : one_of_each()) {
    REQUIRE_FALSE(reader.done());
    const auto read = reader.next();
    REQUIRE(read);
    CHECK(same(*read, op));
  }
  CHECK(reader.done());
}

TEST_CASE("wal operations: a payload cut short anywhere is an error", "[unit][wal]") {
  for (const Op& op : one_of_each()) {
    if (op.value.size() > 1000) continue;
    std::string payload;
    wal::append_op(payload, op);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      wal::OpReader reader(std::string_view(payload).substr(0, size));
      const auto read = reader.next();
      REQUIRE_FALSE(read);
      CHECK(read.error().code == Errc::log_corrupt);
    }
  }
}

TEST_CASE("wal operations: unknown kinds and lengths over the limits are errors", "[unit][wal]") {
  using namespace std::string_literals;
  const auto refused = [](std::string payload) {
    payload.append(200000, 'x');
    wal::OpReader reader(payload);
    return !reader.next();
  };
  CHECK(refused("\x00\x01\x00\x00\x00"s));
  CHECK(refused("\x05\x01\x00\x00\x00"s));
  CHECK(refused("\xff\x01\x00\x00\x00"s));
  CHECK(refused("\x01\x01\x00\x00\x00\x01\x10\x00\x00\x00\x00"s));              // key of 4097
  CHECK(refused("\x01\x01\x00\x00\x00\x01\x00\x01\x00\x01\x00"s));              // value of 65537
  CHECK(refused("\x02\x01\x00\x00\x00\x01\x10"s));                              // key of 4097
  CHECK(refused("\x04\x01\x00\x00\x00\x00\x01"s));                              // name of 256
  CHECK(refused("\x03\x01\x00\x00\x00\x10\x01\x00\x00\x00\x00\x00\x00\x00"s));  // counter 16
}

TEST_CASE("wal operations: random bytes never read beyond the payload", "[unit][wal]") {
  std::mt19937_64 random(11);
  std::string valid;
  for (const Op& op : one_of_each()) wal::append_op(valid, op);
  for (int round = 0; round < 20000; ++round) {
    std::string payload(valid, 0, 1 + random() % 60);
    for (int i = 0; i < 3; ++i) payload[random() % payload.size()] = static_cast<char>(random());
    const std::vector<char> tight(payload.begin(), payload.end());  // the sanitizer sees its end
    wal::OpReader reader(std::string_view(tight.data(), tight.size()));
    std::size_t consumed = 0;
    while (!reader.done()) {
      const auto op = reader.next();
      if (!op) break;
      consumed += wal::encoded_bytes(*op);
    }
    REQUIRE(consumed <= tight.size());
  }
}
