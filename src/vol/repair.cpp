// SPDX-License-Identifier: Apache-2.0
#include "vol/repair.hpp"

#include <algorithm>

#include "format/logged.hpp"
#include "vol/check.hpp"
#include "vol/ino_allocator.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

using format::VolumeCounter;

// Far below the 4 MiB that a transaction takes: one more change always fits.
constexpr std::size_t batch_bytes_max = mib;
constexpr std::size_t change_overhead_bytes = 32;

std::string_view name_of(VolumeCounter counter) {
  switch (counter) {
    case VolumeCounter::inodes:
      return "inodes";
    case VolumeCounter::directories:
      return "directories";
    case VolumeCounter::inos_reserved:
      return "inode numbers given out";
    case VolumeCounter::orphans:
      return "orphans";
  }
  return "";
}

}  // namespace

std::uint64_t Repair::reserved_for(std::uint64_t ino) noexcept {
  const std::uint64_t runs = (ino - InoAllocator::first_number) / InoAllocator::run_length + 1;
  return runs * InoAllocator::run_length;
}

// --- RepairBatch ------------------------------------------------------------------------------------

Result<void> RepairBatch::grown_by(std::size_t bytes) {
  bytes_ += bytes + change_overhead_bytes;
  return bytes_ < batch_bytes_max ? Result<void>{} : flush();
}

Result<void> RepairBatch::put(Tree tree, std::string_view key, std::string_view value) {
  txn_.put(tree, key, value);
  return grown_by(key.size() + value.size());
}

Result<void> RepairBatch::erase(Tree tree, std::string_view key) {
  txn_.erase(tree, key);
  return grown_by(key.size());
}

void RepairBatch::add(Tree tree, std::size_t counter, std::int64_t delta) {
  txn_.add(tree, counter, delta);
}

Result<void> RepairBatch::flush() {
  if (txn_.empty()) return {};
  ARTFS_TRY(store_.commit(txn_));
  txn_.clear();
  bytes_ = 0;
  return {};
}

// --- Repair -----------------------------------------------------------------------------------------

void Repair::say(std::string line) {
  if (report_.done.size() < problems_max) report_.done.push_back(std::move(line));
}

Result<void> Repair::remove_bad_key(std::string_view key) {
  did("a key of class {} that cannot be understood ({} bytes): removed", key.substr(0, 1),
      key.size());
  return batch_.erase(tree_, key);
}

// Names need the inodes, the nameless need the names, blocks and attributes need to know who stays, the
// records need all of it.
Result<RepairReport> Repair::run() {
  ARTFS_TRY(scan_inodes());
  ARTFS_TRY(make_root());
  ARTFS_TRY(scan_marks());
  ARTFS_TRY(find_lost_directories());
  ARTFS_TRY(scan_names());
  ARTFS_TRY(settle_directories_named_twice());
  ARTFS_TRY(break_circles());
  ARTFS_TRY(settle_nameless());
  ARTFS_TRY(rebuild_numbers());
  ARTFS_TRY(scan_xattrs());
  ARTFS_TRY(scan_extents());
  ARTFS_TRY(scan_logged());
  ARTFS_TRY(write_records());
  ARTFS_TRY(write_counters());
  ARTFS_TRY(rebuild_free_space());
  ARTFS_TRY(rebuild_references());
  ARTFS_TRY(store_.sync());
  return std::move(report_);
}

Result<void> Repair::scan_inodes() {
  return scan_class(format::inodes_class, false,
                    [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
                      RepairFacts& facts = facts_[key.ino.raw];
                      const Result<format::Inode> inode =
                          format::decode_inode(key.ino, entry.value);
                      if (inode) {
                        facts.parent = inode->parent.raw;
                        facts.type = inode->type();
                        facts.is_unlinked = inode->nlink == 0;
                      } else {
                        facts.is_damaged = true;
                      }
                      return {};
                    });
}

