// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/volume.hpp"

#include "engine/verify.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

// Bits of fsck(8).
constexpr int fsck_clean = 0;
constexpr int fsck_corrected = 1;
constexpr int fsck_errors_left = 4;
constexpr int fsck_operational = 8;
constexpr int fsck_cancelled = 32;

struct FsckArguments {
  std::string store;
  bool no_change = false;
  bool json = false;
  bool quiet = false;
  bool repair = false;
  bool contents = false;
  bool ignored = false;
};

// Damage that opening already finds, as against a store that cannot be opened now.
bool is_damage(Errc code) {
  return code == Errc::superblock_corrupt || code == Errc::manifest_corrupt ||
         code == Errc::frame_corrupt || code == Errc::log_corrupt ||
         code == Errc::checkpoint_corrupt || code == Errc::block_corrupt ||
         code == Errc::record_corrupt;
}

int fail_with(const FsckArguments& arguments, Error error, std::string_view doing) {
  return complain("fsck", fmt::format("{}: {}{}", arguments.store, doing, to_text(error)),
                  fsck_operational);
}

nlohmann::json to_json(const FsckArguments& arguments, const CheckReport& report,
                       const RepairReport& repaired) {
  return {{"store", arguments.store},          {"clean", report.problems.empty()},
          {"problems", report.problems},       {"inodes", report.inodes},
          {"directories", report.directories}, {"entries", report.entries},
          {"blocks", report.blocks},           {"orphans", report.orphans},
          {"repairs", repaired.repairs},       {"repaired", repaired.done},
          {"reclaimed", repaired.orphans}};
}

void print_report(const FsckArguments& arguments, const CheckReport& report,
                  const RepairReport& repaired) {
  if (arguments.json) {
    const nlohmann::json json = to_json(arguments, report, repaired);
    fmt::print("{}\n", json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    return;
  }
  for (const std::string& line : repaired.done)
    fmt::print("{}: repaired: {}\n", arguments.store, printable(line));
  for (const std::string& problem : report.problems)
    fmt::print("{}: {}\n", arguments.store, printable(problem));
  if (arguments.quiet) return;
  if (arguments.repair) {
    fmt::print("{}: {} repairs, {} unlinked files reclaimed\n", arguments.store, repaired.repairs,
               repaired.orphans);
  }
  fmt::print("{}: {}; {} inodes, {} directories, {} entries, {} blocks, {} orphans\n",
             arguments.store,
             report.problems.empty() ? "clean" : fmt::format("{} problems", report.problems.size()),
             report.inodes, report.directories, report.entries, report.blocks, report.orphans);
}

// The volume does not open: what the store below it can still say, without changing anything.
int check_damaged(const FsckArguments& arguments, const std::string& store) {
  const Result<VerifyReport> below = engine::check_store(store, {});
  if (!below) return fail_with(arguments, below.error(), "");
  CheckReport report;
  report.problems = below->problems;
  if (report.problems.empty()) report.problems.emplace_back("the volume's own records are damaged");
  print_report(arguments, report, {});
  return fsck_errors_left;
}

// What is left, after the repair if there was one.
int check(const FsckArguments& arguments, const std::string& store, const RepairReport& repaired) {
  VolumeOptions options;
  options.store.read_only = arguments.no_change;
  options.keep_orphans = true;
  Result<std::unique_ptr<Volume>> volume = Volume::open(store, options);
  if (!volume && is_damage(volume.error().code)) return check_damaged(arguments, store);
  if (!volume) return fail_with(arguments, volume.error(), "");
  const Result<CheckReport> report = (*volume)->check({.read_contents = arguments.contents});
  if (!report) return fail_with(arguments, report.error(), "the check stopped: ");
  print_report(arguments, *report, repaired);
  if (const Result<void> closed = (*volume)->close(); !closed) {
    return fail_with(arguments, closed.error(), "closing: ");
  }
  return (repaired.repairs == 0 ? fsck_clean : fsck_corrected) |
         (report->problems.empty() ? fsck_clean : fsck_errors_left);
}

int run(const FsckArguments& arguments) {
  // Safe at any moment: the check itself writes nothing, opening is a recovery like any other, and a
  // repair that was cut short is finished by the next.
  for (const int number : {SIGINT, SIGTERM}) ::signal(number, [](int) { ::_exit(fsck_cancelled); });
  const Place place = resolve_place(arguments.store);
  if (place.mount_point && !is_store_free(place.store)) {  // a dead mount does not hold it
    return complain(
        "fsck",
        fmt::format("{} is mounted on {}: unmount it first", arguments.store, *place.mount_point),
        fsck_operational);
  }
  RepairReport repaired;
  if (arguments.repair) {
    Result<RepairReport> report = Volume::repair(place.store, {});
    if (!report && is_damage(report.error().code)) return check_damaged(arguments, place.store);
    if (!report) return fail_with(arguments, report.error(), "the repair stopped: ");
    repaired = *std::move(report);
    if (!repaired.problems.empty()) {
      complain("fsck", fmt::format("{}: not repaired, since what is missing may be unreadable: {}",
                                   arguments.store, printable(repaired.problems.front())));
    }
  }
  return check(arguments, place.store, repaired);
}

}  // namespace

void add_fsck(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("fsck", "Check a store and the filesystem in it; repair it if asked.");
  auto arguments = std::make_shared<FsckArguments>();
  command->add_option("STORE", arguments->store, "directory of the store; must not be mounted")
      ->required();
  CLI::Option* const no_change = command->add_flag("-n,--no-change", arguments->no_change,
                                                   "change nothing: replay the log in memory only");
  command
      ->add_flag("-r,-a,-p,-y,--repair", arguments->repair,
                 "repair what can be told without guessing; nameless files go to lost+found")
      ->excludes(no_change);
  command->add_flag("-c,--contents", arguments->contents,
                    "also read every block and compare its checksum");
  command->add_flag("--json", arguments->json, "print the report as one JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "print repairs and problems only");
  command->add_flag("-f", arguments->ignored, "accepted for fsck(8); the check is always full");
  command->footer(
      "Exit status, the sum of fsck(8)'s bits: 0 clean, 1 errors were corrected, 4 errors are "
      "left,\n"
      "8 the store could not be checked, 16 wrong usage, 32 cancelled.\n\nExample:\n"
      "  artfs fsck --repair /srv/store");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
