// SPDX-License-Identifier: Apache-2.0
// The FileTree of a store that nobody serves.
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "artfs/volume.hpp"

#include "tool/file_tree.hpp"
#include "tool/path_stack.hpp"

namespace artfs::tool {

namespace {

Caller own_caller() {
  return {.uid = ::geteuid(), .gid = ::getegid(), .has_cap_fsetid = ::geteuid() == 0};
}

class VolumeFile final : public OpenFile {
 public:
  // The file is open.
  VolumeFile(Volume& volume, Ino ino) : volume_(volume), ino_(ino), caller_(own_caller()) {}

  VolumeFile(const VolumeFile&) = delete;
  VolumeFile& operator=(const VolumeFile&) = delete;

  ~VolumeFile() override {
    if (ino_) volume_.release(ino_);
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    return volume_.read(ino_, offset, out, true);
  }

  Result<std::uint64_t> seek_data(std::uint64_t offset) override {
    return volume_.seek_data(ino_, offset);
  }

  Result<std::uint64_t> seek_hole(std::uint64_t offset) override {
    return volume_.seek_hole(ino_, offset);
  }

  Result<void> write(std::uint64_t offset, std::span<const std::byte> data) override {
    return volume_.write(ino_, offset, data, caller_);
  }

  Result<void> resize(std::uint64_t size) override {
    SetAttr changes;
    changes.size = size;
    const Result<Attr> done = volume_.setattr(ino_, changes, caller_);
    if (!done) return fail(done.error());
    return {};
  }

  Result<void> close() override {
    const Ino ino = std::exchange(ino_, Ino{});
    if (!ino) return {};
    const Result<void> flushed = volume_.flush(ino);
    volume_.release(ino);
    return flushed;
  }

 private:
  Volume& volume_;
  Ino ino_;  // zero: closed
  const Caller caller_;
};

class VolumeTree final : public FileTree {
 public:
  explicit VolumeTree(std::unique_ptr<Volume> volume)
      : volume_(std::move(volume)), directories_(root_ino), caller_(own_caller()) {}

  Result<Attr> find(std::string_view path) override {
    if (path.empty()) return volume_->getattr(root_ino);
    const SplitPath split = split_path(path);
    const Ino parent = ARTFS_TRY(directory(split.parent));
    return keep(path, volume_->lookup(parent, split.name));
  }

  Result<std::string> read_link(std::string_view path) override {
    const Ino ino = ARTFS_TRY(ino_of(path));
    return volume_->readlink(ino);
  }

  Result<void> walk(std::string_view path, const TreeVisit& visit) override {
    const Ino root = ARTFS_TRY(ino_of(path));
    const Result<bool> walked = volume_->walk(root, {}, [&visit](const WalkEntry& entry) {
      return visit({.path = entry.path,
                    .depth = entry.depth,
                    .attr = entry.attr,
                    .target = entry.target,
                    .error = entry.error});
    });
    if (!walked) return fail(walked.error());
    return {};
  }

  Result<std::unique_ptr<OpenFile>> open(std::string_view path) override {
    const Attr attr = ARTFS_TRY(find(path));
    if (S_ISDIR(attr.mode)) return fail(Errc::is_a_directory);
    if (!S_ISREG(attr.mode)) return fail(Errc::operation_not_permitted);
    const Result<Opened> opened = volume_->open_file(attr.ino);
    if (!opened) return fail(opened.error());
    return std::make_unique<VolumeFile>(*volume_, attr.ino);
  }

  Result<std::unique_ptr<OpenFile>> create(std::string_view path, std::uint32_t mode) override {
    const SplitPath split = split_path(path);
    const Ino parent = ARTFS_TRY(directory(split.parent));
    const Attr attr = ARTFS_TRY(
        keep(path, volume_->create(parent, split.name, S_IFREG | (mode & 07777U), caller_)));
    return std::make_unique<VolumeFile>(*volume_, attr.ino);
  }

  Result<void> make(std::string_view path, const NewEntry& entry) override {
    const SplitPath split = split_path(path);
    if (split.name.empty()) return fail(Errc::entry_exists);
    const Ino parent = ARTFS_TRY(directory(split.parent));
    const Result<Attr> made =
        S_ISDIR(entry.mode)   ? volume_->mkdir(parent, split.name, entry.mode & 07777U, caller_)
        : S_ISLNK(entry.mode) ? volume_->symlink(parent, split.name, entry.target, caller_)
                              : volume_->mknod(parent, split.name, entry.mode, entry.rdev, caller_);
    const Result<Attr> kept = keep(path, made);
    if (!kept) return fail(kept.error());
    return {};
  }

