// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <memory>
#include <unordered_set>

#include "base/clock.hpp"
#include "tool/command.hpp"
#include "tool/entry_text.hpp"
#include "tool/find_expression.hpp"
#include "tool/tree_source.hpp"
#include "tool/walk_output.hpp"

namespace artfs::tool {

namespace {

std::string_view last_component(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return slash == path.npos || path.size() == 1 ? path : path.substr(slash + 1);
}

// One PLACE.
class Finder final : public FindActor {
 public:
  Finder(const std::string& place, const FindExpression& expression, WalkOutput& out)
      : place_(place),
        prefix_(place.ends_with('/') ? place : place + "/"),
        expression_(expression),
        out_(out) {
    const base::WallTime now = base::wall_clock();
    now_ = {now.seconds, now.nanoseconds};
  }

  // False: something could not be shown.
  bool run() {
    const auto source = TreeSource::open(place_);
    if (!source) return fail_with(place_, source.error());
    const auto walked = (*source)->walk(expression_.depth_max, [this](const WalkEntry& entry) {
      return visit(entry) && out_.count() && !is_over_;
    });
    if (!walked) return fail_with(place_, walked.error());
    return is_good_;
  }

  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  void act(FindAction action, const FindCandidate& candidate) override {
    switch (action) {
      case FindAction::print:
        out_.write(candidate.path);
        return out_.write("\n");
      case FindAction::print0:
        out_.write(candidate.path);
        return out_.write({"\0", 1});
      case FindAction::json:
        return out_.write(entry_json(candidate.path, candidate.entry) + "\n");
      case FindAction::ls:
        return out_.write(ls_line(candidate));
    }
  }

  void prune(const FindCandidate& candidate) override {
    pruned_depth_ = candidate.entry.depth;
    is_pruned_ = true;
  }

  void quit() override { is_over_ = true; }

 private:
  bool visit(const WalkEntry& entry) {
    if (is_pruned_ && entry.depth > pruned_depth_) return true;
    is_pruned_ = false;
    path_.assign(entry.depth == 0 ? place_ : prefix_);
    path_.append(entry.path);
    if (entry.error) {
      is_good_ = false;
      fail_with(path_, to_text(*entry.error));
      return true;
    }
    if (entry.depth < expression_.depth_min) return true;
    const FindCandidate candidate{.entry = entry,
                                  .path = path_,
                                  .name = entry.depth == 0 ? last_component(place_) : entry.name};
    expression_.matches(candidate, *this);
    return true;
  }

  std::string ls_line(const FindCandidate& candidate) {
    const Attr& attr = candidate.entry.attr;
    const char type = type_letter(attr.mode);
    std::string line = fmt::format("{:>9} {:>6} {} {:>3} {:<8} {:<8} ", attr.ino.raw,
                                   (attr.blocks_512 + 1) / 2, mode_text(attr.mode), attr.nlink,
                                   owners_.user(attr.uid), owners_.group(attr.gid));
    line += type == 'c' || type == 'b'
                ? fmt::format("{:>3}, {:>3}", major(attr.rdev), minor(attr.rdev))
                : fmt::format("{:>8}", attr.size);
    line += fmt::format(" {} {}", date_text(attr.mtime, now_), quoted_text(candidate.path));
    if (type == 'l') line += " -> " + quoted_text(candidate.entry.target);
    line.push_back('\n');
    return line;
  }

  bool fail_with(std::string_view path, std::string_view what) {
    out_.flush();
    complain("find", fmt::format("{}: {}", printable(path), what));
    return false;
  }

  const std::string& place_;
  const std::string prefix_;
  const FindExpression& expression_;
  WalkOutput& out_;
  OwnerNames owners_;
  Timestamp now_;
  std::string path_;  // of what is visited
  std::uint64_t pruned_depth_ = 0;
  bool is_pruned_ = false;  // what is below the directory at pruned_depth_
  bool is_over_ = false;
  bool is_good_ = true;
};

int run(const std::vector<std::string>& words) {
  const auto is_expression = [](const std::string& word) {
    return (word.starts_with('-') && word.size() > 1) || word == "(" || word == "!";
  };
  const auto first = std::find_if(words.begin(), words.end(), is_expression);
  std::vector<std::string> places(words.begin(), first);
  if (places.empty()) places.emplace_back(".");
  const base::WallTime now = base::wall_clock();
  const auto expression =
      FindExpression::parse({first, words.end()}, {now.seconds, now.nanoseconds});
  if (!expression) return complain("find", expression.error());
  WalkOutput out;
  bool is_good = true;
  for (const std::string& place : places) {
    Finder finder(place, *expression, out);
    is_good = finder.run() && is_good;
    if (finder.is_over() || out.is_failed()) break;
  }
  out.flush();
  return is_good && !out.is_failed() ? 0 : exit_failure;
}

}  // namespace

void add_find(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "find", "find(1) for a mounted artfs or a store: reads the tree directly.");
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option(
      "PLACE [EXPRESSION]", *words,
      "a path on a mounted artfs, a STORE, or STORE:/PATH; then tests as of find(1)");
  command->footer(
      "Tests:\n"
      "  -name GLOB  -iname GLOB  -path GLOB  -ipath GLOB  -wholename GLOB\n"
      "  -type [fdlpscb]  -size [+-]N[cwbkMG]  -empty  -links [+-]N  -inum [+-]N\n"
      "  -mtime [+-]DAYS  -atime [+-]DAYS  -ctime [+-]DAYS  -mmin [+-]MINUTES  -amin [+-]MINUTES\n"
      "  -cmin [+-]MINUTES  -newer FILE  -anewer FILE  -cnewer FILE\n"
      "  -user NAME  -group NAME  -perm [-/]MODE  -true  -false\n"
      "Between them: ( )  -not  -and  -or, or !  -a  -o. How deep: -maxdepth N  -mindepth N\n"
      "Actions (-print without one): -print  -print0  -ls  -json  -prune  -quit\n\n"
      "Example:\n  artfs find /mnt -name '*.o' -size +1M -mtime +30 -print0 | xargs -0 rm");
  command->callback([words, &status] { status = run(*words); });
}

}  // namespace artfs::tool
