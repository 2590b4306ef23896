// SPDX-License-Identifier: Apache-2.0
// The -o list of a mount: our own words, the kernel's, and those that fstab holds for others.
//
// Contract:   a comma-separated list; "\," is a comma inside a value. Later words win.
// Errors:     a sentence for the user that names the word.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "artfs/options.hpp"

#include "fuse/transport.hpp"

namespace artfs::fuse {

struct MountOptions {
  VolumeOptions volume;
  // For libfuse and mount(2): ro, noatime, nosuid, context=...
  std::vector<std::string> kernel;
  bool allow_other = false;  // set by default for root
  bool acl = true;           // false: POSIX ACLs are neither enforced nor shown
  std::string
      log_file;  // absolute or relative to the caller; empty: stderr, or syslog in the background
  unsigned threads_max = 0;  // 0: chosen by the session
  Transport transport = Transport::automatic;
  bool inside = true;                         // .artfs/ at the root of the mount
  std::chrono::milliseconds watchdog{10000};  // requests older than this are reported; 0: none
  bool remount = false;
  std::vector<std::string> remount_words;  // those of the list that a remount can change
  std::vector<std::string> own_words;      // those that only a mount takes
};

// `sloppy`: words nobody knows are ignored, as mount -s asks.
[[nodiscard]] tl::expected<MountOptions, std::string> parse_mount_options(
    const std::vector<std::string>& lists, bool sloppy);

// Seconds from 0.1 to 86400, or 0 for off.
[[nodiscard]] tl::expected<std::chrono::milliseconds, std::string> parse_watchdog(
    std::string_view text);

// "64M", "1g", "4096": bytes with a binary suffix K, M, G or T.
[[nodiscard]] tl::expected<std::uint64_t, std::string> parse_bytes(std::string_view text);

}  // namespace artfs::fuse
