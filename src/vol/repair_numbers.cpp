// SPDX-License-Identifier: Apache-2.0
// The order of listings, made anew from the names.
#include <algorithm>

#include "vol/ino_allocator.hpp"
#include "vol/repair.hpp"

namespace artfs::vol {

// Past every number that is in use, whatever the counter says; write_counters() sees to the counter.
std::uint64_t Repair::new_number() {
  if (last_new_number_ == 0) {
    const std::size_t counter = format::index_of(format::VolumeCounter::inos_reserved);
    last_new_number_ =
        std::max(highest_number_,
                 InoAllocator::first_number + static_cast<std::uint64_t>(tree_.counter(counter)));
    for (const auto& [ino, facts] : facts_) last_new_number_ = std::max(last_new_number_, ino);
  }
  return ++last_new_number_;
}

// A second pass finds the entries that had one number among them: the last one of them was put in.
Result<void> Repair::rebuild_numbers() {
  if (!is_numbered_) return {};
  for (std::uint64_t before = ~std::uint64_t{0}; before != report_.repairs;) {
    before = report_.repairs;
    ARTFS_TRY(list_names());
  }
  return scan_class(
      format::numbers_class, false,
      [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
        const Result<format::NamedDirent> listed =
            format::decode_by_number(key.ino, key.number, entry.value);
        if (listed) {
          const Result<Record> named = tree_.get(format::dirent_key(key.ino, listed->name));
          if (named && named->value == format::encode(listed->dirent)) return {};
        }
        did("directory {}: number {} lists no entry: removed", key.ino.raw, key.number);
        return batch_.erase(tree_, entry.key);
      });
}

Result<void> Repair::list_names() {
  return scan_class(
      format::dirents_class, false,
      [this](const format::ParsedKey& key, const ScanEntry& entry) -> Result<void> {
        format::Dirent dirent = ARTFS_TRY(format::decode_dirent(key.ino, entry.value));
        std::string wanted = format::encode_by_number({.dirent = dirent, .name = key.name});
        const Result<Record> found = tree_.get(format::number_key(key.ino, dirent.number));
        if (found && found->value == wanted) return {};
        if (found && ARTFS_TRY(is_of_another(key, dirent.number, found->value))) {
          did("directory {}: entry {} has the number of another one: given a new one", key.ino.raw,
              key.name);
          dirent.number = new_number();
          wanted = format::encode_by_number({.dirent = dirent, .name = key.name});
          ARTFS_TRY(batch_.put(tree_, entry.key, format::encode(dirent)));
        } else {
          did("directory {}: entry {} is not listed: listed", key.ino.raw, key.name);
        }
        return batch_.put(tree_, format::number_key(key.ino, dirent.number), wanted);
      });
}

// What is listed under the number is an entry of another name, which has it too.
Result<bool> Repair::is_of_another(const format::ParsedKey& key, std::uint64_t number,
                                   std::string_view listed) {
  const Result<format::NamedDirent> other = format::decode_by_number(key.ino, number, listed);
  if (!other || other->name == key.name) return false;
  const Result<Record> named = tree_.get(format::dirent_key(key.ino, other->name));
  if (!named && named.error().code != Errc::key_not_found) return fail(named.error());
  if (!named) return false;
  const Result<format::Dirent> dirent = format::decode_dirent(key.ino, named->value);
  return dirent && dirent->number == number;
}

}  // namespace artfs::vol
