// SPDX-License-Identifier: Apache-2.0
// repair: makes the records of a volume agree again, where what is right can be told without guessing.
//
// Contract:   works on a store whose volume is not open. Names and inode records are what counts; the
//             rest (link counts, entry counts, types in names, the order of listings, parents, marks,
//             counters, free space, references of blocks) is
//             made anew from them. Names of nothing go; inodes that lost their name get one in
//             "lost+found"; a directory whose record is lost but whose entries are there is made anew
//             with mode 0700; marked orphans are reclaimed as at a mount; logged writes of nobody, and such that cannot be
//             understood, go. Left as they are, for
//             check() to say: damaged inode records and extents, blocks that two files claim, bytes
//             behind the end of a file. Space that only a damaged extent can explain stays unused.
//             Nothing at all is done when the store's own verify() is not clean, or the volume's settings
//             are damaged: then a record that is missing may only be unreadable.
//             Idempotent: a second run right after finds nothing. Several transactions; a crash between
//             two leaves a volume that the next run finishes.
// Threading:  one thread, nobody else uses the store.
// Cost:       six scans; about 150 bytes of memory per inode and 40 per block.
// Errors:     the Store errors; store_foreign.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "artfs/volume.hpp"

#include "data/block_index.hpp"
#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/volume.hpp"

namespace artfs::vol {

[[nodiscard]] Result<RepairReport> repair(Store& store);

// Changes of a repair, in transactions of bounded size.
class RepairBatch {
 public:
  explicit RepairBatch(Store& store) noexcept : store_(store) {}

  [[nodiscard]] Result<void> put(Tree tree, std::string_view key, std::string_view value);
  [[nodiscard]] Result<void> erase(Tree tree, std::string_view key);
  void add(Tree tree, std::size_t counter, std::int64_t delta);
  [[nodiscard]] Result<void> flush();

 private:
  [[nodiscard]] Result<void> grown_by(std::size_t bytes);

  Store& store_;
  Txn txn_;
  std::size_t bytes_ = 0;
};

// What a repair knows of an inode.
struct RepairFacts {
  std::uint64_t parent = 0;    // as the record says
  std::uint64_t named_in = 0;  // a directory: where its name stands
  std::uint64_t names = 0;
  std::uint64_t entries = 0;
  std::uint64_t subdirectories = 0;
  std::uint64_t units_found = 0;
  std::uint32_t xattrs_found = 0;
  std::uint32_t type = 0;
  bool is_damaged = false;   // the record cannot be decoded: nothing is known, nothing changed
  bool is_unlinked = false;  // nlink 0
  bool is_marked = false;
  bool is_dropped = false;  // an orphan: all it has goes
  bool is_new = false;      // the record is made by the repair
  bool has_damaged_extents = false;
  bool has_logged = false;

  [[nodiscard]] bool is_directory() const noexcept { return type == format::mode_directory; }
};

class Repair {
 public:
  struct Trees {
    Tree volume;
    Tree space;
    std::optional<Tree> blocks;  // absent in a volume of version 1
  };

  Repair(Store& store, const Trees& trees, bool is_numbered) noexcept
      : tree_(trees.volume),
        space_(trees.space),
        blocks_(trees.blocks),
        store_(store),
        is_numbered_(is_numbered),
        batch_(store) {}

  [[nodiscard]] Result<RepairReport> run();

 private:
  struct Name {
    std::uint64_t dir = 0;
    std::string name;
  };

  // repair.cpp: records
  [[nodiscard]] Result<void> scan_inodes();
  [[nodiscard]] Result<void> scan_marks();
  [[nodiscard]] Result<void> scan_xattrs();
  [[nodiscard]] Result<void> scan_logged();
  [[nodiscard]] Result<void> make_root();
  [[nodiscard]] Result<void> write_records();
  [[nodiscard]] Result<void> write_new(std::uint64_t ino, const RepairFacts& facts);
  [[nodiscard]] bool correct(std::uint64_t ino, const RepairFacts& facts, format::Inode& inode);
  [[nodiscard]] Result<void> write_counters();
  void set_counter(format::VolumeCounter counter, std::uint64_t wanted, std::uint64_t reclaimed);
  // The counter of numbers given out that covers this one.
  [[nodiscard]] static std::uint64_t reserved_for(std::uint64_t ino) noexcept;
  [[nodiscard]] Result<void> remove_bad_key(std::string_view key);

