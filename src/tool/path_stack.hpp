// SPDX-License-Identifier: Apache-2.0
// PathStack: handles of the directories on the way to the path that was asked for last.
//
// Contract:   paths as of FileTree. find() opens what the last path did not share with this one; a handle is
//             valid until the next call.
// Threading:  one thread.
// Cost:       a comparison of the path, and one open for each name that differs.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "artfs/result.hpp"

namespace artfs::tool {

struct SplitPath {
  std::string_view parent;
  std::string_view name;  // empty: of the root
};

[[nodiscard]] inline SplitPath split_path(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return {.parent = {}, .name = path};
  return {.parent = path.substr(0, slash), .name = path.substr(slash + 1)};
}

[[nodiscard]] inline std::string join_path(std::string_view parent, std::string_view name) {
  if (parent.empty() || name.empty()) return std::string(parent.empty() ? name : parent);
  std::string out(parent);
  out.push_back('/');
  return out.append(name);
}

// "/a//./b/" is "a/b". name_invalid for "..".
[[nodiscard]] inline Result<std::string> clean_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size() == path.size() ? name.size() : name.size() + 1);
    if (name == "..") return fail(Errc::name_invalid);
    if (name.empty() || name == ".") continue;
    if (!out.empty()) out.push_back('/');
    out.append(name);
  }
  return out;
}

template <typename Handle>
class PathStack {
 public:
  explicit PathStack(Handle root) { levels_.push_back({.end = 0, .handle = std::move(root)}); }

  // `open(const Handle& directory, const std::string& name)` gives a Result<Handle>.
  template <typename Open>
  Result<const Handle*> find(std::string_view path, Open&& open) {
    forget_behind(path);
    while (levels_.back().end < path.size()) {
      const std::size_t begin = levels_.size() == 1 ? 0 : levels_.back().end + 1;
      const std::size_t end = std::min(path.find('/', begin), path.size());
      Result<Handle> next =
          open(std::as_const(levels_.back().handle), std::string(path.substr(begin, end - begin)));
      if (!next) return fail(next.error());
      path_.assign(path.substr(0, end));
      levels_.push_back({.end = end, .handle = *std::move(next)});
    }
    return &std::as_const(levels_.back().handle);
  }

  // The directory at `path` is no more, or another one.
  void forget(std::string_view path) {
    while (levels_.size() > 1 && is_at_or_below(path)) pop();
  }

 private:
  struct Level {
    std::size_t end;  // of its path in path_
    Handle handle;
  };

  void pop() {
    levels_.pop_back();
    path_.resize(levels_.back().end);
  }

  [[nodiscard]] bool is_at_or_below(std::string_view path) const {
    return std::string_view(path_).starts_with(path) &&
           (path_.size() == path.size() || path.empty() || path_[path.size()] == '/');
  }

  // What is left is `path`, or on the way to it.
  void forget_behind(std::string_view path) {
    while (levels_.size() > 1 && !(path.starts_with(path_) &&
                                   (path.size() == path_.size() || path[path_.size()] == '/'))) {
      pop();
    }
  }

  std::string path_;  // of the last level
  std::vector<Level> levels_;
};

}  // namespace artfs::tool
