// SPDX-License-Identifier: Apache-2.0
// The program artfs: builds the command line, runs the subcommand, ends with its status.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/log.hpp"
#include "tool/arguments.hpp"
#include "tool/command.hpp"

namespace {

using namespace artfs::tool;

void add_commands(CLI::App& app, int& status) {
  app.name("artfs");
  app.require_subcommand(1);
  app.set_version_flag("--version", "artfs " ARTFS_VERSION);
  app.footer(
      "Example:\n  artfs mkfs /srv/store\n  artfs mount /srv/store /mnt\n  artfs umount /mnt\n\n"
      "artfs COMMAND --help tells more about a command.");
  add_mkfs(app, status);
  add_mount(app, status);
  add_umount(app, status);
  add_ls(app, status);
  add_find(app, status);
  add_du(app, status);
  add_stat(app, status);
  add_cat(app, status);
  add_get(app, status);
  add_put(app, status);
  add_mkdir(app, status);
  add_rm(app, status);
  add_mv(app, status);
  add_export(app, status);
  add_import(app, status);
  add_fsck(app, status);
  add_scrub(app, status);
  add_stats(app, status);
  add_top(app, status);
  add_sync(app, status);
  add_dump(app, status);
  add_tree(app, status);
  add_selftest(app, status);
  add_completion(app, status);
  add_version(app, status);
}

// One line: what CLI11 found, and where to look.
int complain_usage(const CLI::App& app, const std::vector<std::string>& words, std::string what) {
  std::replace(what.begin(), what.end(), '\n', ' ');
  while (!what.empty() && (what.back() == ' ' || what.back() == '.')) what.pop_back();
  const auto commands = app.get_subcommands({});
  const bool is_known = std::any_of(commands.begin(), commands.end(), [&](const CLI::App* command) {
    return !words.empty() && command->get_name() == words.front();
  });
  if (!is_known && !words.empty() && !words.front().starts_with('-')) {
    fmt::print(stderr, "artfs: unknown command '{}': see artfs --help\n", words.front());
    return 1;
  }
  if (!is_known) {
    fmt::print(stderr, "artfs: {}: see artfs --help\n", what);
    return 1;
  }
  fmt::print(stderr, "artfs {0}: {1}: see artfs {0} --help\n", words.front(), what);
  return usage_status(words.front());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words = arguments_of({argv, static_cast<std::size_t>(argc)});
  // Of recovery and the like only a mount keeps a record (fuse/mount.cpp).
  artfs::base::set_log_level(artfs::base::LogLevel::warning);
  int status = 0;
  CLI::App app("A filesystem for very many small files, and the store below it.");
  add_commands(app, status);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes from the back
  } catch (const CLI::Success& asked) {
    return app.exit(asked);  // --help, --version
  } catch (const CLI::ParseError& error) {
    return complain_usage(app, words, error.what());
  }
  if (std::fflush(stdout) != 0 && status == 0) {
    std::perror("artfs: standard output");
    return 1;
  }
  return status;
}
