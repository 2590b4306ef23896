// SPDX-License-Identifier: Apache-2.0
#include "fuse/access_times.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <thread>

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "fuse/mount_table.hpp"

namespace artfs::fuse {

namespace {

std::uint64_t kernel_flag(AccessTimes kind) noexcept {
  switch (kind) {
    case AccessTimes::relatime:
      return MOUNT_ATTR_RELATIME;
    case AccessTimes::noatime:
      return MOUNT_ATTR_NOATIME;
    case AccessTimes::strictatime:
      break;
  }
  return MOUNT_ATTR_STRICTATIME;
}

std::optional<AccessTimePolicy> policy_at(const std::string& mount_point) {
  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return std::nullopt;
  const std::optional<MountEntry> entry = mount_at(*table, mount_point);
  if (!entry || entry->type != filesystem_type) return std::nullopt;
  return policy_of_flags(entry->flags);
}

class Watch final : public AccessTimeWatch {
 public:
  Watch(base::UniqueFd table, base::UniqueFd end, const std::string& mount_point, Volume& volume)
      : table_(std::move(table)),
        end_(std::move(end)),
        mount_point_(mount_point),
        volume_(volume),
        seen_(policy_at(mount_point)),
        thread_([this] { watch(); }) {}

  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  ~Watch() override {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(end_.get(), &one, sizeof one));
    thread_.join();
  }

 private:
  // The kernel raises POLLPRI on the table when any mount changes.
  void watch() {
    while (true) {
      std::array<pollfd, 2> sources = {pollfd{.fd = table_.get(), .events = POLLPRI, .revents = 0},
                                       pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0}};
      if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
      if (sources[1].revents != 0) return;
      if (sources[0].revents != 0) take_over();
    }
  }

  // Only a change counts: what a mount without root's flags shows is not what was asked for.
  void take_over() {
    const std::optional<AccessTimePolicy> now = policy_at(mount_point_);
    if (!now || now == seen_) return;
    seen_ = now;
    volume_.set_access_times(*now);
    base::log_info("{}: remounted with other access times", mount_point_);
  }

  const base::UniqueFd table_;
  const base::UniqueFd end_;
  const std::string mount_point_;
  Volume& volume_;
  std::optional<AccessTimePolicy> seen_;
  std::thread thread_;
};

}  // namespace

AccessTimePolicy policy_of_flags(std::string_view flags) noexcept {
  AccessTimePolicy policy{.kind = AccessTimes::strictatime};
  while (!flags.empty()) {
    const std::size_t comma = std::min(flags.find(','), flags.size());
    const std::string_view word = flags.substr(0, comma);
    if (word == "relatime") policy.kind = AccessTimes::relatime;
    if (word == "noatime") policy.kind = AccessTimes::noatime;
    if (word == "nodiratime") policy.directories = false;
    flags.remove_prefix(std::min(comma + 1, flags.size()));
  }
  return policy;
}

void show_access_times(const std::string& mount_point, AccessTimePolicy policy) noexcept {
  mount_attr change{};
  change.attr_clr = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
  change.attr_set =
      kernel_flag(policy.kind) | (policy.directories ? 0U : std::uint64_t{MOUNT_ATTR_NODIRATIME});
  if (::mount_setattr(AT_FDCWD, mount_point.c_str(), AT_SYMLINK_NOFOLLOW, &change, sizeof change) !=
      0) {
    base::log_debug("{}: the mount table does not show its access times", mount_point);
  }
}

std::unique_ptr<AccessTimeWatch> AccessTimeWatch::start(const std::string& mount_point,
                                                        Volume& volume) {
  base::UniqueFd table(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  base::UniqueFd end(::eventfd(0, EFD_CLOEXEC));
  if (!table || !end) return nullptr;
  return std::make_unique<Watch>(std::move(table), std::move(end), mount_point, volume);
}

}  // namespace artfs::fuse