// Without a root nothing can be reached; what it loses is its owner and mode.
Result<void> Repair::make_root() {
  RepairFacts& root = facts_[root_ino.raw];
  if (root.is_directory()) {
    root.is_unlinked = false;
    return {};
  }
  root = {.parent = root_ino.raw, .type = format::mode_directory, .is_new = true};
  did("there is no root directory, or its record is damaged: made anew");
  return {};
}

Result<void> Repair::scan_marks() {
  return scan_class(format::orphans_class, true,
                    [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
                      if (RepairFacts* const facts = facts_of(key.ino.raw)) {
                        facts->is_marked = true;
                        return {};
                      }
                      did("orphan mark of inode {}, which does not exist: removed", key.ino.raw);
                      return batch_.erase(tree_, entry.key);
                    });
}

// One that is damaged keeps its whole file from being read, so it goes.
Result<void> Repair::scan_logged() {
  return scan_class(
      format::logged_class, false,
      [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
        RepairFacts* const owner = facts_of(key.ino.raw);
        if (owner != nullptr && owner->is_damaged) return {};
        if (owner == nullptr || owner->is_dropped || owner->type != format::mode_regular) {
          if (owner == nullptr || !owner->is_dropped) {
            did("a logged write belongs to inode {}, which is no file: removed", key.ino.raw);
          }
          return batch_.erase(tree_, entry.key);
        }
        if (!format::decode_logged(key.ino, entry.value)) {
          did("inode {}: logged write {} is damaged: removed, its bytes are lost", key.ino.raw,
              key.number);
          return batch_.erase(tree_, entry.key);
        }
        owner->has_logged = true;
        return {};
      });
}

Result<void> Repair::scan_xattrs() {
  return scan_class(format::xattrs_class, true,
                    [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
                      RepairFacts* const facts = facts_of(key.ino.raw);
                      if (facts != nullptr && !facts->is_dropped) {
                        ++facts->xattrs_found;
                        return {};
                      }
                      if (facts == nullptr) {
                        did("attribute {} belongs to inode {}, which does not exist: removed",
                            key.name, key.ino.raw);
                      }
                      return batch_.erase(tree_, entry.key);
                    });
}

// True when something of the record was wrong.
bool Repair::correct(std::uint64_t ino, const RepairFacts& facts, format::Inode& inode) {
  const std::uint64_t before = report_.repairs;
  const auto set = [&](auto& field, auto wanted, std::string_view what) {
    if (field == wanted) return;
    did("inode {}: {}: {}, now {}", ino, what, field, wanted);
    field = wanted;
  };
  if (facts.is_directory()) {
    set(inode.size, facts.entries, "entries");
    set(inode.nlink, static_cast<std::uint32_t>(2 + facts.subdirectories), "links");
    const std::uint64_t parent = ino == root_ino.raw ? ino : facts.named_in;
    if (inode.parent.raw != parent) {
      did("directory {}: parent: {}, now {}", ino, inode.parent.raw, parent);
      inode.parent = Ino{parent};
    }
  } else {
    set(inode.nlink, static_cast<std::uint32_t>(facts.names), "links");
  }
  set(inode.large_xattrs, facts.xattrs_found, "large attributes");
  if (inode.is_regular() && !facts.has_damaged_extents) {
    set(inode.units, facts.units_found, "units of 4 KiB");
  }
  if (facts.has_logged && (inode.flags & format::inode_has_logged) == 0) {
    did("inode {}: has logged writes, and the record did not say so", ino);
    inode.flags |= format::inode_has_logged;
  }
  return report_.repairs != before;
}

Result<void> Repair::write_new(std::uint64_t ino, const RepairFacts& facts) {
  format::Inode inode;
  inode.mode = format::mode_directory | (ino == root_ino.raw ? 0755U : 0700U);
  inode.nlink = static_cast<std::uint32_t>(2 + facts.subdirectories);
  inode.size = facts.entries;
  inode.parent = Ino{ino == root_ino.raw ? ino : facts.named_in};
  inode.large_xattrs = facts.xattrs_found;
  inode.atime = inode.mtime = inode.ctime = inode.btime = now();
  std::string record;
  format::encode(inode, record);
  return batch_.put(tree_, format::inode_key(Ino{ino}), record);
}

