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

struct RmArguments {
  std::vector<std::string> places;
  bool recurses = false;
  bool forces = false;
};

// Files as the walk shows them, a directory when it has left it.
class Remover {
 public:
  Remover(FileTree& tree, std::string base, std::string shown, Progress& progress)
      : tree_(tree), base_(std::move(base)), shown_(std::move(shown)), progress_(progress) {}

  void run() {
    const Result<void> walked = tree_.walk(base_, [this](const TreeEntry& entry) {
      if (entry.error) {
        progress_.fail(join_path(shown_, entry.path), *entry.error);
        return true;
      }
      leave(entry.depth);
      progress_.count(1, 0);
      if (!S_ISDIR(entry.attr.mode)) return remove(std::string(entry.path), false);
      left_.emplace_back(entry.path);
      return true;
    });
    if (!walked) progress_.fail(shown_, walked.error());
    leave(0);
  }

 private:
  // The directories at this depth and below it are done with.
  void leave(std::uint64_t depth) {
    while (left_.size() > depth) {
      remove(left_.back(), true);
      left_.pop_back();
    }
  }

  bool remove(const std::string& path, bool is_directory) {
    const Result<void> removed = tree_.remove(join_path(base_, path), is_directory);
    // Somebody else was faster.
    if (removed || removed.error().code == Errc::entry_not_found) return true;
    progress_.fail(join_path(shown_, path), removed.error());
    return !is_hopeless(removed.error());
  }

  FileTree& tree_;
  const std::string base_;
  const std::string shown_;
  Progress& progress_;
  std::vector<std::string> left_;  // directories the walk is in, by depth
};

void remove(const std::string& shown, const RmArguments& arguments, PlaceOpener& opener,
            Progress& progress) {
  const TextOr<FilePlace> place = opener.open(shown);
  if (!place) return progress.fail(shown, place.error());
  if (place->path.empty()) {
    return progress.fail(shown, "the root of a store: name what is in it, or make a new store");
  }
  const Result<Attr> found = place->tree->find(place->path);
  if (!found && arguments.forces && is_missing(found.error())) return;
  if (!found) return progress.fail(shown, found.error());
  if (S_ISDIR(found->mode) && !arguments.recurses) {
    return progress.fail(shown, "a directory: give -r to remove it and what is in it");
  }
  if (S_ISDIR(found->mode)) return Remover(*place->tree, place->path, shown, progress).run();
  const Result<void> removed = place->tree->remove(place->path, false);
  if (!removed) progress.fail(shown, removed.error());
}

int run(const RmArguments& arguments) {
  raise_descriptor_limit();
  Progress progress("rm");
  PlaceOpener opener(true);
  for (const std::string& place : arguments.places) remove(place, arguments, opener, progress);
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
  return progress.status();
}

}  // namespace

void add_rm(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("rm", "Remove files of a mounted artfs or a store.");
  auto arguments = std::make_shared<RmArguments>();
  command->add_option("PLACE", arguments->places, place_help)->required();
  command->add_flag("-r,--recursive", arguments->recurses, "directories and what is in them");
  command->add_flag("-f,--force", arguments->forces, "what is not there is no failure");
  command->footer("Example:\n  artfs rm -r /srv/store:/tmp/old");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
