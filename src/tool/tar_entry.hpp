// SPDX-License-Identifier: Apache-2.0
// tar_entry: a FileRecord as the header of an archive member, and back.
//
// Contract:   the header says all of the record, in the extensions that GNU tar, star and libarchive share: SCHILY.xattr,
//             SCHILY.acl, times in nanoseconds. Names are bytes. A member's path becomes one below the target: without
//             what leads out of it.
// Threading:  one thread.
// Errors:     name_invalid: the path, or that of a hard link, has a ".." in it.
#pragma once

#include <archive_entry.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tool/entry_text.hpp"
#include "tool/file_record.hpp"

namespace artfs::tool {

// `ranges`: the data of a file with holes; null: it has none. `owners`: null: numbers alone.
void fill_tar_entry(archive_entry* entry, const FileRecord& record,
                    const std::vector<DataRange>* ranges, OwnerNames* owners);

// Ids of the users and groups of this system by name, asked for once each.
class OwnerIds {
 public:
  // The number where the name is unknown, or names do not count.
  explicit OwnerIds(bool only_numbers) : only_numbers_(only_numbers) {}

  [[nodiscard]] std::uint32_t user(std::string_view name, std::uint32_t number);
  [[nodiscard]] std::uint32_t group(std::string_view name, std::uint32_t number);

 private:
  const bool only_numbers_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> users_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> groups_;
};

struct TarRecord {
  FileRecord record;
  bool was_cut =
      false;  // something stood in front of the path, or the link, that led out of the target
};

[[nodiscard]] Result<TarRecord> read_tar_entry(archive_entry* entry, OwnerIds& owners);

}  // namespace artfs::tool
