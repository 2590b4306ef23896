// SPDX-License-Identifier: Apache-2.0
// STORE or MOUNTPOINT: what a path on the command line names.
#pragma once

#include <optional>
#include <string>

namespace artfs::tool {

struct Place {
  std::string store;                       // absolute when it exists
  std::optional<std::string> mount_point;  // where it is mounted, if it is
};

[[nodiscard]] Place resolve_place(const std::string& path);

// True when nobody holds the store's lock. Also true when we may not look.
[[nodiscard]] bool is_store_free(const std::string& store);

}  // namespace artfs::tool
