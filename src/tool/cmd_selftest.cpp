// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <nlohmann/json.hpp>

#include "tool/command.hpp"
#include "tool/selftest.hpp"

namespace artfs::tool {

namespace {

struct SelfTestArguments {
  std::string directory = "/var/tmp";
  bool json = false;
};

std::string_view to_text(SelfTestStep::State state) {
  switch (state) {
    case SelfTestStep::State::ok:
      return "ok";
    case SelfTestStep::State::failed:
      return "failed";
    case SelfTestStep::State::skipped:
      break;
  }
  return "skipped";
}

std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "artfs";
}

int run(const SelfTestArguments& arguments) {
  const std::vector<SelfTestStep> steps = run_self_test(arguments.directory, own_path());
  const bool is_well = std::none_of(steps.begin(), steps.end(), [](const SelfTestStep& step) {
    return step.state == SelfTestStep::State::failed;
  });
  if (arguments.json) {
    nlohmann::json lines = nlohmann::json::array();
    for (const SelfTestStep& step : steps) {
      lines.push_back(
          {{"step", step.name}, {"state", to_text(step.state)}, {"detail", step.detail}});
    }
    fmt::print("{}\n", nlohmann::json{{"ok", is_well}, {"steps", lines}}.dump());
  } else {
    for (const SelfTestStep& step : steps) {
      fmt::print("{:<8} {:<10} {}\n", to_text(step.state), step.name, step.detail);
    }
  }
  return is_well ? 0 : complain("selftest", "this machine cannot run artfs as it is: see above");
}

}  // namespace

void add_selftest(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "selftest", "Try on this machine what artfs needs and promises, on a store of its own.");
  auto arguments = std::make_shared<SelfTestArguments>();
  command
      ->add_option("DIRECTORY", arguments->directory,
                   "where the store goes for these seconds; on the device to be used")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "print one JSON object");
  command->footer("Example:\n  artfs selftest /srv");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
