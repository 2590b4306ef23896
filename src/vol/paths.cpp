// SPDX-License-Identifier: Apache-2.0
#include "vol/paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "format/inode.hpp"
#include "format/key.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

struct Step {
  std::uint64_t dir;
  std::string name;
};

// The name of `ino` in the directory; nothing when it is not there.
Result<std::optional<std::string>> name_in(const Core& core, Ino dir, std::uint64_t ino) {
  const format::Key prefix = format::dirents_prefix(dir);
  Scan scan = core.tree.scan({.prefix = prefix});
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    const auto entry = format::decode_dirent(dir, scan.entry().value);
    if (key && entry && entry->ino.raw == ino) return std::optional(std::string(key->name));
  }
  return std::optional<std::string>{};
}

// Depth is bounded by a circle's absence only: so many levels are more than any tree has.
constexpr int levels_max = 1 << 16;

Result<std::optional<std::string>> path_to(const Core& core, Step step) {
  std::vector<std::string> names{std::move(step.name)};
  std::uint64_t at = step.dir;
  for (int level = 0; at != root_ino.raw; ++level) {
    const Result<format::Inode> inode = load_inode(core, Ino{at});
    if (!inode || !inode->is_directory() || level > levels_max) return std::optional<std::string>{};
    auto name = ARTFS_TRY(name_in(core, inode->parent, at));
    if (!name) return std::optional<std::string>{};
    names.push_back(*std::move(name));
    at = inode->parent.raw;
  }
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) path.append("/").append(*name);
  return std::optional(std::move(path));
}

}  // namespace

Result<Paths> find_paths(const Core& core, const std::set<std::uint64_t>& inos) {
  Paths paths;
  if (inos.contains(root_ino.raw)) paths.emplace(root_ino.raw, std::string(1, '/'));
  if (inos.empty()) return paths;
  std::unordered_map<std::uint64_t, Step> steps;
  Scan scan = core.tree.scan({.prefix = format::dirents_class});
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    if (!key) continue;
    const auto entry = format::decode_dirent(key->ino, scan.entry().value);
    if (!entry || !inos.contains(entry->ino.raw)) continue;
    steps.try_emplace(entry->ino.raw, Step{.dir = key->ino.raw, .name = std::string(key->name)});
  }
  for (const auto& [ino, step] : steps) {
    if (auto path = ARTFS_TRY(path_to(core, step))) paths[ino] = *std::move(path);
  }
  return paths;
}

std::string inode_text(const Paths& paths, std::uint64_t ino) {
  const auto found = paths.find(ino);
  if (found == paths.end()) return fmt::format("inode {}", ino);
  return fmt::format("inode {} ({})", ino, found->second);
}

}  // namespace artfs::vol
