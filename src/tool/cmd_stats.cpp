// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/volume.hpp"

#include "fuse/control.hpp"
#include "fuse/mount_report.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

using nlohmann::json;

struct StatsArguments {
  std::string path;
  bool as_json = false;
  bool for_prometheus = false;
};

std::string dump(const json& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

// {"a":{"b":1}} as the line "a.b  1".
void print_lines(const json& value, const std::string& name) {
  if (value.is_object()) {
    for (const auto& [key, below] : value.items())
      print_lines(below, name.empty() ? key : name + "." + key);
    return;
  }
  fmt::print("{:<36} {}\n", name, value.is_string() ? value.get<std::string>() : dump(value));
}

// The daemon's answer; an empty text when nobody serves the store.
tl::expected<json, std::string> ask(const std::string& store, const std::string& request) {
  const Result<std::string> reply = fuse::control_request(store, request);
  if (!reply) return tl::unexpected(std::string());
  json parsed = json::parse(*reply, nullptr, false);
  if (parsed.is_discarded() || !parsed.value("ok", false)) {
    return tl::unexpected("the daemon's answer makes no sense: " + *reply);
  }
  return parsed;
}

tl::expected<VolumeStats, std::string> stats_of_store(const std::string& store) {
  VolumeOptions options;
  options.store.read_only = true;
  const Result<std::unique_ptr<Volume>> volume = Volume::open(store, options);
  if (!volume) return tl::unexpected(fmt::format("{}: {}", store, to_text(volume.error())));
  return (*volume)->stats();
}

tl::expected<std::string, std::string> metrics_of(const std::string& store) {
  const auto answer = ask(store, "metrics");
  if (answer) return answer->value("text", "");
  if (!answer.error().empty()) return tl::unexpected(answer.error());
  return stats_of_store(store).map(
      [](const VolumeStats& stats) { return fuse::metrics_text(stats, nullptr); });
}

tl::expected<json, std::string> facts_of(const std::string& store) {
  auto answer = ask(store, "stats");
  if (answer || !answer.error().empty()) return answer;
  return stats_of_store(store).map([](const VolumeStats& stats) {
    return json{{"ok", true},
                {"mount_point", nullptr},
                {"stats", json::parse(to_json(stats), nullptr, false)}};
  });
}

int run(const StatsArguments& arguments) {
  const Place place = resolve_place(arguments.path);
  if (arguments.for_prometheus) {
    const auto metrics = metrics_of(place.store);
    if (!metrics) return complain("stats", metrics.error());
    fmt::print("{}", *metrics);
    return 0;
  }
  auto answer = facts_of(place.store);
  if (!answer) return complain("stats", answer.error());
  answer->erase("ok");
  if (arguments.as_json) {
    fmt::print("{}\n", dump(*answer));
  } else {
    print_lines(json{{"mount_point", (*answer)["mount_point"]}}, "");
    if (answer->contains("mount")) print_lines((*answer)["mount"], "mount");
    print_lines((*answer)["stats"], "");
  }
  return 0;
}

}  // namespace

void add_stats(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("stats", "Print counters and gauges of a store.");
  auto arguments = std::make_shared<StatsArguments>();
  command->add_option("PATH", arguments->path, "a store, or where it is mounted")->required();
  auto* as_json = command->add_flag("--json", arguments->as_json, "print one JSON object");
  command
      ->add_flag("--prometheus", arguments->for_prometheus,
                 "print Prometheus's text format, for its node_exporter")
      ->excludes(as_json);
  command->footer("Example:\n  artfs stats --json /mnt\n  artfs stats --prometheus /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
