// SPDX-License-Identifier: Apache-2.0
// Every error artfs can return: one table with its errno and what the caller can do.
//
// Contract:   an Error is a value of 16 bytes, never allocates, and is raised in one place each.
//             `detail` is an errno for io_failed, a pid for store_locked, an OptionName for
//             option_invalid, an offset, LSN or id for the corruption errors, otherwise 0 unless the raising function's contract says more.
// Errors:     errno leaves artfs only through to_errno().
// Source:     bcachefs `errcode.h`: private codes raised in one place, mapped at the edge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "artfs/export.h"

namespace artfs {

// X(name, errno, remedy shown to a human)
#define ARTFS_ERRORS(X)                                                                         \
  X(key_not_found, ENOENT, "no such key")                                                       \
  X(key_exists, EEXIST, "the key exists; use put to replace it")                                \
  X(key_too_long, ENAMETOOLONG, "keys are at most 4096 bytes")                                  \
  X(value_too_large, E2BIG, "values are at most 65536 bytes")                                   \
  X(version_mismatch, EAGAIN, "somebody else changed the key; read it again")                   \
  X(prefix_not_empty, ENOTEMPTY, "keys exist under the prefix")                                 \
  X(transaction_too_large, E2BIG, "split the transaction; its log record is at most 4 MiB")     \
  X(tree_not_found, ENOENT, "no such tree in the store")                                        \
  X(tree_exists, EEXIST, "a tree of that name exists")                                          \
  X(tree_name_invalid, EINVAL, "tree names are 1 to 255 bytes")                                 \
  X(tree_not_empty, ENOTEMPTY, "bulk loading needs an empty tree; load into a new one")         \
  X(keys_not_sorted, EINVAL, "sort the keys bytewise and leave out repeated ones")              \
  X(store_missing, ENOENT, "there is no store here; make one with: artfs mkfs STORE")           \
  X(store_exists, EEXIST, "something is here already; choose an empty or new directory")        \
  X(store_foreign, EINVAL, "the directory is not an artfs store")                               \
  X(store_newer, EPROTONOSUPPORT, "the store needs a newer artfs")                              \
  X(store_locked, EBUSY, "another process has the store open; unmount or close it first")       \
  X(store_read_only, EROFS, "the store is open read-only")                                      \
  X(store_stopped, EROFS, "a device error stopped the store; see its log, then run artfs fsck") \
  X(superblock_corrupt, EIO, "both superblock copies are damaged; restore from a backup")       \
  X(manifest_corrupt, EIO, "the manifest is damaged; run artfs fsck")                           \
  X(frame_corrupt, EIO, "a metadata frame is damaged; run artfs fsck")                          \
  X(log_corrupt, EIO, "the log is damaged before its end; run artfs fsck")                      \
  X(log_full, ENOSPC,                                                                           \
    "the log reached its bound and no checkpoint could empty it; free disk space")              \
  X(checkpoint_corrupt, EIO, "the checkpoint log is damaged; run artfs fsck")                   \
  X(block_corrupt, EIO, "a block of file content is damaged; run artfs fsck")                   \
  X(record_corrupt, EIO, "a metadata record cannot be decoded; run artfs fsck")                 \
  X(io_failed, EIO, "the device failed; see the system log")                                    \
  X(no_space, ENOSPC, "free space on the device that holds the store")                          \
  X(permission_denied, EACCES, "the store's files are not accessible to this user")             \
  X(frame_not_resident, EAGAIN, "internal: load the frame and try again")                       \
  X(contended, EAGAIN, "internal: try again with writers kept out")                             \
  X(cache_exhausted, ENOMEM, "every frame is pinned or dirty; enlarge cache=")                  \
  X(entry_not_found, ENOENT, "no such file or directory")                                       \
  X(entry_exists, EEXIST, "the name exists")                                                    \
  X(inode_not_found, ESTALE, "the file no longer exists")                                       \
  X(not_a_directory, ENOTDIR, "a directory is needed here")                                     \
  X(is_a_directory, EISDIR, "a directory cannot be used here")                                  \
  X(directory_not_empty, ENOTEMPTY, "remove the children first")                                \
  X(directory_into_itself, EINVAL, "a directory cannot move below itself")                      \
  X(name_too_long, ENAMETOOLONG, "names are at most 255 bytes")                                 \
  X(name_invalid, EINVAL, "names are not empty, '.', '..' and hold neither '/' nor NUL")        \
  X(too_many_links, EMLINK, "a file has at most 65000 links")                                   \
  X(file_too_big, EFBIG, "files end at 2^63 - 1 bytes")                                         \
  X(no_more_data, ENXIO, "the offset is not in the file, or only a hole follows")               \
  X(xattr_not_found, ENODATA, "no such extended attribute")                                     \
  X(xattr_exists, EEXIST, "the extended attribute exists")                                      \
  X(xattr_name_invalid, ERANGE, "extended attribute names are 1 to 255 bytes")                  \
  X(xattr_too_large, E2BIG, "extended attribute values are at most 65536 bytes")                \
  X(acl_not_on_a_directory, EACCES, "only directories have default ACLs")                       \
  X(operation_not_permitted, EPERM, "the operation is not allowed on this file")                \
  X(operation_not_supported, EOPNOTSUPP, "not supported by artfs")                              \
  X(option_invalid, EINVAL, "choose a value in the option's range")                             \
  X(invalid_argument, EINVAL, "check the arguments")

enum class Errc : std::uint32_t {
#define ARTFS_ENUMERATOR(name, errno_value, remedy) name,
  ARTFS_ERRORS(ARTFS_ENUMERATOR)
#undef ARTFS_ENUMERATOR
};

// The options that have a range (options.hpp): the detail of option_invalid. X(name, range for a human)
#define ARTFS_OPTIONS(X)                      \
  X(cache_bytes, "8 MiB to 16 TiB")           \
  X(durability, "strict, fsync or relaxed")   \
  X(commit_interval, "10 ms to 1 h")          \
  X(checkpoint_log_bytes, "1 MiB to 192 MiB") \
  X(checkpoint_interval, "100 ms to 1 day")   \
  X(lock_wait, "0 to 1 day")                  \
  X(label, "at most 63 bytes")                \
  X(fill_percent, "50 to 95")

enum class OptionName : std::uint64_t {
  none = 0,
#define ARTFS_ENUMERATOR(name, range) name,
  ARTFS_OPTIONS(ARTFS_ENUMERATOR)
#undef ARTFS_ENUMERATOR
};

struct Error {
  Errc code;
  std::uint64_t detail = 0;

  friend constexpr bool operator==(Error, Error) = default;
};

static_assert(sizeof(Error) == 16);

// The errno a POSIX caller should see. io_failed keeps EIO whatever its detail.
[[nodiscard]] ARTFS_EXPORT int to_errno(Error error) noexcept;

// "store_locked": the stable identifier, for logs and tests.
[[nodiscard]] ARTFS_EXPORT std::string_view name_of(Errc code) noexcept;

// What to do about it, one sentence without a final stop.
[[nodiscard]] ARTFS_EXPORT std::string_view remedy_of(Errc code) noexcept;

// "cache_bytes: 8 MiB to 16 TiB"; empty for none.
[[nodiscard]] ARTFS_EXPORT std::string_view range_of(OptionName option) noexcept;

// "store_locked (process 4711): another process has the store open; unmount or close it first".
[[nodiscard]] ARTFS_EXPORT std::string to_text(Error error);

}  // namespace artfs
