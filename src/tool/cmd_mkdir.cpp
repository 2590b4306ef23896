// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>
#include <string_view>

#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/path_stack.hpp"
#include "tool/progress.hpp"

namespace artfs::tool {

namespace {

struct MkdirArguments {
  std::vector<std::string> places;
  bool makes_parents = false;
};

// `others_stay`: a directory that is there is right, and those on the way are made.
Result<void> make(FileTree& tree, std::string_view path, std::uint32_t mode, bool others_stay) {
  Result<void> made = tree.make(path, {.mode = S_IFDIR | mode});
  if (made || !others_stay) return made;
  if (made.error().code == Errc::entry_exists) {
    const Attr there = ARTFS_TRY(tree.find(path));
    if (S_ISDIR(there.mode)) return {};
  }
  if (made.error().code != Errc::entry_not_found || path.empty()) return made;
  ARTFS_TRY(make(tree, split_path(path).parent, mode, true));
  return tree.make(path, {.mode = S_IFDIR | mode});
}

int run(const MkdirArguments& arguments) {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  Progress progress("mkdir");
  PlaceOpener opener(true);
  for (const std::string& shown : arguments.places) {
    const TextOr<FilePlace> place = opener.open(shown);
    if (!place) {
      progress.fail(shown, place.error());
      continue;
    }
    const Result<void> made =
        make(*place->tree, place->path, 0777U & ~mask, arguments.makes_parents);
    if (!made) progress.fail(shown, made.error());
  }
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
  return progress.status();
}

}  // namespace

void add_mkdir(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("mkdir", "Make directories in a mounted artfs or a store.");
  auto arguments = std::make_shared<MkdirArguments>();
  command->add_option("PLACE", arguments->places, place_help)->required();
  command->add_flag("-p,--parents", arguments->makes_parents,
                    "those on the way, too; one that is there is right");
  command->footer("Example:\n  artfs mkdir -p /srv/store:/home/ann");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
