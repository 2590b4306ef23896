// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <array>
#include <ctime>
#include <memory>

#include "tool/command.hpp"
#include "tool/entry_text.hpp"
#include "tool/tree_source.hpp"
#include "tool/walk_output.hpp"

namespace artfs::tool {

namespace {

struct StatArguments {
  std::vector<std::string> places;
  bool as_json = false;
};

std::string_view type_name(std::uint32_t mode) {
  switch (type_letter(mode)) {
    case 'd':
      return "directory";
    case 'l':
      return "symbolic link";
    case 'p':
      return "fifo";
    case 's':
      return "socket";
    case 'c':
      return "character special file";
    case 'b':
      return "block special file";
    default:
      return "regular file";
  }
}

// As stat(1): "2026-11-28 14:05:09.000000001 +0000".
std::string time_text(Timestamp time) {
  const time_t seconds = time.seconds;
  tm parts{};
  std::array<char, 64> date{};
  std::array<char, 16> zone{};
  if (::localtime_r(&seconds, &parts) == nullptr ||
      ::strftime(date.data(), date.size(), "%Y-%m-%d %H:%M:%S", &parts) == 0 ||
      ::strftime(zone.data(), zone.size(), "%z", &parts) == 0) {
    return fmt::format("{}.{:09}", time.seconds, time.nanoseconds);
  }
  return fmt::format("{}.{:09} {}", date.data(), time.nanoseconds, zone.data());
}

std::string text_of(const std::string& place, const WalkEntry& entry, OwnerNames& owners) {
  const Attr& attr = entry.attr;
  const char type = type_letter(attr.mode);
  std::string out = fmt::format("  File: {}", printable(place));
  if (type == 'l') out += fmt::format(" -> {}", printable(entry.target));
  out += fmt::format("\n  Size: {:<12} Blocks: {:<10} IO Block: {:<6} {}\n", attr.size,
                     attr.blocks_512, attr.block_bytes, type_name(attr.mode));
  out += fmt::format(" Inode: {:<12} Links: {}", attr.ino.raw, attr.nlink);
  if (type == 'd') out += fmt::format("   Entries: {}", entry.entries);
  if (type == 'c' || type == 'b') {
    out += fmt::format("   Device type: {},{}", major(attr.rdev), minor(attr.rdev));
  }
  out += fmt::format("\nAccess: ({:04o}/{})  Uid: ({}/{})   Gid: ({}/{})\n", attr.mode & 07777U,
                     mode_text(attr.mode), attr.uid, owners.user(attr.uid), attr.gid,
                     owners.group(attr.gid));
  out += fmt::format("Access: {}\nModify: {}\nChange: {}\n Birth: {}\n", time_text(attr.atime),
                     time_text(attr.mtime), time_text(attr.ctime), time_text(attr.btime));
  return out;
}

int run(const StatArguments& arguments) {
  WalkOutput out;
  OwnerNames owners;
  int status = 0;
  for (const std::string& place : arguments.places) {
    const auto fail_with = [&](std::string_view what) {
      out.flush();
      status = complain("stat", fmt::format("{}: {}", printable(place), what));
    };
    const auto source = TreeSource::open(place);
    if (!source) {
      fail_with(source.error());
      continue;
    }
    const auto walked = (*source)->walk(0, [&](const WalkEntry& entry) {
      if (entry.error) {
        fail_with(to_text(*entry.error));
      } else {
        out.write(arguments.as_json ? entry_json(place, entry) + "\n"
                                    : text_of(place, entry, owners));
      }
      return true;
    });
    if (!walked) fail_with(walked.error());
  }
  out.flush();
  return out.is_failed() ? exit_failure : status;
}

}  // namespace

void add_stat(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("stat", "Print the attributes of files of a mounted artfs or a store.");
  auto arguments = std::make_shared<StatArguments>();
  command
      ->add_option("PLACE", arguments->places, "a path on a mounted artfs, a STORE, or STORE:/PATH")
      ->required();
  command->add_flag("--json", arguments->as_json, "one JSON object per line");
  command->footer("Example:\n  artfs stat --json /srv/store:/home");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
