// SPDX-License-Identifier: Apache-2.0
#include "fuse/ring_worker.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "fuse/caps.hpp"
#include "fuse/kernel_shim.hpp"
#include "fuse/reply_route.hpp"
#include "fuse/request_traits.hpp"

namespace artfs::fuse {

namespace {

// Of the completion of the poll for the end; entries have their index.
constexpr std::uint64_t end_marker = UINT64_MAX;

constexpr std::size_t submission_bytes = 128;
constexpr std::size_t command_offset = 48;  // of the command data in a submission entry
static_assert(command_offset + sizeof(RingCommand) <= submission_bytes);

bool is_farewell(int result) noexcept {
  return result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED;
}

// io_uring_enable_rings() stands in liburing 2.3's header, but not in its library.
int enable(const io_uring& ring) noexcept {
  const long status =
      ::syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return status < 0 ? errno : 0;
}

// There always is one: an entry has one command under way at most, and the poll is queued once.
io_uring_sqe& next_submission(io_uring& ring) noexcept {
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
  ARTFS_ASSERT(sqe != nullptr);
  return *sqe;
}

fuse_in_header header_of(std::span<const std::byte> request) noexcept {
  fuse_in_header header{};
  std::memcpy(static_cast<void*>(&header), request.data(), sizeof header);
  return header;
}

}  // namespace

RingWorker::~RingWorker() {
  join();
  if (is_open_) io_uring_queue_exit(&ring_);
}

// Only its thread submits to a ring and waits on it, so completions need no interrupt: they are made when
// the thread asks for them. Disabled at first, as the thread is bound by enabling.
int RingWorker::make_ring(unsigned entries, io_uring& ring) noexcept {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_R_DISABLED;
  return -io_uring_queue_init_params(entries, &ring, &parameters);
}

int RingWorker::open() {
  for (const std::uint16_t queue : place_.queues) {
    Result<std::unique_ptr<RingEntry>> entry = RingEntry::make(queue, request_bytes_max);
    if (!entry) return static_cast<int>(entry.error().detail);
    entries_.push_back(*std::move(entry));
  }
  last_command_.resize(entries_.size());
  // One submission for each entry at most, and the poll.
  const int error = make_ring(static_cast<unsigned>(entries_.size()) + 1, ring_);
  is_open_ = error == 0;
  return error;
}

void RingWorker::start() {
  thread_ = std::thread([this] { run(); });
}

void RingWorker::join() {
  if (thread_.joinable()) thread_.join();
}

// A container may forbid the core; then the thread runs anywhere.
void RingWorker::pin() const noexcept {
  if (place_.core < 0 || place_.core >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(place_.core), &set);
  static_cast<void>(::sched_setaffinity(0, sizeof set, &set));
}

void RingWorker::run() noexcept {
  pin();
  class_.adopt();
  int error = enter();
  const bool is_refused = error == 0 && (error = refusal()) != 0;
  shared_.on_registered(error, is_refused);
  if (error == 0) serve();
  shared_.on_ended(error_);
}

// Enables the ring and registers the entries.
int RingWorker::enter() noexcept {
  if (const int error = enable(ring_); error != 0) return error;
  const int fd = fuse_session_fd(shared_.session);
  if (const int status = io_uring_register_files(&ring_, &fd, 1); status < 0) return -status;
  static_cast<void>(io_uring_register_ring_fd(&ring_));  // faster with, correct without
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    queue_command(index, ring_command_register);
  }
  alive_ = entries_.size();
  io_uring_sqe& sqe = next_submission(ring_);
  io_uring_prep_poll_add(&sqe, shared_.end, POLLIN);
  io_uring_sqe_set_data64(&sqe, end_marker);
  const int status = io_uring_submit(&ring_);
  return status < 0 ? -status : 0;
}

// What the kernel has refused it has answered at once; what it accepts waits for a request.
int RingWorker::refusal() noexcept {
  io_uring_cqe* first = nullptr;
  if (io_uring_peek_cqe(&ring_, &first) != 0) return 0;
  const bool is_entry = io_uring_cqe_get_data64(first) != end_marker;
  return is_entry && first->res < 0 ? -first->res : 0;
}

