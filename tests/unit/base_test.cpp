// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "artfs/error.hpp"
#include "artfs/result.hpp"

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "base/endian.hpp"
#include "base/unique_fd.hpp"

using namespace artfs;  // NOLINT(google-build-using-namespace)

TEST_CASE("endian: little-endian fields put the lowest byte first, at any address",
          "[unit][base]") {
  struct Mixed {
    base::le16 a;
    base::le24 b;
    base::le32 c;
    base::le48 d;
    base::le64 e;
  };

  static_assert(sizeof(Mixed) == 2 + 3 + 4 + 6 + 8 && alignof(Mixed) == 1);
  Mixed mixed;
  CHECK((mixed.a == 0 && mixed.b == 0 && mixed.c == 0 && mixed.d == 0 && mixed.e == 0));
  mixed.a = 0x0102;
  mixed.b = 0x030405;
  mixed.c = 0x06070809;
  mixed.d = 0x0a0b0c0d0e0f;
  mixed.e = 0x1011121314151617;
  const auto bytes = base::object_bytes(mixed);
  const std::vector<std::uint8_t> expected = {0x02, 0x01, 0x05, 0x04, 0x03, 0x09, 0x08, 0x07,
                                              0x06, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x17,
                                              0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x10};
  REQUIRE(bytes.size() == expected.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CHECK(std::to_integer<std::uint8_t>(bytes[i]) == expected[i]);
  }
  CHECK(mixed.a.value() == 0x0102);
  CHECK(mixed.b.value() == 0x030405);
  CHECK(mixed.d.value() == 0x0a0b0c0d0e0f);
  CHECK(mixed.e.value() == 0x1011121314151617);
}

TEST_CASE("endian: big-endian numbers in keys order as numbers", "[unit][base]") {
  const std::vector<std::uint64_t> ascending = {
      0, 1, 0xff, 0x100, 0xffff, 0x12345678, 1ULL << 40, 1ULL << 63, ~0ULL - 1, ~0ULL};
  std::string previous;
  for (const std::uint64_t value : ascending) {
    std::string key;
    base::append_be64(key, value);
    REQUIRE(key.size() == 8);
    CHECK(base::load_be64(key.data()) == value);
    CHECK(base::load_be64(base::as_bytes(key).data()) == value);
    if (value != 0) CHECK(previous < key);
    previous = key;
    std::array<std::byte, 8> raw{};
    base::store_be64(raw.data(), value);
    CHECK(base::as_chars(raw) == key);
  }
}

TEST_CASE("checksum: values are those of XXH3 and never change", "[unit][base]") {
  // Written to disk since version 1: a different value here is a different format.
  CHECK(base::xxh3_64({}) == 0x2d06800538d394c2);
  const auto text = base::as_bytes("artfs");
  CHECK(base::xxh3_32(text) == static_cast<std::uint32_t>(base::xxh3_64(text)));
  CHECK(base::xxh3_128({}) == base::Hash128{0x6001c324468d497f, 0x99aa06d3014798d8});
  CHECK_FALSE(base::xxh3_128(text, 1) == base::xxh3_128(text, 2));
}

TEST_CASE("checksum: a stream of pieces hashes like the whole", "[unit][base]") {
  std::string whole;
  for (int i = 0; i < 5000; ++i) whole += static_cast<char>(i * 7);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{63}, std::size_t{1024}, whole.size()}) {
    base::Xxh3Stream stream;
    for (std::size_t off = 0; off < whole.size(); off += piece) {
      stream.update(base::as_bytes(std::string_view(whole).substr(off, piece)));
    }
    CHECK(stream.digest() == base::xxh3_64(base::as_bytes(whole)));
  }
}

TEST_CASE("unique_fd: closes once, also when moved", "[unit][base]") {
  int raw = -1;
  {
    base::UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(first);
    raw = first.get();
    base::UniqueFd second(std::move(first));
    CHECK(second.get() == raw);
    base::UniqueFd third;
    third = std::move(second);
    CHECK(::fcntl(raw, F_GETFD) >= 0);
  }
  CHECK(::fcntl(raw, F_GETFD) == -1);
}

TEST_CASE("clock: monotonic time does not go back", "[unit][base]") {
  const std::uint64_t first = base::now_ns();
  CHECK(base::now_ns() >= first);
  CHECK(base::wall_clock().nanoseconds < 1'000'000'000U);
  CHECK(base::wall_clock().seconds > 1'600'000'000);
}

TEST_CASE("error: every code has a name, an errno and a remedy", "[unit][base]") {
  std::size_t seen_count = 0;
#define ARTFS_EXPECT(name, errno_value, remedy)                  \
  {                                                              \
    const Error error{Errc::name};                               \
    CHECK(to_errno(error) == (errno_value));                     \
    CHECK(name_of(Errc::name) == #name);                         \
    CHECK(remedy_of(Errc::name) == (remedy));                    \
    CHECK(to_text(error) == std::string(#name ": ") + (remedy)); \
    ++seen_count;                                                \
  }
  ARTFS_ERRORS(ARTFS_EXPECT)
#undef ARTFS_EXPECT
  CHECK(seen_count > 40);
}

TEST_CASE("error: the text names the process, the errno or the number", "[unit][base]") {
  CHECK(to_text({Errc::store_locked, 4711}).starts_with("store_locked (process 4711): "));
  CHECK(to_text({Errc::io_failed, ENOSPC}).starts_with("io_failed (No space left on device): "));
  CHECK(to_text({Errc::option_invalid, static_cast<std::uint64_t>(OptionName::lock_wait)})
            .starts_with("option_invalid (lock_wait: 0 to 1 day): "));
  CHECK(to_text({Errc::frame_corrupt, 17}).starts_with("frame_corrupt (17): "));
  CHECK(to_errno({Errc::io_failed, ENOSPC}) == EIO);
}

TEST_CASE("result: ARTFS_TRY takes the value or returns the error", "[unit][base]") {
  const auto half = [](int value) -> Result<int> {
    if (value % 2 != 0) return fail(Errc::invalid_argument, 7);
    return value / 2;
  };
  const auto quarter = [&](int value) -> Result<int> {
    const int halved = ARTFS_TRY(half(value));
    const int result = ARTFS_TRY(half(halved));
    return result;
  };
  CHECK(quarter(12) == 3);
  REQUIRE_FALSE(quarter(6).has_value());
  CHECK(quarter(6).error() == Error{Errc::invalid_argument, 7});
}
