// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "vol/check.hpp"

namespace artfs::vol {

namespace {

// One number for all of an entry: sums of them are equal when both orders hold the same entries.
std::uint64_t digest(Ino dir, const format::Dirent& entry, std::string_view name) {
  std::string bytes(format::number_key(dir, entry.number).view());
  bytes += format::encode(entry);
  bytes += name;
  return base::xxh3_64(base::as_bytes(bytes));
}

}  // namespace

void NumberCheck::add_name(Ino dir, const format::Dirent& entry, std::string_view name) {
  ++names_;
  sum_ += digest(dir, entry, name);
}

Result<void> NumberCheck::finish() {
  if (!core_.settings.is_numbered) return {};
  Scan scan = core_.tree.scan({.prefix = format::numbers_class});
  std::uint64_t count = 0;
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    const Result<format::NamedDirent> entry =
        key ? format::decode_by_number(key->ino, key->number, scan.entry().value)
            : fail(Errc::record_corrupt);
    if (!entry) {
      report(out_, key ? fmt::format("directory {}: the entry numbered {} is damaged", key->ino.raw,
                                     key->number)
                       : std::string("a key of class n cannot be understood"));
      continue;
    }
    ++count;
    sum_ -= digest(key->ino, entry->dirent, entry->name);
  }
  if (count == names_ && sum_ == 0) return {};
  return compare();
}

// Something differs: find out what, by looking up each in the other order.
Result<void> NumberCheck::compare() {
  Scan names = core_.tree.scan({.prefix = format::dirents_class});
  while (ARTFS_TRY(names.next())) {
    const auto key = format::parse_key(names.entry().key);
    if (!key) continue;  // reported by who scans the names
    const auto entry = format::decode_dirent(key->ino, names.entry().value);
    if (!entry) continue;
    const std::string wanted = format::encode_by_number({.dirent = *entry, .name = key->name});
    const Result<Record> found = core_.tree.get(format::number_key(key->ino, entry->number));
    if (found && found->value == wanted) continue;
    report(out_, fmt::format("directory {}: entry {} is not listed", key->ino.raw, key->name));
  }
  Scan numbers = core_.tree.scan({.prefix = format::numbers_class});
  while (ARTFS_TRY(numbers.next())) {
    const auto key = format::parse_key(numbers.entry().key);
    if (!key) continue;
    const auto entry = format::decode_by_number(key->ino, key->number, numbers.entry().value);
    if (!entry) continue;
    const Result<Record> found = core_.tree.get(format::dirent_key(key->ino, entry->name));
    if (found && found->value == format::encode(entry->dirent)) continue;
    report(out_, fmt::format("directory {}: {} is listed, and there is no such entry", key->ino.raw,
                             entry->name));
  }
  return {};
}

}  // namespace artfs::vol