Result<void> Repair::write_records() {
  std::vector<std::uint64_t> inos;
  for (const auto& [ino, facts] : facts_) inos.push_back(ino);
  std::sort(inos.begin(), inos.end());
  for (const std::uint64_t ino : inos) {
    const RepairFacts& facts = facts_[ino];
    const format::Key key = format::inode_key(Ino{ino});
    if (facts.is_damaged) continue;
    if (facts.is_dropped) {
      ARTFS_TRY(batch_.erase(tree_, key));
      ARTFS_TRY(batch_.erase(tree_, format::orphan_key(Ino{ino})));
      continue;
    }
    if (facts.is_marked) {
      did("inode {}: marked as unlinked, but it is in use: unmarked", ino);
      ARTFS_TRY(batch_.erase(tree_, format::orphan_key(Ino{ino})));
    }
    if (facts.is_new) {
      ARTFS_TRY(write_new(ino, facts));
      continue;
    }
    const Record stored = ARTFS_TRY(tree_.get(key));
    format::Inode inode = ARTFS_TRY(format::decode_inode(Ino{ino}, stored.value));
    if (!correct(ino, facts, inode)) continue;
    std::string record;
    format::encode(inode, record);
    ARTFS_TRY(batch_.put(tree_, key, record));
  }
  return batch_.flush();
}

Result<void> Repair::write_counters() {
  std::uint64_t inodes = 0;
  std::uint64_t directories = 0;
  std::uint64_t orphans = 0;
  std::uint64_t highest = std::max(highest_number_, last_new_number_);
  for (const auto& [ino, facts] : facts_) {
    if (facts.is_dropped) continue;
    ++inodes;
    if (facts.is_directory()) ++directories;
    if (facts.is_damaged && facts.is_marked) ++orphans;
    highest = std::max(highest, ino);
  }
  set_counter(VolumeCounter::inodes, inodes, report_.orphans);
  set_counter(VolumeCounter::directories, directories, orphan_directories_);
  set_counter(VolumeCounter::orphans, orphans, report_.orphans);
  const auto given =
      static_cast<std::uint64_t>(tree_.counter(format::index_of(VolumeCounter::inos_reserved)));
  if (highest >= InoAllocator::first_number + given) {
    set_counter(VolumeCounter::inos_reserved, reserved_for(highest), 0);
  }
  return batch_.flush();
}

// Reclaimed orphans change the counters as they do at a mount: that is no repair.
void Repair::set_counter(VolumeCounter counter, std::uint64_t wanted, std::uint64_t reclaimed) {
  const std::size_t index = format::index_of(counter);
  const std::int64_t counted = tree_.counter(index);
  const auto right = static_cast<std::int64_t>(wanted);
  if (counted == right) return;
  batch_.add(tree_, index, right - counted);
  if (counted - static_cast<std::int64_t>(reclaimed) == right) return;
  did("counter of {}: {}, now {}", name_of(counter), counted, wanted);
}

Result<RepairReport> repair(Store& store) {
  const VerifyReport verified = ARTFS_TRY(store.verify());
  RepairReport refused;
  refused.problems = verified.problems;
  if (!refused.problems.empty()) return refused;
  const Result<Tree> tree = store.open_tree(format::volume_tree_name);
  const Result<Tree> space = store.open_tree(format::space_tree_name);
  if (!tree || !space) return fail(Errc::store_foreign);
  const Result<Record> settings = tree->get(format::volume_settings_key);
  if (!settings && settings.error().code != Errc::key_not_found) return fail(settings.error());
  const Result<format::VolumeSettings> decoded =
      settings ? format::decode_volume_settings(settings->value) : fail(settings.error());
  if (!decoded) {
    refused.problems.emplace_back("the volume's settings are damaged");
    return refused;
  }
  const Result<Tree> blocks = store.open_tree(format::blocks_tree_name);
  const Repair::Trees trees{
      .volume = *tree, .space = *space, .blocks = blocks ? std::optional(*blocks) : std::nullopt};
  return Repair(store, trees, decoded->is_numbered).run();
}

}  // namespace artfs::vol
