// SPDX-License-Identifier: Apache-2.0
// get and put: a file or a tree out of a store and into one.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/path_stack.hpp"
#include "tool/tree_writer.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t step_bytes = 256 * kib;

struct CopyArguments {
  std::string from;
  std::string to;
  bool recurses = false;
};

WriteRules copy_rules() {
  return {.sets_owner = ::geteuid() == 0, .replaces_special = false};
}

void copy(const CopyArguments& arguments, const FilePlace& from, const std::string& from_name,
          const FilePlace& to, Progress& progress) {
  const Result<Attr> source = from.tree->find(from.path);
  if (!source) return progress.fail(arguments.from, source.error());
  if (S_ISDIR(source->mode) && !arguments.recurses) {
    return progress.fail(arguments.from, "a directory: give -r to copy what is in it, too");
  }
  const Result<Attr> there = to.tree->find(to.path);
  const bool is_below = there && S_ISDIR(there->mode) && !from_name.empty();
  const std::string path = is_below ? join_path(to.path, from_name) : to.path;
  if (!S_ISDIR(source->mode)) {
    // tar(1) would make the directory; whoever mistypes a name here wants to be told.
    const Result<Attr> parent = to.tree->find(split_path(path).parent);
    if (!parent) return progress.fail(arguments.to, parent.error());
  }
  copy_tree({.from = *from.tree,
             .from_path = from.path,
             .from_shown = arguments.from,
             .to = *to.tree,
             .to_path = path,
             .to_shown = is_below ? join_path(arguments.to, from_name) : arguments.to,
             .rules = copy_rules()},
            progress);
}

// A host path's own name, through "." and "..".
std::string host_name(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  const std::string name(split_path(trimmed).name);
  return name == "." || name == ".." ? std::string() : name;
}

int get(const CopyArguments& arguments) {
  if (arguments.to == "-") {
    return complain("get", "-: artfs cat prints a file, artfs export -o - a tree as an archive");
  }
  raise_descriptor_limit();
  Progress progress("get");
  PlaceOpener opener(false);
  const TextOr<FilePlace> from = opener.open(arguments.from);
  const TextOr<HostPlace> to = open_host_place(arguments.to);
  if (!from) progress.fail(arguments.from, from.error());
  if (!to) progress.fail(arguments.to, to.error());
  if (arguments.recurses && from && is_inside(arguments.to, arguments.from)) {
    progress.fail(arguments.to, "is inside of " + printable(arguments.from));
  }
  if (progress.status() != 0) return progress.status();
  copy(arguments, *from, std::string(split_path(from->path).name),
       {.tree = to->tree.get(), .path = to->path}, progress);
  return progress.status();
}

// Read to its end before the file gets its name would need all of it in memory: it grows in its place.
void put_input(const CopyArguments& arguments, const FilePlace& to, Progress& progress) {
  const Result<Attr> there = to.tree->find(to.path);
  if (there && !S_ISREG(there->mode)) {
    return progress.fail(arguments.to, "is there, and no regular file: give another name");
  }
  if (there) {
    const Result<void> removed = to.tree->remove(to.path, false);
    if (!removed) return progress.fail(arguments.to, removed.error());
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const Result<std::unique_ptr<OpenFile>> file = to.tree->create(to.path, 0666U & ~mask);
  if (!file) return progress.fail(arguments.to, file.error());
  std::vector<std::byte> buffer(step_bytes);
  for (std::uint64_t at = 0;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) progress.fail("standard input", std::strerror(errno));
    if (got <= 0) break;
    const auto bytes = static_cast<std::size_t>(got);
    const Result<void> written = (*file)->write(at, std::span(buffer).first(bytes));
    if (!written) return progress.fail(arguments.to, written.error());
    at += bytes;
    progress.count(0, bytes);
  }
  if (const Result<void> closed = (*file)->close(); !closed) {
    progress.fail(arguments.to, closed.error());
  }
}

int put(const CopyArguments& arguments) {
  raise_descriptor_limit();
  Progress progress("put");
  PlaceOpener opener(true);
  const TextOr<FilePlace> to = opener.open(arguments.to);
  if (!to) progress.fail(arguments.to, to.error());
  if (to && arguments.from == "-") {
    put_input(arguments, *to, progress);
  } else if (to) {
    const TextOr<HostPlace> from = open_host_place(arguments.from);
    if (!from) {
      progress.fail(arguments.from, from.error());
    } else if (arguments.recurses && is_inside(arguments.to, arguments.from)) {
      progress.fail(arguments.to, "is inside of " + printable(arguments.from));
    } else {
      copy(arguments, {.tree = from->tree.get(), .path = from->path}, host_name(arguments.from),
           *to, progress);
    }
  }
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
  return progress.status();
}

}  // namespace

void add_get(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("get", "Copy a file, or a tree, out of a mounted artfs or a store.");
  auto arguments = std::make_shared<CopyArguments>();
  command->add_option("PLACE", arguments->from, place_help)->required();
  command->add_option("DEST", arguments->to, "a path of the host")->required();
  command->add_flag("-r,--recursive", arguments->recurses, "a directory and what is in it");
  command->footer("Example:\n  artfs get -r /srv/store:/home/ann ./ann");
  command->callback([arguments, &status] { status = get(*arguments); });
}

void add_put(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("put", "Copy a file, or a tree, into a mounted artfs or a store.");
  auto arguments = std::make_shared<CopyArguments>();
  command->add_option("SOURCE", arguments->from, "a path of the host; - for the standard input")
      ->required();
  command->add_option("PLACE", arguments->to, place_help)->required();
  command->add_flag("-r,--recursive", arguments->recurses, "a directory and what is in it");
  command->footer("Example:\n  date | artfs put - /srv/store:/stamp");
  command->callback([arguments, &status] { status = put(*arguments); });
}

}  // namespace artfs::tool
