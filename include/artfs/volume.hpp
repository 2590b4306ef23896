// SPDX-License-Identifier: Apache-2.0
// Volume: a POSIX filesystem in a store, without a mount: names, attributes, bytes, sync.
//
// Contract:   every operation is atomic, with its side effects on times, link counts and counters
//             (DESIGN 9). Inode numbers are persistent and never reused; the root is root_ino. Names
//             are 1 to 255 bytes without '/' and NUL. Permission checks are the caller's (the kernel
//             does them under default_permissions); suid, sgid and setgid-directory rules are ours.
// Threading:  any thread. Operations on different directories and files proceed in parallel. No call
//             calls back into a front end. fsync, sync and cold reads block; the rest only on memory
//             pressure.
// Errors:     the volume part of error.hpp as each call says; for all: inode_not_found, record_corrupt
//             and the Store errors. A call that fails changed nothing.
// Invariants: a size is never visible after a crash without its data; counters equal a full walk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/export.h"
#include "artfs/options.hpp"
#include "artfs/result.hpp"
#include "artfs/stats.hpp"
#include "artfs/types.hpp"

namespace artfs {

class Store;

namespace vol {
class VolumeImpl;
class DirStreamImpl;
}  // namespace vol

inline constexpr Ino root_ino{1};
inline constexpr std::size_t name_bytes_max = 255;
inline constexpr std::uint32_t links_max = 65000;
inline constexpr std::size_t symlink_bytes_max = 4095;

struct Attr {
  Ino ino;
  std::uint32_t mode = 0;  // type and permission bits as in stat(2)
  std::uint32_t nlink = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::uint64_t size = 0;        // bytes
  std::uint64_t blocks_512 = 0;  // allocated, units of 512 bytes as st_blocks
  std::uint32_t block_bytes = 4096;
  Timestamp atime, mtime, ctime, btime;
  bool has_xattrs = false;
};

// Who asks: owner of what is created, and whether privileges are shed on write.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t umask = 0;     // applied by the volume to mkdir, mknod, create
  bool has_cap_fsetid = true;  // false: chown and write clear suid and sgid
  bool writes_back = false;    // a write of pages of a mapping, whenever they were changed
};

struct SetAttr {
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<std::uint64_t> size;
  std::optional<Timestamp> atime, mtime, ctime;
  bool atime_now = false;
  bool mtime_now = false;
  bool clear_privileges = false;  // drop suid and sgid as a write does (FATTR_KILL_SUIDGID)
  bool owner_unchanged = false;   // chown(2) of -1 and -1: a change all the same
};

// chattr(1)'s i, a, A and d. The volume enforces the first two; asking who may set them is the caller's.
struct InodeFlags {
  bool immutable = false;    // no change of contents, attributes or names; no links to it
  bool append_only = false;  // contents and names are only added
  bool no_atime = false;     // reads leave atime alone
  bool no_dump = false;      // for backup programs

  friend bool operator==(InodeFlags, InodeFlags) = default;
};

// What an opener asks for.
struct OpenMode {
  bool write = false;
  bool append = false;    // every write goes to the end
  bool truncate = false;  // a setattr with size 0 follows
};

// What a front end that caches pages should know of an open file.
struct Opened {
  bool atime_due = false;    // the next read moves atime: it should reach the volume
  bool append_only = false;  // no writable mapping may be made
};

// Where a name stands.
struct Place {
  Ino parent;
  std::string_view name;
};

struct RenameFlags {
  bool no_replace = false;
  bool exchange = false;
  bool whiteout = false;  // a character device 0:0 stays at the old name (overlayfs)
};

struct CopyRange {
  Ino from;
  std::uint64_t from_offset = 0;
  Ino to;
  std::uint64_t to_offset = 0;
  std::uint64_t length = 0;
};

struct DirEntry {
  std::string_view name;  // valid until the next call on the stream
  Ino ino;
  std::uint32_t type = 0;   // S_IFMT bits
  std::int64_t offset = 0;  // cookie: resuming with it continues after this entry
};

struct StatFs {
  std::uint64_t block_bytes = 4096;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t inodes = 0;  // used + free
  std::uint64_t inodes_free = 0;
  std::uint64_t inodes_used = 0;
  std::uint32_t name_bytes_max = 255;
  std::uint64_t fsid = 0;
};

