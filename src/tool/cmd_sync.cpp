// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/error.hpp"

#include "fuse/control.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

bool nobody_serves(Error error) {
  return error.code == Errc::io_failed && (error.detail == ENOENT || error.detail == ECONNREFUSED);
}

// Without a daemon everything that was acknowledged was written when the last one closed, or is
// replayed by the next.
int sync_unserved(const std::string& path, const Place& place) {
  std::error_code ignored;
  if (!std::filesystem::exists(place.store + "/superblock", ignored)) {
    return complain("sync", fmt::format("{}: {}", path, to_text({Errc::store_missing, 0})));
  }
  if (!is_store_free(place.store) && !place.mount_point) {
    return complain("sync", fmt::format("{}: {}", path, to_text({Errc::store_locked, 0})));
  }
  return 0;
}

int run(const std::string& path) {
  const Place place = resolve_place(path);
  const Result<std::string> reply = fuse::control_request(place.store, "sync");
  if (!reply && nobody_serves(reply.error())) return sync_unserved(path, place);
  if (!reply) {
    return complain("sync", fmt::format("{}: {}: see whether its daemon is alive", path,
                                        std::strerror(static_cast<int>(reply.error().detail))));
  }
  const auto parsed = nlohmann::json::parse(*reply, nullptr, false);
  if (parsed.is_discarded() || !parsed.is_object())
    return complain("sync", path + ": no answer: not synced");
  if (parsed.value("ok", false)) return 0;
  return complain("sync",
                  fmt::format("{}: not everything is on disk: {}", path, parsed.value("text", "")));
}

}  // namespace

void add_sync(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "sync", "Return when everything written so far is on disk (sync(2) does not reach FUSE).");
  auto path = std::make_shared<std::string>();
  command->add_option("PATH", *path, "a store, or where it is mounted")->required();
  command->footer("Example:\n  artfs sync /mnt");
  command->callback([path, &status] { status = run(*path); });
}

}  // namespace artfs::tool
