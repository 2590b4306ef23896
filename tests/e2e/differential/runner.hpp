// SPDX-License-Identifier: Apache-2.0
// Runner: does a sequence on both sides, each in a process of its own, and finds where they part.
//
// Contract:   run() works in fresh directories below both tops and leaves them behind as the sequence
//             left them. compare() takes a seed's sequence; on a difference it shrinks it to a small one
//             that still differs, prints it, and says how to repeat it. compare_trees() walks the kept
//             directories of a run on both sides.
// Threading:  one thread; forks.
// Errors:     a side that crashes or hangs is a difference at the step where it did.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "differential/features.hpp"
#include "differential/step.hpp"

namespace artfs::differential {

struct Tops {
  std::string mount;
  std::string twin;
};

struct Difference {
  std::size_t index = 0;  // of the step in the list that was run
  std::string mount, twin;
};

// How often each kind of call was made and succeeded, over all processes.
class Coverage {
 public:
  Coverage();
  void count(const Call& call, std::string_view answer) const noexcept;
  [[nodiscard]] std::string to_text() const;

 private:
  struct Count {
    std::atomic<std::uint64_t> done;
    std::atomic<std::uint64_t> succeeded;
  };

  std::span<Count> counts_;  // shared memory, for the life of the program
};

class Runner {
 public:
  // `label` keeps directories of parallel workers apart.
  Runner(Tops tops, const Features& features, std::string label, const Coverage& coverage);

  // The whole sequence agrees; else false, after saying what does not.
  bool compare(std::uint64_t seed, std::uint32_t steps);
  // The same for the steps with these numbers alone; walks after each step.
  bool replay(std::uint64_t seed, std::uint32_t steps, const std::vector<std::uint32_t>& kept);

 private:
  std::optional<Difference> run(const std::vector<Step>& steps, const std::string& name,
                                bool exact);
  std::vector<Step> shrink(std::vector<Step> steps);
  void report(std::uint64_t seed, std::uint32_t length, const std::vector<Step>& steps);

  Tops tops_;
  Features features_;
  std::string label_;
  const Coverage& coverage_;
  std::uint32_t attempts_ = 0;
};

// Whole trees of all runs below both tops, as after a restart. Prints each that differs.
bool compare_trees(const Tops& tops, const Features& features);

}  // namespace artfs::differential
