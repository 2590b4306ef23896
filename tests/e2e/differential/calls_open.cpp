// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

std::string kept(Side& side, const Step& step, int fd, int flags) {
  const std::string answer = fd < 0 ? result(-1) : result(0);
  side.keep(step.slot, fd, flags);
  return answer;
}

std::string call_open(Side& side, const Step& step) {
  return kept(side, step, ::open(side.one(step).c_str(), step.open_flags, step.mode),
              step.open_flags);
}

std::string call_openat(Side& side, const Step& step) {
  // A slot may hold a directory: paths then begin there.
  const int directory = step.choice % 2 == 0 ? side.root_fd() : side.fd(step.other_slot);
  const int fd = ::openat(directory, step.one.c_str(), step.open_flags, step.mode);
  return kept(side, step, fd, step.open_flags);
}

std::string call_creat(Side& side, const Step& step) {
  struct stat attributes {};

  // It would wait for a reader.
  if (::stat(side.one(step).c_str(), &attributes) == 0 && S_ISFIFO(attributes.st_mode))
    return "a fifo";
  return kept(side, step, ::creat(side.one(step).c_str(), step.mode), 0);
}

std::string call_tmpfile(Side& side, const Step& step) {
  if (!side.has(Feature::tmpfile)) return "masked";
  const int flags =
      O_TMPFILE | (step.choice % 5 == 0 ? O_RDONLY : O_RDWR) | (step.open_flags & O_EXCL);
  return kept(side, step, ::open(side.one(step).c_str(), flags, step.mode), 0);
}

std::string call_close(Side& side, const Step& step) {
  if (side.fd(step.slot) < 0) return "nothing open";
  const std::string answer = result(::close(side.fd(step.slot)));
  side.forget(step.slot);
  return answer;
}

std::string call_dup(Side& side, const Step& step) {
  const int flags = side.direct(step.other_slot) ? O_DIRECT : 0;
  return kept(side, step, ::fcntl(side.fd(step.other_slot), F_DUPFD_CLOEXEC, 0), flags);
}

std::string call_lseek(Side& side, const Step& step) {
  struct stat attributes {};

  if (::fstat(side.fd(step.slot), &attributes) == 0 && S_ISDIR(attributes.st_mode)) {
    return "a directory";  // their positions are the filesystem's own business
  }
  constexpr std::array<int, 4> whences = {SEEK_SET, SEEK_CUR, SEEK_END, 77};
  const std::int64_t to = step.choice % 3 == 0 ? -step.offset : step.offset;
  return result(::lseek(side.fd(step.slot), to, whences[(step.choice >> 8) % whences.size()]));
}

// Where data and holes begin is the filesystem's own business within rules: they are checked here.
std::string call_seek_hole(Side& side, const Step& step) {
  if (!side.has(Feature::seek_hole)) return "masked";
  const int fd = side.fd(step.slot);

  struct stat attributes {};

  if (::fstat(fd, &attributes) != 0) return result(-1);
  if (!S_ISREG(attributes.st_mode)) return "not a file";
  const std::int64_t before = ::lseek(fd, 0, SEEK_CUR);
  const std::int64_t from = step.offset;
  const int whence = step.choice % 2 == 0 ? SEEK_DATA : SEEK_HOLE;
  const std::int64_t at = ::lseek(fd, from, whence);
  const int error = errno;
  if (before >= 0) ::lseek(fd, before, SEEK_SET);
  if (at < 0) {
    // Without data behind `from` both answers are right, as a hole may be stored.
    if (error == ENXIO && from >= 0 && from < attributes.st_size && whence == SEEK_DATA)
      return "ok";
    errno = error;
    return result(-1);
  }
  if (at < from || at > attributes.st_size) return fmt::format("{} outside of the file", at);
  if (whence == SEEK_HOLE) return "ok";
  std::string skipped(static_cast<std::size_t>(at - from), 'x');
  const ssize_t got = ::pread(fd, skipped.data(), skipped.size(), from);
  if (got < 0) return "ok";  // opened for writing alone
  const bool zero = skipped.find_first_not_of('\0') == std::string::npos;
  return zero ? "ok" : fmt::format("data before {} was skipped", at);
}

std::string call_flock(Side& side, const Step& step) {
  constexpr std::array<int, 3> operations = {LOCK_SH, LOCK_EX, LOCK_UN};
  return result(::flock(side.fd(step.slot), operations[step.choice % 3] | LOCK_NB));
}

struct flock range_of(const Step& step) {
  constexpr std::array<short, 3> types = {F_RDLCK, F_WRLCK, F_UNLCK};

  struct flock range {};

  range.l_type = types[step.choice % 3];
  range.l_whence = (step.choice >> 4) % 4 == 0 ? SEEK_END : SEEK_SET;
  range.l_start = step.offset;
  range.l_len = static_cast<off_t>(step.length);
  return range;
}

std::string call_lock_process(Side& side, const Step& step) {
  struct flock range = range_of(step);
  return result(::fcntl(side.fd(step.slot), F_SETLK, &range));
}

std::string call_lock_description(Side& side, const Step& step) {
  struct flock range = range_of(step);
  return result(::fcntl(side.fd(step.slot), F_OFD_SETLK, &range));
}

std::string call_lock_query(Side& side, const Step& step) {
  struct flock range = range_of(step);
  const int done = ::fcntl(side.fd(step.slot), F_OFD_GETLK, &range);
  return fmt::format("{} {} {} {}", result(done), range.l_type, range.l_start, range.l_len);
}

std::string call_status_flags(Side& side, const Step& step) {
  const int fd = side.fd(step.slot);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return result(-1);
  const int wanted = step.choice % 2 == 0 ? (flags ^ O_APPEND) : flags;
  return fmt::format("{:#o} {}", flags, result(::fcntl(fd, F_SETFL, wanted)));
}

constexpr std::array open_table = {
    Call{"open", 16, call_open},
    Call{"openat", 8, call_openat},
    Call{"creat", 7, call_creat},
    Call{"open_tmpfile", 3, call_tmpfile},
    Call{"close", 4, call_close},
    Call{"dup", 2, call_dup},
    Call{"lseek", 5, call_lseek},
    Call{"lseek_data_hole", 3, call_seek_hole},
    Call{"flock", 3, call_flock},
    Call{"fcntl_setlk", 3, call_lock_process},
    Call{"fcntl_ofd_setlk", 3, call_lock_description},
    Call{"fcntl_ofd_getlk", 2, call_lock_query},
    Call{"fcntl_setfl", 2, call_status_flags},
};

}  // namespace

std::span<const Call> open_calls() noexcept {
  return open_table;
}

}  // namespace artfs::differential
