// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "art/tree.hpp"
#include "art/walk.hpp"

namespace artfs::art {

namespace {

// Reads the leaf that the way of the key ended at; the caller validates.
Result<bool> read_leaf(const WayEnd& end, std::string_view key, std::string* value, Lsn& version) {
  const Ref ref = leaf_of(end.stop, key);
  if (ref == no_ref) return false;
  frame::Leaf leaf;
  if (!View(end.look.bytes()).leaf(ref, leaf)) {
    return fail(Errc::frame_corrupt, end.look.id().raw);
  }
  version = leaf.version;
  if (value != nullptr) value->assign(leaf.value);
  return true;
}

}  // namespace

Result<Found> find(const TreeView& tree, std::string_view key) {
  Found found;
  found.version = ARTFS_TRY(find_into(tree, key, found.value));
  return found;
}

Result<Lsn> find_into(const TreeView& tree, std::string_view key, std::string& value) {
  Lsn version;
  const bool exists = ARTFS_TRY(answer(tree, key, Goal::whole_key, [&](const WayEnd& end) {
    return read_leaf(end, key, &value, version);
  }));
  if (!exists) return fail(Errc::key_not_found);
  return version;
}

Result<bool> contains(const TreeView& tree, std::string_view key) {
  Lsn version;
  return answer(tree, key, Goal::whole_key,
                [&](const WayEnd& end) { return read_leaf(end, key, nullptr, version); });
}

Result<bool> prefix_empty(const TreeView& tree, std::string_view prefix) {
  return answer(tree, prefix, Goal::prefix, [&](const WayEnd& end) -> Result<bool> {
    return !is_above_keys(end.stop, prefix);
  });
}

Result<std::size_t> longest_prefix(const TreeView& tree, std::string_view key) {
  // Keys in several frames make one answer: all of them as they were at the same moment.
  std::vector<Way> ways;
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    const WayEnd end = ARTFS_TRY(walk(tree, key, Goal::whole_key, &ways));
    const bool holds =
        end.look.valid() &&
        std::all_of(ways.begin(), ways.end(), [](const Way& way) { return way.look.valid(); });
    if (!holds) continue;
    if (end.stop.longest_prefix < 0) return fail(Errc::key_not_found);
    return static_cast<std::size_t>(end.stop.longest_prefix);
  }
  return fail(Errc::contended);
}

}  // namespace artfs::art
