// SPDX-License-Identifier: Apache-2.0
#include "engine/move.hpp"

#include <algorithm>
#include <vector>

#include "art/count.hpp"
#include "engine/store_impl.hpp"
#include "wal/record.hpp"

namespace artfs::engine {

namespace {

using art::Tally;
using art::TallyOf;

// With the gate exclusive: one state. Every frame below the prefix must be resident.
Result<std::size_t> longest_below(const art::TreeView& view, std::string_view prefix) {
  Tally tally = ARTFS_TRY(art::tally_prefix(view, prefix, TallyOf::keys_and_lengths));
  std::size_t longest = tally.key_bytes;
  std::vector<Tally::Child> waiting = std::move(tally.children);
  while (!waiting.empty()) {
    const Tally::Child child = waiting.back();
    waiting.pop_back();
    tally = ARTFS_TRY(art::tally_frame(view, child, TallyOf::keys_and_lengths));
    longest = std::max(longest, tally.key_bytes);
    waiting.insert(waiting.end(), tally.children.begin(), tally.children.end());
  }
  return longest;
}

}  // namespace

PrefixChange::PrefixChange(TreeState& tree, Prefixes prefixes, std::optional<Walked> walked)
    : tree_(&tree), prefixes_(prefixes), walked_(walked) {
  wal::append_op(operations_, {.kind = wal::OpKind::move_prefix,
                               .tree = tree.id,
                               .key = prefixes.from,
                               .value = prefixes.to});
}

Result<std::string_view> PrefixChange::resolve(const Applier& applier, art::WritePlan& /*plan*/) {
  ARTFS_TRY(check_lengths(applier.view(*tree_)));
  return operations_;
}

Result<void> PrefixChange::check_lengths(const art::TreeView& view) const {
  if (prefixes_.to.size() <= prefixes_.from.size()) return {};
  const std::size_t growth = prefixes_.to.size() - prefixes_.from.size();
  std::size_t bound = tree_->key_bytes.load(std::memory_order_relaxed);
  if (tree_->has_older_keys) {
    const bool still_holds =
        walked_ && walked_->growths == tree_->growths.load(std::memory_order_relaxed);
    bound = still_holds ? std::max(bound, walked_->key_bytes) : key_bytes_max;
  }
  if (bound + growth <= key_bytes_max) return {};
  const std::size_t longest = ARTFS_TRY(longest_below(view, prefixes_.from));
  if (longest + growth > key_bytes_max) return fail(Errc::key_too_long, longest + growth);
  return {};
}

Result<Version> StoreImpl::rename_prefix(TreeId id, std::string_view from, std::string_view to) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (from.size() > key_bytes_max) return fail(Errc::key_too_long, from.size());
  if (to.size() > key_bytes_max) return fail(Errc::key_too_long, to.size());
  ARTFS_TRY(check_writable());
  // A key cannot be below itself; and what is to be free below `to` would be what moves.
  if (to.starts_with(from)) return fail(Errc::invalid_argument);
  if (from.starts_with(to)) return fail(Errc::prefix_not_empty);
  std::optional<PrefixChange::Walked> walked;
  if (tree->has_older_keys && to.size() > from.size()) {
    const std::uint64_t growths = tree->growths.load(std::memory_order_relaxed);
    const TallySum sum = ARTFS_TRY(tally(id, from, TallyOf::keys_and_lengths));
    walked = {.key_bytes = sum.key_bytes, .growths = growths};
  }
  PrefixChange change(*tree, {.from = from, .to = to}, walked);
  return execute(change);
}

}  // namespace artfs::engine