struct CheckOptions {
  bool read_contents = false;  // also read every block and compare its hash
};

struct CheckReport {
  std::vector<std::string> problems;  // one line each; empty: clean
  std::uint64_t inodes = 0;
  std::uint64_t directories = 0;
  std::uint64_t entries = 0;
  std::uint64_t blocks = 0;
  std::uint64_t orphans = 0;
};

// What scrub() has done so far, and at its end. Frames count whole, 512 KiB each, whatever is used of them.
struct ScrubProgress {
  std::uint64_t bytes = 0;        // read and verified
  std::uint64_t bytes_total = 0;  // as it looks now
  std::uint64_t frames = 0;
  std::uint64_t blocks = 0;
  std::uint64_t problems = 0;
};

struct ScrubOptions {
  std::uint64_t bytes_per_second = 64 * mib;  // at most, on average; 0: as fast as it goes
  // Called about ten times a second, and at the end; false ends the scrub.
  std::function<bool(const ScrubProgress&)> on_progress;
};

struct ScrubReport {
  std::vector<std::string> problems;  // one line each, up to a thousand; empty: all is sound
  ScrubProgress done;
  bool is_complete = true;  // false: ended by on_progress
};

struct RepairReport {
  std::vector<std::string> done;      // one line for each change, up to a thousand
  std::uint64_t repairs = 0;          // all of them
  std::uint64_t orphans = 0;          // unlinked files that a crash left, reclaimed as at a mount
  std::vector<std::string> problems;  // not empty: nothing was done, because of these
};

struct WalkOptions {
  // How far below the root of the walk: 0 shows that alone, 1 also its entries.
  std::uint64_t levels_max = ~std::uint64_t{0};
};

// What a walk shows of an entry; all of it is valid during the visit only.
struct WalkEntry {
  std::string_view
      path;  // below the root of the walk, without a slash in front; empty: the root itself
  std::string_view name;  // the last component of it
  std::uint64_t depth = 0;
  Attr attr;
  std::uint64_t entries = 0;  // of a directory
  std::string_view target;    // of a symbolic link
  // What cannot be read: the record of the inode (attr has its number, and the type by the entry), or, when
  // a directory is shown for the second time, some or all of its entries.
  std::optional<Error> error;
};

// False ends the walk. May call the volume; a walk holds no lock during a visit.
using WalkVisit = std::function<bool(const WalkEntry&)>;

// An open directory. Offsets 1 and 2 follow "." and ".."; the rest are the numbers of entries, which are
// stable across restarts and never given to another entry; listings are in their order. An entry present
// throughout is returned exactly once, whatever changes beside it, and after a seek to any offset there ever
// was, also of an entry that is gone: what follows it, whole. What is made after the listing began may come
// or not; a listing ends although others go on making entries.
// Threading: one thread at a time.
class ARTFS_EXPORT DirStream {
 public:
  explicit DirStream(std::unique_ptr<vol::DirStreamImpl> impl) noexcept;
  ~DirStream();

  // Positions the stream after the entry with this cookie; 0 rewinds and sees the directory anew.
  [[nodiscard]] Result<void> seek(std::int64_t offset);
  // The next entry ("." and ".." included), or nullptr at the end.
  [[nodiscard]] Result<const DirEntry*> next();
  // The same with the attributes that getattr would give, none for "." and ".." and for what vanished or is
  // damaged. They are read ahead, a few dozen entries at a time, since the last call of forget_attributes().
  [[nodiscard]] Result<const DirEntry*> next_with_attributes();

  // Of the entry that next_with_attributes() returned last; nullptr: none. Valid until the next call.
  [[nodiscard]] const Attr* attributes() const noexcept;
  // Attributes returned from now on are read after this call.
  void forget_attributes() noexcept;

  // Steps back over the entry just returned: the caller had no room for it.
  void unread() noexcept;

 private:
  std::unique_ptr<vol::DirStreamImpl> impl_;
};

