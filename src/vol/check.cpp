// SPDX-License-Identifier: Apache-2.0
#include "vol/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "format/logged.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

using format::Dirent;
using format::Inode;
using format::ParsedKey;
using format::VolumeCounter;

struct Name {
  std::uint64_t ino;
  std::uint64_t dir;
  std::uint32_t type;
};

struct Listing {
  std::uint64_t entries = 0;
  std::uint64_t subdirectories = 0;
};

// What the walk keeps of an inode.
struct Seen {
  std::uint32_t large_xattrs = 0;
  bool directory = false;
  bool unlinked = false;
  bool may_have_extents = false;
  bool has_logged = false;
};

class Checker {
 public:
  Checker(Core& core, const CheckOptions& options) noexcept
      : core_(core), space_(core, options, out_), numbers_(core, out_) {}

  Result<CheckReport> run() {
    ARTFS_TRY(scan_names());
    ARTFS_TRY(numbers_.finish());
    ARTFS_TRY(scan_inodes());
    ARTFS_TRY(scan_orphans());
    ARTFS_TRY(scan_owned());
    ARTFS_TRY(scan_logged());
    check_reachable();
    check_leftovers();
    check_counters();
    ARTFS_TRY(space_.finish());
    return std::move(out_);
  }

 private:
  // Every key of a class, taken apart; a key that cannot be is a problem.
  template <typename Visit>
  Result<void> scan(std::string_view prefix, bool keys_only, const Visit& visit) {
    Scan scan = core_.tree.scan({.prefix = prefix, .keys_only = keys_only});
    while (ARTFS_TRY(scan.next())) {
      const ScanEntry& entry = scan.entry();
      const auto key = format::parse_key(entry.key);
      if (key) {
        visit(*key, entry.value);
      } else {
        problem("a key of class {} cannot be understood", prefix.substr(0, 1));
      }
    }
    return {};
  }

  template <typename... Args>
  void problem(fmt::format_string<Args...> text, Args&&... args) {
    report(out_, fmt::format(text, std::forward<Args>(args)...));
  }

  Result<void> scan_names() {
    ARTFS_TRY(scan(format::dirents_class, false, [&](const ParsedKey& key, std::string_view value) {
      ++out_.entries;
      const Result<Dirent> entry = format::decode_dirent(key.ino, value);
      if (!entry) return problem("directory {}: entry {} is damaged", key.ino.raw, key.name);
      numbers_.add_name(key.ino, *entry, key.name);
      if (!check_name(key.name)) problem("directory {}: impossible name", key.ino.raw);
      names_.push_back({.ino = entry->ino.raw, .dir = key.ino.raw, .type = entry->type});
      Listing& listing = listings_[key.ino.raw];
      ++listing.entries;
      if (entry->type == format::mode_directory) ++listing.subdirectories;
    }));
    std::sort(names_.begin(), names_.end(),
              [](const Name& left, const Name& right) { return left.ino < right.ino; });
    return {};
  }

  // Inodes come in the order of their numbers, as the names do now.
  Result<void> scan_inodes() {
    std::size_t next_name = 0;
    ARTFS_TRY(scan(format::inodes_class, false, [&](const ParsedKey& key, std::string_view value) {
      while (next_name < names_.size() && names_[next_name].ino < key.ino.raw) {
        problem_without_inode(names_[next_name++]);
      }
      const std::size_t first = next_name;
      while (next_name < names_.size() && names_[next_name].ino == key.ino.raw) ++next_name;
      ++out_.inodes;
      const Result<Inode> inode = format::decode_inode(key.ino, value);
      if (!inode) return problem("inode {}: the record is damaged", key.ino.raw);
      check_inode(key.ino, *inode, {names_.data() + first, next_name - first});
    }));
    while (next_name < names_.size()) problem_without_inode(names_[next_name++]);
    return {};
  }

  void problem_without_inode(const Name& name) {
    problem("directory {}: an entry names inode {}, which does not exist", name.dir, name.ino);
  }

  void check_inode(Ino ino, const Inode& inode, std::span<const Name> names) {
    seen_[ino.raw] = {.large_xattrs = inode.large_xattrs,
                      .directory = inode.is_directory(),
                      .unlinked = inode.nlink == 0,
                      .may_have_extents = inode.is_regular(),
                      .has_logged = (inode.flags & format::inode_has_logged) != 0};
    for (const Name& name : names) {
      if (name.type == inode.type()) continue;
      problem("inode {}: its entry in directory {} gives another type", ino.raw, name.dir);
    }
    if (inode.is_directory()) {
      check_directory(ino, inode, names);
    } else if (inode.nlink != names.size()) {
      problem("inode {}: {} links, but {} names", ino.raw, inode.nlink, names.size());
    }
    if (inode.is_regular() && !space_.add_file(ino, inode)) {
      problem("inode {}: its extents cannot be read", ino.raw);
    }
  }

  void check_directory(Ino ino, const Inode& inode, std::span<const Name> names) {
    ++out_.directories;
    const auto found = listings_.find(ino.raw);
    const Listing listing = found == listings_.end() ? Listing{} : found->second;
    if (found != listings_.end()) listings_.erase(found);
    if (inode.size != listing.entries) {
      problem("directory {}: the record says {} entries, there are {}", ino.raw, inode.size,
              listing.entries);
    }
    const std::uint64_t links = inode.nlink == 0 ? 0 : 2 + listing.subdirectories;
    if (inode.nlink != links) {
      problem("directory {}: {} links, should be {}", ino.raw, inode.nlink, links);
    }
    if (ino == root_ino) {
      if (!names.empty() || inode.parent != root_ino) problem("the root has a parent");
      return;
    }
    if (inode.nlink == 0) {
      if (!names.empty()) problem("directory {}: removed, but it has a name", ino.raw);
      return;
    }
    parents_[ino.raw] = inode.parent.raw;
    if (names.size() != 1) {
      problem("directory {}: {} names, should be 1", ino.raw, names.size());
    } else if (names.front().dir != inode.parent.raw) {
      problem("directory {}: its parent is {}, its name stands in {}", ino.raw, inode.parent.raw,
              names.front().dir);
    }
  }

