// SPDX-License-Identifier: Apache-2.0
#include "tool/tree_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "tool/path_stack.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t step_bytes = 256 * kib;

FileRecord record_of(const TreeEntry& entry) {
  const Attr& attr = entry.attr;
  return {.path = std::string(entry.path),
          .mode = attr.mode,
          .uid = attr.uid,
          .gid = attr.gid,
          .rdev = attr.rdev,
          .size = S_ISREG(attr.mode) ? attr.size : 0,
          .may_have_holes = attr.blocks_512 * 512 < attr.size,
          .atime = attr.atime,
          .mtime = attr.mtime,
          .target = std::string(entry.target),
          .hard_link = std::nullopt,
          .xattrs = {}};
}

}  // namespace

Result<void> TreeReader::run(const RecordVisit& visit) {
  return tree_.walk(base_, [&](const TreeEntry& entry) { return show(entry, visit); });
}

std::string TreeReader::shown_path(std::string_view path) const {
  if (path.empty()) return shown_;
  return fmt::format("{}{}{}", shown_, shown_.ends_with('/') ? "" : "/", path);
}

bool TreeReader::show(const TreeEntry& entry, const RecordVisit& visit) {
  if (entry.error) {
    progress_.fail(shown_path(entry.path), *entry.error);
    return true;
  }
  const Attr& attr = entry.attr;
  const Identity identity{entry.device, attr.ino.raw};
  if (left_out_ && identity == *left_out_) {
    progress_.remark(shown_path(entry.path), "is what is being written: left out");
    return true;
  }
  FileRecord record = record_of(entry);
  progress_.count(1, 0);
  if (attr.nlink > 1 && !S_ISDIR(attr.mode)) {
    const auto [first, is_first] = first_names_.try_emplace(identity, record.path);
    if (!is_first) {
      record.hard_link = first->second;
      return visit(record, nullptr);
    }
  }
  const std::string path = join_path(base_, entry.path);
  if (attr.has_xattrs) {
    Result<std::vector<Xattr>> xattrs = tree_.xattrs(path);
    if (xattrs) {
      record.xattrs = *std::move(xattrs);
      // One order, whatever it was set in.
      std::sort(record.xattrs.begin(), record.xattrs.end(),
                [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
    } else {
      progress_.fail(shown_path(entry.path), "extended attributes: " + error_text(xattrs.error()));
    }
  }
  if (!S_ISREG(attr.mode)) return visit(record, nullptr);
  const Result<std::unique_ptr<OpenFile>> file = tree_.open(path);
  if (!file) {
    // Its other names may not refer to it.
    first_names_.erase(identity);
    progress_.fail(shown_path(entry.path), file.error());
    return true;
  }
  return visit(record, file->get());
}

Result<std::vector<DataRange>> data_ranges(OpenFile& file, const FileRecord& record) {
  const std::uint64_t size = record.size;
  std::vector<DataRange> out;
  if (!record.may_have_holes && size > 0) out.push_back({.offset = 0, .length = size});
  if (!record.may_have_holes) return out;
  for (std::uint64_t at = 0; at < size;) {
    const Result<std::uint64_t> begin = file.seek_data(at);
    if (!begin && begin.error().code == Errc::no_more_data) break;
    if (!begin) return fail(begin.error());
    if (*begin >= size) break;
    const std::uint64_t end = std::min(ARTFS_TRY(file.seek_hole(*begin)), size);
    // What changes meanwhile may say that there is nothing.
    if (end <= *begin) break;
    out.push_back({.offset = *begin, .length = end - *begin});
    at = end;
  }
  return out;
}

Result<void> copy_ranges(OpenFile& from, OpenFile& to, const FileRecord& record,
                         const std::function<void(std::uint64_t)>& count) {
  const std::vector<DataRange> ranges = ARTFS_TRY(data_ranges(from, record));
  std::vector<std::byte> buffer(std::min<std::uint64_t>(step_bytes, record.size));
  std::uint64_t end = 0;
  for (const DataRange& range : ranges) {
    for (std::uint64_t done = 0; done < range.length;) {
      const std::uint64_t wanted = std::min<std::uint64_t>(buffer.size(), range.length - done);
      const std::size_t got =
          ARTFS_TRY(from.read(range.offset + done, std::span(buffer).first(wanted)));
      if (got == 0) break;
      ARTFS_TRY(to.write(range.offset + done, std::span(buffer).first(got)));
      count(got);
      done += got;
      end = range.offset + done;
    }
  }
  if (end != record.size) return to.resize(record.size);
  return {};
}

}  // namespace artfs::tool
