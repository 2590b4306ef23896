// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

constexpr const char* unaligned = "skipped: O_DIRECT at the position";
constexpr std::uint64_t page = 4096;

std::string_view seen(const char* bytes, ssize_t got) {
  return {bytes, got < 0 ? 0 : static_cast<std::size_t>(got)};
}

// Offset and length as an O_DIRECT descriptor wants them.
std::int64_t offset_for(const Side& side, const Step& step) {
  if (!side.direct(step.slot) || step.offset < 0) return step.offset;
  return step.offset - step.offset % static_cast<std::int64_t>(page);
}

std::uint64_t length_for(const Side& side, const Step& step) {
  return side.direct(step.slot) ? step.length - step.length % page : step.length;
}

// Memory for one transfer, aligned for O_DIRECT.
char* transfer_memory() {
  alignas(page) static std::array<char, 131072> memory;
  return memory.data();
}

char* filled_memory(const Step& step, std::uint64_t count) {
  const std::string bytes = bytes_of(step, count);
  std::copy(bytes.begin(), bytes.end(), transfer_memory());
  return transfer_memory();
}

std::string call_read(Side& side, const Step& step) {
  if (side.direct(step.slot)) return unaligned;
  const ssize_t got = ::read(side.fd(step.slot), transfer_memory(), step.length);
  return result(got, seen(transfer_memory(), got));
}

std::string call_pread(Side& side, const Step& step) {
  const ssize_t got = ::pread(side.fd(step.slot), transfer_memory(), length_for(side, step),
                              offset_for(side, step));
  return result(got, seen(transfer_memory(), got));
}

std::array<iovec, 3> pieces_of(char* memory, const Step& step) {
  const std::uint64_t first = step.length / 3;
  return {iovec{memory, first}, iovec{memory + first, 0},
          iovec{memory + first, step.length - first}};
}

std::string call_readv(Side& side, const Step& step) {
  if (side.direct(step.slot)) return unaligned;
  const auto pieces = pieces_of(transfer_memory(), step);
  const ssize_t got = step.choice % 2 == 0
                          ? ::readv(side.fd(step.slot), pieces.data(), 3)
                          : ::preadv(side.fd(step.slot), pieces.data(), 3, step.offset);
  return result(got, seen(transfer_memory(), got));
}

std::string call_write(Side& side, const Step& step) {
  if (side.direct(step.slot)) return unaligned;
  return result(::write(side.fd(step.slot), filled_memory(step, step.length), step.length));
}

std::string call_pwrite(Side& side, const Step& step) {
  const bool appends = (::fcntl(side.fd(step.slot), F_GETFL) & O_APPEND) != 0;
  if (side.direct(step.slot) && appends) return unaligned;
  const std::uint64_t length = length_for(side, step);
  return result(
      ::pwrite(side.fd(step.slot), filled_memory(step, length), length, offset_for(side, step)));
}

std::string call_writev(Side& side, const Step& step) {
  if (side.direct(step.slot)) return unaligned;
  const auto pieces = pieces_of(filled_memory(step, step.length), step);
  const int fd = side.fd(step.slot);
  switch (step.choice % 4) {
    case 0:
      return result(::pwritev(fd, pieces.data(), 3, step.offset));
    case 1:
      return result(::pwritev2(fd, pieces.data(), 3, step.offset, RWF_APPEND));
    case 2:
      return result(::pwritev2(fd, pieces.data(), 3, step.offset, RWF_SYNC));
    default:
      return result(::writev(fd, pieces.data(), 3));
  }
}

std::string call_append(Side& side, const Step& step) {
  const int fd = ::open(side.one(step).c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return result(-1);
  const std::string answer = result(::write(fd, filled_memory(step, step.length), step.length));
  ::close(fd);
  return answer;
}

std::string call_truncate(Side& side, const Step& step) {
  return result(::truncate(side.one(step).c_str(), step.offset));
}

std::string call_ftruncate(Side& side, const Step& step) {
  return result(::ftruncate(side.fd(step.slot), step.offset));
}

std::string call_fallocate(Side& side, const Step& step) {
  constexpr std::array<int, 8> modes = {0,
                                        FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_ZERO_RANGE,
                                        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE};
  const int mode = modes[step.choice % modes.size()];

  if (step.unprivileged && !side.has(Feature::shedding)) return "masked";
  if ((mode & FALLOC_FL_PUNCH_HOLE) != 0 && !side.has(Feature::punch_hole)) return "masked";
  if ((mode & FALLOC_FL_ZERO_RANGE) != 0 && !side.has(Feature::zero_range)) return "masked";
  return result(
      ::fallocate(side.fd(step.slot), mode, step.offset, static_cast<off_t>(step.length)));
}

// Maps what the file has and reads it, or changes it and waits until it is written.
std::string mapped(Side& side, const Step& step, bool writes) {
  const int fd = side.fd(step.slot);

  struct stat attributes {};

  if (::fstat(fd, &attributes) != 0) return result(-1);
  if (!S_ISREG(attributes.st_mode)) return "not a file";
  if (attributes.st_size == 0) return "empty";
  const auto size =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(attributes.st_size), 1U << 20);
  const int protection = writes ? PROT_READ | PROT_WRITE : PROT_READ;
  void* mapping = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return result(-1);
  auto* bytes = static_cast<char*>(mapping);
  const std::uint64_t from = (step.choice >> 16) % size;
  const std::uint64_t count = std::min<std::uint64_t>(step.length, size - from);
  std::string answer;
  if (writes) {
    const std::string changed = bytes_of(step, std::max<std::uint64_t>(count, 1));
    std::copy(changed.begin(), changed.end(), bytes + from);
    answer = result(::msync(mapping, size, MS_SYNC));
  } else {
    answer = result(0, std::string_view(bytes + from, count));
  }
  ::munmap(mapping, size);
  return answer;
}

std::string call_mmap_read(Side& side, const Step& step) {
  return mapped(side, step, false);
}

std::string call_mmap_write(Side& side, const Step& step) {
  return mapped(side, step, true);
}

std::string call_fsync(Side& side, const Step& step) {
  return result(::fsync(side.fd(step.slot)));
}

std::string call_fdatasync(Side& side, const Step& step) {
  return result(::fdatasync(side.fd(step.slot)));
}

std::string call_sync_file_range(Side& side, const Step& step) {
  return result(::sync_file_range(side.fd(step.slot), step.offset, static_cast<off_t>(step.length),
                                  static_cast<unsigned>(step.choice % 8)));
}

constexpr std::array byte_table = {
    Call{"read", 5, call_read},
    Call{"pread", 5, call_pread},
    Call{"readv", 3, call_readv},
    Call{"write", 8, call_write},
    Call{"pwrite", 10, call_pwrite},
    Call{"writev", 5, call_writev},
    Call{"append", 4, call_append},
    Call{"truncate", 5, call_truncate},
    Call{"ftruncate", 5, call_ftruncate},
    Call{"fallocate", 7, call_fallocate},
    Call{"mmap_read", 3, call_mmap_read},
    Call{"mmap_write", 4, call_mmap_write},
    Call{"fsync", 2, call_fsync},
    Call{"fdatasync", 2, call_fdatasync},
    Call{"sync_file_range", 1, call_sync_file_range},
};

}  // namespace

std::span<const Call> byte_calls() noexcept {
  return byte_table;
}

}  // namespace artfs::differential
