// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "fuse/control.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"
#include "tool/top_view.hpp"

namespace artfs::tool {

namespace {

using nlohmann::json;

struct TopArguments {
  std::string path;
  double interval_s = 2;
  std::uint64_t count = 0;  // 0: until interrupted
  bool once = false;
  bool as_json = false;
};

tl::expected<json, std::string> ask(const TopArguments& arguments, const std::string& store) {
  const Result<std::string> reply = fuse::control_request(store, "top");
  if (!reply)
    return tl::unexpected(
        arguments.path + ": no daemon answers: is it mounted? A read-only mount has .artfs/ alone");
  json parsed = json::parse(*reply, nullptr, false);
  if (parsed.is_discarded() || !parsed.is_object() || !parsed.value("ok", false)) {
    return tl::unexpected(arguments.path +
                          ": its daemon does not know top: it is of another version");
  }
  return parsed;
}

// Lines that fit below what stands above the operations; 0: no terminal, so all.
std::size_t rows_of_terminal() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  constexpr std::size_t other_lines = 12;
  const std::size_t lines = size.ws_row;
  return std::max<std::size_t>(4, (lines - std::min(lines, other_lines)) / 2);
}

void show(const TopArguments& arguments, const json& figures) {
  if (arguments.as_json) {
    fmt::print("{}\n", figures.dump(-1, ' ', true, json::error_handler_t::replace));
  } else if (::isatty(STDOUT_FILENO) != 0) {
    // Home, and nothing below: in place, without a flicker of the whole screen.
    fmt::print("\x1b[H\x1b[J{}", top_text(figures, rows_of_terminal()));
  } else {
    fmt::print("{}\n", top_text(figures, 0));
  }
  static_cast<void>(std::fflush(stdout));
}

int run(const TopArguments& arguments) {
  const std::string store = resolve_place(arguments.path).store;
  const std::uint64_t count = arguments.once ? 1 : arguments.count;
  auto before = ask(arguments, store);
  if (!before) return complain("top", before.error());
  for (std::uint64_t shown = 0; count == 0 || shown < count; ++shown) {
    std::this_thread::sleep_for(std::chrono::duration<double>(arguments.interval_s));
    auto after = ask(arguments, store);
    if (!after) return complain("top", after.error());
    show(arguments, top_figures(*before, *after));
    if (std::ferror(stdout) != 0) return exit_failure;  // nobody reads on
    before = std::move(after);
  }
  return 0;
}

}  // namespace

void add_top(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "top", "Show what a mount is doing: rates, latencies, caches, log, space.");
  auto arguments = std::make_shared<TopArguments>();
  command->add_option("PATH", arguments->path, "where it is mounted, or its store")->required();
  command->add_option("--interval", arguments->interval_s, "seconds between two looks; 2")
      ->check(CLI::Range(0.05, 86400.0));
  auto* count = command->add_option("--count", arguments->count, "end after so many looks")
                    ->check(CLI::PositiveNumber);
  command->add_flag("--once", arguments->once, "one look, as --count 1")->excludes(count);
  command->add_flag("--json", arguments->as_json, "print a JSON object for each look, one a line");
  command->footer("Example:\n  artfs top /mnt\n  artfs top --once --json /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
