// SPDX-License-Identifier: Apache-2.0
// Random system calls on a mount and on another directory: whatever a program can see agrees.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "differential/call.hpp"
#include "differential/features.hpp"
#include "differential/runner.hpp"

namespace {

using namespace artfs::differential;

struct Arguments {
  Tops tops;
  std::uint64_t seed = 1;
  std::uint32_t runs = 200;
  std::uint32_t steps = 200;
  unsigned jobs = 2;
  std::vector<std::uint32_t> only;
  bool trees = false;
  bool nothing_masked = false;
};

// Runs of one worker: every jobs-th seed. Stops at the first difference.
int work(const Arguments& arguments, const Features& features, const Coverage& coverage,
         unsigned worker) {
  Runner runner(arguments.tops, features, fmt::format("{}-{}", arguments.seed, worker), coverage);
  for (std::uint32_t run = worker; run < arguments.runs; run += arguments.jobs) {
    if (!runner.compare(arguments.seed + run, arguments.steps)) return 1;
  }
  return 0;
}

int run_all(const Arguments& arguments, const Features& features, const Coverage& coverage) {
  std::vector<pid_t> workers;
  std::fflush(stdout);
  for (unsigned worker = 0; worker < arguments.jobs; ++worker) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int status = work(arguments, features, coverage, worker);
      std::fflush(stdout);
      ::_exit(status);
    }
    workers.push_back(child);
  }
  int failed = 0;
  for (const pid_t worker : workers) {
    int status = 0;
    while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++failed;
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("random system calls on a mount and on another directory must agree");
  app.add_option("--mount", arguments.tops.mount, "directory on the mount")->required();
  app.add_option("--twin", arguments.tops.twin, "directory on ext4 or tmpfs")->required();
  app.add_option("--seed", arguments.seed, "of the first run");
  app.add_option("--runs", arguments.runs);
  app.add_option("--steps", arguments.steps, "of each run");
  app.add_option("--jobs", arguments.jobs, "runs at the same time");
  app.add_option("--only", arguments.only, "replays these steps of the seed alone")->delimiter(',');
  app.add_flag("--trees", arguments.trees, "only walks what earlier runs left and compares it");
  app.add_flag("--nothing-masked", arguments.nothing_masked, "fails when a feature is masked");
  CLI11_PARSE(app, argc, argv);
  if (::geteuid() != 0) {
    fmt::print("needs root: runs as two users\n");
    return 77;
  }
  unsigned masked = 0;
  const Features features = common(probe(arguments.tops.mount), probe(arguments.tops.twin), masked);
  fmt::print(
      "MASKED: immutable and append-only files: the kernel checks in another order on FUSE\n");
  if (arguments.trees) return compare_trees(arguments.tops, features) ? 0 : 1;
  const Coverage coverage;
  int failed = 0;
  if (arguments.only.empty()) {
    failed = run_all(arguments, features, coverage);
  } else {
    Runner runner(arguments.tops, features, "replay", coverage);
    failed = runner.replay(arguments.seed, arguments.steps, arguments.only) ? 0 : 1;
  }
  if (arguments.only.empty()) fmt::print("{}\n", coverage.to_text());
  fmt::print("{} runs of {} steps, {} kinds of calls, seeds from {}, {} features masked: {}\n",
             arguments.runs, arguments.steps, all_calls().size(), arguments.seed, masked,
             failed == 0 ? "equal" : "DIFFERENT");
  return failed != 0 || (arguments.nothing_masked && masked != 0) ? 1 : 0;
}
