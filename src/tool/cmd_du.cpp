// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <unordered_set>

#include "tool/command.hpp"
#include "tool/entry_text.hpp"
#include "tool/tree_source.hpp"
#include "tool/walk_output.hpp"

namespace artfs::tool {

namespace {

struct DuArguments {
  std::vector<std::string> places;
  bool summarizes = false;
  bool all = false;
  bool human = false;
  bool bytes = false;
  bool apparent = false;
  bool ends_with_nul = false;
  bool inodes = false;
  bool as_json = false;
  std::uint64_t depth_max = ~std::uint64_t{0};
};

struct Sums {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;

  Sums& operator+=(const Sums& other) noexcept {
    bytes += other.bytes;
    inodes += other.inodes;
    return *this;
  }
};

// What was counted, over all PLACEs.
class Counted {
 public:
  explicit Counted(bool remembers_all) noexcept : remembers_all_(remembers_all) {}

  // True the first time. A file with one name in one tree comes once anyway.
  bool add(const std::string& store, const Attr& attr, bool is_directory) {
    if (!remembers_all_ && (is_directory || attr.nlink < 2)) return true;
    return stores_[store].insert(attr.ino.raw).second;
  }

 private:
  const bool remembers_all_;
  std::unordered_map<std::string, std::unordered_set<std::uint64_t>> stores_;
};

// One PLACE.
class Summer {
 public:
  Summer(const std::string& place, const DuArguments& arguments, Counted& counted, WalkOutput& out)
      : place_(place),
        prefix_(place.ends_with('/') ? place : place + "/"),
        arguments_(arguments),
        counted_(counted),
        out_(out) {}

  // False: something could not be counted.
  bool run() {
    const auto source = TreeSource::open(place_);
    if (!source) return fail_with(place_, source.error());
    const auto walked = (*source)->walk(~std::uint64_t{0}, [&](const WalkEntry& entry) {
      visit((*source)->store(), entry);
      return out_.count();
    });
    if (!walked) return fail_with(place_, walked.error());
    close_from(0);
    return is_good_;
  }

 private:
  // A directory whose entries are being counted.
  struct Open {
    std::string path;
    Sums sums;
  };

  void visit(const std::string& store, const WalkEntry& entry) {
    if (is_skipped_ && entry.depth > skipped_depth_) return;
    is_skipped_ = false;
    if (entry.error) {
      is_good_ = false;
      fail_with(path_of(entry), to_text(*entry.error));
      return;
    }
    close_from(entry.depth);
    const bool is_directory = type_letter(entry.attr.mode) == 'd';
    if (!counted_.add(store, entry.attr, is_directory)) {
      is_skipped_ = is_directory;
      skipped_depth_ = entry.depth;
      return;
    }
    const bool is_apparent = arguments_.apparent || arguments_.bytes;
    const Sums own{.bytes = is_apparent ? entry.attr.size : entry.attr.blocks_512 * 512,
                   .inodes = 1};
    if (is_directory) {
      open_.push_back({.path = path_of(entry), .sums = own});
      return;
    }
    if (!open_.empty()) open_.back().sums += own;
    if (entry.depth == 0 || (arguments_.all && entry.depth <= arguments_.depth_max)) {
      print(path_of(entry), own);
    }
  }

  [[nodiscard]] std::string path_of(const WalkEntry& entry) const {
    return entry.depth == 0 ? place_ : prefix_ + std::string(entry.path);
  }

  // The directories at this depth and below it are through.
  void close_from(std::uint64_t depth) {
    while (open_.size() > depth) {
      const Open done = std::move(open_.back());
      open_.pop_back();
      if (!open_.empty()) open_.back().sums += done.sums;
      if (open_.size() <= arguments_.depth_max) print(done.path, done.sums);
    }
  }

  void print(const std::string& path, const Sums& sums) {
    if (arguments_.as_json) {
      return out_.write(fmt::format("{{\"path\":{},\"bytes\":{},\"inodes\":{}}}\n", json_text(path),
                                    sums.bytes, sums.inodes));
    }
    out_.write(number_text(sums));
    out_.write("\t");
    out_.write(path);
    out_.write(arguments_.ends_with_nul ? std::string_view("\0", 1) : std::string_view("\n"));
  }

  [[nodiscard]] std::string number_text(const Sums& sums) const {
    const std::uint64_t number = arguments_.inodes ? sums.inodes : sums.bytes;
    if (arguments_.human) return human_text(number);
    if (arguments_.inodes || arguments_.bytes) return fmt::format("{}", number);
    return fmt::format("{}", (number + kib - 1) / kib);
  }

  bool fail_with(std::string_view path, std::string_view what) {
    out_.flush();
    complain("du", fmt::format("{}: {}", printable(path), what));
    return false;
  }

  const std::string& place_;
  const std::string prefix_;
  const DuArguments& arguments_;
  Counted& counted_;
  WalkOutput& out_;
  std::vector<Open> open_;  // by depth
  std::uint64_t skipped_depth_ = 0;
  bool is_skipped_ = false;  // what is below the directory at skipped_depth_
  bool is_good_ = true;
};

int run(DuArguments arguments) {
  if (arguments.summarizes && arguments.all) return complain("du", "-s and -a: choose one");
  if (arguments.summarizes) arguments.depth_max = 0;
  if (arguments.places.empty()) arguments.places.emplace_back(".");
  WalkOutput out;
  Counted counted(arguments.places.size() > 1);
  bool is_good = true;
  for (const std::string& place : arguments.places) {
    is_good = Summer(place, arguments, counted, out).run() && is_good;
    if (out.is_failed()) break;
  }
  out.flush();
  return is_good && !out.is_failed() ? 0 : exit_failure;
}

}  // namespace

void add_du(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("du", "du(1) for a mounted artfs or a store: reads the tree directly.");
  auto arguments = std::make_shared<DuArguments>();
  command->set_help_flag("--help", "print this and end");  // -h as in du(1)
  command->add_option("PLACE", arguments->places,
                      "a path on a mounted artfs, a STORE, or STORE:/PATH");
  command->add_flag("-s,--summarize", arguments->summarizes, "one line for each PLACE");
  command->add_flag("-a,--all", arguments->all, "lines for files, too");
  command->add_flag("-h,--human-readable", arguments->human, "4.0K, 12M, 3.4G");
  command->add_flag("-b,--bytes", arguments->bytes, "sizes as of ls(1), in bytes");
  command->add_flag("--apparent-size", arguments->apparent, "sizes as of ls(1), in KiB");
  command->add_option("-d,--max-depth", arguments->depth_max,
                      "lines for directories so far below PLACE only");
  command->add_flag("-0,--null", arguments->ends_with_nul, "end lines with NUL");
  command->add_flag("--inodes", arguments->inodes, "numbers of inodes, not sizes");
  command->add_flag("--json", arguments->as_json, "one JSON object per line");
  command->footer("Example:\n  artfs du -h -d 1 /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
