// SPDX-License-Identifier: Apache-2.0
#include "vol/numbering.hpp"

#include "base/log.hpp"
#include "format/dirent.hpp"
#include "format/key.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

constexpr std::size_t entries_per_transaction = 1000;

// The entries of a file with several links get numbers of their own, all of them: which one it was made with
// is not known. One that has a number of its own keeps it.
Result<format::Dirent> numbered(Core& core, Ino dir, format::Dirent entry) {
  if (entry.number != entry.ino.raw || entry.type == format::mode_directory) return entry;
  const format::Inode inode = ARTFS_TRY(load_inode(core, entry.ino));
  if (inode.nlink > 1) entry.number = ARTFS_TRY(new_number(core, dir));
  return entry;
}

Result<void> commit_and_clear(Core& core, Txn& txn) {
  ARTFS_TRY(core.store->commit(txn));
  txn.clear();
  return {};
}

}  // namespace

Result<void> number_entries(Core& core) {
  Scan scan = core.tree.scan({.prefix = format::dirents_class});
  Txn txn;
  std::size_t count = 0;
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    if (!key) return fail(Errc::record_corrupt);
    const Result<format::Dirent> entry = format::decode_dirent(key->ino, scan.entry().value);
    // Damage is what fsck is for: it stays as it is, and the rest can be used.
    const Result<format::Dirent> whole =
        entry ? numbered(core, key->ino, *entry) : fail(entry.error());
    if (!whole) {
      base::log_error("directory {}: an entry cannot be listed: {}", key->ino.raw,
                      to_text(whole.error()));
      continue;
    }
    put_entry(core, txn, {.parent = key->ino, .name = key->name}, *whole);
    if (++count % entries_per_transaction == 0) ARTFS_TRY(commit_and_clear(core, txn));
  }
  core.settings.is_numbered = true;
  txn.put(core.tree, format::volume_settings_key, format::encode(core.settings));
  ARTFS_TRY(core.store->commit(txn));
  if (count > 0) base::log_info("{} directory entries numbered", count);
  return {};
}

}  // namespace artfs::vol
