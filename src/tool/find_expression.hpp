// SPDX-License-Identifier: Apache-2.0
// FindExpression: what follows the PLACEs of artfs find, as find(1) understands it.
//
// Contract:   tests, -not or !, -a (or nothing between), -o and parentheses; an expression without an action
//             (print, print0, ls, json, quit) prints what it holds for. Numbers N, +N, -N: exactly, more, less. -size
//             rounds up to its unit (b, 512 bytes, unless c, w, k, M or G follows). Of -mtime the age is cut
//             to whole days, and -N has a second of grace, as in findutils 4.9; of -mmin it is rounded up to
//             whole minutes.
//             Names and patterns are bytes, as in the C locale.
// Threading:  values; matches() from one thread.
// Cost:       no allocation per entry.
// Errors:     one line that says what is wrong.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/volume.hpp"

namespace artfs::tool {

// What the tests are asked about.
struct FindCandidate {
  const WalkEntry& entry;
  std::string_view path;  // as printed
  std::string_view name;  // the last component of it
};

enum class FindAction : std::uint8_t { print, print0, ls, json };

// What an expression does beside being true or false.
class FindActor {
 public:
  virtual ~FindActor() = default;
  virtual void act(FindAction action, const FindCandidate& candidate) = 0;
  virtual void prune(const FindCandidate& candidate) = 0;
  virtual void quit() = 0;
};

class FindExpression {
 public:
  // `now`: what ages count from.
  [[nodiscard]] static tl::expected<FindExpression, std::string> parse(
      std::span<const std::string> words, Timestamp now);

  // Runs the actions, too.
  bool matches(const FindCandidate& candidate, FindActor& actor) const {
    return evaluate(root_, candidate, actor);
  }

  std::uint64_t depth_min = 0;
  std::uint64_t depth_max = ~std::uint64_t{0};

  // How a number compares.
  struct Count {
    char sign = 0;  // '+', '-' or none
    std::uint64_t value = 0;

    [[nodiscard]] bool holds(std::uint64_t number) const noexcept {
      return sign == '+' ? number > value : sign == '-' ? number < value : number == value;
    }
  };

  enum class Kind : std::uint8_t {
    both,     // left and right
    either,   // left or right
    negated,  // not left
    constant,
    name,  // pattern, flags
    path,
    type,   // mask: of the letters
    size,   // count, unit
    time,   // which, sign, reference, window_s
    newer,  // which, reference
    user,   // count
    group,
    perm,  // sign ('-', '/' or none), mask
    links,
    inum,
    empty,
    prune,
    quit,
    action,
  };

  struct Node {
    Kind kind = Kind::constant;
    std::size_t left = 0;
    std::size_t right = 0;
    bool value = true;
    FindAction action = FindAction::print;
    int flags = 0;  // of fnmatch(3)
    std::string pattern = {};
    Count count = {};
    std::uint64_t unit = 1;
    std::uint32_t mask = 0;
    Timestamp Attr::*which = &Attr::mtime;
    Timestamp reference = {};
    std::int64_t window_s = 0;
  };

 private:
  friend class FindParser;

  bool evaluate(std::size_t at, const FindCandidate& candidate, FindActor& actor) const;

  std::vector<Node> nodes_;
  std::size_t root_ = 0;
};

// The bits of an octal or symbolic mode as chmod(1) has it, on top of none; nothing when it is neither.
[[nodiscard]] std::optional<std::uint32_t> parse_mode(std::string_view text);

}  // namespace artfs::tool
