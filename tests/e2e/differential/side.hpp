// SPDX-License-Identifier: Apache-2.0
// Side: one of the two directories a sequence runs in, with its process: descriptors, directory, user.
//
// Contract:   a process makes one Side, runs steps on it and ends. do_step() returns what the call
//             answered and what it touched looks like afterwards, as text that must equal the other
//             side's: no inode numbers, no times (only whether and in which direction they changed), no
//             block counts. walk() returns the whole tree so, with contents and extended attributes.
// Threading:  one thread in one process of its own: changes user, umask and current directory.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "differential/features.hpp"
#include "differential/step.hpp"

namespace artfs::differential {

inline constexpr uid_t other_user = 12345;

class Side {
 public:
  struct Slot {
    int fd = -1;
    bool direct = false;  // O_DIRECT: offsets, lengths and memory are aligned
  };

  Side(std::string root, const Features& features);

  std::string do_step(const Step& step);
  std::string walk();

  // For a walk alone, which cannot know what the run has seen (describe()).
  void ignore_sgid() noexcept { ignores_sgid_ = true; }

  // For the calls.
  [[nodiscard]] bool has(Feature feature) const noexcept { return features_.has(feature); }

  [[nodiscard]] int root_fd() const noexcept { return root_fd_; }

  [[nodiscard]] const std::string& root() const noexcept { return root_; }

  [[nodiscard]] std::string one(const Step& step) const { return resolve(step, step.one); }

  [[nodiscard]] std::string two(const Step& step) const { return resolve(step, step.two); }

  [[nodiscard]] int fd(unsigned slot) const noexcept { return slots_[slot].fd; }

  [[nodiscard]] bool direct(unsigned slot) const noexcept { return slots_[slot].direct; }

  // Closes what the slot held and keeps `fd` there, when it is one.
  void keep(unsigned slot, int fd, int open_flags);

  // The slot's descriptor was closed.
  void forget(unsigned slot) noexcept { slots_[slot] = {}; }

  // The absolute path, without what is above this side's own directory.
  [[nodiscard]] std::string neutral(std::string path) const;

 private:
  struct Times {
    std::int64_t modified = 0;  // ns
    std::int64_t changed = 0;
  };

  [[nodiscard]] std::string resolve(const Step& step, const std::string& path) const;
  void become(bool unprivileged) const;
  std::string look(int directory, const std::string& path, bool follow);
  std::string look_at_path(const Step& step, const std::string& path);
  std::string look_at_slot(unsigned slot);
  std::string describe(const struct statx& attributes, const std::string& identity);
  void walk_below(const std::string& path, std::string& out);
  std::string walk_entry(const std::string& path, unsigned type, std::uint64_t ino);

  std::string root_;
  Features features_;
  int root_fd_ = -1;
  bool ignores_sgid_ = false;   // on files: see describe()
  bool ignores_times_ = false;  // in this step
  std::array<Slot, slot_count> slots_;
  // By handle: numbers are used again on other filesystems, generations tell.
  std::map<std::string, Times> seen_;
  std::map<std::string, std::string> first_path_;  // in one walk
};

// "ok 3" or the name of errno.
std::string result(std::int64_t value);
// The same with a hash of what was read.
std::string result(std::int64_t value, std::string_view bytes);
std::uint64_t hash_of(std::string_view bytes) noexcept;
// The bytes that a step writes.
std::string bytes_of(const Step& step, std::uint64_t count);

}  // namespace artfs::differential