class ARTFS_EXPORT Volume {
 public:
  // Makes a store at `path` with one volume in it. Errors as Store::create.
  [[nodiscard]] static Result<void> format(const std::string& path, const FormatOptions& options);
  // Errors as Store::open; store_foreign when the store holds no volume.
  [[nodiscard]] static Result<std::unique_ptr<Volume>> open(const std::string& path,
                                                            const VolumeOptions& options);
  // Makes the records of a volume that is not open agree again, where what is right can be told without
  // guessing (vol/repair.hpp); check() says what is left. Errors as open.
  [[nodiscard]] static Result<RepairReport> repair(const std::string& path,
                                                   const StoreOptions& options);
  // A fresh volume without files, for tests and scratch use.
  [[nodiscard]] static Result<std::unique_ptr<Volume>> open_in_memory(const FormatOptions& format,
                                                                      const VolumeOptions& options);

  explicit Volume(std::unique_ptr<vol::VolumeImpl> impl) noexcept;
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;
  ~Volume();  // as close(), errors go to the log

  // Writes everything out, checkpoints, releases the store. Idempotent.
  [[nodiscard]] Result<void> close();

  // Names. "." (of what has a name) and ".." come from the inode alone, so that handles survive restarts.
  [[nodiscard]] Result<Attr> lookup(Ino parent, std::string_view name);
  [[nodiscard]] Result<Attr> getattr(Ino ino);
  [[nodiscard]] Result<Attr> setattr(Ino ino, const SetAttr& changes, const Caller& caller);
  [[nodiscard]] Result<Attr> mkdir(Ino parent, std::string_view name, std::uint32_t mode,
                                   const Caller& caller);
  // Regular files, fifos, sockets and devices; `mode` carries the type. rdev for devices.
  [[nodiscard]] Result<Attr> mknod(Ino parent, std::string_view name, std::uint32_t mode,
                                   std::uint64_t rdev, const Caller& caller);
  // mknod of a regular file and open_file in one step.
  [[nodiscard]] Result<Attr> create(Ino parent, std::string_view name, std::uint32_t mode,
                                    const Caller& caller);
  // A regular file without a name, open once; `dir` passes on what a directory passes on to a child.
  // link() gives it its first name; without one it goes with its last release, or in a crash.
  [[nodiscard]] Result<Attr> create_unnamed(Ino dir, std::uint32_t mode, const Caller& caller);
  [[nodiscard]] Result<Attr> symlink(Ino parent, std::string_view name, std::string_view target,
                                     const Caller& caller);
  [[nodiscard]] Result<std::string> readlink(Ino ino);
  [[nodiscard]] Result<Attr> link(Ino ino, Ino parent, std::string_view name);
  [[nodiscard]] Result<void> unlink(Ino parent, std::string_view name);
  [[nodiscard]] Result<void> rmdir(Ino parent, std::string_view name);
  using Place = artfs::Place;
  // The caller matters for a whiteout alone: it owns it.
  [[nodiscard]] Result<void> rename(Place from, Place to, RenameFlags flags,
                                    const Caller& caller = {});

  // operation_not_permitted wherever these flags forbid an operation.
  [[nodiscard]] Result<InodeFlags> get_flags(Ino ino);
  [[nodiscard]] Result<void> set_flags(Ino ino, InodeFlags flags);
  // Takes effect with the next read; for a mount whose options change.
  void set_access_times(AccessTimePolicy policy) noexcept;

  // Open files. open_file and release pair up; an unlinked inode lives until its last release.
  [[nodiscard]] Result<Opened> open_file(Ino ino, OpenMode mode = {});
  void release(Ino ino) noexcept;
  // The front end dropped its last reference to the inode (see VolumeOptions::reclaim_on_forget).
  void forget(Ino ino) noexcept;

