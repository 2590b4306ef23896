// SPDX-License-Identifier: Apache-2.0
// Session: one connection to the kernel: mounted, served until unmounted, torn down.
//
// Contract:   mount(), then serve(), on one thread; the object outlives serve(). The volume outlives the session and
//             is closed by the caller after it. on_ready of the Serving is called from serve().
//             Transport::automatic: the ring if it can be made and the kernel takes it, else
//             /dev/fuse; Transport::uring: the ring, or mount() or serve() fails.
// Threading:  mount and serve on one thread; stop from any other thread, not from a signal handler.
// Errors:     mount: io_failed; what libfuse said stands in last_message().
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "artfs/result.hpp"

#include "fuse/lowlevel.hpp"
#include "fuse/ops.hpp"
#include "fuse/transport.hpp"
#include "fuse/uring_transport.hpp"

namespace artfs::fuse {

struct SessionOptions {
  std::string mount_point;  // absolute
  std::string source;       // shown as the device: the store's directory
  std::vector<std::string> kernel;
  bool allow_other = false;
  unsigned threads_max = 0;  // 0: 16 on /dev/fuse, up to 8 for each core on the ring
  Transport transport = Transport::dev;
};

class Session {
 public:
  Session(Serving serving, SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] Result<void> mount();
  // Answers requests until the filesystem is unmounted or stop() was called. 0, or an errno.
  [[nodiscard]] int serve();
  // Ends serve(): by a plain unmount, which writes back what programs have mapped; when the mount is
  // busy, by detaching it, after writing back. Blocks until serve() has returned.
  void stop() noexcept;

  // What runs; automatic as long as that is open. Any thread.
  [[nodiscard]] Transport transport() const noexcept { return transport_; }

  // The last line libfuse wrote, without its final newline.
  [[nodiscard]] static std::string last_message();

 private:
  [[nodiscard]] int prepare_ring();
  [[nodiscard]] int answer_init();
  [[nodiscard]] int serve_ring();
  [[nodiscard]] int serve_dev();
  void ready(Transport runs);
  void write_back(int root) const noexcept;

  struct Destroy {
    void operator()(fuse_session* session) const noexcept { fuse_session_destroy(session); }
  };

  Serving serving_;
  SessionOptions options_;
  fuse_lowlevel_ops ops_{};
  std::unique_ptr<fuse_session, Destroy> session_;
  std::unique_ptr<UringTransport> ring_;  // goes before the session
  std::atomic<Transport> transport_{Transport::automatic};
  pthread_t serving_thread_{};
  bool is_mounted_ = false;
  std::atomic<bool> is_serving_{false};
};

}  // namespace artfs::fuse
