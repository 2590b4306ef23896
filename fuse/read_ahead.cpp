// SPDX-License-Identifier: Apache-2.0
#include "fuse/read_ahead.hpp"

#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <optional>

#include "base/log.hpp"
#include "fuse/mount_table.hpp"

namespace artfs::fuse {

namespace {

constexpr unsigned read_ahead_kib = 2048;

void widen(const std::string& mount_point) {
  const auto table = read_mount_table();
  if (!table) return;
  const std::optional<MountEntry> mount = mount_at(*table, mount_point);
  // Covered by something else, or gone: then its number is none of ours.
  if (!mount || !mount->type.starts_with("fuse")) return;
  const std::string path = fmt::format("/sys/class/bdi/{}/read_ahead_kb", mount->device);
  unsigned kib = 0;
  if (!(std::ifstream(path) >> kib) || kib >= read_ahead_kib) return;
  std::ofstream setting(path);
  setting << read_ahead_kib;
  setting.close();
  if (!setting) base::log_debug("{} stays at {}: not ours to change", path, kib);
}

}  // namespace

void widen_read_ahead(const std::string& mount_point) noexcept {
  static std::atomic_flag done;
  if (!done.test_and_set()) widen(mount_point);
}

}  // namespace artfs::fuse
