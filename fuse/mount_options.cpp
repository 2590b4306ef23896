// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace artfs::fuse {

namespace {

using Problem = std::optional<std::string>;  // nullopt: fine

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '\\' && i + 1 < list.size() && (list[i + 1] == ',' || list[i + 1] == '\\')) {
      words.back().push_back(list[++i]);
    } else if (list[i] == ',') {
      words.emplace_back();
    } else {
      words.back().push_back(list[i]);
    }
  }
  std::erase(words, "");
  return words;
}

// Words that only mount(8), systemd or the boot read. lazytime: access times are written late anyway.
constexpr std::array<std::string_view, 16> ignored_words = {
    "defaults", "rw",    "auto",  "noauto", "nofail",       "_netdev",    "user",     "users",
    "nouser",   "owner", "group", "loud",   "nouser_xattr", "user_xattr", "lazytime", "nolazytime"};
constexpr std::array<std::string_view, 3> ignored_prefixes = {"x-", "X-", "comment="};
constexpr std::array<std::string_view, 10> kernel_words = {
    "ro", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync"};
constexpr std::array<std::string_view, 4> kernel_prefixes = {
    "context=", "fscontext=", "defcontext=", "rootcontext="};

template <std::size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

template <std::size_t n>
bool starts_with_one_of(std::string_view word, const std::array<std::string_view, n>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [word](std::string_view prefix) { return word.starts_with(prefix); });
}

Problem set_bytes(std::string_view key, std::string_view value, std::uint64_t least,
                  std::uint64_t& out) {
  const auto bytes = parse_bytes(value);
  if (!bytes) return fmt::format("option {}={}: {}", key, value, bytes.error());
  if (*bytes < least) return fmt::format("option {}={}: at least {} MiB", key, value, least / mib);
  out = *bytes;
  return std::nullopt;
}

Problem set_interval(std::string_view key, std::string_view value, double least,
                     std::chrono::milliseconds& out) {
  constexpr double most = 3600;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  const bool in_range = error == std::errc() && end == value.data() + value.size() &&
                        seconds >= least && seconds <= most;
  if (!in_range) return fmt::format("option {}={}: seconds from {} to {}", key, value, least, most);
  out = std::chrono::milliseconds(std::llround(seconds * 1000));
  return std::nullopt;
}

Problem set_durability(std::string_view value, Durability& out) {
  if (value == "strict") {
    out = Durability::strict;
  } else if (value == "fsync") {
    out = Durability::fsync;
  } else if (value == "relaxed") {
    out = Durability::relaxed;
  } else {
    return fmt::format("option durability={}: strict, fsync or relaxed", value);
  }
  return std::nullopt;
}

Problem set_block_cache_policy(std::string_view value, BlockCachePolicy& out) {
  if (value == "fifo") {
    out = BlockCachePolicy::fifo;
  } else if (value == "lru") {
    out = BlockCachePolicy::lru;
  } else if (value == "multi_lru") {
    out = BlockCachePolicy::multi_lru;
  } else if (value == "lineage") {
    out = BlockCachePolicy::lineage;
  } else {
    return fmt::format("option block_cache_policy={}: fifo, lru, multi_lru or lineage", value);
  }
  return std::nullopt;
}

Problem set_transport(std::string_view value, Transport& out) {
  for (const Transport known : {Transport::automatic, Transport::uring, Transport::dev}) {
    if (value != to_text(known)) continue;
    out = known;
    return std::nullopt;
  }
  return fmt::format("option transport={}: auto, uring or dev", value);
}

Problem set_threads(std::string_view value, unsigned& out) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  const bool in_range =
      error == std::errc() && end == value.data() + value.size() && out >= 1 && out <= 1024;
  if (!in_range) return fmt::format("option threads={}: 1 to 1024", value);
  return std::nullopt;
}

Problem set_inside(std::string_view value, bool& out) {
  if (value != "on" && value != "off") return fmt::format("option inside={}: on or off", value);
  out = value == "on";
  return std::nullopt;
}

Problem set_watchdog(std::string_view value, std::chrono::milliseconds& out) {
  const auto bound = parse_watchdog(value);
  if (!bound) return fmt::format("option watchdog={}: {}", value, bound.error());
  out = *bound;
  return std::nullopt;
}

// Access times: the volume keeps them; show_access_times() makes the mount table say so.
bool apply_access_times(std::string_view word, AccessTimePolicy& policy) {
  if (word == "noatime") {
    policy.kind = AccessTimes::noatime;
  } else if (word == "strictatime") {
    policy.kind = AccessTimes::strictatime;
  } else if (word == "relatime" || word == "atime" || word == "norelatime" ||
             word == "nostrictatime") {
    policy.kind = AccessTimes::relatime;  // as mount(2), whose default it is
  } else if (word == "nodiratime" || word == "diratime") {
    policy.directories = word == "diratime";
  } else {
    return false;
  }
  return true;
}