  Result<void> link(std::string_view existing, std::string_view path) override {
    const Attr attr = ARTFS_TRY(find(existing));
    if (S_ISDIR(attr.mode)) return fail(Errc::operation_not_permitted);
    const SplitPath split = split_path(path);
    const Ino parent = ARTFS_TRY(directory(split.parent));
    const Result<Attr> linked = keep(path, volume_->link(attr.ino, parent, split.name));
    if (!linked) return fail(linked.error());
    return {};
  }

  Result<void> remove(std::string_view path, bool is_directory) override {
    forget(path);
    const SplitPath split = split_path(path);
    const Ino parent = ARTFS_TRY(directory(split.parent));
    return is_directory ? volume_->rmdir(parent, split.name) : volume_->unlink(parent, split.name);
  }

  Result<void> rename(std::string_view from, std::string_view to, bool no_replace) override {
    forget(from);
    forget(to);
    const SplitPath old = split_path(from);
    const SplitPath next = split_path(to);
    const Ino old_parent = ARTFS_TRY(directory(old.parent));
    const Ino next_parent = ARTFS_TRY(directory(next.parent));
    return volume_->rename({.parent = old_parent, .name = old.name},
                           {.parent = next_parent, .name = next.name}, {.no_replace = no_replace},
                           caller_);
  }

  Result<void> set(std::string_view path, const SetAttr& changes) override {
    const Ino ino = ARTFS_TRY(ino_of(path));
    const Result<Attr> done = volume_->setattr(ino, changes, caller_);
    if (!done) return fail(done.error());
    return {};
  }

  Result<std::vector<Xattr>> xattrs(std::string_view path) override {
    const Ino ino = ARTFS_TRY(ino_of(path));
    const std::vector<std::string> names = ARTFS_TRY(volume_->list_xattrs(ino));
    std::vector<Xattr> out;
    for (const std::string& name : names) {
      std::string value = ARTFS_TRY(volume_->get_xattr(ino, name));
      out.push_back({.name = name, .value = std::move(value)});
    }
    return out;
  }

  Result<void> set_xattr(std::string_view path, const Xattr& xattr) override {
    const Ino ino = ARTFS_TRY(ino_of(path));
    return volume_->set_xattr(ino, xattr.name, xattr.value, {});
  }

  Result<void> remove_xattr(std::string_view path, const std::string& name) override {
    const Ino ino = ARTFS_TRY(ino_of(path));
    return volume_->remove_xattr(ino, name);
  }

  Result<void> close() override { return volume_->close(); }

 private:
  Result<Ino> directory(std::string_view path) {
    const auto open = [this](const Ino& parent, const std::string& name) -> Result<Ino> {
      const Attr attr = ARTFS_TRY(volume_->lookup(parent, name));
      if (!S_ISDIR(attr.mode)) return fail(Errc::not_a_directory);
      return attr.ino;
    };
    const Result<const Ino*> found = directories_.find(path, open);
    if (!found) return fail(found.error());
    return **found;
  }

  Result<Ino> ino_of(std::string_view path) {
    if (last_ino_ && path == last_path_) return last_ino_;
    const Attr attr = ARTFS_TRY(find(path));
    return attr.ino;
  }

  // Most entries are asked for several times in a row.
  Result<Attr> keep(std::string_view path, Result<Attr> found) {
    if (found) {
      last_path_.assign(path);
      last_ino_ = found->ino;
    }
    return found;
  }

  void forget(std::string_view path) {
    directories_.forget(path);
    last_ino_ = Ino{};
  }

  std::unique_ptr<Volume> volume_;
  PathStack<Ino> directories_;
  const Caller caller_;
  std::string last_path_;
  Ino last_ino_;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_volume_tree(const std::string& store, bool is_writable) {
  VolumeOptions options;
  options.store.read_only = !is_writable;
  options.access_times.kind = AccessTimes::noatime;  // looking whether a file is there is no access
  Result<std::unique_ptr<Volume>> volume = Volume::open(store, options);
  if (!volume) return fail(volume.error());
  return std::make_unique<VolumeTree>(*std::move(volume));
}

}  // namespace artfs::tool
