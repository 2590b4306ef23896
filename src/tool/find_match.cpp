// SPDX-License-Identifier: Apache-2.0
// Whether a find expression holds for an entry.
#include <fnmatch.h>

#include "tool/entry_text.hpp"
#include "tool/find_expression.hpp"

namespace artfs::tool {

namespace {

using Kind = FindExpression::Kind;
using Node = FindExpression::Node;

bool matches_pattern(const Node& node, std::string_view text) {
  // fnmatch(3) wants a final NUL.
  thread_local std::string buffer;
  buffer.assign(text);
  return ::fnmatch(node.pattern.c_str(), buffer.c_str(), node.flags) == 0;
}

// The window ends `window_s` after the reference: the time of exactly N units ago.
bool matches_time(const Node& node, Timestamp time) {
  if (node.count.sign == '+') return time < node.reference;
  if (node.count.sign == '-') return time > node.reference;
  const Timestamp end{node.reference.seconds + node.window_s, node.reference.nanoseconds};
  return time > node.reference && time <= end;
}

bool matches_mode(const Node& node, std::uint32_t mode) {
  const std::uint32_t bits = mode & 07777U;
  if (node.count.sign == '-') return (bits & node.mask) == node.mask;
  if (node.count.sign == '/') return node.mask == 0 || (bits & node.mask) != 0;
  return bits == node.mask;
}

bool is_empty(const WalkEntry& entry) {
  const char type = type_letter(entry.attr.mode);
  return type == 'd' ? entry.entries == 0 : type == 'f' && entry.attr.size == 0;
}

bool matches_attributes(const Node& node, const WalkEntry& entry) {
  const Attr& attr = entry.attr;
  const Kind kind = node.kind;
  if (kind == Kind::type) return (node.mask & 1U << (type_letter(attr.mode) - 'a')) != 0;
  if (kind == Kind::size) {
    return node.count.holds(attr.size / node.unit + (attr.size % node.unit != 0 ? 1 : 0));
  }
  if (kind == Kind::time) return matches_time(node, attr.*node.which);
  if (kind == Kind::newer) return attr.*node.which > node.reference;
  if (kind == Kind::user) return node.count.holds(attr.uid);
  if (kind == Kind::group) return node.count.holds(attr.gid);
  if (kind == Kind::perm) return matches_mode(node, attr.mode);
  if (kind == Kind::links) return node.count.holds(attr.nlink);
  if (kind == Kind::inum) return node.count.holds(attr.ino.raw);
  return is_empty(entry);
}

}  // namespace

bool FindExpression::evaluate(std::size_t at, const FindCandidate& candidate,
                              FindActor& actor) const {
  const Node& node = nodes_[at];
  const Kind kind = node.kind;
  if (kind == Kind::both) {
    return evaluate(node.left, candidate, actor) && evaluate(node.right, candidate, actor);
  }
  if (kind == Kind::either) {
    return evaluate(node.left, candidate, actor) || evaluate(node.right, candidate, actor);
  }
  if (kind == Kind::negated) return !evaluate(node.left, candidate, actor);
  if (kind == Kind::constant) return node.value;
  if (kind == Kind::name) return matches_pattern(node, candidate.name);
  if (kind == Kind::path) return matches_pattern(node, candidate.path);
  if (kind == Kind::prune) actor.prune(candidate);
  if (kind == Kind::quit) actor.quit();
  if (kind == Kind::action) actor.act(node.action, candidate);
  const bool is_done = kind == Kind::prune || kind == Kind::quit || kind == Kind::action;
  return is_done || matches_attributes(node, candidate.entry);
}

}  // namespace artfs::tool
