// SPDX-License-Identifier: Apache-2.0
#include "fuse/session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/unique_fd.hpp"
#include "fuse/caps.hpp"
#include "fuse/inside_ops.hpp"
#include "fuse/kernel_abi.hpp"
#include "fuse/kernel_shim.hpp"
#include "fuse/mount_point.hpp"
#include "fuse/request_counts.hpp"

namespace artfs::fuse {

namespace {

using namespace std::chrono_literals;

// Workers are started as requests wait, and stay: ending idle ones cost a fifth of a cp -a. A sync
// occupies its worker for the length of a device flush, so there are more of them than cores; many more
// only cool each other's caches, since a request wakes the one that waited longest.
constexpr unsigned threads_max_default = 16;

// How long a detaching daemon waits for the kernel to send dirty mappings: far above need; a second
// signal ends it at once. And how long nothing must come where the kernel cannot be asked for its count.
constexpr auto write_back_max = 10000ms;
constexpr auto write_back_quiet = 500ms;

// Wakes the serving thread out of libfuse's wait; its handler does nothing.
constexpr int wake_signal = SIGUSR2;

struct Messages {
  base::Mutex mutex{base::Rank::leaf};
  std::string last ARTFS_GUARDED_BY(mutex);
};

Messages& messages() {
  static Messages instance;
  return instance;
}

void keep_line(std::string text) noexcept {
  Messages& kept = messages();
  const base::MutexLock lock(kept.mutex);
  kept.last = std::move(text);
}

void keep_message(fuse_log_level level, const char* format, va_list arguments) noexcept {
  std::array<char, 512> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length <= 0) return;
  std::string text(line.data());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (level <= FUSE_LOG_WARNING) base::log_debug("libfuse: {}", text);
  keep_line(std::move(text));
}

void op_init(void* userdata, fuse_conn_info* connection) noexcept {
  Serving& target = *static_cast<Serving*>(userdata);
  negotiate(*connection, target.keeps_acls);
  target.is_negotiated = true;
}

// Requests that the kernel has for this mount or waits for; nothing where fusectl is not mounted.
std::optional<unsigned> requests_waiting(dev_t device) {
  std::ifstream file(fmt::format("/sys/fs/fuse/connections/{}/waiting", minor(device)));
  unsigned count = 0;
  if (!(file >> count)) return std::nullopt;
  return count;
}

std::string escaped(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string option_list(const SessionOptions& options) {
  std::string list = "default_permissions,subtype=artfs,fsname=" + escaped(options.source);
  if (options.allow_other) list += ",allow_other";
  for (const std::string& word : options.kernel) list += "," + escaped(word);
  return list;
}

}  // namespace

Session::Session(Serving serving, SessionOptions options)
    : serving_(serving), options_(std::move(options)) {
  ops_.init = op_init;
  add_name_ops(ops_);
  add_dir_ops(ops_);
  add_attr_ops(ops_);
  add_file_ops(ops_);
  add_ioctl_ops(ops_);
  add_xattr_ops(ops_);
  if (serving_.inside != nullptr) add_inside_ops(ops_);
  fuse_set_log_func(keep_message);
}

Session::~Session() {
  if (is_mounted_) fuse_session_unmount(session_.get());
}

std::string Session::last_message() {
  Messages& kept = messages();
  const base::MutexLock lock(kept.mutex);
  return kept.last;
}

Result<void> Session::mount() {
  std::string list = option_list(options_);
  std::string program = "artfs";
  std::string flag = "-o";
  std::array<char*, 4> words = {program.data(), flag.data(), list.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, words.data());
  session_.reset(fuse_session_new(&arguments, &ops_, sizeof ops_, &serving_));
  fuse_opt_free_args(&arguments);
  if (session_ == nullptr) return fail(Errc::io_failed, EINVAL);
  serving_.session = session_.get();
  if (const int error = prepare_ring(); error != 0) {
    return fail(Errc::io_failed, static_cast<std::uint64_t>(error));
  }
  errno = 0;
  if (fuse_session_mount(session_.get(), options_.mount_point.c_str()) != 0) {
    return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
  }

  struct sigaction wake {};

  wake.sa_handler = [](int) {};
  ::sigaction(wake_signal, &wake, nullptr);
  is_mounted_ = true;
  if (!install_kernel_shim(session_.get(), ring_ != nullptr)) {
    base::log_warning("libfuse refuses custom I/O: writes are slower");
  }
  serving_thread_ = ::pthread_self();
  is_serving_ = true;  // from here stop() has something to end
  return {};
}

// 0, or an errno; the ring's absence is no error where it is not insisted on.
int Session::prepare_ring() {
  if (options_.transport == Transport::dev) return 0;
  auto made = UringTransport::make(serving_, session_.get(), options_.threads_max);
  if (made) {
    ring_ = *std::move(made);
    return 0;
  }
  const int error = static_cast<int>(made.error().detail);
  keep_line(fmt::format("the rings of transport=uring: {}", std::strerror(error)));
  return options_.transport == Transport::uring ? error : 0;
}

int Session::serve() {
  int result = answer_init();
  if (result == 0) result = ring_ != nullptr ? serve_ring() : serve_dev();
  ring_.reset();
  is_serving_ = false;
  fuse_session_unmount(session_.get());
  is_mounted_ = false;
  return result;
}

// The first request, on /dev/fuse whatever comes after. 0 also when the session is over before it.
int Session::answer_init() {
  fuse_buf buffer{};
  int result = 0;
  while (result == 0 && !serving_.is_negotiated && fuse_session_exited(session_.get()) == 0) {
    const int got = fuse_session_receive_buf(session_.get(), &buffer);
    if (got > 0) {
      fuse_session_process_buf(session_.get(), &buffer);
    } else if (got == 0) {
      break;
    } else if (got != -EINTR) {
      result = -got;
    }
  }
  std::free(buffer.mem);
  return result;
}

void Session::ready(Transport runs) {
  transport_ = runs;
  base::log_info("{}: requests come through {}", options_.mount_point,
                 runs == Transport::uring ? "io_uring" : "/dev/fuse");
  if (serving_.on_ready != nullptr) serving_.on_ready(serving_.ready_context);
}

int Session::serve_ring() {
  const bool is_accepted = init_state() == InitState::answered_with_ring;
  const int error = is_accepted ? ring_->start() : EOPNOTSUPP;
  if (error == 0) {
    ready(Transport::uring);
    return ring_->serve();
  }
  const bool goes_on = !is_accepted || ring_->is_given_up();
  if (options_.transport == Transport::uring || !goes_on) return error;
  base::log_info("{}: no io_uring transport: {}", options_.mount_point, std::strerror(error));
  return serve_dev();
}

int Session::serve_dev() {
  ready(Transport::dev);
  const std::unique_ptr<fuse_loop_config, decltype(&fuse_loop_cfg_destroy)> config(
      fuse_loop_cfg_create(), &fuse_loop_cfg_destroy);
  const unsigned threads = options_.threads_max == 0 ? threads_max_default : options_.threads_max;
  fuse_loop_cfg_set_max_threads(config.get(), threads);
  fuse_loop_cfg_set_idle_threads(config.get(), threads);
  fuse_loop_cfg_set_clone_fd(config.get(), 0);
  const int result = fuse_session_loop_mt(session_.get(), config.get());
  return result < 0 ? -result : 0;
}

// syncfs makes the kernel send the dirty pages of mappings, but on FUSE it does not wait for them: the
// connection's count of requests under way tells when they have arrived.
void Session::write_back(int root) const noexcept {
  if (::syncfs(root) != 0) return;

  struct stat attr {};

  if (::fstat(root, &attr) != 0) return;
  std::uint64_t seen = requests_read(FUSE_WRITE);
  auto quiet = 0ms;
  for (auto waited = 0ms; waited < write_back_max; waited += 5ms) {
    const std::optional<unsigned> waiting = requests_waiting(attr.st_dev);
    if (waiting == 0U) return;
    if (!waiting && quiet >= write_back_quiet) return;  // fusectl is not mounted: nobody to ask
    std::this_thread::sleep_for(5ms);
    const std::uint64_t now = requests_read(FUSE_WRITE);  // others, as FLUSHes, may never end
    quiet = now == seen ? quiet + 5ms : 0ms;
    seen = now;
  }
  base::log_warning("{}: the kernel still holds requests; left behind", options_.mount_point);
}

void Session::stop() noexcept {
  if (!is_serving_) return;
  if (unmount(options_.mount_point, false) != 0) {
    base::log_warning("{} is in use: detached", options_.mount_point);
    const base::UniqueFd root(
        ::open(options_.mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Detached first, so that who works by path does not keep it busy for ever.
    static_cast<void>(unmount(options_.mount_point, true));
    if (root) write_back(root.get());
    fuse_session_exit(session_.get());
  }
  // The flag may have been raised just before libfuse began to wait, so one signal is not enough.
  while (is_serving_) {
    if (fuse_session_exited(session_.get()) != 0) ::pthread_kill(serving_thread_, wake_signal);
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace artfs::fuse
