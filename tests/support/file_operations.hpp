// SPDX-License-Identifier: Apache-2.0
// FileOperations: does things to a volume and tells a FileHistory; paths begin with '/'.
//
// Contract:   each call does its operation if it can succeed on the files there are, and returns false once the
//             device failed. A failure of a healthy device, or of another kind, fails the test.
// Threading:  one thread.
#pragma once

#include <random>
#include <string>

#include "support/file_history.hpp"

namespace artfs::test {

class FileOperations {
 public:
  FileOperations(Volume& volume, FileHistory& history) : volume_(volume), history_(history) {}

  [[nodiscard]] bool has_failed() const { return has_failed_; }

  bool create(const std::string& path) {
    if (!is_free(path)) return true;
    history_.add(path,
                 {.mode = type_regular | 0644, .uid = 0, .gid = 0, .target = "", .xattrs = {}});
    history_.touch(parent_id(path));
    history_.happens();
    return done(volume_.mknod(dir_of(path), name_of(path), type_regular | 0644, 0, {}));
  }

  bool mkdir(const std::string& path) {
    if (!is_free(path)) return true;
    history_.add(path,
                 {.mode = type_directory | 0755, .uid = 0, .gid = 0, .target = "", .xattrs = {}});
    history_.touch(parent_id(path));
    history_.happens();
    return done(volume_.mkdir(dir_of(path), name_of(path), 0755, {}));
  }

  bool symlink(const std::string& path, const std::string& target) {
    if (!is_free(path)) return true;
    history_.add(path,
                 {.mode = type_symlink | 0777, .uid = 0, .gid = 0, .target = target, .xattrs = {}});
    history_.touch(parent_id(path));
    history_.happens();
    return done(volume_.symlink(dir_of(path), name_of(path), target, {}));
  }

  bool link(const std::string& from, const std::string& to) {
    if (!names().has(from) || names().node(from).is(type_directory) || !is_free(to)) return true;
    const Ino ino = ino_of(from);
    touch(from);
    names().paths[to] = names().paths.at(from);
    history_.touch(parent_id(to));
    history_.happens();
    return done(volume_.link(ino, dir_of(to), name_of(to)));
  }

  // O_TMPFILE, bytes, a name.
  bool create_unnamed_and_link(const std::string& path, const std::string& bytes) {
    if (!is_free(path)) return true;
    const Result<Attr> made = volume_.create_unnamed(dir_of(path), 0600, {});
    if (!made) return done(made);
    const NodeId id = history_.add(
        "", {.mode = type_regular | 0600, .uid = 0, .gid = 0, .target = "", .xattrs = {}});
    history_.happens();
    history_.write(id, bytes);
    history_.happens();
    bool good = done(write_at(volume_, made->ino, 0, bytes));
    if (good) {
      names().paths[path] = id;
      history_.touch(parent_id(path));
      history_.happens();
      good = done(volume_.link(made->ino, dir_of(path), name_of(path)));
    }
    volume_.release(made->ino);
    return good;
  }

  bool unlink(const std::string& path) {
    if (!names().has(path) || names().node(path).is(type_directory)) return true;
    touch(path);
    history_.touch(parent_id(path));
    names().paths.erase(path);
    history_.happens();
    return done(volume_.unlink(dir_of(path), name_of(path)));
  }

  // Open, unlinked, written to, and closed only when the volume is: an orphan for the crash, unless there
  // is another link.
  bool unlink_while_open(const std::string& path, const std::string& data) {
    if (!names().has(path) || !names().node(path).is(type_regular)) return true;
    const Ino ino = ino_of(path);
    if (!done(volume_.open_file(ino))) return false;
    const NodeId id = names().paths.at(path);
    if (!unlink(path)) return false;
    std::string bytes = history_.bytes(id);
    bytes.replace(0, data.size(), data);
    history_.touch(id);
    history_.write(id, std::move(bytes));
    history_.happens();
    return done(write_at(volume_, ino, 0, data));
  }

