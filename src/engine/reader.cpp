// SPDX-License-Identifier: Apache-2.0
#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

// How often an operation that found every frame pinned or dirty starts over after a checkpoint.
constexpr unsigned relief_max = 8;

bool is_passing(const Error& error) noexcept {
  return error.code == Errc::frame_not_resident || error.code == Errc::contended;
}

template <typename T>
bool is_miss(const Result<T>& result) noexcept {
  return !result && result.error().code == Errc::frame_not_resident;
}

}  // namespace

// One attempt; when writers disturbed it too often, once more with all of them kept out.
template <typename Read>
auto StoreImpl::undisturbed(const Read& read) -> decltype(read()) {
  auto result = read();
  if (result || result.error().code != Errc::contended) return result;
  const sync::GateExclusive alone(gate_);
  return read();
}

template <typename Read>
auto StoreImpl::with_frames(const Read& read) -> decltype(read()) {
  auto first = undisturbed(read);
  if (first || !is_passing(first.error())) return first;
  Misses misses(*cache_);
  unsigned reliefs = 0;
  for (;;) {
    auto result = undisturbed(read);
    if (result || !is_passing(result.error())) return result;
    // Evictions alone can disturb it now: what was missed again stays, pinned.
    if (result.error().code == Errc::contended) continue;
    const Result<void> loaded = misses.load(FrameId{result.error().detail});
    if (loaded) continue;
    if (loaded.error().code != Errc::cache_exhausted || ++reliefs > relief_max) {
      return fail(loaded.error());
    }
    misses.drop();
    ARTFS_TRY(relieve());
  }
}

Result<Version> StoreImpl::get_into(TreeId id, std::string_view key, std::string& value) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
  const auto read = [&] { return art::find_into(applier_->view(*tree), key, value); };
  Result<Version> found = read();
  if (is_miss(found)) found = get_cold(*tree, key, &value);
  return found || !is_passing(found.error()) ? found : with_frames(read);
}

Result<bool> StoreImpl::contains(TreeId id, std::string_view key) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
  const auto read = [&] { return art::contains(applier_->view(*tree), key); };
  Result<bool> found = read();
  if (is_miss(found)) {
    const Result<Version> cold = get_cold(*tree, key, nullptr);
    if (cold) return true;
    found = cold.error().code == Errc::key_not_found ? Result<bool>(false) : fail(cold.error());
  }
  return found || !is_passing(found.error()) ? found : with_frames(read);
}

Result<bool> StoreImpl::prefix_empty(TreeId id, std::string_view prefix) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (prefix.size() > key_bytes_max) return fail(Errc::key_too_long, prefix.size());
  return with_frames([&] { return art::prefix_empty(applier_->view(*tree), prefix); });
}

Result<std::string> StoreImpl::longest_prefix(TreeId id, std::string_view key) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
  const std::size_t length =
      ARTFS_TRY(with_frames([&] { return art::longest_prefix(applier_->view(*tree), key); }));
  return std::string(key.substr(0, length));
}

Result<void> StoreImpl::scan(TreeId id, const art::ScanRequest& request, std::size_t items_max,
                             art::ScanBatch& batch) {
  // About what is copied in some tens of microseconds.
  constexpr std::size_t batch_bytes_max = 128 * kib;
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  const auto read = [&]() -> Result<void> {
    batch.bytes.clear();
    batch.items.clear();
    batch.ahead.clear();
    batch.at_end = false;
    Result<void> scanned =
        art::scan(applier_->view(*tree), request, items_max, batch_bytes_max, batch);
    if (!scanned && is_passing(scanned.error()) && !batch.items.empty()) return {};
    return scanned;
  };
  const Result<void> first = read();
  if (first || !is_passing(first.error())) return first;
  if (is_miss(first) && !batch.ahead.empty()) {
    // The one that is missing and those after it come together.
    batch.ahead.insert(batch.ahead.begin(), FrameId{first.error().detail});
    cache_->read_ahead(batch.ahead);
  }
  return with_frames(read);
}

}  // namespace artfs::engine
