// SPDX-License-Identifier: Apache-2.0
#include "fuse/watchdog.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace artfs::fuse {

namespace {

using std::chrono::milliseconds;

struct Call {
  long number;
  std::string_view text;
};

// What the daemon's threads wait in.
constexpr std::array calls = {
    Call{SYS_fsync, "fsync: the store's device"},
    Call{SYS_fdatasync, "fdatasync: the store's device"},
    Call{SYS_pread64, "pread: the store's device"},
    Call{SYS_preadv, "preadv: the store's device"},
    Call{SYS_pwrite64, "pwrite: the store's device"},
    Call{SYS_pwritev, "pwritev: the store's device"},
    Call{SYS_fstatfs, "fstatfs: the store's device"},
    Call{SYS_fallocate, "fallocate: the store's device"},
    Call{SYS_ftruncate, "ftruncate: the store's device"},
    Call{SYS_io_uring_enter, "io_uring_enter: the store's device"},
    Call{SYS_futex,
         "futex: another thread, which holds a lock or makes the log or a checkpoint durable"},
};

double seconds_of(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1e9;
}

std::string to_text(const RequestInFlight& request) {
  return fmt::format("request {}: {} of inode {} by process {} (uid {})", request.unique,
                     request.operation, request.ino, request.pid, request.uid);
}

}  // namespace

std::string thread_state(int thread) {
  std::ifstream file(fmt::format("/proc/self/task/{}/syscall", thread));
  std::string word;
  if (!(file >> word)) return "its thread cannot be looked at";
  if (word == "running") return "its thread runs";
  char* end = nullptr;
  const long number = std::strtol(word.c_str(), &end, 10);
  if (*end != '\0') return "its thread cannot be looked at";
  const auto* known = std::find_if(calls.begin(), calls.end(),
                                   [&](const Call& call) { return call.number == number; });
  if (known == calls.end()) return fmt::format("its thread waits in system call {}", number);
  return fmt::format("its thread waits in {}", known->text);
}

Watchdog::Watchdog(milliseconds bound) : bound_(bound), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const base::MutexLock lock(mutex_);
    is_ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

milliseconds Watchdog::bound() {
  const base::MutexLock lock(mutex_);
  return bound_;
}

void Watchdog::set_bound(milliseconds bound) {
  const base::MutexLock lock(mutex_);
  bound_ = bound;
  changed_.notify_all();
}

void Watchdog::run() {
  constexpr milliseconds pause_min{50};
  constexpr milliseconds pause_max{1000};
  while (true) {
    milliseconds bound{0};
    {
      base::MutexLock lock(mutex_);
      if (is_ending_) return;
      if (bound_ == milliseconds(0)) {
        changed_.wait(lock);
      } else {
        changed_.wait_for(lock, std::clamp(bound_ / 4, pause_min, pause_max));
      }
      if (is_ending_) return;
      bound = bound_;
    }
    if (bound > milliseconds(0)) look(bound);
  }
}

void Watchdog::look(std::chrono::nanoseconds bound) {
  const std::vector<RequestInFlight> in_flight = requests_in_flight();
  const std::uint64_t now = base::now_ns();
  const auto is_there = [&](std::uint64_t unique) {
    return std::any_of(in_flight.begin(), in_flight.end(),
                       [&](const RequestInFlight& request) { return request.unique == unique; });
  };
  std::erase_if(reported_, [&](const auto& entry) {
    if (is_there(entry.first)) return false;
    base::log_warning("{} has ended, after about {:.1f} s", to_text(entry.second),
                      seconds_of(now - entry.second.started_ns));
    return true;
  });
  for (const RequestInFlight& request : in_flight) {
    const std::uint64_t age = now - std::min(now, request.started_ns);
    if (age < static_cast<std::uint64_t>(bound.count())) break;  // the rest is younger
    if (!reported_.emplace(request.unique, request).second) continue;
    slow_count_.fetch_add(1);
    base::log_warning("{} takes long: {:.1f} s so far; {}", to_text(request), seconds_of(age),
                      thread_state(request.thread));
  }
}

std::vector<std::string> Watchdog::state_text() {
  const std::vector<RequestInFlight> in_flight = requests_in_flight();
  const std::uint64_t now = base::now_ns();
  std::vector<std::string> lines;
  for (const RequestInFlight& request : in_flight) {
    lines.push_back(fmt::format("{}: {:.3f} s so far; {}", to_text(request),
                                seconds_of(now - std::min(now, request.started_ns)),
                                thread_state(request.thread)));
  }
  return lines;
}

}  // namespace artfs::fuse
