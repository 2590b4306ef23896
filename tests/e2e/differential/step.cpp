// SPDX-License-Identifier: Apache-2.0
#include "differential/step.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <map>
#include <random>
#include <string_view>

#include "differential/call.hpp"
#include "differential/guess.hpp"

namespace artfs::differential {

namespace {

// The kind of file that a call is usually about; 0: any.
char usual_kind(std::string_view name) {
  constexpr std::array<std::string_view, 5> directories = {"rmdir", "chdir", "getdents", "statfs",
                                                           "open_tmpfile"};
  constexpr std::array<std::string_view, 5> files = {"open", "append", "truncate", "link",
                                                     "linkat"};
  if (std::find(directories.begin(), directories.end(), name) != directories.end()) return 'd';
  if (std::find(files.begin(), files.end(), name) != files.end()) return 'f';
  return name.starts_with("readlink") ? 'l' : '\0';
}

std::string decorated(Random& random, std::string path) {
  switch (random() % 80) {
    case 0:
      return path + "/";
    case 1:
      return path + "/.";
    case 2:
      return path + "/..";
    case 3:
      return "";
    case 4:
      return path + "/" + any_name(random);
    default:
      return path;
  }
}

// What a call works on: usually there and of the right kind.
std::string object(Random& random, const Guess& guess, char kind) {
  const bool there = random() % 10 < 9;
  const char wanted = random() % 5 == 0 ? '\0' : kind;
  return decorated(random, there ? guess.existing(random, wanted) : guess.fresh(random));
}

// Where a call makes something: usually free.
std::string place(Random& random, const Guess& guess) {
  const bool there = random() % 10 < 2;
  return decorated(random, there ? guess.existing(random, '\0') : guess.fresh(random));
}

int any_open_flags(Random& random) {
  constexpr std::array<int, 8> access = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR,
                                         O_RDWR,   O_RDONLY, O_RDWR, O_ACCMODE};
  const auto one_in = [&random](unsigned n) { return random() % n == 0; };
  int flags = access[random() % (one_in(10) ? 8 : 7)] | O_NONBLOCK | O_CLOEXEC;
  if (one_in(2)) flags |= O_CREAT;
  if (one_in(12)) flags |= O_EXCL;
  if (one_in(6)) flags |= O_TRUNC;
  if (one_in(6)) flags |= O_APPEND;
  if (one_in(25)) flags |= O_DIRECTORY;
  if (one_in(12)) flags |= O_NOFOLLOW;
  if (one_in(20)) flags |= O_SYNC;
  if (one_in(20)) flags |= O_DSYNC;
  if (one_in(20)) flags |= O_NOATIME;
  if (one_in(25)) flags |= O_PATH;
  if (one_in(20)) flags |= O_DIRECT;
  return flags;
}

std::int64_t any_offset(Random& random) {
  constexpr std::array<std::int64_t, 14> edges = {0,    0,     1,     100,   2047,   2048,   4095,
                                                  4096, 65535, 65536, 65537, 131072, 200000, 8192};
  switch (random() % 60) {
    case 0:
      return -1;
    case 1:
      return 2'000'000;
    default:
      return edges[random() % edges.size()] +
             static_cast<std::int64_t>(random() % 3 == 0 ? random() % 5000 : 0);
  }
}

std::uint64_t any_length(Random& random) {
  constexpr std::array<std::uint64_t, 12> edges = {0,    1,    10,    100,   2047,  2049,
                                                   4096, 8192, 65536, 70000, 12288, 30000};
  return edges[random() % edges.size()];
}

mode_t any_mode(Random& random) {
  constexpr std::array<mode_t, 8> usual = {0755, 0644, 0777, 0666, 0700, 0600, 0775, 0711};
  const auto bits = random();
  if (bits % 6 == 0) return static_cast<mode_t>((bits >> 8) & 07777);
  const mode_t special = bits % 13 == 1 ? static_cast<mode_t>((bits >> 8) & 07000) : 0;
  return usual[(bits >> 20) % usual.size()] | special;
}

}  // namespace

const std::vector<Call>& all_calls() {
  static const std::vector<Call> calls = [] {
    std::vector<Call> all;
    for (const auto group : {open_calls(), byte_calls(), copy_calls(), name_calls(),
                             attribute_calls(), xattr_calls(), other_calls()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return calls;
}

std::vector<Step> sequence(std::uint64_t seed, std::uint32_t steps) {
  Random random(seed);
  Guess guess;
  std::vector<unsigned> deck;
  for (unsigned i = 0; i < all_calls().size(); ++i)
    deck.insert(deck.end(), all_calls()[i].weight, i);
  std::vector<Step> drawn;
  bool unprivileged = false;
  for (std::uint32_t number = 0; number < steps; ++number) {
    if (random() % (unprivileged ? 8 : 20) == 0) unprivileged = !unprivileged;
    Step step;
    step.call = &all_calls()[deck[random() % deck.size()]];
    step.number = number;
    step.unprivileged = unprivileged;
    step.relative = random() % 12 == 0;
    const std::string_view name = step.call->name;
    const bool makes = name.starts_with("mk") || name.starts_with("sym") || name.starts_with("cre");
    step.open_flags = any_open_flags(random);
    const bool opens_new =
        name.starts_with("open") && (step.open_flags & O_CREAT) != 0 && random() % 2 == 0;
    step.one = makes || opens_new ? place(random, guess) : object(random, guess, usual_kind(name));
    step.two = place(random, guess);
    step.slot = guess.slot(random);
    step.other_slot = guess.slot(random);
    if (name.starts_with("open") || name == "creat")
      step.slot = static_cast<unsigned>(random() % slot_count);
    step.mode = any_mode(random);
    step.offset = any_offset(random);
    step.length = any_length(random);
    step.choice = random();
    step.data = random();
    guess.learn(step);
    drawn.push_back(std::move(step));
  }
  return drawn;
}

std::string to_text(const Step& step) {
  const auto shown = [](const std::string& path) {
    return path.size() < 100 ? path
                             : fmt::format("{}...({} bytes)", path.substr(0, 40), path.size());
  };
  return fmt::format(
      "{}{} {}{} one={} two={} slot={} other={} open={:#o} mode={:#o} offset={} length={} "
      "choice={:#x}",
      step.number, step.unprivileged ? " [user]" : "", step.call->name,
      step.relative ? " (relative)" : "", shown(step.one), shown(step.two), step.slot,
      step.other_slot, step.open_flags, step.mode, step.offset, step.length, step.choice);
}

}  // namespace artfs::differential
