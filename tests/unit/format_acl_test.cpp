// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>

#include "format/acl.hpp"

namespace artfs::format {
namespace {

Acl full() {
  return {{.tag = AclTag::owner, .permissions = 6},
          {.tag = AclTag::user, .permissions = 7, .id = 1000},
          {.tag = AclTag::user, .permissions = 4, .id = 7},
          {.tag = AclTag::group_owner, .permissions = 5},
          {.tag = AclTag::group, .permissions = 1, .id = 0},
          {.tag = AclTag::mask, .permissions = 3},
          {.tag = AclTag::other, .permissions = 0}};
}

Acl minimal() {
  return {{.tag = AclTag::owner, .permissions = 6},
          {.tag = AclTag::group_owner, .permissions = 4},
          {.tag = AclTag::other, .permissions = 4}};
}

bool accepted(const Acl& acl) {
  return decode_acl(encode(acl)).has_value();
}

TEST_CASE("format acl: comes back as it was, in Linux's bytes", "[unit][format]") {
  for (const Acl& acl : {full(), minimal(), Acl{}}) {
    const Result<Acl> decoded = decode_acl(encode(acl));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == acl);
  }
  const std::string bytes = encode(minimal());
  CHECK(bytes == std::string("\2\0\0\0"
                             "\1\0\6\0\xff\xff\xff\xff"
                             "\4\0\4\0\xff\xff\xff\xff"
                             "\x20\0\4\0\xff\xff\xff\xff",
                             28));
}

TEST_CASE("format acl: what an entry without a name carries as its id does not matter",
          "[unit][format]") {
  std::string bytes = encode(minimal());
  bytes[8] = 5;
  const Result<Acl> decoded = decode_acl(bytes);
  REQUIRE(decoded.has_value());
  CHECK(*decoded == minimal());
}

TEST_CASE("format acl: each entry that must be there is missed", "[unit][format]") {
  for (const Acl& acl : {full(), minimal()}) {
    for (std::size_t i = 0; i < acl.size(); ++i) {
      Acl less = acl;
      less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
      const bool named = acl[i].tag == AclTag::user || acl[i].tag == AclTag::group;
      CHECK(accepted(less) == named);
    }
  }
}

TEST_CASE("format acl: order, repetition, permissions and ids are checked", "[unit][format]") {
  Acl swapped = full();
  std::swap(swapped[0], swapped[1]);
  CHECK_FALSE(accepted(swapped));
  Acl twice = full();
  twice[4] = twice[3];
  CHECK_FALSE(accepted(twice));
  Acl wide = minimal();
  wide[1].permissions = 8;
  CHECK_FALSE(accepted(wide));
  Acl nobody = full();
  nobody[1].id = ~0U;
  CHECK_FALSE(accepted(nobody));
  const auto with_users = [](std::size_t count) {
    const Acl rest = full();
    Acl acl(count, rest[1]);
    acl.front() = rest.front();
    for (std::size_t i = 3; i < rest.size(); ++i) acl.push_back(rest[i]);
    return acl;
  };
  CHECK(accepted(with_users(acl_entries_max - 4)));
  CHECK_FALSE(accepted(with_users(acl_entries_max - 3)));
}

TEST_CASE("format acl: cut, longer, of another version or with an unknown tag", "[unit][format]") {
  const std::string bytes = encode(full());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const bool whole = decode_acl(std::string_view(bytes).substr(0, length)).has_value();
    CHECK(whole == (length == 4));  // no entries at all
  }
  CHECK_FALSE(decode_acl(bytes + "x").has_value());
  std::string newer = bytes;
  newer[0] = 3;
  CHECK(decode_acl(newer).error().code == Errc::operation_not_supported);
  std::string unknown = bytes;
  unknown[4] = 3;
  CHECK(decode_acl(unknown).error().code == Errc::invalid_argument);
}

}  // namespace
}  // namespace artfs::format
