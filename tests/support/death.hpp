// SPDX-License-Identifier: Apache-2.0
// aborts(f): runs f in a child process and tells whether it ended by SIGABRT.
//
// Contract:   f touches nothing outside the process; its stderr is dropped. Not for programs that
//             already run threads whose locks f needs.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace artfs::test {

template <typename F>
[[nodiscard]] bool aborts(F&& f) {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGABRT, SIG_DFL);  // Catch2 would report it as a failure of this test
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) ::dup2(null, STDERR_FILENO);
    f();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace artfs::test
