// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/volume.hpp"

#include "fuse/control.hpp"
#include "fuse/mount_options.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

using nlohmann::json;

// As fsck's.
constexpr int scrub_clean = 0;
constexpr int scrub_damage = 4;
constexpr int scrub_operational = 8;
constexpr int scrub_cancelled = 32;

struct ScrubArguments {
  std::string path;
  std::string rate = "64M";
  bool as_json = false;
  bool quiet = false;
};

int fail_with(const ScrubArguments& arguments, std::string_view what) {
  return complain("scrub", fmt::format("{}: {}", arguments.path, what), scrub_operational);
}

std::string mib_text(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(mib));
}

// One line on a terminal, written over itself; nothing anywhere else.
class ProgressLine {
 public:
  explicit ProgressLine(const ScrubArguments& arguments)
      : is_shown_(!arguments.quiet && !arguments.as_json && ::isatty(STDERR_FILENO) != 0) {}

  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  ~ProgressLine() { clear(); }

  void show(const json& progress) {
    if (!is_shown_) return;
    const auto bytes = progress.value("bytes", std::uint64_t{0});
    const auto total = progress.value("bytes_total", std::uint64_t{0});
    fmt::print(stderr, "\r{:3} %  {} of {}, {} problems ", total == 0 ? 100 : bytes * 100 / total,
               mib_text(bytes), mib_text(total), progress.value("problems", std::uint64_t{0}));
    std::fflush(stderr);
    is_dirty_ = true;
  }

  void clear() {
    if (is_dirty_) fmt::print(stderr, "\r\x1b[K");
    is_dirty_ = false;
  }

 private:
  const bool is_shown_;
  bool is_dirty_ = false;
};

// Nobody serves the store: read it ourselves, as it stands.
std::string scrub_store(const std::string& store, std::uint64_t rate, ProgressLine& line) {
  VolumeOptions options;
  options.store.read_only = true;
  const Result<std::unique_ptr<Volume>> volume = Volume::open(store, options);
  if (!volume) return fuse::scrub_reply_json(fail(volume.error()));
  ScrubOptions scrub;
  scrub.bytes_per_second = rate;
  scrub.on_progress = [&](const ScrubProgress& progress) {
    line.show(json::parse(fuse::scrub_progress_json(progress)));
    return true;
  };
  return fuse::scrub_reply_json((*volume)->scrub(scrub));
}

Result<std::string> scrub(const Place& place, std::uint64_t rate, ProgressLine& line) {
  const auto on_line = [&](const std::string& text) {
    const json parsed = json::parse(text, nullptr, false);
    if (parsed.is_object() && parsed.contains("progress")) line.show(parsed["progress"]);
  };
  const Result<std::string> reply =
      fuse::control_request(place.store, fmt::format("scrub {}", rate), on_line);
  if (reply) return *reply;
  const bool nobody_serves = reply.error().detail == ENOENT || reply.error().detail == ECONNREFUSED;
  if (!nobody_serves) return reply;
  return scrub_store(place.store, rate, line);
}

int print_report(const ScrubArguments& arguments, const json& report) {
  if (arguments.as_json) {
    fmt::print("{}\n", report.dump(-1, ' ', true, json::error_handler_t::replace));
  } else {
    for (const json& problem : report["problems"]) {
      fmt::print("{}: {}\n", arguments.path, printable(problem.get<std::string>()));
    }
  }
  const std::size_t problems = report["problems"].size();
  if (!report.value("complete", false)) {
    return fail_with(arguments, "ended before it was through: unmounted?");
  }
  if (!arguments.as_json && !arguments.quiet) {
    fmt::print("{}: {}; {} in {} frames and {} blocks\n", arguments.path,
               problems == 0 ? "sound" : fmt::format("{} problems", problems),
               mib_text(report.value("bytes", std::uint64_t{0})),
               report.value("frames", std::uint64_t{0}), report.value("blocks", std::uint64_t{0}));
  }
  return problems == 0 ? scrub_clean : scrub_damage;
}

int run(const ScrubArguments& arguments) {
  // A scrub writes nothing; the daemon ends its part when we are gone.
  for (const int number : {SIGINT, SIGTERM})
    ::signal(number, [](int) { ::_exit(scrub_cancelled); });
  const auto rate = fuse::parse_bytes(arguments.rate);
  if (!rate) {
    return complain("scrub",
                    fmt::format("--rate {}: give bytes per second, as 64M", arguments.rate),
                    usage_status("scrub"));
  }
  Result<std::string> reply = fail(Errc::io_failed);
  {
    ProgressLine line(arguments);
    reply = scrub(resolve_place(arguments.path), *rate, line);
  }
  if (!reply) {
    return fail_with(arguments, fmt::format("{}: see whether its daemon is alive",
                                            std::strerror(static_cast<int>(reply.error().detail))));
  }
  const json parsed = json::parse(*reply, nullptr, false);
  if (!parsed.is_object()) return fail_with(arguments, "no answer");
  if (!parsed.value("ok", false)) return fail_with(arguments, parsed.value("text", "no answer"));
  return print_report(arguments, parsed["report"]);
}

}  // namespace

void add_scrub(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("scrub", "Read all of a store, mounted or not, and verify its checksums.");
  auto arguments = std::make_shared<ScrubArguments>();
  command->add_option("PATH", arguments->path, "a store, or where it is mounted")->required();
  command
      ->add_option("-r,--rate", arguments->rate,
                   "read at most so many bytes per second; 0: as fast as it goes")
      ->capture_default_str();
  command->add_flag("--json", arguments->as_json, "print the report as one JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "print problems only");
  command->footer(
      "Exit status: 0 all is sound, 4 damage was found, 8 the scrub could not be done, 16 wrong "
      "usage,\n"
      "32 cancelled.\n\nExample:\n  artfs scrub --rate 200M /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
