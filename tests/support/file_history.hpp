// SPDX-License-Identifier: Apache-2.0
// FileHistory: what a volume may hold after a crash, told from what was done to it.
//
// Contract:   the test says what an operation will do to names, attributes and bytes, calls happens(), and
//             only then asks the volume to do it: an operation that the crash cuts off may have happened
//             or not. After an acknowledged fsync or sync it calls barrier(). After the crash verify() expects:
//             names and attributes as they were at one moment since the barrier (operations are one
//             transaction each, and the log keeps their order); the bytes of each file as they were at
//             one moment since the barrier, not later than that one, and not older than a rename over
//             another file made them; files that were not touched since the barrier exactly as they were,
//             with times, sizes and space; no orphans; a clean check(). What was found is the barrier of what follows.
// Threading:  one thread.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "artfs/volume.hpp"

#include "support/volume_on_disk.hpp"

namespace artfs::test {

using NodeId = std::uint64_t;

inline constexpr std::uint32_t type_mask = 0170000;
inline constexpr std::uint32_t type_directory = 0040000;
inline constexpr std::uint32_t type_regular = 0100000;
inline constexpr std::uint32_t type_symlink = 0120000;

// An inode, but for its bytes and times.
struct Node {
  std::uint32_t mode = 0;  // with the type
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string target;
  std::map<std::string, std::string> xattrs;

  [[nodiscard]] bool is(std::uint32_t type) const { return (mode & type_mask) == type; }

  friend bool operator==(const Node&, const Node&) = default;
};

// Names and inodes at one moment. Paths begin with '/'; the root is "".
struct Names {
  std::map<std::string, NodeId> paths;
  std::map<NodeId, Node> nodes;  // also of those that are open and have no path

  [[nodiscard]] bool has(const std::string& path) const { return paths.contains(path); }

  [[nodiscard]] Node& node(const std::string& path) { return nodes.at(paths.at(path)); }

  [[nodiscard]] const Node& node(const std::string& path) const { return nodes.at(paths.at(path)); }

  // One line per path; hard links show as the same first path.
  [[nodiscard]] std::string to_text() const {
    std::map<NodeId, std::pair<std::string, int>> firsts;
    std::map<std::string, int> subdirectories;
    for (const auto& [path, id] : paths) {
      auto& [first, links] = firsts.try_emplace(id, path, 0).first->second;
      ++links;
      if (!path.empty() && nodes.at(id).is(type_directory)) ++subdirectories[parent_of(path)];
    }
    std::string out;
    for (const auto& [path, id] : paths) {
      const Node& node = nodes.at(id);
      const auto& [first, names] = firsts.at(id);
      const int links = node.is(type_directory) ? 2 + subdirectories[path] : names;
      out += fmt::format("{}: {:o} {} links {}:{} {} as {}", path.empty() ? "/" : path, node.mode,
                         links, node.uid, node.gid, node.target, first);
      for (const auto& [name, value] : node.xattrs) {
        out += fmt::format(" {}={}x{}", name, value.size(), value.substr(0, 9));
      }
      out += '\n';
    }
    return out;
  }

  [[nodiscard]] static std::string parent_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
  }
};

// The inode at a path, by lookups.
inline Result<Ino> find(Volume& volume, std::string_view path) {
  Ino at = root_ino;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    at = ARTFS_TRY(volume.lookup(at, path.substr(0, end))).ino;
    path.remove_prefix(end);
  }
  return at;
}

// What a volume shows through its interface.
class Walk {
 public:
  explicit Walk(Volume& volume) : volume_(volume) { visit("", root_ino); }

  Names names;                          // ids are inode numbers
  std::map<NodeId, std::string> bytes;  // of regular files
  std::map<NodeId, Attr> attributes;

 private:
  void visit(const std::string& path, Ino ino) {
    names.paths[path] = ino.raw;
    if (attributes.contains(ino.raw)) return;  // another link
    const Result<Attr> attr = volume_.getattr(ino);
    if (!attr) FAIL("getattr of " << path << ": " << to_text(attr.error()));
    attributes[ino.raw] = *attr;
    Node& node = names.nodes[ino.raw];
    node.mode = attr->mode;
    node.uid = attr->uid;
    node.gid = attr->gid;
    const std::vector<std::string> xattrs = *volume_.list_xattrs(ino);
    for (const std::string& name : xattrs) {
      node.xattrs[name] = *volume_.get_xattr(ino, name);
    }
    if (node.is(type_symlink)) node.target = *volume_.readlink(ino);
    if (node.is(type_regular)) bytes[ino.raw] = read_all(volume_, ino);
    if (node.is(type_directory)) visit_entries(path, ino);
    const std::uint64_t found = attr->nlink;
    CAPTURE(path, found);
    CHECK(found > 0);
  }

