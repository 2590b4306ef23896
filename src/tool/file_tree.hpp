// SPDX-License-Identifier: Apache-2.0
// FileTree: a tree of files to read and change by path: a store's, or one of the kernel's.
//
// Contract:   a path is relative to the root of the tree, its names divided by single slashes; empty: the root.
//             No symbolic link is ever followed, neither on the way nor at the end: a path through one is
//             not_a_directory. So nothing outside of the tree is read or changed, whatever stands in it.
// Threading:  one thread.
// Cost:       the directories on the way to the last path are kept, so that neighbours cost one look-up.
// Errors:     those of Volume; what the kernel says comes as the same codes where there is one, otherwise as
//             io_failed with the errno. error_text() says it to a human.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/volume.hpp"

namespace artfs::tool {

struct Xattr {
  std::string name;
  std::string value;  // ACLs in the kernel's encoding

  friend bool operator==(const Xattr&, const Xattr&) = default;
};

// What a walk shows of an entry; valid during the visit.
struct TreeEntry {
  std::string_view path;  // below the root of the walk; empty: the root itself
  std::uint64_t depth = 0;
  Attr attr{};
  std::uint64_t device = 0;      // with attr.ino the identity of a file
  std::string_view target{};     // of a symbolic link
  std::optional<Error> error{};  // it, or a directory's entries, could not be read
};

// False ends the walk. May change what it is shown, also remove it.
using TreeVisit = std::function<bool(const TreeEntry&)>;

struct NewEntry {
  std::uint32_t mode = 0;  // with the type; permissions are masked by no umask
  std::uint64_t rdev = 0;  // of a device
  std::string target{};    // of a symbolic link
};

// A regular file. Errors as Volume::read and so on; no_more_data of both seeks.
class OpenFile {
 public:
  virtual ~OpenFile() = default;
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset,
                                                 std::span<std::byte> out) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> seek_data(std::uint64_t offset) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> seek_hole(std::uint64_t offset) = 0;
  // All of it or an error.
  [[nodiscard]] virtual Result<void> write(std::uint64_t offset,
                                           std::span<const std::byte> data) = 0;
  [[nodiscard]] virtual Result<void> resize(std::uint64_t size) = 0;
  // Says what became of the writes. The destructor closes, too.
  [[nodiscard]] virtual Result<void> close() = 0;
};

class FileTree {
 public:
  virtual ~FileTree() = default;

  [[nodiscard]] virtual Result<Attr> find(std::string_view path) = 0;
  [[nodiscard]] virtual Result<std::string> read_link(std::string_view path) = 0;
  // The entry and what is below it, a directory before its entries. Access times stay where
  // the kernel lets us. Errors: those of find.
  [[nodiscard]] virtual Result<void> walk(std::string_view path, const TreeVisit& visit) = 0;
  // To read. operation_not_permitted: not a regular file.
  [[nodiscard]] virtual Result<std::unique_ptr<OpenFile>> open(std::string_view path) = 0;

  // To write; a new file. entry_exists: something is there.
  [[nodiscard]] virtual Result<std::unique_ptr<OpenFile>> create(std::string_view path,
                                                                 std::uint32_t mode) = 0;
  // Anything else than a regular file.
  [[nodiscard]] virtual Result<void> make(std::string_view path, const NewEntry& entry) = 0;
  [[nodiscard]] virtual Result<void> link(std::string_view existing, std::string_view path) = 0;
  [[nodiscard]] virtual Result<void> remove(std::string_view path, bool is_directory) = 0;
  [[nodiscard]] virtual Result<void> rename(std::string_view from, std::string_view to,
                                            bool no_replace) = 0;

  // Owner first, then mode, then times; of `changes` nothing else counts.
  [[nodiscard]] virtual Result<void> set(std::string_view path, const SetAttr& changes) = 0;
  [[nodiscard]] virtual Result<std::vector<Xattr>> xattrs(std::string_view path) = 0;
  [[nodiscard]] virtual Result<void> set_xattr(std::string_view path, const Xattr& xattr) = 0;
  // xattr_not_found.
  [[nodiscard]] virtual Result<void> remove_xattr(std::string_view path,
                                                  const std::string& name) = 0;

  // Says whether what was changed is kept. Nothing else may be called afterwards.
  [[nodiscard]] virtual Result<void> close() = 0;
};

// A store that nobody serves. Errors as Volume::open.
[[nodiscard]] Result<std::unique_ptr<FileTree>> open_volume_tree(const std::string& store,
                                                                 bool is_writable);

struct PosixTreeOptions {
  bool one_filesystem = false;  // what is mounted below the root is not entered
};

// The directory `root` and what is below it, through the kernel.
[[nodiscard]] Result<std::unique_ptr<FileTree>> open_posix_tree(const std::string& root,
                                                                PosixTreeOptions options);

// Names that are not there, or not where they would have to be.
[[nodiscard]] bool is_missing(Error error) noexcept;
// More of the same cannot work either: no space, read-only, the daemon is dead.
[[nodiscard]] bool is_hopeless(Error error) noexcept;
[[nodiscard]] std::string error_text(Error error);

inline constexpr std::string_view acl_access_xattr = "system.posix_acl_access";
inline constexpr std::string_view acl_default_xattr = "system.posix_acl_default";

[[nodiscard]] inline bool is_acl_xattr(std::string_view name) noexcept {
  return name == acl_access_xattr || name == acl_default_xattr;
}

}  // namespace artfs::tool
