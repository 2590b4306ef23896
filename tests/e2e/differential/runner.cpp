// SPDX-License-Identifier: Apache-2.0
#include "differential/runner.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/assert.hpp"
#include "base/unique_fd.hpp"
#include "differential/call.hpp"
#include "differential/side.hpp"

namespace artfs::differential {

namespace {

constexpr unsigned side_seconds_max = 120;
constexpr std::size_t steps_per_walk = 20;
constexpr auto shrink_time_max = std::chrono::seconds(60);
constexpr char end_of_record = '\x1e';

// Records what each step answered, in memory that the parent can read whatever becomes of the child.
class Recorder {
 public:
  Recorder() : file_(::memfd_create("answers", MFD_CLOEXEC)) { ARTFS_ASSERT(file_.get() >= 0); }

  void add(std::string text) const {
    text.push_back(end_of_record);
    ARTFS_ASSERT(::write(file_.get(), text.data(), text.size()) ==
                 static_cast<ssize_t>(text.size()));
  }

  [[nodiscard]] std::vector<std::string> records() const {
    const auto size = static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END));
    std::string text(size, '\0');
    ARTFS_ASSERT(::pread(file_.get(), text.data(), size, 0) == static_cast<ssize_t>(size));
    std::vector<std::string> all;
    for (std::size_t at = 0; at < size;) {
      const std::size_t end = text.find(end_of_record, at);
      all.push_back(text.substr(at, end - at));
      at = end == std::string::npos ? size : end + 1;
    }
    return all;
  }

 private:
  base::UniqueFd file_;
};

// All of it on one side. With `exact` every record ends with the whole tree.
pid_t start_side(const std::string& root, const Features& features, const std::vector<Step>& steps,
                 const std::pair<const Recorder*, bool>& how) {
  const auto& [recorder, exact] = how;
  const pid_t child = ::fork();
  ARTFS_ASSERT(child >= 0);
  if (child != 0) return child;
  ::alarm(side_seconds_max);
  ::signal(SIGBUS, SIG_DFL);
  Side side(root, features);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    std::string text = side.do_step(steps[i]);
    if (exact || i % steps_per_walk == steps_per_walk - 1 || i + 1 == steps.size())
      text += "\n" + side.walk();
    recorder->add(std::move(text));
  }
  ::_exit(0);
}

std::string ending(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hangs";
  return WIFSIGNALED(status) ? fmt::format("died of signal {}", WTERMSIG(status)) : "failed";
}

// The directory of a run stands in some of its own, so that ".." leads to nothing that others change.
constexpr const char* inner = "/1/2/3/top";

std::string make_root(const std::string& path) {
  const std::string root = path + inner;
  std::error_code error;
  ARTFS_ASSERT(std::filesystem::create_directories(root, error) && !error);
  ARTFS_ASSERT(::chmod(root.c_str(), 0777) == 0);
  return root;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back().push_back(c);
    }
  }
  return lines;
}

void print_difference(const std::string& mount, const std::string& twin) {
  const auto one = lines_of(mount);
  const auto two = lines_of(twin);
  for (const std::string& line : one) {
    if (std::find(two.begin(), two.end(), line) == two.end()) fmt::print("    artfs: {}\n", line);
  }
  for (const std::string& line : two) {
    if (std::find(one.begin(), one.end(), line) == one.end()) fmt::print("    twin:  {}\n", line);
  }
}

}  // namespace

Coverage::Coverage() {
  const std::size_t bytes = all_calls().size() * sizeof(Count);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ARTFS_ASSERT(memory != MAP_FAILED);
  counts_ = {static_cast<Count*>(memory), all_calls().size()};
}

void Coverage::count(const Call& call, std::string_view answer) const noexcept {
  const auto index = static_cast<std::size_t>(&call - all_calls().data());
  counts_[index].done.fetch_add(1, std::memory_order_relaxed);
  const bool refused =
      answer.starts_with('E') || answer.starts_with("skip") || answer.starts_with("masked");
  if (!refused) counts_[index].succeeded.fetch_add(1, std::memory_order_relaxed);
}

std::string Coverage::to_text() const {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    shown.push_back(fmt::format("{} {}/{}", all_calls()[i].name, counts_[i].succeeded.load(),
                                counts_[i].done.load()));
  }
  return fmt::format("calls that succeeded: {}", fmt::join(shown, ", "));
}

Runner::Runner(Tops tops, const Features& features, std::string label, const Coverage& coverage)
    : tops_(std::move(tops)), features_(features), label_(std::move(label)), coverage_(coverage) {}

