// SPDX-License-Identifier: Apache-2.0
// The C interface beside the C++ one it stands on. Its functions are called from C in tests/capi.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "capi/handles.hpp"

namespace artfs {

namespace {

TEST_CASE("capi: the codes that a store returns are all known, and have names of their own",
          "[unit][capi]") {
  // The rest are errors of volumes, which have no C interface, or never leave the engine.
  const std::set<std::string_view> unknown_to_c{"frame_not_resident",
                                                "acl_not_on_a_directory",
                                                "contended",
                                                "entry_not_found",
                                                "entry_exists",
                                                "inode_not_found",
                                                "not_a_directory",
                                                "is_a_directory",
                                                "directory_not_empty",
                                                "name_too_long",
                                                "name_invalid",
                                                "directory_into_itself",
                                                "too_many_links",
                                                "file_too_big",
                                                "no_more_data",
                                                "xattr_not_found",
                                                "xattr_exists",
                                                "xattr_name_invalid",
                                                "xattr_too_large",
                                                "operation_not_permitted",
                                                "operation_not_supported"};
#define ARTFS_EXPECT(name, errno_value, remedy)                        \
  {                                                                    \
    const int code = capi::failed(Error{Errc::name, 0});               \
    CAPTURE(#name);                                                    \
    CHECK((code == ARTFS_OTHER) == unknown_to_c.contains(#name));      \
    CHECK(artfs_last_error_errno() == (errno_value));                  \
    CHECK(std::string(artfs_last_error_text()).starts_with(#name));    \
    CHECK(std::string_view(artfs_code_name(code)) != "ARTFS_UNKNOWN"); \
  }
  ARTFS_ERRORS(ARTFS_EXPECT)
#undef ARTFS_EXPECT
  CHECK(std::string_view(artfs_code_name(12345)) == "ARTFS_UNKNOWN");
}

TEST_CASE("capi: the last error belongs to the thread", "[unit][capi]") {
  CHECK(artfs_open("/nonexistent", nullptr, nullptr) == ARTFS_INVALID_ARGUMENT);
  int seen_there = -1;
  std::thread([&] { seen_there = artfs_last_error(); }).join();
  CHECK(seen_there == ARTFS_OK);
  CHECK(artfs_last_error() == ARTFS_INVALID_ARGUMENT);
}

TEST_CASE("capi: options of a shorter struct leave the rest at its default", "[unit][capi]") {
  artfs_options options;
  artfs_options_init(&options, sizeof options);
  CHECK(options.cache_bytes == StoreOptions{}.cache_bytes);
  options.lock_wait_ms = ~std::uint32_t{0};  // wrong, but behind the end of the caller's struct
  options.struct_size = offsetof(artfs_options, checkpoint_log_bytes);
  artfs_store* store = nullptr;
  REQUIRE(artfs_open_in_memory(&options, &store) == ARTFS_OK);
  CHECK(artfs_close(store) == ARTFS_OK);
}

}  // namespace

}  // namespace artfs