  // repair_names.cpp
  [[nodiscard]] Result<void> find_lost_directories();
  [[nodiscard]] Result<void> scan_names();
  [[nodiscard]] Result<void> visit_name(const format::ParsedKey& key, const ScanEntry& entry);
  [[nodiscard]] const char* why_wrong(const format::ParsedKey& key, const format::Dirent& entry);
  void count_name(const format::ParsedKey& key, const format::Dirent& entry);
  [[nodiscard]] Result<void> settle_directories_named_twice();
  [[nodiscard]] Result<void> break_circles();
  [[nodiscard]] Result<void> remove_name_of(std::uint64_t ino);
  [[nodiscard]] Result<void> settle_nameless();
  [[nodiscard]] Result<void> give_name(std::uint64_t ino, RepairFacts& facts);
  [[nodiscard]] Result<std::uint64_t> lost_and_found();

  // repair_numbers.cpp
  [[nodiscard]] std::uint64_t new_number();
  [[nodiscard]] Result<void> rebuild_numbers();
  [[nodiscard]] Result<void> list_names();
  [[nodiscard]] Result<bool> is_of_another(const format::ParsedKey& key, std::uint64_t number,
                                           std::string_view listed);

  // repair_space.cpp
  [[nodiscard]] Result<void> scan_extents();
  [[nodiscard]] Result<void> visit_extent(const format::ParsedKey& key, const ScanEntry& entry);
  [[nodiscard]] Result<void> rebuild_free_space();
  [[nodiscard]] Result<std::map<std::uint64_t, std::uint64_t>> recorded_free_runs();
  [[nodiscard]] std::map<std::uint64_t, std::uint64_t> wanted_free_runs(
      const std::map<std::uint64_t, std::uint64_t>& recorded);

  // repair_references.cpp
  [[nodiscard]] Result<void> rebuild_references();
  [[nodiscard]] Result<void> correct_entry(const ScanEntry& entry);
  [[nodiscard]] Result<void> write_entry(const data::StoredBlock& block, std::uint64_t references);
  void correct_figure(std::size_t counter, std::uint64_t wanted);

  // Every key of a class taken apart; one that cannot be is removed.
  template <typename Visit>
  Result<void> scan_class(std::string_view prefix, bool keys_only, const Visit& visit);

  template <typename... Args>
  void did(fmt::format_string<Args...> text, Args&&... args) {
    ++report_.repairs;
    say(fmt::format(text, std::forward<Args>(args)...));
  }

  void say(std::string line);

  [[nodiscard]] RepairFacts* facts_of(std::uint64_t ino) {
    const auto found = facts_.find(ino);
    return found == facts_.end() ? nullptr : &found->second;
  }

  Tree tree_;
  Tree space_;
  std::optional<Tree> blocks_;
  Store& store_;
  const bool is_numbered_;  // entries stand under "n/" too
  RepairBatch batch_;
  RepairReport report_;
  std::unordered_map<std::uint64_t, RepairFacts> facts_;
  std::vector<std::uint64_t> twice_;  // directories with several names
  std::uint64_t lost_and_found_ = 0;
  std::uint64_t highest_number_ = 0;      // of entries as they were
  std::uint64_t last_new_number_ = 0;     // of entries that the repair numbered
  std::uint64_t orphan_directories_ = 0;  // of report_.orphans
  // What extents name, as often as they do; stored_bytes 0: not written.
  std::vector<data::StoredBlock> named_;
  std::unordered_set<std::uint64_t> indexed_;  // first units of blocks with an entry
  data::BlockFigures block_figures_;
  std::uint64_t used_units_ = 0;
  bool has_damaged_extents_ = false;
};

template <typename Visit>
Result<void> Repair::scan_class(std::string_view prefix, bool keys_only, const Visit& visit) {
  Scan scan = tree_.scan({.prefix = prefix, .keys_only = keys_only});
  while (ARTFS_TRY(scan.next())) {
    const ScanEntry& entry = scan.entry();
    if (const auto key = format::parse_key(entry.key)) {
      ARTFS_TRY(visit(*key, entry));
    } else {
      ARTFS_TRY(remove_bad_key(entry.key));
    }
  }
  return batch_.flush();
}

}  // namespace artfs::vol
