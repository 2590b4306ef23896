// SPDX-License-Identifier: Apache-2.0
#include "tool/tree_writer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tool/command.hpp"
#include "tool/path_stack.hpp"
#include "tool/tree_reader.hpp"

namespace artfs::tool {

namespace {

constexpr std::uint32_t private_directory = 0700;  // until its entries are there
constexpr std::uint32_t private_file = 0600;
constexpr std::uint32_t way_directory = 0755;  // on the way to what a record names

bool is_special(std::uint32_t mode) {
  return !S_ISREG(mode) && !S_ISLNK(mode) && !S_ISDIR(mode);
}

// What only root may set.
bool is_privileged(std::string_view name) {
  return name.starts_with("security.") || name.starts_with("trusted.");
}

}  // namespace

bool TreeWriter::add(const FileRecord& record, const Fill& fill) {
  const Result<void> placed = place(record, fill);
  if (placed) return true;
  const std::string what = error_text(placed.error());
  progress_.fail(join_path(shown_, record.path),
                 record.hard_link
                     ? fmt::format("hard link to {}: {}", printable(*record.hard_link), what)
                     : what);
  return !is_hopeless(placed.error());
}

std::string TreeWriter::shown_path(std::string_view path) const {
  path.remove_prefix(std::min(path.size(), base_.empty() ? 0 : base_.size() + 1));
  return join_path(shown_, path);
}

void TreeWriter::finish() {
  // The deepest first: an entry's change of times is before its directory's.
  while (!directories_.empty()) {
    const LaterDirectory directory = std::move(directories_.back());
    directories_.pop_back();
    const Result<void> dressed = dress(directory.path, directory.changes, directory.xattrs);
    if (!dressed) progress_.fail(shown_path(directory.path), dressed.error());
  }
}

Result<void> TreeWriter::make_base() {
  const Result<Attr> there = tree_.find(base_);
  if (there && S_ISDIR(there->mode)) return {};
  if (there) return fail(Errc::not_a_directory);
  if (there.error().code != Errc::entry_not_found) return fail(there.error());
  return make_parents(base_);
}

Result<void> TreeWriter::place(const FileRecord& record, const Fill& fill) {
  const std::string path = join_path(base_, record.path);
  if (S_ISDIR(record.mode)) return place_directory(record, path);
  if (path.empty()) return fail(Errc::is_a_directory);
  if (record.hard_link) return place_link(record, path);
  if (rules_.keeps_existing && ARTFS_TRY(is_there(record, path))) {
    // Of a regular file the time of change is set last, so everything else is as it should be.
    return S_ISREG(record.mode) ? Result<void>() : dress(path, changes_of(record), record.xattrs);
  }
  return place_file(record, path, fill);
}

Result<void> TreeWriter::place_directory(const FileRecord& record, const std::string& path) {
  const Result<Attr> found =
      path.empty() ? tree_.find(path) : Result<Attr>(fail(Errc::entry_not_found));
  bool is_new = false;
  if (!found) {
    const auto make = [&]() -> Result<void> {
      Result<void> made = tree_.make(path, {.mode = S_IFDIR | private_directory});
      is_new = made.has_value();
      if (is_new || made.error().code != Errc::entry_exists) return made;
      const Attr there = ARTFS_TRY(tree_.find(path));
      if (S_ISDIR(there.mode)) return {};
      return made;
    };
    ARTFS_TRY(make_way(path, make));
  }
  if (is_new) ARTFS_TRY(shed_inherited(path, true));
  directories_.push_back({.path = path, .changes = changes_of(record), .xattrs = record.xattrs});
  return {};
}

Result<void> TreeWriter::place_link(const FileRecord& record, const std::string& path) {
  const std::string existing = join_path(base_, *record.hard_link);
  if (existing == path) return fail(Errc::entry_exists);
  const Attr target = ARTFS_TRY(tree_.find(existing));
  const Result<Attr> there = tree_.find(path);
  if (there && there->ino == target.ino) return {};
  return make_way(path, [&] { return tree_.link(existing, path); });
}

Result<void> TreeWriter::place_file(const FileRecord& record, const std::string& path,
                                    const Fill& fill) {
  std::unique_ptr<OpenFile> file;
  // Nobody reads it before it has its owner, and attributes may need a right that its mode takes away.
  const bool is_ours =
      !rules_.sets_owner || (record.uid == ::geteuid() && record.gid == ::getegid());
  const std::uint32_t first_mode =
      is_ours && record.xattrs.empty() ? record.mode & 0777U : private_file;
  const auto make = [&]() -> Result<void> {
    if (!S_ISREG(record.mode)) {
      const std::uint32_t mode = (record.mode & S_IFMT) | private_file;
      return tree_.make(path, {.mode = mode, .rdev = record.rdev, .target = record.target});
    }
    Result<std::unique_ptr<OpenFile>> created = tree_.create(path, first_mode);
    if (!created) return fail(created.error());
    file = *std::move(created);
    return {};
  };
  ARTFS_TRY(make_way(path, make));
  if (file) {
    ARTFS_TRY(fill(*file));
    ARTFS_TRY(file->close());
  }
  if (!S_ISLNK(record.mode)) ARTFS_TRY(shed_inherited(path, false));
  return dress(path, changes_of(record), record.xattrs);
}

// Makes the directories on the way, removes what is in the way; tries each once.
Result<void> TreeWriter::make_way(const std::string& path,
                                  const std::function<Result<void>()>& make) {
  Result<void> made = make();
  if (!made && made.error().code == Errc::entry_not_found) {
    ARTFS_TRY(make_parents(split_path(path).parent));
    made = make();
  }
  if (!made && made.error().code == Errc::entry_exists) {
    ARTFS_TRY(clear_way(path));
    made = make();
  }
  return made;
}

Result<void> TreeWriter::make_parents(std::string_view path) {
  if (path.empty()) return {};
  const NewEntry directory{.mode = S_IFDIR | way_directory};
  Result<void> made = tree_.make(path, directory);
  if (!made && made.error().code == Errc::entry_not_found) {
    ARTFS_TRY(make_parents(split_path(path).parent));
    made = tree_.make(path, directory);
  }
  if (!made && made.error().code == Errc::entry_exists) return {};
  return made;
}

Result<void> TreeWriter::clear_way(const std::string& path) {
  const Attr there = ARTFS_TRY(tree_.find(path));
  if (is_special(there.mode) && !rules_.replaces_special) return fail(Errc::entry_exists);
  is_parent_known_ = is_parent_known_ && !S_ISDIR(there.mode);
  return tree_.remove(path, S_ISDIR(there.mode));
}

Result<bool> TreeWriter::is_there(const FileRecord& record, const std::string& path) {
  const Result<Attr> there = tree_.find(path);
  if (!there && is_missing(there.error())) return false;
  if (!there) return fail(there.error());
  if ((there->mode & S_IFMT) != (record.mode & S_IFMT)) return false;
  if (S_ISLNK(record.mode)) {
    const Result<std::string> target = tree_.read_link(path);
    return target && *target == record.target;
  }
  if (!S_ISREG(record.mode)) return there->rdev == record.rdev;
  return there->size == record.size && record.mtime && there->mtime == *record.mtime;
}

// The record says all of the ACLs; a directory may have passed others on.
Result<void> TreeWriter::shed_inherited(const std::string& path, bool is_directory) {
  const std::string_view parent = split_path(path).parent;
  if (!is_parent_known_ || parent != parent_) {
    parent_.assign(parent);
    const std::vector<Xattr> xattrs = ARTFS_TRY(tree_.xattrs(parent));
    parent_passes_acls_ = std::any_of(xattrs.begin(), xattrs.end(), [](const Xattr& xattr) {
      return xattr.name == acl_default_xattr;
    });
    is_parent_known_ = true;
  }
  if (!parent_passes_acls_) return {};
  for (const std::string_view name : {acl_access_xattr, acl_default_xattr}) {
    if (name == acl_default_xattr && !is_directory) continue;
    const Result<void> removed = tree_.remove_xattr(path, std::string(name));
    if (!removed && removed.error().code != Errc::xattr_not_found) return removed;
  }
  return {};
}

SetAttr TreeWriter::changes_of(const FileRecord& record) const {
  SetAttr changes;
  std::uint32_t mode = record.mode & 07777U;
  if (rules_.sets_owner) {
    changes.uid = record.uid;
    changes.gid = record.gid;
  } else {
    // Nobody gets the rights of somebody else's program.
    if (record.uid != ::geteuid()) mode &= ~static_cast<std::uint32_t>(S_ISUID);
    if (record.gid != ::getegid() && !S_ISDIR(record.mode)) {
      mode &= ~static_cast<std::uint32_t>(S_ISGID);
    }
  }
  if (!S_ISLNK(record.mode)) changes.mode = mode;
  changes.atime = record.atime;
  changes.mtime = record.mtime;
  return changes;
}

// Attributes come after the owner, whose change takes capabilities away, and before a mode that may forbid them; ACLs
// come after the mode, which they agree with; times are last, for they say that all is done.
Result<void> TreeWriter::dress(const std::string& path, SetAttr rest,
                               const std::vector<Xattr>& xattrs) {
  if (xattrs.empty()) return tree_.set(path, rest);
  SetAttr owner;
  std::swap(owner.uid, rest.uid);
  std::swap(owner.gid, rest.gid);
  SetAttr mode;
  std::swap(mode.mode, rest.mode);
  if (owner.uid || owner.gid) ARTFS_TRY(tree_.set(path, owner));
  const auto set_each = [&](bool are_acls) {
    for (const Xattr& xattr : xattrs) {
      if (is_acl_xattr(xattr.name) != are_acls) continue;
      if (is_privileged(xattr.name) && ::geteuid() != 0) continue;
      const Result<void> done = tree_.set_xattr(path, xattr);
      if (done) continue;
      progress_.fail(shown_path(path), fmt::format("extended attribute {}: {}", xattr.name,
                                                   error_text(done.error())));
    }
  };
  set_each(false);
  if (mode.mode) ARTFS_TRY(tree_.set(path, mode));
  set_each(true);
  return tree_.set(path, rest);
}

void copy_tree(const CopyPlan& plan, Progress& progress) {
  TreeReader reader(plan.from, plan.from_path, plan.from_shown, progress);
  TreeWriter writer(plan.to, plan.to_path, plan.to_shown, progress);
  writer.set_rules(plan.rules);
  const Result<void> read = reader.run([&](FileRecord& record, OpenFile* file) {
    return writer.add(record, [&](OpenFile& to) {
      return copy_ranges(*file, to, record, [&](std::uint64_t bytes) { progress.count(0, bytes); });
    });
  });
  if (!read) progress.fail(plan.from_shown, read.error());
  writer.finish();
}

}  // namespace artfs::tool
