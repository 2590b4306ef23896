// SPDX-License-Identifier: Apache-2.0
// Stands in for Catch where no test runs: what the support headers demand holds, or the process ends.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace artfs::fuzz {

[[noreturn]] inline void end_process(const std::ostringstream& text) {
  std::fprintf(stderr, "fuzz: %s\n", text.str().c_str());
  std::abort();
}

}  // namespace artfs::fuzz

// NOLINTBEGIN
#define FAIL(text)                          \
  do {                                      \
    std::ostringstream fail_text_;          \
    fail_text_ << text;                     \
    ::artfs::fuzz::end_process(fail_text_); \
  } while (false)
#define REQUIRE(...)                        \
  do {                                      \
    if (!(__VA_ARGS__)) FAIL(#__VA_ARGS__); \
  } while (false)
#define REQUIRE_FALSE(...) REQUIRE(!(__VA_ARGS__))
#define CHECK(...) REQUIRE(__VA_ARGS__)
#define INFO(text) static_cast<void>(0)
#define UNSCOPED_INFO(text) std::ostringstream() << text
#define CAPTURE(...) static_cast<void>(0)
// NOLINTEND
