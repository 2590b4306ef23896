// SPDX-License-Identifier: Apache-2.0
// What POSIX and Linux ask of a filesystem, as counted assertions in a directory of it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "posix/suite.hpp"

int main(int argc, char** argv) {
  std::string top;
  bool is_artfs = false;
  std::vector<std::string> groups;
  CLI::App app("what POSIX and Linux ask of a filesystem, as counted assertions");
  app.add_option("directory", top, "an empty directory of the filesystem")->required();
  app.add_flag("--artfs", is_artfs, "it is artfs, not ext4");
  app.add_option("--groups", groups, "only these")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  if (::geteuid() != 0) {
    fmt::print("needs root: asserts as two users\n");
    return 77;
  }
  artfs::posix::Suite suite(top, is_artfs);
  bool any = false;
  for (const artfs::posix::Group& group : artfs::posix::all_groups()) {
    if (!groups.empty() && std::find(groups.begin(), groups.end(), group.name) == groups.end())
      continue;
    any = true;
    suite.begin(group.name);
    group.run(suite);
  }
  if (any) return suite.finish() == 0 ? 0 : 1;
  fmt::print("no such group\n");
  return 2;
}
