// SPDX-License-Identifier: Apache-2.0
#include "tool/command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <iterator>

namespace artfs::tool {

int complain(std::string_view command, std::string_view text, int status) {
  fmt::print(stderr, "artfs {}: {}\n", command, text);
  return status;
}

std::string printable(std::string_view line) {
  std::string out;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

int usage_status(std::string_view command) noexcept {
  // fsck(8) adds its statuses up as bits; 16 is "usage or syntax error". A scrub answers the same way.
  return command == "fsck" || command == "scrub" ? 16 : 1;
}

}  // namespace artfs::tool
