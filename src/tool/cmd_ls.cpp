// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/clock.hpp"
#include "tool/command.hpp"
#include "tool/entry_text.hpp"
#include "tool/tree_source.hpp"
#include "tool/walk_output.hpp"

namespace artfs::tool {

namespace {

struct LsArguments {
  std::vector<std::string> places;
  bool is_long = false;
  bool recurses = false;
  bool all = false;
  bool one_per_line = false;  // always
  bool inodes = false;
  bool human = false;
  bool as_json = false;
};

// An entry that outlives the visit.
struct Listed {
  std::string name;
  std::string target;
  Attr attr;
  std::uint64_t entries = 0;
};

struct Directory {
  std::string path;
  Ino ino;
};

class Lister {
 public:
  Lister(const LsArguments& arguments, WalkOutput& out) : arguments_(arguments), out_(out) {
    const base::WallTime now = base::wall_clock();
    now_ = {now.seconds, now.nanoseconds};
  }

  // False: something could not be listed.
  bool run(const std::string& place) {
    // As ls(1): a link on the command line is followed, unless it is what is asked about.
    const auto source = TreeSource::open(place, !arguments_.is_long);
    if (!source) return fail_with(place, source.error());
    source_ = source->get();
    std::vector<Directory> left;
    const auto walked = source_->walk(0, [&](const WalkEntry& entry) {
      if (entry.error) {
        fail_with(place, to_text(*entry.error));
      } else if (type_letter(entry.attr.mode) == 'd') {
        left.push_back({.path = place, .ino = entry.attr.ino});
      } else {
        print(place, {to_listed(place, entry)});
      }
      return true;
    });
    if (!walked) return fail_with(place, walked.error());
    while (!left.empty() && !out_.is_failed()) {
      const Directory directory = std::move(left.back());
      left.pop_back();
      list(directory, left);
    }
    return is_good_;
  }

 private:
  static Listed to_listed(std::string_view name, const WalkEntry& entry) {
    return {.name = std::string(name),
            .target = std::string(entry.target),
            .attr = entry.attr,
            .entries = entry.entries};
  }

  // What is below it comes next, in order: the last of `left` first.
  void list(const Directory& directory, std::vector<Directory>& left) {
    std::vector<Listed> entries;
    const auto walked = source_->walk_from(directory.ino, 1, [&](const WalkEntry& entry) {
      if (entry.error) {
        fail_with(directory.path + "/" + std::string(entry.name), to_text(*entry.error));
      } else if (entry.depth == 1 && (arguments_.all || !entry.name.starts_with('.'))) {
        entries.push_back(to_listed(entry.name, entry));
      }
      return out_.count();
    });
    if (!walked) {
      fail_with(directory.path, walked.error());
      return;
    }
    std::sort(entries.begin(), entries.end(),
              [](const Listed& a, const Listed& b) { return a.name < b.name; });
    print_heading(directory.path, entries);
    print(directory.path, entries);
    if (!arguments_.recurses) return;
    const std::string prefix =
        directory.path.ends_with('/') ? directory.path : directory.path + "/";
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (type_letter(entry->attr.mode) != 'd') continue;
      left.push_back({.path = prefix + entry->name, .ino = entry->attr.ino});
    }
  }

  void print_heading(const std::string& path, const std::vector<Listed>& entries) {
    if (arguments_.as_json) return;
    if (arguments_.recurses || arguments_.places.size() > 1) {
      if (has_printed_) out_.write("\n");
      out_.write(path + ":\n");
    }
    has_printed_ = true;
    if (!arguments_.is_long) return;
    std::uint64_t blocks = 0;
    for (const Listed& entry : entries) blocks += entry.attr.blocks_512;
    out_.write(fmt::format("total {}\n", arguments_.human ? human_text(blocks * 512)
                                                          : fmt::format("{}", (blocks + 1) / 2)));
  }

