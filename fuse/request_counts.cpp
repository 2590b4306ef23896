// SPDX-License-Identifier: Apache-2.0
#include "fuse/request_counts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>

namespace artfs::fuse {

namespace {

// By opcode. Numbers from 54 on are not assigned; what comes with one is counted under the last.
constexpr std::array<std::string_view, 54> names = {"",
                                                    "lookup",
                                                    "forget",
                                                    "getattr",
                                                    "setattr",
                                                    "readlink",
                                                    "symlink",
                                                    "",
                                                    "mknod",
                                                    "mkdir",
                                                    "unlink",
                                                    "rmdir",
                                                    "rename",
                                                    "link",
                                                    "open",
                                                    "read",
                                                    "write",
                                                    "statfs",
                                                    "release",
                                                    "",
                                                    "fsync",
                                                    "setxattr",
                                                    "getxattr",
                                                    "listxattr",
                                                    "removexattr",
                                                    "flush",
                                                    "init",
                                                    "opendir",
                                                    "readdir",
                                                    "releasedir",
                                                    "fsyncdir",
                                                    "getlk",
                                                    "setlk",
                                                    "setlkw",
                                                    "access",
                                                    "create",
                                                    "interrupt",
                                                    "bmap",
                                                    "destroy",
                                                    "ioctl",
                                                    "poll",
                                                    "notify_reply",
                                                    "batch_forget",
                                                    "fallocate",
                                                    "readdirplus",
                                                    "rename2",
                                                    "lseek",
                                                    "copy_file_range",
                                                    "setupmapping",
                                                    "removemapping",
                                                    "syncfs",
                                                    "tmpfile",
                                                    "statx",
                                                    "copy_file_range_64"};

std::array<std::atomic<std::uint64_t>, 64> counts{};

std::atomic<std::uint64_t>& count_of(std::uint32_t opcode) noexcept {
  return counts[std::min<std::size_t>(opcode, counts.size() - 1)];
}

}  // namespace

void count_request(std::uint32_t opcode) noexcept {
  count_of(opcode).fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t requests_read() noexcept {
  std::uint64_t sum = 0;
  for (const auto& count : counts) sum += count.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t requests_read(std::uint32_t opcode) noexcept {
  return count_of(opcode).load(std::memory_order_relaxed);
}

std::string operation_name(std::uint32_t opcode) {
  const std::string_view name = opcode < names.size() ? names[opcode] : "";
  return name.empty() ? fmt::format("opcode_{}", opcode) : std::string(name);
}

std::vector<RequestCount> request_counts() {
  std::vector<RequestCount> out;
  for (std::size_t opcode = 0; opcode < counts.size(); ++opcode) {
    const std::uint64_t count = counts[opcode].load(std::memory_order_relaxed);
    if (count == 0) continue;
    out.push_back({.name = operation_name(static_cast<std::uint32_t>(opcode)), .count = count});
  }
  return out;
}

}  // namespace artfs::fuse
