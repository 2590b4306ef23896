// SPDX-License-Identifier: Apache-2.0
#include "vol/walk.hpp"

#include <limits>
#include <memory>
#include <unordered_set>
#include <utility>

#include "base/clock.hpp"
#include "format/dirent.hpp"
#include "format/key.hpp"
#include "vol/inode.hpp"
#include "vol/show.hpp"

namespace artfs::vol {

namespace {

// The batches of a Scan grow 16, 32, 64, 128: so many entries it copies for nothing but us.
constexpr std::size_t stretch_entries_max = 240;
constexpr std::size_t stretches_max = 16;
constexpr std::uint64_t age_max_ns = 100'000'000;

// Some entries of a directory that follow each other.
struct Stretch {
  struct Name {
    std::size_t off;  // in `names`
    std::size_t bytes;
    std::uint64_t number;
    std::uint32_t type;
  };

  std::vector<ShownInode> inodes = std::vector<ShownInode>(stretch_entries_max);
  std::vector<Name> entries;
  std::string names;
  std::size_t next = 0;  // to be shown
  std::uint64_t read_ns = 0;

  [[nodiscard]] bool is_used_up() const noexcept { return next == entries.size(); }

  [[nodiscard]] std::string_view name_at(std::size_t at) const noexcept {
    return std::string_view(names).substr(entries[at].off, entries[at].bytes);
  }
};

// A directory on the way down.
struct Level {
  Ino dir;
  std::size_t path_bytes = 0;  // of its own path
  std::uint64_t bound = 0;     // entries with this number are newer than the listing
  std::string after;           // key of the last entry shown; empty: none yet
  std::unique_ptr<Stretch> stretch;
  bool is_at_end = false;  // nothing follows the stretch
};

class Walker {
 public:
  Walker(Core& core, const WalkOptions& options, const WalkVisit& visit) noexcept
      : core_(core), options_(options), visit_(visit), reader_(core) {}

  Result<bool> run(Ino root) {
    ShownInode shown;
    ARTFS_TRY(show_inode(core_, root, shown));
    if (shown.attr.nlink == 0) return fail(Errc::entry_not_found, root.raw);
    if (!show({}, shown)) return false;
    if (enters(shown)) enter(root);
    while (!levels_.empty()) {
      if (!step()) return false;
    }
    return true;
  }

 private:
  // The next entry of the lowest directory, or back up. False: the visitor ended it.
  bool step() {
    Level& level = levels_.back();
    if (!level.stretch || level.stretch->is_used_up()) {
      if (level.is_at_end) {
        leave();
        return true;
      }
      const Result<void> listed = list(level);
      if (!listed && !show_unlisted(level, listed.error())) return false;
      if (level.stretch->is_used_up()) return true;
    }
    Stretch& stretch = *level.stretch;
    const std::size_t at = stretch.next++;
    ShownInode& inode = stretch.inodes[at];
    if (!stands(level, stretch, at)) return true;
    if (inode.error) inode.attr.mode = stretch.entries[at].type;
    path_.resize(level.path_bytes);
    if (!path_.empty()) path_.push_back('/');
    const std::size_t name_off = path_.size();
    path_.append(stretch.name_at(at));
    if (!show(std::string_view(path_).substr(name_off), inode)) return false;
    if (enters(inode) && !enter(inode.attr.ino)) {
      inode.error = Error{Errc::record_corrupt, inode.attr.ino.raw};
      return show(std::string_view(path_).substr(name_off), inode);
    }
    return true;
  }

  bool show(std::string_view name, const ShownInode& inode) {
    entry_.path = path_;
    entry_.name = name;
    entry_.depth = levels_.size();
    entry_.attr = inode.attr;
    entry_.entries = inode.entries;
    entry_.target = inode.target;
    entry_.error = inode.error;
    return visit_(entry_);
  }

  // The directory a second time: its entries, or the rest of them, cannot be read.
  bool show_unlisted(const Level& level, Error error) {
    path_.resize(level.path_bytes);
    const std::size_t slash = path_.rfind('/');
    entry_ = {};
    entry_.path = path_;
    entry_.name =
        slash == path_.npos ? std::string_view(path_) : std::string_view(path_).substr(slash + 1);
    entry_.depth = levels_.size() - 1;
    entry_.attr.ino = level.dir;
    entry_.attr.mode = format::mode_directory;
    entry_.error = error;
    return visit_(entry_);
  }

  [[nodiscard]] bool enters(const ShownInode& inode) const noexcept {
    return !inode.error && inode.entries > 0 &&
           (inode.attr.mode & format::mode_type_mask) == format::mode_directory &&
           levels_.size() < options_.levels_max;
  }

  // Its path is path_. False when it is on the way already.
  bool enter(Ino dir) {
    if (!on_way_.insert(dir.raw).second) return false;
    if (levels_.size() >= stretches_max) {
      put_off(levels_[levels_.size() - stretches_max]);
    }
    Level& level = levels_.emplace_back();
    level.dir = dir;
    level.path_bytes = path_.size();
    level.bound =
        core_.read_only() ? std::numeric_limits<std::uint64_t>::max() : core_.inos->bound();
    return true;
  }

