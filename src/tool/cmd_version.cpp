// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tool/command.hpp"

namespace artfs::tool {

void add_version(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("version", "Print the version.");
  command->footer("Example:\n  artfs version");
  command->callback([&status] {
    fmt::print("artfs {}\n", ARTFS_VERSION);
    status = 0;
  });
}

}  // namespace artfs::tool