std::optional<Difference> Runner::run(const std::vector<Step>& steps, const std::string& name,
                                      bool exact) {
  const std::string mount = make_root(tops_.mount + "/" + name);
  const std::string twin = make_root(tops_.twin + "/" + name);
  const Recorder mount_recorder;
  const Recorder twin_recorder;
  const pid_t one = start_side(mount, features_, steps, {&mount_recorder, exact});
  const pid_t two = start_side(twin, features_, steps, {&twin_recorder, exact});
  const std::string mount_end = ending(one);
  const std::string twin_end = ending(two);
  std::vector<std::string> mount_answers = mount_recorder.records();
  std::vector<std::string> twin_answers = twin_recorder.records();
  mount_answers.resize(steps.size(), mount_end);
  twin_answers.resize(steps.size(), twin_end);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    coverage_.count(*steps[i].call, mount_answers[i]);
    if (mount_answers[i] == twin_answers[i]) continue;
    return Difference{.index = i, .mount = mount_answers[i], .twin = twin_answers[i]};
  }
  return std::nullopt;
}

// Drops ever smaller pieces as long as what is left still differs.
std::vector<Step> Runner::shrink(std::vector<Step> steps) {
  const auto deadline = std::chrono::steady_clock::now() + shrink_time_max;
  const auto differs_at = [this](const std::vector<Step>& candidate) {
    return run(candidate, fmt::format("shrink-{}-{}", label_, attempts_++), true);
  };
  if (const auto first = differs_at(steps)) steps.resize(first->index + 1);
  for (std::size_t piece = std::max<std::size_t>(steps.size() / 2, 1); piece > 0; piece /= 2) {
    for (std::size_t end = steps.size(); end > 0 && std::chrono::steady_clock::now() < deadline;) {
      const std::size_t from = end > piece ? end - piece : 0;
      std::vector<Step> candidate = steps;
      candidate.erase(candidate.begin() + static_cast<std::ptrdiff_t>(from),
                      candidate.begin() + static_cast<std::ptrdiff_t>(end));
      const auto difference = candidate.empty() ? std::nullopt : differs_at(candidate);
      if (difference) {
        candidate.resize(difference->index + 1);
        steps = std::move(candidate);
      }
      end = std::min(from, steps.size());
    }
  }
  return steps;
}

void Runner::report(std::uint64_t seed, std::uint32_t length, const std::vector<Step>& steps) {
  fmt::print("DIFFERENCE with seed {}, shrunk to {} steps:\n", seed, steps.size());
  std::string numbers;
  for (const Step& step : steps) {
    fmt::print("  {}\n", to_text(step));
    numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", step.number);
  }
  if (const auto found = run(steps, fmt::format("shrink-{}-{}", label_, attempts_++), true)) {
    fmt::print("  answers of the step {}:\n", steps[found->index].number);
    print_difference(found->mount, found->twin);
  } else {
    fmt::print("  does not happen each time\n");
  }
  fmt::print(
      "  repeat: differential --mount MOUNT --twin DIRECTORY --seed {} --steps {} --only {}\n",
      seed, length, numbers);
  std::fflush(stdout);
}

bool Runner::compare(std::uint64_t seed, std::uint32_t length) {
  const std::vector<Step> steps = sequence(seed, length);
  const auto difference = run(steps, fmt::format("run-{}", seed), false);
  if (!difference) return true;
  fmt::print("seed {}: step {} differs\n", seed, to_text(steps[difference->index]));
  print_difference(difference->mount, difference->twin);
  report(seed, length, shrink(steps));
  return false;
}

bool Runner::replay(std::uint64_t seed, std::uint32_t length,
                    const std::vector<std::uint32_t>& kept) {
  std::vector<Step> steps = sequence(seed, length);
  std::erase_if(steps, [&kept](const Step& step) {
    return std::find(kept.begin(), kept.end(), step.number) == kept.end();
  });
  const auto difference = run(steps, fmt::format("replay-{}-{}", label_, ::getpid()), true);
  if (!difference) return true;
  for (const Step& step : steps) fmt::print("  {}\n", to_text(step));
  fmt::print("seed {}: step {} differs\n", seed, steps[difference->index].number);
  print_difference(difference->mount, difference->twin);
  return false;
}

bool compare_trees(const Tops& tops, const Features& features) {
  bool equal = true;
  std::uint32_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tops.twin)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("run-")) continue;
    Side mount(tops.mount + "/" + name + inner, features);
    mount.ignore_sgid();
    const std::string one = mount.walk();
    Side twin(tops.twin + "/" + name + inner, features);
    twin.ignore_sgid();
    const std::string two = twin.walk();
    ++count;
    if (one == two) continue;
    fmt::print("{} differs after the restart\n", name);
    print_difference(one, two);
    equal = false;
  }
  fmt::print("{} trees compared\n", count);
  return equal;
}

}  // namespace artfs::differential