  void leave() {
    on_way_.erase(levels_.back().dir.raw);
    put_off(levels_.back());
    levels_.pop_back();
    if (levels_.empty()) return;
    Level& level = levels_.back();
    // What was read long ago is read again.
    if (level.stretch && !level.stretch->is_used_up() &&
        base::now_ns() - level.stretch->read_ns > age_max_ns) {
      put_off(level);
    }
  }

  // The level goes on behind the entry shown last, with another stretch.
  void put_off(Level& level) {
    if (!level.stretch) return;
    const Stretch& stretch = *level.stretch;
    if (stretch.next > 0) level.after.assign(key_of(level, stretch, stretch.next - 1).view());
    if (!stretch.is_used_up()) level.is_at_end = false;
    spare_.push_back(std::move(level.stretch));
  }

  [[nodiscard]] format::Key key_of(const Level& level, const Stretch& stretch,
                                   std::size_t at) const noexcept {
    return core_.settings.is_numbered ? format::number_key(level.dir, stretch.entries[at].number)
                                      : format::dirent_key(level.dir, stretch.name_at(at));
  }

  // The next stretch of the directory. On an error it holds what could be read, and is the last.
  Result<void> list(Level& level) {
    if (level.stretch) {
      const Stretch& last = *level.stretch;
      if (!last.entries.empty()) {
        level.after.assign(key_of(level, last, last.entries.size() - 1).view());
      }
    } else if (!spare_.empty()) {
      level.stretch = std::move(spare_.back());
      spare_.pop_back();
    } else {
      level.stretch = std::make_unique<Stretch>();
    }
    Stretch& stretch = *level.stretch;
    stretch.entries.clear();
    stretch.names.clear();
    stretch.next = 0;
    stretch.read_ns = base::now_ns();
    level.is_at_end = true;  // until there are as many as it takes
    const Result<void> listed = list_names(level, stretch);
    reader_.read({stretch.inodes.data(), stretch.entries.size()});
    return listed;
  }

  // The first error counts; entries that cannot be read are passed over.
  Result<void> list_names(Level& level, Stretch& stretch) {
    Result<void> listed;
    const bool is_numbered = core_.settings.is_numbered;
    const format::Key prefix =
        is_numbered ? format::numbers_prefix(level.dir) : format::dirents_prefix(level.dir);
    Scan scan = core_.tree.scan({.prefix = prefix, .start_after = level.after});
    while (stretch.entries.size() < stretch_entries_max) {
      if (!ARTFS_TRY(scan.next())) return listed;
      const auto key = format::parse_key(scan.entry().key);
      if (key && is_numbered && key->number >= level.bound) return listed;
      const Result<void> added = key ? add(level.dir, *key, scan.entry().value, stretch)
                                     : fail(Errc::record_corrupt, level.dir.raw);
      if (listed) listed = added;
    }
    level.is_at_end = false;
    return listed;
  }

  static Result<void> add(Ino dir, const format::ParsedKey& key, std::string_view value,
                          Stretch& stretch) {
    format::NamedDirent found;
    if (key.kind == 'n') {
      found = ARTFS_TRY(format::decode_by_number(dir, key.number, value));
    } else {
      found.dirent = ARTFS_TRY(format::decode_dirent(dir, value));
      found.name = key.name;
    }
    stretch.inodes[stretch.entries.size()].attr.ino = found.dirent.ino;
    stretch.entries.push_back({.off = stretch.names.size(),
                               .bytes = found.name.size(),
                               .number = found.dirent.number,
                               .type = found.dirent.type});
    stretch.names.append(found.name);
    return {};
  }

  // False for an entry that went, with its inode, between the one cursor and the other. Its name may have
  // been given to another inode: then that one is shown.
  bool stands(const Level& level, Stretch& stretch, std::size_t at) {
    ShownInode& inode = stretch.inodes[at];
    if (!inode.error || inode.error->code != Errc::inode_not_found) return true;
    if (!core_.settings.is_numbered) return true;  // read-only: damaged
    const std::uint64_t number = stretch.entries[at].number;
    const Result<Record> record = core_.tree.get(format::number_key(level.dir, number));
    if (!record) return record.error().code != Errc::key_not_found;
    const auto entry = format::decode_by_number(level.dir, number, record->value);
    if (!entry) return true;
    const Result<void> shown = show_inode(core_, entry->dirent.ino, inode);
    if (shown) return true;
    // Named once more and still without a record: damaged, unless that one went too.
    return entry->dirent.ino == inode.attr.ino || shown.error().code != Errc::inode_not_found;
  }

  Core& core_;
  const WalkOptions& options_;
  const WalkVisit& visit_;
  ShowReader reader_;
  std::vector<Level> levels_;
  std::vector<std::unique_ptr<Stretch>> spare_;
  std::unordered_set<std::uint64_t> on_way_;
  std::string path_;  // of what is shown
  WalkEntry entry_;
};

}  // namespace

Result<bool> walk(Core& core, Ino root, const WalkOptions& options, const WalkVisit& visit) {
  return Walker(core, options, visit).run(root);
}

}  // namespace artfs::vol
