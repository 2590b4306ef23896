// SPDX-License-Identifier: Apache-2.0
// Names: which stay, which go, and what gets a new one.
#include <algorithm>
#include <unordered_set>

#include "vol/ino_allocator.hpp"
#include "vol/inode.hpp"
#include "vol/repair.hpp"

namespace artfs::vol {
namespace {

constexpr std::string_view lost_and_found_name = "lost+found";

}  // namespace

// Directories whose entries are there and whose records are not: only owner, mode and times are lost.
Result<void> Repair::find_lost_directories() {
  std::uint64_t last = 0;
  Scan scan = tree_.scan({.prefix = format::dirents_class, .keys_only = true});
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    if (!key || key->ino.raw == last) continue;  // scan_names() sees to the bad ones
    last = key->ino.raw;
    if (facts_of(last) != nullptr) continue;
    facts_[last] = {.type = format::mode_directory, .is_new = true};
    did("directory {}: has entries but no record: made anew", last);
  }
  return {};
}

Result<void> Repair::scan_names() {
  return scan_class(format::dirents_class, false,
                    [this](const format::ParsedKey& key, const ScanEntry& entry) {
                      return visit_name(key, entry);
                    });
}

// Null: the name is fine.
const char* Repair::why_wrong(const format::ParsedKey& key, const format::Dirent& entry) {
  const RepairFacts& dir = facts_[key.ino.raw];
  if (!dir.is_damaged && !dir.is_directory()) return "stands in what is no directory";
  if (!check_name(key.name)) return "is no possible name";
  if (entry.ino == root_ino) return "names the root";
  if (entry.ino == key.ino) return "names the directory it stands in";
  if (facts_of(entry.ino.raw) == nullptr) return "names an inode that does not exist";
  return nullptr;
}

Result<void> Repair::visit_name(const format::ParsedKey& key, const ScanEntry& entry) {
  const Result<format::Dirent> decoded = format::decode_dirent(key.ino, entry.value);
  const char* const wrong = decoded ? why_wrong(key, *decoded) : "is damaged";
  if (wrong != nullptr) {
    did("directory {}: entry {} {}: removed", key.ino.raw, key.name, wrong);
    return batch_.erase(tree_, entry.key);
  }
  const RepairFacts& target = facts_[decoded->ino.raw];
  if (!target.is_damaged && target.type != decoded->type) {
    did("directory {}: entry {} gives another type than inode {} has: corrected", key.ino.raw,
        key.name, decoded->ino.raw);
    ARTFS_TRY(
        batch_.put(tree_, entry.key,
                   format::encode(format::Dirent{
                       .ino = decoded->ino, .type = target.type, .number = decoded->number})));
  }
  count_name(key, *decoded);
  return {};
}

void Repair::count_name(const format::ParsedKey& key, const format::Dirent& entry) {
  RepairFacts& named = facts_[entry.ino.raw];
  RepairFacts& dir = facts_[key.ino.raw];
  ++dir.entries;
  ++named.names;
  highest_number_ = std::max(highest_number_, entry.number);
  const std::uint32_t type = named.is_damaged ? entry.type : named.type;
  if (type == format::mode_directory) ++dir.subdirectories;
  if (!named.is_directory()) return;
  if (named.names == 2) twice_.push_back(entry.ino.raw);
  // Where the record says, if a name stands there.
  if (named.named_in == 0 || key.ino.raw == named.parent) named.named_in = key.ino.raw;
}

// A directory has one name: the first one in the directory that its record calls the parent, or else
// the first of all.
Result<void> Repair::settle_directories_named_twice() {
  if (twice_.empty()) return {};
  std::unordered_set<std::uint64_t> unsettled(twice_.begin(), twice_.end());
  const std::unordered_set<std::uint64_t> all = unsettled;
  return scan_class(format::dirents_class, false,
                    [&](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
                      const Result<format::Dirent> decoded =
                          format::decode_dirent(key.ino, entry.value);
                      if (!decoded || !all.contains(decoded->ino.raw)) return {};
                      RepairFacts& named = facts_[decoded->ino.raw];
                      if (key.ino.raw == named.named_in && unsettled.erase(decoded->ino.raw) != 0)
                        return {};
                      RepairFacts& dir = facts_[key.ino.raw];
                      --dir.entries;
                      --dir.subdirectories;
                      --named.names;
                      did("directory {}: entry {} is another name of directory {}: removed",
                          key.ino.raw, key.name, decoded->ino.raw);
                      return batch_.erase(tree_, entry.key);
                    });
}

// Directories that name each other in a circle hang on nothing: the lowest one is taken out.
Result<void> Repair::break_circles() {
  std::vector<std::uint64_t> directories;
  for (const auto& [ino, facts] : facts_) {
    if (facts.is_directory() && facts.names != 0) directories.push_back(ino);
  }
  std::sort(directories.begin(), directories.end());
  std::unordered_map<std::uint64_t, std::uint64_t> seen_from;  // directory -> the walk that met it
  for (const std::uint64_t start : directories) {
    std::uint64_t at = start;
    while (at != root_ino.raw && !seen_from.contains(at)) {
      seen_from[at] = start;
      const RepairFacts& facts = facts_[at];
      if (facts.names == 0 || facts.is_damaged)
        break;  // gets a name below the root, or stays unknown
      at = facts.named_in;
    }
    // Back on this walk's own path, and not at its end: a circle. Going in order, `start` or what it leads
    // to is met by its lowest member or from outside; either way cutting one edge opens it.
    const auto met = seen_from.find(at);
    if (at == root_ino.raw || met == seen_from.end() || met->second != start) continue;
    if (facts_[at].names == 0 || facts_[at].is_damaged) continue;
    std::uint64_t lowest = at;
    for (std::uint64_t next = facts_[at].named_in; next != at; next = facts_[next].named_in) {
      lowest = std::min(lowest, next);
    }
    did("directory {}: cannot be reached from the root: taken out of the circle", lowest);
    ARTFS_TRY(remove_name_of(lowest));
  }
  return batch_.flush();
}