  void visit_entries(const std::string& path, Ino ino) {
    std::vector<std::pair<std::string, Ino>> entries;
    const auto stream = volume_.open_dir(ino);
    REQUIRE(stream.has_value());
    for (;;) {
      const Result<const DirEntry*> entry = (*stream)->next();
      REQUIRE(entry.has_value());
      if (*entry == nullptr) break;
      if ((*entry)->name != "." && (*entry)->name != "..") {
        entries.emplace_back((*entry)->name, (*entry)->ino);
      }
    }
    for (const auto& [name, child] : entries) visit(path + "/" + name, child);
  }

  Volume& volume_;
};

class FileHistory {
 public:
  FileHistory() {
    now.paths[""] = root_ino.raw;
    now.nodes[root_ino.raw] = {
        .mode = type_directory | 0755, .uid = 0, .gid = 0, .target = "", .xattrs = {}};
    moments_.push_back(now);
  }

  // As it will be once the operation has happened: change it, then call happens().
  Names now;

  NodeId add(const std::string& path, const Node& node) {
    const NodeId id = ++last_id_;
    now.nodes[id] = node;
    if (!path.empty()) now.paths[path] = id;
    if (node.is(type_regular)) versions_[id].push_back({.at = moments_.size(), .bytes = make("")});
    return id;
  }

  void write(NodeId id, std::string bytes) {
    versions_[id].push_back({.at = moments_.size(), .bytes = make(std::move(bytes))});
  }

  [[nodiscard]] const std::string& bytes(NodeId id) const { return *versions_.at(id).back().bytes; }

  // Its times, size or space change.
  void touch(NodeId id) { touched_.insert(id); }

  // The file is about to be renamed over another one: no older bytes may be seen under that name.
  void bytes_come_first(NodeId id) {
    floors_.push_back({.moment = moments_.size(), .id = id, .at = versions_.at(id).back().at});
  }

  void happens() { moments_.push_back(now); }

  // Everything so far is durable.
  void barrier(Volume& volume) {
    moments_ = {now};
    floors_.clear();
    touched_.clear();
    attributes_.clear();
    // Space of bytes that are only logged is an estimate until they are written to blocks.
    space_is_known_ = volume.stats().logged_bytes_standing == 0;
    std::map<NodeId, std::vector<Version>> kept;
    for (auto& [id, versions] : versions_) {
      if (now.nodes.contains(id)) kept[id] = {{.at = 0, .bytes = versions.back().bytes}};
    }
    versions_ = std::move(kept);
    for (const auto& [path, id] : now.paths) {
      const Result<Ino> ino = find(volume, path);
      if (!ino) FAIL("after a sync " << path << " is missing: " << to_text(ino.error()));
      attributes_[id] = *volume.getattr(*ino);
    }
  }

  // A sync succeeded after an operation had failed: all but that one is durable.
  void barrier_but_for_last() {
    const std::size_t before = moments_.size() < 2 ? 0 : moments_.size() - 2;
    moments_.erase(moments_.begin(), moments_.begin() + static_cast<std::ptrdiff_t>(before));
    for (auto& [id, versions] : versions_) {
      while (versions.size() > 1 && versions[1].at <= before) versions.erase(versions.begin());
      for (Version& version : versions) version.at -= std::min(version.at, before);
    }
    floors_.clear();
    attributes_.clear();
  }

  void verify(Volume& volume) {
    require_clean(volume);
    CHECK(volume.stats().orphans == 0);
    const Walk found(volume);
    const std::string text = found.names.to_text();
    std::string why = "names and attributes are as at no moment since the barrier";
    for (std::size_t moment = moments_.size(); moment-- > 0;) {
      if (moments_[moment].to_text() != text) continue;
      why = why_not(found, moment);
      if (why.empty()) return accept(volume, found, moment);
    }
    FAIL(why << "\nfound:\n"
             << text << "at the barrier:\n"
             << moments_.front().to_text() << "last:\n"
             << moments_.back().to_text());
  }