  // `path`: of the directory, or of the only entry.
  void print(const std::string& path, const std::vector<Listed>& entries) {
    if (arguments_.as_json) {
      for (const Listed& entry : entries) print_json(path, entry);
      return;
    }
    has_printed_ = has_printed_ || !entries.empty();
    std::vector<std::array<std::string, columns_count>> rows;
    std::array<std::size_t, columns_count> widths{};
    for (const Listed& entry : entries) {
      rows.push_back(columns_of(entry));
      for (std::size_t i = 0; i < columns_count; ++i) {
        widths[i] = std::max(widths[i], rows.back()[i].size());
      }
    }
    for (std::size_t at = 0; at < entries.size(); ++at) {
      std::string line;
      for (std::size_t i = 0; i < columns_count; ++i) {
        if (widths[i] == 0) continue;
        const bool is_left = i == 1 || i == 3 || i == 4;  // mode, user, group
        line += is_left ? fmt::format("{:<{}} ", rows[at][i], widths[i])
                        : fmt::format("{:>{}} ", rows[at][i], widths[i]);
      }
      line += entries[at].name;
      if (arguments_.is_long && !entries[at].target.empty()) line += " -> " + entries[at].target;
      line.push_back('\n');
      out_.write(line);
    }
  }

  void print_json(const std::string& path, const Listed& listed) {
    WalkEntry entry;
    entry.attr = listed.attr;
    entry.entries = listed.entries;
    entry.target = listed.target;
    const bool is_itself = path == listed.name;
    out_.write(entry_json(is_itself ? path : path + (path.ends_with('/') ? "" : "/") + listed.name,
                          entry) +
               "\n");
  }

  // Inode, mode, links, user, group, size, date.
  static constexpr std::size_t columns_count = 7;

  std::array<std::string, columns_count> columns_of(const Listed& entry) {
    const Attr& attr = entry.attr;
    std::array<std::string, columns_count> out;
    if (arguments_.inodes) out[0] = fmt::format("{}", attr.ino.raw);
    if (!arguments_.is_long) return out;
    const char type = type_letter(attr.mode);
    out[1] = mode_text(attr.mode);
    out[2] = fmt::format("{}", attr.nlink);
    out[3] = owners_.user(attr.uid);
    out[4] = owners_.group(attr.gid);
    out[5] = type == 'c' || type == 'b' ? fmt::format("{}, {}", major(attr.rdev), minor(attr.rdev))
             : arguments_.human         ? human_text(attr.size)
                                        : fmt::format("{}", attr.size);
    out[6] = date_text(attr.mtime, now_);
    return out;
  }

  bool fail_with(std::string_view path, std::string_view what) {
    out_.flush();
    complain("ls", fmt::format("{}: {}", printable(path), what));
    is_good_ = false;
    return false;
  }

  const LsArguments& arguments_;
  WalkOutput& out_;
  OwnerNames owners_;
  Timestamp now_;
  TreeSource* source_ = nullptr;  // of the PLACE
  bool has_printed_ = false;
  bool is_good_ = true;
};

int run(LsArguments arguments) {
  if (arguments.places.empty()) arguments.places.emplace_back(".");
  WalkOutput out;
  Lister lister(arguments, out);
  bool is_good = true;
  for (const std::string& place : arguments.places) is_good = lister.run(place) && is_good;
  out.flush();
  return is_good && !out.is_failed() ? 0 : exit_failure;
}

}  // namespace

void add_ls(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "ls", "List directories of a mounted artfs or a store, in bytewise order.");
  auto arguments = std::make_shared<LsArguments>();
  command->set_help_flag("--help", "print this and end");  // -h as in ls(1)
  command->add_option("PLACE", arguments->places,
                      "a path on a mounted artfs, a STORE, or STORE:/PATH");
  command->add_flag("-l", arguments->is_long, "mode, links, owner, size and time of change, too");
  command->add_flag("-R,--recursive", arguments->recurses, "what is below, too");
  command->add_flag("-a,--all", arguments->all, "names that start with a dot, too");
  command->add_flag("-1", arguments->one_per_line, "one name per line, as it is anyway");
  command->add_flag("-i,--inode", arguments->inodes, "inode numbers, too");
  command->add_flag("-h,--human-readable", arguments->human, "4.0K, 12M, 3.4G");
  command->add_flag("--json", arguments->as_json, "one JSON object per line");
  command->footer("Example:\n  artfs ls -lR /srv/store:/home");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
