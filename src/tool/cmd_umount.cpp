// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "fuse/exit_status.hpp"
#include "fuse/mount_point.hpp"
#include "tool/command.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

using namespace std::chrono_literals;

struct UmountArguments {
  std::string path;
  bool lazy = false;
};

// A clean close may have a whole write buffer and a checkpoint to write.
constexpr auto close_wait = 120s;

bool wait_until_closed(const std::string& store) {
  const auto deadline = std::chrono::steady_clock::now() + close_wait;
  while (!is_store_free(store)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

int run(const UmountArguments& arguments) {
  const Place place = resolve_place(arguments.path);
  if (!place.mount_point) {
    return complain(
        "umount",
        arguments.path + ": no artfs filesystem is mounted here: see findmnt -t fuse.artfs",
        fuse::exit_mount);
  }
  const int error = fuse::unmount(*place.mount_point, arguments.lazy);
  if (error == EBUSY) {
    return complain(
        "umount",
        fmt::format("{0} is in use: end what uses it (see: fuser -vm {0}) or add --lazy",
                    *place.mount_point),
        fuse::exit_mount);
  }
  if (error != 0) {
    return complain("umount",
                    fmt::format("{}: {}: ask the user who mounted it, or root", *place.mount_point,
                                std::strerror(error)),
                    fuse::exit_mount);
  }
  if (!arguments.lazy && !wait_until_closed(place.store)) {
    return complain("umount",
                    place.store + " is still being written: its daemon goes on; wait for it to end",
                    fuse::exit_mount);
  }
  return fuse::exit_ok;
}

}  // namespace

void add_umount(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("umount", "Unmount and wait until the store is closed.");
  auto arguments = std::make_shared<UmountArguments>();
  command->add_option("MOUNTPOINT", arguments->path, "where it is mounted, or its store")
      ->required();
  command->add_flag("-l,--lazy", arguments->lazy,
                    "detach now, close when nothing uses it any more");
  command->footer("Example:\n  artfs umount /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
