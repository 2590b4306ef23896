// SPDX-License-Identifier: Apache-2.0
// Suite: counted assertions about what POSIX and Linux ask of a filesystem, grouped by subject.
//
// Contract:   a group runs in a fresh directory and is run on the mount and on ext4: an assertion that ext4
//             fails is a wrong assertion. where_artfs() is for the few places where both are right and
//             differ. Each failure prints one line; finish() prints the counts.
// Threading:  one thread; as_user() changes the effective user of the process. Needs root.
#pragma once

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace artfs::posix {

inline constexpr uid_t user_id = 54321;  // owns nothing unless told to
inline constexpr gid_t user_group = 54321;
inline constexpr gid_t second_group = 54322;  // the user is a member

// What can stand behind a name.
enum class Kind : std::uint8_t { none, file, directory, fifo, socket, device, link, dangling };

inline constexpr std::array<Kind, 8> all_kinds = {Kind::none, Kind::file,    Kind::directory,
                                                  Kind::fifo, Kind::socket,  Kind::device,
                                                  Kind::link, Kind::dangling};

const char* name_of(Kind kind) noexcept;

class Suite {
 public:
  Suite(std::string top, bool is_artfs);

  void begin(const char* group);
  // A path in the group's directory.
  [[nodiscard]] std::string path(std::string_view name) const;
  // A name never used before in this group.
  std::string fresh();

  [[nodiscard]] bool where_artfs() const noexcept { return is_artfs_; }

  // Assertions. `value` is what a system call returned; errno is read at once.
  bool ok(std::int64_t value, std::string_view what);
  bool fails(int wanted, std::int64_t value, std::string_view what);
  // 0 stands for success.
  bool answers(int wanted, std::int64_t value, std::string_view what);
  bool holds(bool condition, std::string_view what);

  template <typename One, typename Two>
  bool equal(const One& got, const Two& wanted, std::string_view what) {
    if (got == static_cast<One>(wanted)) return count(true, {}, what);
    return count(false, fmt::format("got {}, expected {}", got, wanted), what);
  }

  // The mount lacks what the group is about: says so, loudly. Wrong on ext4.
  void mask(std::string_view what);
  // chown(-1, -1) sets the time of change and sheds suid and sgid; fallocate by a user sheds them.
  bool has_empty_chown();
  bool has_shedding_fallocate();
  void as_user(const std::function<void()>& action);
  // Puts something of this kind at `path` (a link leads to a file beside it).
  void make(Kind kind, const std::string& path);

  // Prints the counts; the number of failures.
  std::uint64_t finish();

 private:
  bool count(bool good, std::string_view found, std::string_view what);

  std::string top_;
  bool is_artfs_;
  std::string group_;
  std::string directory_;
  std::uint64_t names_ = 0;
  std::uint64_t in_group_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t failed_ = 0;
};

struct Group {
  const char* name;
  void (*run)(Suite& suite);
};

std::vector<Group> all_groups();

// Small tools.
struct stat status_of(const std::string& path);  // lstat; zeros when it fails
std::string name_of_errno(int number);
void write_file(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace artfs::posix
