// SPDX-License-Identifier: Apache-2.0
#include "differential/guess.hpp"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

constexpr unsigned depth_max = 3;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

std::string any_name(Random& random) {
  constexpr std::array<const char*, 5> usual = {"a", "b", "c", "d", "e"};
  switch (random() % 60) {
    case 0:
      return std::string(255, 'n');
    case 1:
      return std::string(256, 'n');  // too long
    case 2:
      return "\xff\x01 \t";
    default:
      return usual[random() % usual.size()];
  }
}

std::string Guess::existing(Random& random, char kind) const {
  std::vector<const std::string*> found;
  for (const auto& [path, is] : paths_) {
    if (kind == 0 || kind == is) found.push_back(&path);
  }
  return found.empty() ? any_name(random) : *found[random() % found.size()];
}

std::string Guess::fresh(Random& random) const {
  if (random() % 3 == 0) return any_name(random);
  const std::string parent = existing(random, 'd');
  const bool deep = std::count(parent.begin(), parent.end(), '/') + 1 >= depth_max;
  return deep || kind_of(parent) != 'd' ? any_name(random) : parent + "/" + any_name(random);
}

unsigned Guess::slot(Random& random) const {
  const auto drawn = static_cast<unsigned>(random() % slot_count);
  if (random() % 8 == 0) return drawn;
  for (unsigned i = 0; i < slot_count; ++i) {
    if (open_[(drawn + i) % slot_count]) return (drawn + i) % slot_count;
  }
  return drawn;
}

char Guess::kind_of(const std::string& path) const {
  if (path.empty()) return 'd';
  const auto found = paths_.find(path);
  return found == paths_.end() ? '\0' : found->second;
}

void Guess::add(const std::string& path, char kind) {
  const bool plain =
      !path.empty() && path.back() != '/' && path.back() != '.' && path.size() < 1000;
  const std::size_t name =
      path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/') + 1;
  if (!plain || path.size() - name > 255 || kind_of(parent_of(path)) != 'd') return;
  paths_.try_emplace(path, kind);
}

bool Guess::has_children(const std::string& path) const {
  const auto next = paths_.lower_bound(path + "/");
  return next != paths_.end() && next->first.starts_with(path + "/");
}

void Guess::move(const std::string& from, const std::string& to) {
  const char kind = kind_of(from);
  const char there = kind_of(to);
  if (from.empty() || to.empty() || kind == 0 || to.starts_with(from + "/")) return;
  if (from == to || kind_of(parent_of(to)) != 'd' || has_children(to)) return;
  if (there != 0 && (there == 'd') != (kind == 'd')) return;
  std::vector<std::pair<std::string, char>> moved;
  std::erase_if(paths_, [&](const auto& entry) {
    if (entry.first != from && !entry.first.starts_with(from + "/")) return false;
    moved.emplace_back(to + entry.first.substr(from.size()), entry.second);
    return true;
  });
  for (const auto& [path, is] : moved) paths_[path] = is;
}

void Guess::learn_names(const Step& step, std::string_view name) {
  const auto starts = [name](std::string_view word) { return name.starts_with(word); };
  const char kind = kind_of(step.one);
  if (starts("mkdir")) add(step.one, 'd');
  if (starts("mknod")) add(step.one, 'p');
  if (starts("symlink")) add(step.one, 'l');
  if (starts("link") && kind != 0 && kind != 'd') add(step.two, kind);
  if (starts("unlink") && kind != 'd' && !step.one.empty()) paths_.erase(step.one);
  if (starts("rmdir") && kind == 'd' && !has_children(step.one)) paths_.erase(step.one);
  if (starts("rename")) move(step.one, step.two);
  const bool makes = (step.open_flags & (O_CREAT | O_DIRECTORY | O_PATH)) == O_CREAT;
  if (starts("creat") || (name.starts_with("open") && name != "open_tmpfile" && makes))
    add(step.one, 'f');
}

void Guess::learn(const Step& step) {
  const std::string_view name = step.call->name;
  if (name.starts_with("creat") || name.starts_with("open"))
    open_[step.slot] = open_[step.slot] || kind_of(step.one) != 0;
  if (!step.relative) learn_names(step, name);
  if (name.starts_with("creat") || name.starts_with("open"))
    open_[step.slot] = open_[step.slot] || kind_of(step.one) != 0;
  if (name == "close") open_[step.slot] = false;
  if (name == "dup" && open_[step.other_slot]) open_[step.slot] = true;
}

}  // namespace artfs::differential