  bool rmdir(const std::string& path) {
    if (path.empty() || !names().has(path) || !names().node(path).is(type_directory)) return true;
    if (has_entries(path)) return true;
    history_.touch(parent_id(path));
    names().paths.erase(path);
    history_.happens();
    return done(volume_.rmdir(dir_of(path), name_of(path)));
  }

  // Files and directories, to a free name or over a file.
  bool rename(const std::string& from, const std::string& to) {
    if (from.empty() || !names().has(from) || from == to || is_below(to, from)) return true;
    if (!has_parent(to)) return true;
    const bool is_over = names().has(to);
    const bool is_directory = names().node(from).is(type_directory);
    if (is_over && (is_directory || names().node(to).is(type_directory))) return true;
    const NodeId id = names().paths.at(from);
    if (is_over && names().paths.at(to) == id) return true;  // two links: nothing happens
    const Place source{.parent = dir_of(from), .name = name_of(from)};
    touch(from);
    history_.touch(parent_id(from));
    history_.touch(parent_id(to));
    if (is_over) {
      touch(to);
      if (names().node(from).is(type_regular)) history_.bytes_come_first(id);
    }
    const Place target{.parent = dir_of(to), .name = name_of(to)};
    move(from, to);
    history_.happens();
    return done(volume_.rename(source, target, {}));
  }

  bool exchange(const std::string& left, const std::string& right) {
    if (left.empty() || right.empty() || !names().has(left) || !names().has(right)) return true;
    if (left == right || is_below(left, right) || is_below(right, left)) return true;
    if (names().paths.at(left) == names().paths.at(right)) return true;
    for (const std::string& path : {left, right}) {
      touch(path);
      history_.touch(parent_id(path));
    }
    const Place source{.parent = dir_of(left), .name = name_of(left)};
    const Place target{.parent = dir_of(right), .name = name_of(right)};
    move(left, "/ ");
    move(right, left);
    move("/ ", right);
    history_.happens();
    return done(volume_.rename(source, target, {.no_replace = false, .exchange = true}));
  }

  bool write(const std::string& path, std::size_t offset, const std::string& data) {
    if (!is_file(path) || data.empty()) return true;
    std::string bytes = history_.bytes(names().paths.at(path));
    if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size(), '\0');
    bytes.replace(offset, data.size(), data);
    will_hold(path, std::move(bytes));
    return done(write_at(volume_, ino_of(path), offset, data));
  }

  bool append(const std::string& path, const std::string& data) {
    if (!is_file(path)) return true;
    return write(path, size_of(path), data);
  }

  bool truncate(const std::string& path, std::size_t size) {
    if (!is_file(path)) return true;
    std::string bytes = history_.bytes(names().paths.at(path));
    bytes.resize(size, '\0');
    will_hold(path, std::move(bytes));
    SetAttr changes;
    changes.size = size;
    return done(volume_.setattr(ino_of(path), changes, {}));
  }

  bool fallocate(const std::string& path, std::size_t offset, std::size_t length, bool keep_size) {
    if (!is_file(path) || length == 0) return true;
    std::string bytes = history_.bytes(names().paths.at(path));
    if (!keep_size && bytes.size() < offset + length) bytes.resize(offset + length, '\0');
    will_hold(path, std::move(bytes));
    return done(volume_.fallocate(ino_of(path), offset, length, keep_size));
  }

  bool clear(const std::string& path, std::size_t offset, std::size_t length, bool punch) {
    if (!is_file(path) || length == 0) return true;
    std::string bytes = history_.bytes(names().paths.at(path));
    if (offset < bytes.size()) {
      const std::size_t count = std::min(length, bytes.size() - offset);
      bytes.replace(offset, count, count, '\0');
    }
    will_hold(path, std::move(bytes));
    return done(punch ? volume_.punch_hole(ino_of(path), offset, length)
                      : volume_.zero_range(ino_of(path), offset, length, true));
  }

  bool chmod(const std::string& path, std::uint32_t mode) {
    if (!names().has(path) || names().node(path).is(type_symlink)) return true;
    touch(path);
    Node& node = names().node(path);
    node.mode = (node.mode & type_mask) | mode;
    history_.happens();
    SetAttr changes;
    changes.mode = mode;
    return done(volume_.setattr(ino_of(path), changes, {}));
  }

