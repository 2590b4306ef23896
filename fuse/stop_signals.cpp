// SPDX-License-Identifier: Apache-2.0
#include "fuse/stop_signals.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "fuse/exit_status.hpp"

namespace artfs::fuse {

StopSignals::StopSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
  end_.reset(::eventfd(0, EFD_CLOEXEC));
  ARTFS_ASSERT(signals_ && end_);
  watcher_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(end_.get(), &one, sizeof one));
  watcher_.join();
  retire();
}

void StopSignals::watch() {
  unsigned received = 0;
  while (true) {
    std::array<pollfd, 2> sources = {pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
    if (sources[1].revents != 0) return;
    if (sources[0].revents == 0) continue;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGUSR1) {
      make_report();
      continue;
    }
    received += 1;
    if (received == 1) {
      base::log_info("stopping on signal {}", info.ssi_signo);
      begin_stop();
    } else {
      base::log_error("second signal {}: giving up; the next mount recovers from the log",
                      info.ssi_signo);
      ::_exit(exit_interrupted);
    }
  }
}

void StopSignals::begin_stop() {
  base::MutexLock lock(mutex_);
  is_stopping_ = true;
  if (action_) start_action_locked(lock);
}

void StopSignals::start_action_locked(base::MutexLock& lock) {
  ARTFS_ASSERT(lock.owns_lock());
  if (!stopper_.joinable()) stopper_ = std::thread(action_);
}

// On a thread of its own: what is asked may be stuck, and the next signal must still be heard.
void StopSignals::make_report() {
  const base::MutexLock lock(report_mutex_);
  if (!report_ || is_reporting_.exchange(true)) return;
  if (reporter_.joinable()) reporter_.join();  // it has returned
  reporter_ = std::thread([this, report = report_] {
    report();
    is_reporting_ = false;
  });
}

void StopSignals::on_report(std::function<void()> report) {
  std::thread reporter;
  {
    const base::MutexLock lock(report_mutex_);
    report_ = std::move(report);
    reporter.swap(reporter_);
  }
  if (reporter.joinable()) reporter.join();
}

void StopSignals::on_stop(std::function<void()> action) {
  base::MutexLock lock(mutex_);
  action_ = std::move(action);
  if (is_stopping_ && action_) start_action_locked(lock);
}

void StopSignals::retire() {
  on_report(nullptr);
  std::thread stopper;
  {
    const base::MutexLock lock(mutex_);
    action_ = nullptr;
    stopper.swap(stopper_);
  }
  if (stopper.joinable()) stopper.join();
}

bool StopSignals::is_stopping() {
  const base::MutexLock lock(mutex_);
  return is_stopping_;
}

}  // namespace artfs::fuse
