// SPDX-License-Identifier: Apache-2.0
// Guess: what probably exists while a sequence is drawn: paths with their kinds, slots in use.
//
// Contract:   follows names alone, not permissions, flags or errors; it only makes most calls meaningful.
//             Deterministic: the same steps and random numbers give the same picks.
// Threading:  one thread.
#pragma once

#include <array>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "differential/step.hpp"

namespace artfs::differential {

using Random = std::mt19937_64;

class Guess {
 public:
  // A path of this kind ('d', 'f', 'l'), or of any (0); any name when there is none.
  std::string existing(Random& random, char kind) const;
  // A name in a directory that exists, whether there is one or not.
  std::string fresh(Random& random) const;
  // Usually a slot in use.
  unsigned slot(Random& random) const;
  void learn(const Step& step);

 private:
  [[nodiscard]] char kind_of(const std::string& path) const;
  void add(const std::string& path, char kind);
  void move(const std::string& from, const std::string& to);
  [[nodiscard]] bool has_children(const std::string& path) const;
  void learn_names(const Step& step, std::string_view name);

  std::map<std::string, char> paths_;
  std::array<bool, slot_count> open_{};
};

// Few names, so that calls meet.
std::string any_name(Random& random);

}  // namespace artfs::differential
