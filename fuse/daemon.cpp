// SPDX-License-Identifier: Apache-2.0
#include "fuse/daemon.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "fuse/exit_status.hpp"

namespace artfs::fuse {

namespace {

// The daemon's first byte is its status; a daemon that dies without one is a failed mount.
int wait_for_status(int from_daemon, pid_t daemon) {
  std::uint8_t status = 0;
  ssize_t got = 0;
  do {
    got = ::read(from_daemon, &status, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) return status;
  int wait_status = 0;
  while (::waitpid(daemon, &wait_status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0) return WEXITSTATUS(wait_status);
  std::fputs("artfs mount: the daemon ended before the mount was ready: see the system log\n",
             stderr);
  return exit_mount;
}

}  // namespace

std::optional<int> Background::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return exit_system;
  base::UniqueFd from_daemon(ends[0]);
  base::UniqueFd to_parent(ends[1]);
  const pid_t daemon = ::fork();
  if (daemon < 0) {
    std::fputs("artfs mount: cannot fork: free memory or raise the process limit\n", stderr);
    return exit_system;
  }
  if (daemon > 0) {
    to_parent.reset();
    return wait_for_status(from_daemon.get(), daemon);
  }
  to_parent_ = std::move(to_parent);
  is_background_ = true;
  ::setsid();
  static_cast<void>(!::chdir("/"));
  const base::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(null.get(), STDIN_FILENO);
  return std::nullopt;
}

void Background::ready() noexcept {
  if (!is_background_ || is_reported_.exchange(true)) return;
  // The caller may be waiting for the end of our output, so it goes before the parent does.
  const base::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(null.get(), STDOUT_FILENO);
  ::dup2(null.get(), STDERR_FILENO);
  const std::uint8_t status = exit_ok;
  static_cast<void>(!::write(to_parent_.get(), &status, 1));
  to_parent_.reset();
}

void Background::failed(int status) noexcept {
  if (!is_background_ || is_reported_.exchange(true)) return;
  const auto byte = static_cast<std::uint8_t>(status);
  static_cast<void>(!::write(to_parent_.get(), &byte, 1));
  to_parent_.reset();
}

}  // namespace artfs::fuse
