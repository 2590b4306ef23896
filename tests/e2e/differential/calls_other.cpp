// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

std::string call_chdir(Side& side, const Step& step) {
  if (step.choice % 3 == 0) return result(::fchdir(side.root_fd()));
  return result(::chdir(side.one(step).c_str()));
}

std::string call_fchdir(Side& side, const Step& step) {
  return result(::fchdir(side.fd(step.slot)));
}

std::string call_getcwd(Side& side, const Step& /*step*/) {
  std::array<char, 8192> path{};
  if (::getcwd(path.data(), path.size()) == nullptr) return result(-1);
  return "ok " + side.neutral(path.data());
}

// What holds on every filesystem.
std::string sane(const struct statfs& facts) {
  const bool counts = facts.f_bfree <= facts.f_blocks && facts.f_bavail <= facts.f_bfree &&
                      facts.f_ffree <= facts.f_files && facts.f_blocks > 0 && facts.f_bsize > 0;
  return fmt::format("ok {} {}", facts.f_namelen, counts);
}

std::string call_statfs(Side& side, const Step& step) {
  struct statfs facts {};

  if (::statfs(side.one(step).c_str(), &facts) != 0) return result(-1);
  return step.one.empty() ? "ok" : sane(facts);
}

std::string call_fstatfs(Side& side, const Step& step) {
  struct statfs facts {};

  if (::fstatfs(side.fd(step.slot), &facts) != 0) return result(-1);
  return sane(facts);
}

std::string call_umask(Side& /*side*/, const Step& step) {
  constexpr std::array<mode_t, 5> masks = {022, 0, 077, 027, 002};
  return fmt::format("{:o}", ::umask(masks[step.choice % masks.size()]));
}

std::string call_syncfs(Side& side, const Step& step) {
  if (step.choice % 4 != 0) return "skipped: rarely";
  return result(::syncfs(side.root_fd()));
}

std::string call_pathconf(Side& side, const Step& step) {
  return result(::pathconf(side.one(step).c_str(), _PC_NAME_MAX));
}

// Whether a handle can be made, and names the same file for the one who may open it.
std::string call_file_handle(Side& side, const Step& step) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};
  auto* handle = reinterpret_cast<file_handle*>(memory.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  const std::string path = side.one(step);
  if (::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0) != 0) return result(-1);
  const int fd = ::open_by_handle_at(side.root_fd(), handle, O_PATH | O_CLOEXEC);
  if (fd < 0) return "handle, then " + result(-1);

  struct stat by_handle {};

  struct stat by_path {};

  const bool both = ::fstat(fd, &by_handle) == 0 && ::lstat(path.c_str(), &by_path) == 0;
  ::close(fd);
  return both && by_handle.st_ino == by_path.st_ino ? "ok same" : "ok another file";
}

constexpr std::array other_table = {
    Call{"chdir", 4, call_chdir},
    Call{"fchdir", 1, call_fchdir},
    Call{"getcwd", 3, call_getcwd},
    Call{"statfs", 1, call_statfs},
    Call{"fstatfs", 1, call_fstatfs},
    Call{"umask", 2, call_umask},
    Call{"syncfs", 1, call_syncfs},
    Call{"pathconf", 1, call_pathconf},
    Call{"file_handle", 2, call_file_handle},
};

}  // namespace

std::span<const Call> other_calls() noexcept {
  return other_table;
}

}  // namespace artfs::differential
