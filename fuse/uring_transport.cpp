// SPDX-License-Identifier: Apache-2.0
#include "fuse/uring_transport.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/unique_fd.hpp"
#include "fuse/request_counts.hpp"
#include "fuse/ring_worker.hpp"

namespace artfs::fuse {

namespace {

// FORGETs arrive while requests do. A reader that sleeps on them would have to be woken by each, at the cost
// of the program that unlinks; so it looks by itself as long as there is traffic, and sleeps when there
// was none for a while.
constexpr int look_every_ms = 20;
constexpr unsigned quiet_looks_max = 50;

std::vector<bool> online_cores() {
  std::vector<bool> online;
  for (int core = 0; core < ::get_nprocs_conf(); ++core) {
    // Core 0 has no such file where it cannot be switched off.
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(core) + "/online");
    char state = '1';
    file >> state;
    online.push_back(state == '1');
  }
  return online;
}

void raise_event(int fd) noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(fd, &one, sizeof one));
}

class Transport final : public UringTransport, public RingShared {
 public:
  Transport(Serving& serving_, fuse_session* session_, base::UniqueFd end_event,
            base::UniqueFd all_ended)
      : RingShared(serving_, session_, end_event.get()),
        end_event_(std::move(end_event)),
        all_ended_(std::move(all_ended)) {}

  ~Transport() override { end_workers(); }

  // 0, or an errno.
  [[nodiscard]] int open(unsigned threads) {
    const std::vector<bool> online = online_cores();
    for (RingPlace& place : plan_ring(static_cast<unsigned>(online.size()), online, threads)) {
      workers_.push_back(std::make_unique<RingWorker>(*this, std::move(place)));
      if (const int error = workers_.back()->open(); error != 0) return error;
    }
    return 0;
  }

  int start() override {
    // The kernel switches over when each queue has an entry: from then on there is no way back.
    if (const int error = start_those(true); error != 0) {
      end_workers();
      return error;
    }
    dev.start();
    if (const int error = start_those(false); error != 0) {
      base::log_warning("io_uring transport: fewer threads than planned: errno {}", error);
    }
    base::log_debug("io_uring transport: {} threads", workers_.size());
    return 0;
  }

  int serve() override {
    int error = 0;
    std::uint64_t seen = 0;
    unsigned quiet_looks = 0;
    while (error == 0 && fuse_session_exited(session) == 0 && !has_ended_) {
      const bool is_quiet = quiet_looks >= quiet_looks_max;
      std::array<pollfd, 2> sources = {
          pollfd{.fd = all_ended_.get(), .events = POLLIN, .revents = 0},
          pollfd{.fd = fuse_session_fd(session), .events = POLLIN, .revents = 0}};
      static_cast<void>(::poll(sources.data(), is_quiet ? 2 : 1, is_quiet ? -1 : look_every_ms));
      error = dev.drain();
      if (affinity.look()) {
        for (const auto& worker : workers_) worker->restore_class();
      }
      const std::uint64_t now = requests_read();
      quiet_looks = now == seen ? quiet_looks + 1 : 0;
      seen = now;
    }
    if (error == 0 && has_ended_) error = dev.drain();
    end_workers();
    if (error == ENODEV) return 0;
    return error != 0 ? error : worker_error_.load();
  }

  [[nodiscard]] bool is_given_up() const noexcept override { return is_given_up_; }

  void on_registered(int error, bool is_refused) noexcept override {
    const base::MutexLock lock(mutex_);
    ++reports_;
    if (is_refused) is_given_up_ = true;
    if (error != 0) registering_error_ = error;
    reported_.notify_one();
  }

  void on_ended(int error) noexcept override {
    if (error != 0) worker_error_ = error;
    if (error == 0 && --running_ > 0) return;
    has_ended_ = true;
    raise_event(all_ended_.get());
  }

 private:
  // Starts one part of the workers and waits until each has registered or failed.
  int start_those(bool first) {
    std::size_t count = 0;
    for (const auto& worker : workers_) {
      if (worker->is_first() == first) ++count;
    }
    base::MutexLock lock(mutex_);
    reports_ = 0;
    registering_error_ = 0;
    running_ += count;
    for (const auto& worker : workers_) {
      if (worker->is_first() == first) worker->start();
    }
    while (reports_ < count) reported_.wait(lock);
    return registering_error_;
  }

  void end_workers() noexcept {
    raise_event(end_event_.get());
    for (const auto& worker : workers_) worker->join();
    workers_.clear();
  }

  const base::UniqueFd end_event_;  // readable: workers end
  const base::UniqueFd all_ended_;
  base::Mutex mutex_{base::Rank::session};
  base::CondVar reported_;
  std::size_t reports_ ARTFS_GUARDED_BY(mutex_) = 0;
  int registering_error_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> is_given_up_{false};
  std::atomic<std::size_t> running_{0};
  std::atomic<bool> has_ended_{false};
  std::atomic<int> worker_error_{0};
  std::vector<std::unique_ptr<RingWorker>> workers_;  // last: their threads use the rest
};

}  // namespace

const bool UringTransport::is_built = true;

int UringTransport::try_ring() noexcept {
  io_uring ring{};
  const int error = RingWorker::make_ring(2, ring);
  if (error == 0) io_uring_queue_exit(&ring);
  return error;
}

Result<std::unique_ptr<UringTransport>> UringTransport::make(Serving& serving,
                                                             fuse_session* session,
                                                             unsigned threads) {
  base::UniqueFd end_event(::eventfd(0, EFD_CLOEXEC));
  base::UniqueFd all_ended(::eventfd(0, EFD_CLOEXEC));
  if (!end_event || !all_ended) return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
  auto transport =
      std::make_unique<Transport>(serving, session, std::move(end_event), std::move(all_ended));
  if (const int error = transport->open(threads); error != 0) {
    return fail(Errc::io_failed, static_cast<std::uint64_t>(error));
  }
  return transport;
}

}  // namespace artfs::fuse
