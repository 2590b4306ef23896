// SPDX-License-Identifier: Apache-2.0
#include "artfs/options.hpp"

#include "io/blob_store.hpp"

namespace artfs {

Result<void> check(const StoreOptions& options) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  constexpr std::uint64_t cache_bytes_min = 16 * io::frame_bytes;
  constexpr std::uint64_t cache_bytes_max = 16 * 1024 * gib;
  const auto within = [](auto value, auto low, auto high) { return low <= value && value <= high; };
  OptionName wrong = OptionName::none;
  if (!within(options.cache_bytes, cache_bytes_min, cache_bytes_max)) {
    wrong = OptionName::cache_bytes;
  } else if (options.durability > Durability::relaxed) {
    wrong = OptionName::durability;
  } else if (!within(options.commit_interval, milliseconds(10), milliseconds(hours(1)))) {
    wrong = OptionName::commit_interval;
  } else if (!within(options.checkpoint_log_bytes, mib, 192 * mib)) {
    wrong = OptionName::checkpoint_log_bytes;
  } else if (!within(options.checkpoint_interval, milliseconds(100), milliseconds(hours(24)))) {
    wrong = OptionName::checkpoint_interval;
  } else if (!within(options.lock_wait, milliseconds(0), milliseconds(hours(24)))) {
    wrong = OptionName::lock_wait;
  }
  if (wrong == OptionName::none) return {};
  return fail(Errc::option_invalid, static_cast<std::uint64_t>(wrong));
}

}  // namespace artfs