int RingWorker::submit_and_wait() noexcept {
  constexpr unsigned attempts_max = 1000;
  constexpr unsigned pause_us = 1000;  // EAGAIN, EBUSY, ENOMEM: the kernel is short of something
  int status = 0;
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    status = io_uring_submit_and_wait(&ring_, 1);
    if (status >= 0 || io_uring_cq_ready(&ring_) > 0) return 0;
    if (status != -EINTR) ::usleep(pause_us);
  }
  return -status;
}

void RingWorker::serve() noexcept {
  while (alive_ > 0 && !is_ending_ && error_ == 0) {
    error_ = submit_and_wait();
    reap();
  }
  static_cast<void>(io_uring_submit(&ring_));  // what was answered last
}

void RingWorker::reap() noexcept {
  io_uring_cqe* done = nullptr;
  while (io_uring_peek_cqe(&ring_, &done) == 0) {
    const std::uint64_t index = io_uring_cqe_get_data64(done);
    const int result = done->res;
    io_uring_cqe_seen(&ring_, done);
    on_completion(index, result);
  }
}

void RingWorker::on_completion(std::uint64_t index, int result) noexcept {
  if (index == end_marker) {
    is_ending_ = true;
  } else if (result == 0) {
    handle(*entries_[index]);
    queue_command(index, ring_command_commit_and_fetch);
  } else if (result == -EAGAIN || result == -EINTR) {
    queue_command(index, last_command_[index]);
  } else {
    bury(result);
  }
}

void RingWorker::bury(int result) noexcept {
  --alive_;
  if (is_farewell(result)) return;
  // Without its entry the core's requests would wait for ever: the session ends instead.
  base::log_error("io_uring transport: an entry failed: {}", std::strerror(-result));
  error_ = -result;
}

void RingWorker::handle(RingEntry& entry) noexcept {
  const std::span<std::byte> request = entry.request();
  if (request.size() < sizeof(fuse_in_header)) return entry.answer_error(EIO);
  const fuse_in_header header = header_of(request);
  const RequestTraits traits = traits_of(header.opcode);
  if (traits.needs_space) shared_.dev.drain_if_dropped();
  if (traits.tells_space) shared_.dev.settle();
  {
    const ServedEntry served(entry);
    fuse_buf buffer{};
    buffer.mem = request.data();
    buffer.size = take_request(fuse_session_fd(shared_.session), shared_.serving, request);
    if (buffer.size > 0) fuse_session_process_buf(shared_.session, &buffer);
  }
  if (traits.drops_names) shared_.dev.note_names_dropped();
  // Whoever waits for it must not wait for ever because libfuse had no memory.
  if (entry.unique() != 0) entry.answer_error(EIO);
  if (place_.core < 0) return;
  class_.set_idle(shared_.affinity.on_request(header.pid, static_cast<std::uint32_t>(place_.core)));
}

void RingWorker::queue_command(std::uint64_t index, std::uint32_t command) noexcept {
  RingEntry& entry = *entries_[index];
  io_uring_sqe& sqe = next_submission(ring_);
  std::memset(static_cast<void*>(&sqe), 0, submission_bytes);
  sqe.opcode = IORING_OP_URING_CMD;
  sqe.flags = IOSQE_FIXED_FILE;  // file 0: /dev/fuse
  sqe.cmd_op = command;
  sqe.user_data = index;
  RingCommand data;
  data.queue = entry.queue();
  if (command == ring_command_register) {
    sqe.addr = reinterpret_cast<std::uint64_t>(entry.areas().data());
    sqe.len = static_cast<std::uint32_t>(entry.areas().size());
  } else {
    data.commit_id = entry.commit_id();
  }
  std::memcpy(reinterpret_cast<std::byte*>(&sqe) + command_offset, &data, sizeof data);
  last_command_[index] = command;
}

}  // namespace artfs::fuse
