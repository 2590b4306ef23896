// SPDX-License-Identifier: Apache-2.0
#include "tool/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/clock.hpp"
#include "tool/command.hpp"

namespace artfs::tool {

namespace {

constexpr std::uint64_t first_after_ns = 1'000'000'000;
constexpr std::uint64_t interval_ns = 200'000'000;

}  // namespace

Progress::Progress(std::string command)
    : command_(std::move(command)),
      begun_ns_(base::now_ns()),
      told_ns_(begun_ns_ + first_after_ns - interval_ns),
      is_shown_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  clear();
}

void Progress::count(std::uint64_t entries, std::uint64_t bytes) {
  entries_ += entries;
  bytes_ += bytes;
  if (!is_shown_) return;
  const std::uint64_t now = base::now_ns();
  if (now < told_ns_ + interval_ns) return;
  told_ns_ = now;
  clear();
  const double seconds = static_cast<double>(now - begun_ns_) / 1e9;
  fmt::print(stderr, "{} entries, {} MiB, {:.0f}/s ", entries_, bytes_ / mib,
             static_cast<double>(entries_) / seconds);
  is_dirty_ = true;
}

void Progress::fail(std::string_view path, std::string_view what) {
  remark(path, what);
  is_good_ = false;
}

void Progress::remark(std::string_view path, std::string_view what) {
  clear();
  complain(command_,
           path.empty() ? std::string(what) : fmt::format("{}: {}", printable(path), what));
}

int Progress::status() const noexcept {
  return is_good_ ? 0 : exit_failure;
}

void Progress::clear() {
  if (is_dirty_) fmt::print(stderr, "\r\x1b[K");
  is_dirty_ = false;
}

}  // namespace artfs::tool