// The one name of a directory.
Result<void> Repair::remove_name_of(std::uint64_t ino) {
  RepairFacts& facts = facts_[ino];
  Scan scan = tree_.scan({.prefix = format::dirents_prefix(Ino{facts.named_in})});
  while (ARTFS_TRY(scan.next())) {
    const auto entry = format::decode_dirent(Ino{facts.named_in}, scan.entry().value);
    if (!entry || entry->ino.raw != ino) continue;
    ARTFS_TRY(batch_.erase(tree_, scan.entry().key));
    break;
  }
  RepairFacts& dir = facts_[facts.named_in];
  --dir.entries;
  --dir.subdirectories;
  facts.names = 0;
  facts.named_in = 0;
  return {};
}

// In order, so that two runs over the same damage do the same.
Result<void> Repair::settle_nameless() {
  std::vector<std::uint64_t> nameless;
  for (auto& [ino, facts] : facts_) {
    if (ino == root_ino.raw || facts.names != 0 || facts.is_damaged) continue;
    // An orphan as unlink left it. With entries, or without the mark, one of two records is wrong, and
    // nothing says which: what it holds is kept.
    if (facts.is_unlinked && facts.is_marked && facts.entries == 0 && !facts.is_new) {
      facts.is_dropped = true;
      ++report_.orphans;
      if (facts.is_directory()) ++orphan_directories_;
    } else {
      nameless.push_back(ino);
    }
  }
  std::sort(nameless.begin(), nameless.end());
  for (const std::uint64_t ino : nameless) {
    ARTFS_TRY(lost_and_found());
    ARTFS_TRY(give_name(ino, facts_[ino]));
  }
  return batch_.flush();
}

Result<void> Repair::give_name(std::uint64_t ino, RepairFacts& facts) {
  const std::uint64_t dir = lost_and_found_;
  std::string name = fmt::format("#{}", ino);
  for (int turn = 1; ARTFS_TRY(tree_.contains(format::dirent_key(Ino{dir}, name))); ++turn) {
    name = fmt::format("#{}.{}", ino, turn);
  }
  did("inode {}: has no name: now {}/{}", ino, lost_and_found_name, name);
  facts.names = 1;
  facts.named_in = dir;
  RepairFacts& holder = facts_[dir];
  ++holder.entries;
  if (facts.is_directory()) ++holder.subdirectories;
  return batch_.put(
      tree_, format::dirent_key(Ino{dir}, name),
      format::encode(format::Dirent{.ino = Ino{ino}, .type = facts.type, .number = new_number()}));
}

// The directory of that name in the root; made when it is not there. Something else of that name stays,
// and a number is added.
Result<std::uint64_t> Repair::lost_and_found() {
  if (lost_and_found_ != 0) return lost_and_found_;
  ARTFS_TRY(batch_.flush());
  std::string name(lost_and_found_name);
  for (int turn = 1;; ++turn) {
    const Result<Record> record = tree_.get(format::dirent_key(root_ino, name));
    if (!record && record.error().code == Errc::key_not_found) break;
    if (!record) return fail(record.error());
    const format::Dirent entry = ARTFS_TRY(format::decode_dirent(root_ino, record->value));
    const RepairFacts& there = facts_[entry.ino.raw];
    if (there.is_directory()) return lost_and_found_ = entry.ino.raw;
    name = fmt::format("{}.{}", lost_and_found_name, turn);
  }
  // Past every number that is in use, whatever the counter says.
  std::uint64_t highest = 0;
  for (const auto& [ino, facts] : facts_) highest = std::max(highest, ino);
  const std::size_t counter = format::index_of(format::VolumeCounter::inos_reserved);
  const auto given = static_cast<std::uint64_t>(tree_.counter(counter));
  const std::uint64_t ino = std::max(highest + 1, InoAllocator::first_number + given);
  batch_.add(tree_, counter,
             static_cast<std::int64_t>(reserved_for(ino)) - static_cast<std::int64_t>(given));
  batch_.add(tree_, format::index_of(format::VolumeCounter::inodes), 1);
  batch_.add(tree_, format::index_of(format::VolumeCounter::directories), 1);
  facts_[ino] = {.parent = root_ino.raw,
                 .named_in = root_ino.raw,
                 .names = 1,
                 .type = format::mode_directory,
                 .is_new = true};
  ++facts_[root_ino.raw].entries;
  ++facts_[root_ino.raw].subdirectories;
  ARTFS_TRY(batch_.put(tree_, format::dirent_key(root_ino, name),
                       format::encode(format::first_entry(Ino{ino}, format::mode_directory))));
  ARTFS_TRY(batch_.flush());
  return lost_and_found_ = ino;
}

}  // namespace artfs::vol
