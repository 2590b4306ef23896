// SPDX-License-Identifier: Apache-2.0
#include "tool/walk_output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/clock.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr std::uint64_t first_after_ns = 1'000'000'000;
constexpr std::uint64_t interval_ns = 200'000'000;

}  // namespace

WalkOutput::WalkOutput()
    : begun_ns_(base::now_ns()),
      told_ns_(begun_ns_ + first_after_ns - interval_ns),
      is_shown_(::isatty(STDERR_FILENO) != 0) {
  buffer_.reserve(buffer_bytes);
}

WalkOutput::~WalkOutput() {
  flush();
}

void WalkOutput::write(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= buffer_bytes) flush();
}

void WalkOutput::flush() {
  if (is_dirty_) fmt::print(stderr, "\r\x1b[K");
  is_dirty_ = false;
  std::string_view rest = buffer_;
  while (!rest.empty() && !is_failed_) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
    if (written >= 0 || errno == EINTR) continue;
    is_failed_ = true;
    fmt::print(stderr, "artfs: standard output: {}\n", std::strerror(errno));
  }
  buffer_.clear();
}

void WalkOutput::tick() {
  const std::uint64_t now = base::now_ns();
  if (now < told_ns_ + interval_ns) return;
  told_ns_ = now;
  flush();
  if (!is_shown_) return;
  const double seconds = static_cast<double>(now - begun_ns_) / 1e9;
  fmt::print(stderr, "{} entries, {:.0f}/s ", entries_, static_cast<double>(entries_) / seconds);
  is_dirty_ = true;
}

}  // namespace artfs::tool