  Result<void> scan_orphans() {
    return scan(format::orphans_class, true, [&](const ParsedKey& key, std::string_view) {
      ++out_.orphans;
      const auto found = seen_.find(key.ino.raw);
      if (found == seen_.end())
        return problem("orphan mark of inode {}, which does not exist", key.ino.raw);
      if (!found->second.unlinked) problem("orphan mark of inode {}, which has links", key.ino.raw);
      found->second.unlinked = false;  // accounted for
    });
  }

  // Attributes and extents must belong to somebody.
  Result<void> scan_owned() {
    ARTFS_TRY(scan(format::xattrs_class, true, [&](const ParsedKey& key, std::string_view) {
      const auto found = seen_.find(key.ino.raw);
      if (found == seen_.end() || found->second.large_xattrs == 0) {
        return problem("attribute {} belongs to inode {}, which does not count it", key.name,
                       key.ino.raw);
      }
      --found->second.large_xattrs;
    }));
    return scan(format::extents_class, true, [&](const ParsedKey& key, std::string_view) {
      const auto found = seen_.find(key.ino.raw);
      if (found != seen_.end() && found->second.may_have_extents) return;
      problem("an extent belongs to inode {}, which is no file", key.ino.raw);
    });
  }

  // LOGGED: without the flag, records would outlive their file. A flag without records does no harm.
  Result<void> scan_logged() {
    return scan(format::logged_class, false, [&](const ParsedKey& key, std::string_view value) {
      const auto found = seen_.find(key.ino.raw);
      if (found == seen_.end() || !found->second.may_have_extents) {
        return problem("a logged write belongs to inode {}, which is no file", key.ino.raw);
      }
      if (!format::decode_logged(key.ino, value)) {
        return problem("inode {}: logged write {} is damaged", key.ino.raw, key.number);
      }
      if (std::exchange(found->second.has_logged, true)) return;
      problem("inode {}: has logged writes, and the record does not say so", key.ino.raw);
    });
  }

  // Follows parents to the root; what was found reachable once need not be followed again.
  void check_reachable() {
    std::unordered_map<std::uint64_t, bool> known{{root_ino.raw, true}};
    std::vector<std::uint64_t> path;
    for (const auto& [start, parent] : parents_) {
      path.clear();
      std::uint64_t at = start;
      while (!known.contains(at)) {
        known[at] = false;  // also ends a circle
        path.push_back(at);
        const auto up = parents_.find(at);
        if (up == parents_.end()) break;
        at = up->second;
      }
      const bool reached = known[at];
      for (const std::uint64_t dir : path) known[dir] = reached;
      if (!reached && !path.empty()) problem("directory {} cannot be reached from the root", start);
    }
  }

  void check_leftovers() {
    for (const auto& [dir, listing] : listings_) {
      problem("{} entries stand in directory {}, which does not exist", listing.entries, dir);
    }
    for (const auto& [ino, seen] : seen_) {
      if (seen.unlinked) problem("inode {} has no links and no orphan mark", ino);
      if (seen.large_xattrs != 0) problem("inode {} misses {} attributes", ino, seen.large_xattrs);
    }
    if (!seen_.contains(root_ino.raw)) problem("there is no root directory");
  }

  void check_counter(VolumeCounter counter, std::string_view what, std::uint64_t walked) {
    const std::int64_t counted = core_.tree.counter(format::index_of(counter));
    if (counted == static_cast<std::int64_t>(walked)) return;
    problem("the counter says {} {}, the walk found {}", counted, what, walked);
  }

  void check_counters() {
    check_counter(VolumeCounter::inodes, "inodes", out_.inodes);
    check_counter(VolumeCounter::directories, "directories", out_.directories);
    check_counter(VolumeCounter::orphans, "orphans", out_.orphans);
    const auto reserved = static_cast<std::uint64_t>(
        core_.tree.counter(format::index_of(VolumeCounter::inos_reserved)));
    for (const auto& [ino, seen] : seen_) {
      if (ino == root_ino.raw || ino < InoAllocator::first_number + reserved) continue;
      problem("inode {} has a number that was never given out", ino);
    }
  }

  Core& core_;
  CheckReport out_;
  SpaceCheck space_;
  NumberCheck numbers_;
  std::vector<Name> names_;
  std::unordered_map<std::uint64_t, Listing> listings_;       // by directory
  std::unordered_map<std::uint64_t, Seen> seen_;              // by inode
  std::unordered_map<std::uint64_t, std::uint64_t> parents_;  // of directories with links
};

}  // namespace

void report(CheckReport& out, std::string problem) {
  if (out.problems.size() < problems_max) out.problems.push_back(std::move(problem));
}

Result<CheckReport> check(Core& core, const CheckOptions& options) {
  CheckReport out = ARTFS_TRY(Checker(core, options).run());
  VerifyReport verified = ARTFS_TRY(core.store->verify());
  for (std::string& problem : verified.problems) report(out, std::move(problem));
  return out;
}

}  // namespace artfs::vol
