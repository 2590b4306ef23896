// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>

#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/path_stack.hpp"
#include "tool/progress.hpp"

namespace artfs::tool {

namespace {

struct MvArguments {
  std::vector<std::string> places;
  bool no_clobber = false;
};

struct Destination {
  FilePlace place;
  bool is_directory = false;
};

void move(const std::string& shown, const Destination& to, bool no_clobber, PlaceOpener& opener,
          Progress& progress) {
  const TextOr<FilePlace> from = opener.open(shown);
  if (!from) return progress.fail(shown, from.error());
  if (from->path.empty()) return progress.fail(shown, "the root of a store stays where it is");
  if (from->tree != to.place.tree) {
    return progress.fail(shown,
                         "in another store than DEST, or another mount of it: use get and put");
  }
  const std::string path =
      to.is_directory ? join_path(to.place.path, split_path(from->path).name) : to.place.path;
  const Result<void> moved = from->tree->rename(from->path, path, no_clobber);
  if (moved) return;
  if (no_clobber && moved.error().code == Errc::entry_exists) return;
  progress.fail(shown, moved.error());
}

int run(MvArguments arguments) {
  Progress progress("mv");
  const std::string shown = arguments.places.back();
  arguments.places.pop_back();
  PlaceOpener opener(true);
  const TextOr<FilePlace> place = opener.open(shown);
  if (!place) {
    progress.fail(shown, place.error());
    return progress.status();
  }
  const Result<Attr> there = place->tree->find(place->path);
  const Destination to{.place = *place, .is_directory = there && S_ISDIR(there->mode)};
  if (arguments.places.size() > 1 && !to.is_directory) {
    progress.fail(shown, "no directory: several files need one to go to");
  } else {
    for (const std::string& from : arguments.places) {
      move(from, to, arguments.no_clobber, opener, progress);
    }
  }
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
  return progress.status();
}

}  // namespace

void add_mv(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("mv", "Rename files within a mounted artfs or a store.");
  auto arguments = std::make_shared<MvArguments>();
  command
      ->add_option("PLACE", arguments->places,
                   "what to move, then its new name, or the directory it goes to")
      ->required()
      ->expected(2, -1);
  command->add_flag("-n,--no-clobber", arguments->no_clobber, "what is there is not replaced");
  command->footer("Example:\n  artfs mv /srv/store:/draft /srv/store:/final");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