  bool chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
    if (!names().has(path)) return true;
    touch(path);
    names().node(path).uid = uid;
    names().node(path).gid = gid;
    history_.happens();
    SetAttr changes;
    changes.uid = uid;
    changes.gid = gid;
    return done(volume_.setattr(ino_of(path), changes, {}));
  }

  bool set_xattr(const std::string& path, const std::string& name, const std::string& value) {
    if (!names().has(path) || names().node(path).is(type_symlink)) return true;
    touch(path);
    names().node(path).xattrs[name] = value;
    history_.happens();
    return done(volume_.set_xattr(ino_of(path), name, value, {}));
  }

  bool remove_xattr(const std::string& path, const std::string& name) {
    if (!names().has(path) || !names().node(path).xattrs.contains(name)) return true;
    touch(path);
    names().node(path).xattrs.erase(name);
    history_.happens();
    return done(volume_.remove_xattr(ino_of(path), name));
  }

  // Both are barriers for everything.
  bool fsync(const std::string& path) {
    if (!names().has(path)) return true;
    if (!done(volume_.fsync(ino_of(path)))) return false;
    history_.barrier(volume_);
    return true;
  }

  bool sync() {
    if (!done(volume_.sync())) return false;
    history_.barrier(volume_);
    return true;
  }

  [[nodiscard]] bool is_file(const std::string& path) const {
    return history_.now.has(path) && history_.now.node(path).is(type_regular);
  }

  [[nodiscard]] std::size_t size_of(const std::string& path) const {
    return history_.bytes(history_.now.paths.at(path)).size();
  }

 private:
  [[nodiscard]] Names& names() { return history_.now; }

  // Views into `path`, which outlives the call it is for.
  static std::string_view name_of(const std::string& path) {
    return std::string_view(path).substr(path.rfind('/') + 1);
  }

  static bool is_below(const std::string& path, const std::string& dir) {
    return path.starts_with(dir + "/");
  }

  [[nodiscard]] Ino ino_of(const std::string& path) {
    const Result<Ino> ino = find(volume_, path);
    if (!ino) FAIL("there is no " << path << ": " << to_text(ino.error()));
    return *ino;
  }

  [[nodiscard]] Ino dir_of(const std::string& path) { return ino_of(Names::parent_of(path)); }

  [[nodiscard]] NodeId parent_id(const std::string& path) {
    return names().paths.at(Names::parent_of(path));
  }

  [[nodiscard]] bool has_parent(const std::string& path) {
    const std::string parent = Names::parent_of(path);
    return names().has(parent) && names().node(parent).is(type_directory);
  }

  [[nodiscard]] bool is_free(const std::string& path) {
    return !names().has(path) && has_parent(path);
  }

  [[nodiscard]] bool has_entries(const std::string& path) {
    const auto next = names().paths.upper_bound(path + "/");
    return next != names().paths.end() && is_below(next->first, path);
  }

  void touch(const std::string& path) { history_.touch(names().paths.at(path)); }

  void will_hold(const std::string& path, std::string bytes) {
    touch(path);
    history_.write(names().paths.at(path), std::move(bytes));
    history_.happens();
  }

  void move(const std::string& from, const std::string& to) {
    std::map<std::string, NodeId> moved;
    for (auto& [path, id] : names().paths) {
      const bool goes = path == from || is_below(path, from);
      const bool is_replaced = path == to;
      if (goes) moved[to + path.substr(from.size())] = id;
      if (!goes && !is_replaced) moved.emplace(path, id);
    }
    names().paths = std::move(moved);
  }

  template <typename T>
  bool done(const Result<T>& result) {
    if (result) return true;
    const int error = errno_of(result);
    if (error != EIO && error != EROFS) FAIL("an operation failed: " << to_text(result.error()));
    has_failed_ = true;
    return false;
  }

  Volume& volume_;
  FileHistory& history_;
  bool has_failed_ = false;
};

}  // namespace artfs::test
