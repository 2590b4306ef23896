// SPDX-License-Identifier: Apache-2.0
// VolumeWorld: a directory of the host (tmpfs when there is one) and a volume that must stay equal.
//
// Contract:   every step does one random operation on both through real system calls and Volume, and
//             compares results, errno and what the operation touched; compare_all() compares the whole
//             trees. A difference fails the test with seed, step and the last operations.
// Threading:  one thread.
#pragma once

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "artfs/volume.hpp"

namespace artfs::test {

class VolumeWorld {
 public:
  enum class Kind : std::uint8_t { in_memory, on_disk };

  VolumeWorld(std::uint64_t seed, Kind kind);
  VolumeWorld(const VolumeWorld&) = delete;
  VolumeWorld& operator=(const VolumeWorld&) = delete;
  ~VolumeWorld();

  void run(std::uint64_t steps);
  void compare_all();
  void check();

 private:
  struct Handle {
    int fd = -1;
    Ino ino;
  };

  struct Times {
    std::uint64_t ino;
    Timestamp mtime, ctime;
  };

  // What an operation may touch, with its times on both sides before it.
  struct Touched {
    std::string path;
    std::optional<Times> host, volume;
  };

  using Step = void (VolumeWorld::*)();

  struct Weighted {
    Step step;
    std::uint32_t weight;
  };

  static const std::vector<Weighted>& steps();

  // Randomness.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }

  [[nodiscard]] bool chance(std::uint64_t one_in) { return below(one_in) == 0; }

  [[nodiscard]] std::string pick(
      std::string_view kinds);  // a path of one of the kinds, "" is the root
  [[nodiscard]] std::string pick_any();
  [[nodiscard]] std::string pick_parent();
  [[nodiscard]] std::string pick_name();

  [[nodiscard]] std::string new_path() { return join(pick_parent(), pick_name()); }

  [[nodiscard]] std::string some_path();  // usually there, sometimes not
  [[nodiscard]] std::string bytes(std::size_t count);
  [[nodiscard]] std::uint64_t some_offset(std::uint64_t size);
  [[nodiscard]] std::size_t some_length();

  // Paths.
  [[nodiscard]] static std::string join(const std::string& dir, const std::string& name);
  [[nodiscard]] static std::string parent_of(const std::string& path);
  [[nodiscard]] static std::string name_of(const std::string& path);

  [[nodiscard]] std::string host(const std::string& path) const { return host_root_ + "/" + path; }

  [[nodiscard]] Result<Ino> resolve(const std::string& path);
  [[nodiscard]] Result<Place> place(const std::string& path, std::string& name);
  void forget_path(const std::string& path);
  void move_path(const std::string& from, const std::string& to);

  // One operation: announce it, run both sides, compare.
  void begin(std::string what, std::vector<std::string> touched);
  void end(int host_errno, int volume_errno, bool times_are_comparable = true);
  void compare_paths();
  void compare_attributes(const std::string& path, const struct ::stat& host, const Attr& volume);
  void compare_times(const Touched& touched);
  void compare_contents(const std::string& path, Ino ino, std::uint64_t size);
  void compare_listing(const std::string& path, Ino ino, std::vector<std::string>& names);
  void compare_xattrs(const std::string& path, Ino ino);
  void compare_tree(const std::string& path);
  [[noreturn]] void differ(const std::string& how);
  [[nodiscard]] static std::optional<Times> host_times(const std::string& path);
  [[nodiscard]] std::optional<Times> volume_times(const std::string& path);
  template <typename Call>
  [[nodiscard]] static int errno_of(const Call& call);

  template <typename T>
  [[nodiscard]] static int code(const Result<T>& result) {
    return result ? 0 : to_errno(result.error());
  }

  // Names (volume_steps_names.cpp).
  void make_directory();
  void remove_directory();
  void create_file();
  void unlink_path();

  void rename_plain() { rename_with(0); }

  void rename_no_replace();
  void rename_exchange();
  void rename_whiteout();
  void rename_with(unsigned flags);
  void rename_directory_below_itself();
  void hard_link();
  void make_symlink();
  void read_link();
  void make_special();
  void look_up();
  void list_directory();

  // Attributes (volume_steps_attr.cpp).
  void change_mode();
  void change_owner();
  void change_times();
  void set_attribute();
  void get_attribute();
  void list_attributes();
  void remove_attribute();
  void get_attr();

  // Bytes (volume_steps_bytes.cpp).
  void write_path();
  void append_path();
  void read_path();
  void truncate_path();
  void allocate_path();
  void open_handle();
  void write_handle();
  void read_handle();
  void truncate_handle();
  void close_handle();
  void sync_handle();
  void sync_volume();
  void reopen();
  void check_now();

  void compare_now() { compare_all(); }

  void write_both(int fd, Ino ino, const std::string& path, std::uint64_t offset);
  void read_both(int fd, Ino ino, std::uint64_t offset, std::size_t length);
  void check_holes(Ino ino, int fd);
  void close_all();
  void open_volume();

  const std::uint64_t seed_;
  const Kind kind_;
  std::mt19937_64 rng_;
  std::string host_root_;
  std::string store_path_;
  VolumeOptions options_;
  FormatOptions format_;
  Caller caller_;
  bool privileged_ = false;
  bool host_xattrs_ = false;
  std::unique_ptr<Volume> volume_;
  std::map<std::string, char> known_;  // relative path -> d, f, l, o
  std::vector<Handle> handles_;
  std::uint64_t step_ = 0;
  std::deque<std::string> history_;
  std::vector<Touched> touched_;
  Timestamp started_;  // the operation, by the host's clock for timestamps
};

template <typename Call>
int VolumeWorld::errno_of(const Call& call) {
  errno = 0;
  return call() < 0 ? errno : 0;
}

}  // namespace artfs::test
