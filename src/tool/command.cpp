// SPDX-License-Identifier: Apache-2.0
#include "tool/command.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace artfs::tool {

int complain(std::string_view command, std::string_view text, int status) {
  fmt::print(stderr, "artfs {}: {}\n", command, text);
  return status;
}

int usage_status(std::string_view command) noexcept {
  // fsck(8) adds its statuses up as bits; 16 is "usage or syntax error".
  return command == "fsck" ? 16 : 1;
}

}  // namespace artfs::tool