  // The volume is alive, but an operation may have been cut off: what it shows is the last moment or the
  // one before.
  void verify_live(Volume& volume) {
    const Walk found(volume);
    const std::string text = found.names.to_text();
    bool is_known = false;
    for (std::size_t back = 1; back <= std::min<std::size_t>(2, moments_.size()); ++back) {
      const Names& names = moments_[moments_.size() - back];
      if (names.to_text() != text) continue;
      is_known = true;
      for (const auto& [path, id] : names.paths) {
        if (!names.nodes.at(id).is(type_regular)) continue;
        const std::string& bytes = found.bytes.at(found.names.paths.at(path));
        const auto& versions = versions_.at(id);
        const bool before = versions.size() > 1 && *versions[versions.size() - 2].bytes == bytes;
        if (*versions.back().bytes != bytes && !before) is_known = false;
      }
      if (is_known) break;
    }
    INFO("found:\n" << text << "last:\n" << moments_.back().to_text());
    CHECK(is_known);
  }

 private:
  using Bytes = std::shared_ptr<const std::string>;

  struct Version {
    std::size_t at;  // moment
    Bytes bytes;
  };

  struct Floor {
    std::size_t moment;
    NodeId id;
    std::size_t at;
  };

  static Bytes make(std::string bytes) {
    return std::make_shared<const std::string>(std::move(bytes));
  }

  // Empty: the bytes and attributes fit names as of that moment.
  [[nodiscard]] std::string why_not(const Walk& found, std::size_t moment) const {
    const Names& names = moments_[moment];
    for (const auto& [path, id] : names.paths) {
      const NodeId ino = found.names.paths.at(path);
      if (names.nodes.at(id).is(type_regular)) {
        const std::string& bytes = found.bytes.at(ino);
        if (!is_known(id, bytes, moment)) {
          return fmt::format(
              "{}: {} bytes that it never had since the barrier, or that are too old; {}", path,
              bytes.size(), differences(id, bytes));
        }
      }
      const auto before = attributes_.find(id);
      if (before == attributes_.end() || touched_.contains(id)) continue;
      if (!same(before->second, found.attributes.at(ino))) {
        return path + ": untouched since the barrier, but its attributes differ";
      }
    }
    return {};
  }

  // Against each version: where the first byte differs, for who has to find out why.
  [[nodiscard]] std::string differences(NodeId id, const std::string& bytes) const {
    std::string out;
    for (const Version& version : versions_.at(id)) {
      const std::string& other = *version.bytes;
      std::size_t at = 0;
      while (at < std::min(bytes.size(), other.size()) && bytes[at] == other[at]) ++at;
      out +=
          fmt::format("as of moment {} {} bytes, differs at {}: {:#x}; ", version.at, other.size(),
                      at, at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0);
    }
    return out;
  }

  [[nodiscard]] bool is_known(NodeId id, const std::string& bytes, std::size_t moment) const {
    std::size_t oldest = 0;
    for (const Floor& floor : floors_) {
      if (floor.id == id && floor.moment <= moment) oldest = std::max(oldest, floor.at);
    }
    for (const Version& version : versions_.at(id)) {
      if (version.at >= oldest && version.at <= moment && *version.bytes == bytes) return true;
    }
    return false;
  }

  [[nodiscard]] bool same(const Attr& left, const Attr& right) const {
    return left.ino == right.ino && left.size == right.size &&
           (left.blocks_512 == right.blocks_512 || !space_is_known_) && left.mtime == right.mtime &&
           left.ctime == right.ctime && left.btime == right.btime && left.rdev == right.rdev;
  }

  void accept(Volume& volume, const Walk& found, std::size_t moment) {
    now = Names(moments_[moment]);
    std::set<NodeId> named;
    for (const auto& [path, id] : now.paths) named.insert(id);
    std::erase_if(now.nodes, [&](const auto& node) { return !named.contains(node.first); });
    for (const auto& [path, id] : now.paths) {
      if (now.nodes.at(id).is(type_regular)) {
        versions_[id] = {{.at = 0, .bytes = make(found.bytes.at(found.names.paths.at(path)))}};
      }
    }
    barrier(volume);
  }

  NodeId last_id_ = root_ino.raw;
  std::vector<Names> moments_;  // since the barrier, which is the first
  std::map<NodeId, std::vector<Version>> versions_;
  std::vector<Floor> floors_;
  std::map<NodeId, Attr> attributes_;  // at the barrier
  bool space_is_known_ = true;         // their blocks
  std::set<NodeId> touched_;           // since
};

}  // namespace artfs::test
