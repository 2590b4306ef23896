// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "fuse/exit_status.hpp"
#include "fuse/mount.hpp"
#include "tool/command.hpp"

namespace artfs::tool {

namespace {

struct MountArguments {
  std::string store;
  std::string mount_point;
  std::vector<std::string> options;
  bool foreground = false;
  bool sloppy = false;
  bool fake = false;
};

int run(const MountArguments& arguments) {
  auto options = fuse::parse_mount_options(arguments.options, arguments.sloppy);
  if (!options) return complain("mount", options.error(), fuse::exit_usage);
  if (arguments.fake) return fuse::exit_ok;
  const fuse::MountRequest request{.store = arguments.store,
                                   .mount_point = arguments.mount_point,
                                   .foreground = arguments.foreground,
                                   .options = *std::move(options)};
  return request.options.remount ? fuse::run_remount(request) : fuse::run_mount(request);
}

}  // namespace

void add_mount(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("mount", "Mount the filesystem of a store.");
  auto arguments = std::make_shared<MountArguments>();
  command->add_option("STORE", arguments->store, "directory of the store")->required();
  command->add_option("MOUNTPOINT", arguments->mount_point, "directory to mount on")->required();
  command->add_option("-o,--options", arguments->options, "mount options, separated by commas")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("-f,--foreground", arguments->foreground,
                    "serve in the foreground; log to stderr");
  command->add_flag("-s,--sloppy", arguments->sloppy, "ignore unknown mount options");
  command->add_flag("--fake", arguments->fake, "check the options, mount nothing");
  command->footer(
      "Mount options:\n"
      "  ro, rw            read-only changes nothing in the store; the default is rw\n"
      "  remount           change ro, rw, nosuid, noatime and the like of a mount that is there\n"
      "  cache=SIZE        memory for metadata, at least 8M; 256M\n"
      "  write_buffer=SIZE memory for contents not yet written, at least 1M; 64M\n"
      "  block_cache=SIZE  memory for blocks of file contents that were read, 0 for none; 32M\n"
      "  block_cache_policy=POLICY\n"
      "                    which of them go first: fifo, lru, multi_lru (the default), lineage\n"
      "  commit=SECONDS    changes reach the disk at least this often, 0.01 to 3600; 1\n"
      "  checkpoint=SECONDS\n"
      "                    the log is folded home at least this often, 0.1 to 3600; 30\n"
      "  durability=MODE   strict (every change is on disk when the call returns),\n"
      "                    fsync (after fsync or the commit interval), relaxed (fsync does not "
      "wait)\n"
      "  allow_other       other users may enter, the default for root; noallow_other: they may "
      "not\n"
      "  transport=WAY     how requests reach the daemon: uring, dev (/dev/fuse), auto (the "
      "default: "
      "uring\n"
      "                    where it is possible)\n"
      "  threads=N         requests served at once, 1 to 1024; 16, with uring 8 for each core\n"
      "  inside=on|off     .artfs at the root of the mount, in no listing, shows stats, metrics "
      "and "
      "more; on\n"
      "  watchdog=SECONDS  a request that takes longer is reported in the log, 0 for none; 10\n"
      "  log=FILE          where the daemon logs; the system log, or stderr with -f\n"
      "  relatime          a read moves the access time when it is not later than the last change, "
      "or a\n"
      "                    day old, the default; noatime: never; strictatime: always; nodiratime: "
      "not\n"
      "                    those of directories\n"
      "  acl, noacl        POSIX ACLs are enforced, the default; noacl hides them\n"
      "  suid dev exec sync dirsync ..., and context=: as in mount(8)\n"
      "  defaults nofail _netdev user noauto x-*= ...: accepted for fstab\n\n"
      "Example:\n  artfs mount -o cache=1G /srv/store /mnt");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