  // Bytes. read returns less than asked only at the end of file. write extends the file; all of the
  // data is accepted or none (no_space, file_too_big). Accepted data is visible at once.
  // `keeps_atime`: as O_NOATIME.
  [[nodiscard]] Result<std::size_t> read(Ino ino, std::uint64_t offset, std::span<std::byte> out,
                                         bool keeps_atime = false);
  [[nodiscard]] Result<void> write(Ino ino, std::uint64_t offset, std::span<const std::byte> data,
                                   const Caller& caller);
  // Allocation in advance; `keep_size` leaves the size alone.
  [[nodiscard]] Result<void> fallocate(Ino ino, std::uint64_t offset, std::uint64_t length,
                                       bool keep_size);
  // The range reads as zeros afterwards. punch_hole gives the space of whole blocks back and never changes
  // the size; zero_range has space for all of the range, as after fallocate.
  [[nodiscard]] Result<void> punch_hole(Ino ino, std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] Result<void> zero_range(Ino ino, std::uint64_t offset, std::uint64_t length,
                                        bool keep_size);
  // SEEK_DATA and SEEK_HOLE of lseek(2), by blocks; no_more_data where it says ENXIO.
  [[nodiscard]] Result<std::uint64_t> seek_data(Ino ino, std::uint64_t offset);
  [[nodiscard]] Result<std::uint64_t> seek_hole(Ino ino, std::uint64_t offset);
  // copy_file_range(2): returns how many bytes were copied, 0 at the end of the source. Whole blocks at the
  // same place within their block size are shared, not copied (gibibytes per second of nothing but
  // references); holes stay holes. It may stop early: call again for the rest. Ranges of one file must
  // not overlap (invalid_argument).
  [[nodiscard]] Result<std::uint64_t> copy_range(const CopyRange& range, const Caller& caller);
  // Errors of writes that were accepted earlier surface here and at fsync, once per opener's call.
  [[nodiscard]] Result<void> flush(Ino ino);

  // Durability. Both are barriers: everything acknowledged before is on disk after.
  [[nodiscard]] Result<void> fsync(Ino ino);
  [[nodiscard]] Result<void> sync();

  // suid, sgid and file capabilities go as with a write, for changes of the bytes that say no caller.
  [[nodiscard]] Result<void> shed_privileges(Ino ino, const Caller& caller);

  // Extended attributes: names as in xattr(7), values to 64 KiB. set: create/replace as setxattr(2).
  // POSIX ACLs are attributes too, in the kernel's encoding: they are checked, the mode is kept in step
  // with them and they with the mode, and children inherit the default ACL of their directory.
  struct XattrFlags {
    bool create = false;
    bool replace = false;
    bool clear_sgid = false;  // setting an ACL by somebody outside the file's group
  };

  [[nodiscard]] Result<std::string> get_xattr(Ino ino, std::string_view name);
  [[nodiscard]] Result<void> set_xattr(Ino ino, std::string_view name, std::string_view value,
                                       XattrFlags flags);
  [[nodiscard]] Result<std::vector<std::string>> list_xattrs(Ino ino);
  [[nodiscard]] Result<void> remove_xattr(Ino ino, std::string_view name);

  [[nodiscard]] Result<std::unique_ptr<DirStream>> open_dir(Ino ino);
  [[nodiscard]] Result<StatFs> statfs();
  [[nodiscard]] VolumeStats stats() const;

  // Checks the whole volume: reachability, link counts, block references, counters, and the store's
  // own verify(). Changes nothing. Best on a volume nobody writes to.
  [[nodiscard]] Result<CheckReport> check(const CheckOptions& options = {});

  // Reads every frame and every block from the device and compares checksums, while the volume is used:
  // what is changed meanwhile is looked at again before it is called damaged. May write a checkpoint.
  [[nodiscard]] Result<ScrubReport> scrub(const ScrubOptions& options);

  // Shows `root` and everything below it, a directory before its entries, entries in the order of listings and
  // what is below one before the next: find(1)'s order, without a descent per entry. Where others change names
  // meanwhile, a directory is seen as by a DirStream: what stands in it throughout comes once; what moves
  // between directories may come twice or not at all. Attributes are those of getattr, of a moment between the
  // beginning of the walk and the visit, at most a tenth of a second before it, visits aside. What is damaged
  // is shown with its error and the walk goes on. Access times stay. Runs in the caller's thread.
  // Cost: one look-up per directory and per 240 entries in each of two orders, then steps of cursors (below
  // 0.5 us per entry, warm); a megabyte, and 100 bytes for each level of depth. False when the visitor ended it.
  // Errors: those of getattr for the root; entry_not_found when it was removed.
  [[nodiscard]] Result<bool> walk(Ino root, const WalkOptions& options, const WalkVisit& visit);

  // The store below, for raw trees beside the volume. Writing to the volume's own trees breaks it.
  [[nodiscard]] Store& store() noexcept;

 private:
  std::unique_ptr<vol::VolumeImpl> impl_;
};

}  // namespace artfs