// key=value words of our own. True: it was one of them.
bool apply_own_value(std::string_view word, MountOptions& options, Problem& problem) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (key == "cache") {
    problem = set_bytes(key, value, 8 * mib, options.volume.store.cache_bytes);
  } else if (key == "write_buffer") {
    problem = set_bytes(key, value, mib, options.volume.write_buffer_bytes);
  } else if (key == "block_cache") {
    problem = set_bytes(key, value, 0, options.volume.block_cache_bytes);
  } else if (key == "block_cache_policy") {
    problem = set_block_cache_policy(value, options.volume.block_cache_policy);
  } else if (key == "commit") {
    problem = set_interval(key, value, 0.01, options.volume.store.commit_interval);
  } else if (key == "checkpoint") {
    problem = set_interval(key, value, 0.1, options.volume.store.checkpoint_interval);
  } else if (key == "durability") {
    problem = set_durability(value, options.volume.store.durability);
  } else if (key == "threads") {
    problem = set_threads(value, options.threads_max);
  } else if (key == "transport") {
    problem = set_transport(value, options.transport);
  } else if (key == "inside") {
    problem = set_inside(value, options.inside);
  } else if (key == "watchdog") {
    problem = set_watchdog(value, options.watchdog);
  } else if (key == "log") {
    options.log_file = value;
  } else {
    return false;
  }
  return true;
}

// What the mount table shows of every FUSE filesystem, and mount(8) hands back with a remount.
bool is_of_fuse(std::string_view word) {
  return word.starts_with("user_id=") || word.starts_with("group_id=");
}

Problem apply(const std::string& word, bool sloppy, MountOptions& options) {
  Problem problem;
  if (is_one_of(word, ignored_words) || starts_with_one_of(word, ignored_prefixes)) {
    if (word == "rw") {
      std::erase(options.remount_words, "ro");
      options.remount_words.push_back(word);
      options.volume.store.read_only = false;
      std::erase(options.kernel, "ro");
    }
  } else if (is_one_of(word, kernel_words)) {
    if (word == "ro") options.volume.store.read_only = true;
    options.kernel.push_back(word);
    options.remount_words.push_back(word);
  } else if (starts_with_one_of(word, kernel_prefixes)) {
    options.kernel.push_back(word);
  } else if (word == "allow_other" || word == "noallow_other") {
    options.allow_other = word == "allow_other";  // a remount is given it by mount(8) each time
  } else if (word == "acl" || word == "noacl") {
    options.acl = word == "acl";
    options.own_words.push_back(word);
  } else if (apply_access_times(word, options.volume.access_times)) {
    options.remount_words.push_back(word);
  } else if (word == "default_permissions") {
    // Always in force.
  } else if (word == "remount") {
    options.remount = true;
  } else if (apply_own_value(word, options, problem)) {
    options.own_words.push_back(word);
  } else if (!sloppy && !is_of_fuse(word)) {
    return fmt::format("unknown option '{}': see artfs mount --help", word);
  }
  return problem;
}

}  // namespace

tl::expected<std::uint64_t, std::string> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  unsigned shift = 0;
  if (!suffix.empty()) {
    constexpr std::string_view letters = "kmgt";
    const std::size_t index = letters.find(static_cast<char>(suffix.front() | 0x20));
    if (index != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(index) + 1);
      suffix.remove_prefix(1);
      if (suffix == "iB" || suffix == "i") suffix = {};
    }
  }
  const bool fits = error == std::errc() && suffix.empty() && number <= (UINT64_MAX >> shift);
  if (!fits) return tl::unexpected(std::string("a size is a number with K, M, G or T behind it"));
  return number << shift;
}

tl::expected<std::chrono::milliseconds, std::string> parse_watchdog(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool in_range = error == std::errc() && end == text.data() + text.size() &&
                        (seconds == 0 || (seconds >= 0.1 && seconds <= 86400));
  if (!in_range) return tl::unexpected(std::string("seconds from 0.1 to 86400, or 0 for off"));
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

tl::expected<MountOptions, std::string> parse_mount_options(const std::vector<std::string>& lists,
                                                            bool sloppy) {
  MountOptions options;
  options.allow_other = ::geteuid() == 0;
  options.volume.reclaim_on_forget = true;
  if (::geteuid() == 0) options.kernel = {"suid", "dev"};  // as every filesystem that root mounts
  for (const std::string& list : lists) {
    for (const std::string& word : split(list)) {
      if (Problem problem = apply(word, sloppy, options))
        return tl::unexpected(*std::move(problem));
    }
  }
  return options;
}

}  // namespace artfs::fuse
