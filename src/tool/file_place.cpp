// SPDX-License-Identifier: Apache-2.0
#include "tool/file_place.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "fuse/mount_table.hpp"
#include "tool/path_stack.hpp"

namespace artfs::tool {

namespace {

using fuse::MountEntry;

tl::unexpected<std::string> text(std::string what) {
  return tl::unexpected<std::string>(std::move(what));
}

tl::unexpected<std::string> errno_text(int number) {
  return text(error_text({Errc::io_failed, static_cast<std::uint64_t>(number)}));
}

bool is_store(const std::string& path) {
  return ::access((path + "/superblock").c_str(), F_OK) == 0;
}

std::vector<MountEntry> mounts() {
  Result<std::vector<MountEntry>> table = fuse::read_mount_table();
  std::vector<MountEntry> out;
  if (!table) return out;
  for (MountEntry& entry : *table) {
    if (entry.type == fuse::filesystem_type) out.push_back(std::move(entry));
  }
  return out;
}

std::string device_text(dev_t device) {
  return fmt::format("{}:{}", ::major(device), ::minor(device));
}

// Where the whole of the store is mounted: a bind mount of a part would mislead.
TextOr<std::optional<std::string>> mount_of(const std::string& store) {
  std::optional<std::string> found;
  for (const MountEntry& entry : mounts()) {
    if (entry.source != store) continue;

    struct stat info {};

    if (::stat(entry.mount_point.c_str(), &info) != 0) {
      if (errno == ENOTCONN || errno == ECONNABORTED) return errno_text(errno);
      continue;
    }
    if (device_text(info.st_dev) == entry.device && info.st_ino == root_ino.raw) {
      found = entry.mount_point;
    }
  }
  return found;
}

// `directory` exists; `name` in it may be missing or empty. None: not on an artfs.
TextOr<std::optional<PlaceName>> on_mount(const std::string& directory, const std::string& name) {
  struct stat info {};

  const Result<std::string> canonical = fuse::canonical_path(directory);
  int error = canonical ? 0 : static_cast<int>(canonical.error().detail);
  if (canonical && ::stat(canonical->c_str(), &info) != 0) error = errno;
  if (error == ENOENT || error == ENOTDIR) return std::nullopt;
  if (error != 0) return errno_text(error);
  const std::string device = device_text(info.st_dev);
  const std::string slashed = *canonical == "/" ? "/" : *canonical + "/";
  std::optional<PlaceName> found;
  for (const MountEntry& entry : mounts()) {
    const std::string top = entry.mount_point == "/" ? "/" : entry.mount_point + "/";
    if (entry.device != device || !slashed.starts_with(top)) continue;
    if (found && found->mount_point.size() > entry.mount_point.size()) continue;
    std::string_view below = std::string_view(slashed).substr(top.size());
    if (below.ends_with('/')) below.remove_suffix(1);
    found = PlaceName{
        .store = entry.source, .mount_point = entry.mount_point, .path = join_path(below, name)};
  }
  return found;
}

struct HostPath {
  std::string directory;
  std::string name;  // empty: the directory itself
};

// What ends with "/", "." or ".." is a directory and followed.
HostPath split_host_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return {.directory = path, .name = {}};
  if (slash == path.npos) return {.directory = ".", .name = name};
  return {.directory = slash == 0 ? "/" : path.substr(0, slash), .name = name};
}

TextOr<PlaceName> in_store(const std::string& directory, std::string_view path) {
  const Result<std::string> store = fuse::canonical_path(directory);
  if (!store) return errno_text(static_cast<int>(store.error().detail));
  Result<std::string> clean = clean_path(path);
  if (!clean) return text("no '..' behind STORE:");
  TextOr<std::optional<std::string>> mount = mount_of(*store);
  if (!mount) return text(mount.error());
  return PlaceName{.store = *store, .mount_point = mount->value_or(""), .path = *std::move(clean)};
}

}  // namespace

std::string PlaceName::name() const {
  return std::string(split_path(path).name);
}

TextOr<PlaceName> find_place(const std::string& place) {
  if (place.empty()) return text("an empty PLACE: give a path on a mounted artfs, or a STORE");

  struct stat info {};

  const int failed = ::lstat(place.c_str(), &info);
  const int error = failed == 0 ? 0 : errno;
  if (error == 0) {
    // The mount point itself is on the filesystem that is mounted there, its name is not.
    const HostPath host = split_host_path(place);
    TextOr<std::optional<PlaceName>> found =
        S_ISDIR(info.st_mode) ? on_mount(place, "") : on_mount(host.directory, host.name);
    if (!found) return text(found.error());
    if (*found) return **std::move(found);
    if (S_ISDIR(info.st_mode) && is_store(place)) return in_store(place, "");
    // A link to a store, as find and ls take it too.
    if (S_ISLNK(info.st_mode) && is_store(place)) return in_store(place, "");
    return text("not on a mounted artfs, and no store: give either, or STORE:/PATH");
  }
  if (error != ENOENT && error != ENOTDIR) return errno_text(error);
  if (const std::size_t colon = place.find(":/"); colon != place.npos) {
    const std::string directory = place.substr(0, colon);
    if (is_store(directory)) return in_store(directory, std::string_view(place).substr(colon + 2));
  }
  // The nearest directory that is there, and names below it.
  std::string directory = place;
  std::string missing;
  while (::access(directory.c_str(), F_OK) != 0 && errno == ENOENT && directory != ".") {
    while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
    const HostPath host = split_host_path(directory);
    if (host.name.empty()) break;
    missing = join_path(host.name, missing);
    directory = host.directory;
  }
  TextOr<std::optional<PlaceName>> found = on_mount(directory, missing);
  if (!found) return text(found.error());
  if (*found) return **std::move(found);
  return text("no such file, and no store in front of ':/'");
}

TextOr<FilePlace> PlaceOpener::open(const std::string& place) {
  TextOr<PlaceName> name = find_place(place);
  if (!name) return text(name.error());
  const bool is_served = !name->mount_point.empty();
  const std::string& root = is_served ? name->mount_point : name->store;
  std::unique_ptr<FileTree>& tree = trees_[root];
  if (!tree) {
    Result<std::unique_ptr<FileTree>> opened = is_served
                                                   ? open_posix_tree(root, {.one_filesystem = true})
                                                   : open_volume_tree(root, is_writable_);
    if (!opened) {
      trees_.erase(root);
      return text(error_text(opened.error()));
    }
    tree = *std::move(opened);
  }
  return FilePlace{.tree = tree.get(), .path = std::move(name->path)};
}

TextOr<void> PlaceOpener::close() {
  TextOr<void> all;
  for (const auto& [root, tree] : trees_) {
    const Result<void> closed = tree->close();
    if (!closed && all) all = text(fmt::format("{}: {}", root, error_text(closed.error())));
  }
  trees_.clear();
  return all;
}

TextOr<HostPlace> open_host_place(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  HostPath host = split_host_path(trimmed);
  Result<std::unique_ptr<FileTree>> tree = open_posix_tree(host.directory, {});
  if (!tree) return text(error_text(tree.error()));
  return HostPlace{.tree = *std::move(tree), .path = std::move(host.name)};
}

bool is_inside(const std::string& place, const std::string& path) {
  const TextOr<PlaceName> name = find_place(place);
  const Result<std::string> directory = fuse::canonical_path(path);
  if (!name || !directory) return false;
  const std::string there =
      name->mount_point.empty() ? name->store : join_path(name->mount_point, name->path);
  return there == *directory || *directory == "/" || there.starts_with(*directory + "/");
}

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace artfs::tool
