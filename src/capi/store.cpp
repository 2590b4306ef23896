// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include "capi/handles.hpp"

using namespace artfs;

namespace {

artfs_options defaults() noexcept {
  const StoreOptions options;
  return {.struct_size = sizeof(artfs_options),
          .cache_bytes = options.cache_bytes,
          .checkpoint_log_bytes = options.checkpoint_log_bytes,
          .commit_interval_ms = static_cast<std::uint32_t>(options.commit_interval.count()),
          .checkpoint_interval_ms = static_cast<std::uint32_t>(options.checkpoint_interval.count()),
          .lock_wait_ms = static_cast<std::uint32_t>(options.lock_wait.count()),
          .durability = static_cast<std::uint32_t>(options.durability),
          .read_only = options.read_only,
          .direct_io = options.direct_io};
}

// What an older caller does not know keeps its default; what a newer one set, we do not know: an error.
Result<StoreOptions> options_of(const artfs_options* given) {
  artfs_options options = defaults();
  if (given != nullptr && !capi::copy_known(&options, given)) {
    return fail(Errc::invalid_argument, given->struct_size);
  }
  StoreOptions out;
  out.cache_bytes = options.cache_bytes;
  out.checkpoint_log_bytes = options.checkpoint_log_bytes;
  out.commit_interval = std::chrono::milliseconds(options.commit_interval_ms);
  out.checkpoint_interval = std::chrono::milliseconds(options.checkpoint_interval_ms);
  out.lock_wait = std::chrono::milliseconds(options.lock_wait_ms);
  if (options.durability > ARTFS_DURABLE_RELAXED) {
    return fail(Errc::option_invalid, static_cast<std::uint64_t>(OptionName::durability));
  }
  out.durability = static_cast<Durability>(options.durability);
  out.read_only = options.read_only;
  out.direct_io = options.direct_io;
  return out;
}

int hand_out(Result<std::unique_ptr<Store>> opened, artfs_store** store) {
  if (!opened) return capi::failed(opened.error());
  auto handle = std::make_unique<artfs_store>();
  handle->store = *std::move(opened);
  *store = handle.release();
  return ARTFS_OK;
}

int hand_out(const Result<Tree>& found, artfs_store* store, artfs_tree* tree) {
  if (!found) return capi::failed(found.error());
  *tree = {.store = store, .id = found->id().raw};
  return ARTFS_OK;
}

}  // namespace

extern "C" {

void artfs_options_init(artfs_options* options, size_t struct_size) {
  if (options == nullptr) return;
  artfs_options filled = defaults();
  filled.struct_size = std::min(struct_size, sizeof filled);
  std::memset(options, 0, struct_size);
  std::memcpy(options, &filled, filled.struct_size);
}

int artfs_create(const char* path, const char* label) {
  if (path == nullptr) return capi::null_argument();
  return capi::done(Store::create(path, {.label = label == nullptr ? "" : label}));
}

int artfs_open(const char* path, const artfs_options* options, artfs_store** store) {
  if (path == nullptr || store == nullptr) return capi::null_argument();
  const Result<StoreOptions> checked = options_of(options);
  if (!checked) return capi::failed(checked.error());
  return hand_out(Store::open(path, *checked), store);
}

int artfs_open_in_memory(const artfs_options* options, artfs_store** store) {
  if (store == nullptr) return capi::null_argument();
  const Result<StoreOptions> checked = options_of(options);
  if (!checked) return capi::failed(checked.error());
  return hand_out(Store::open_in_memory(*checked), store);
}

int artfs_close(artfs_store* store) {
  if (store == nullptr) return ARTFS_OK;
  const std::unique_ptr<artfs_store> ended(store);
  return capi::done(ended->store->close());
}

int artfs_sync(artfs_store* store) {
  if (store == nullptr) return capi::null_argument();
  return capi::done(store->store->sync());
}

int artfs_sync_to(artfs_store* store, uint64_t version) {
  if (store == nullptr) return capi::null_argument();
  return capi::done(store->store->sync_to(Version{version}));
}

bool artfs_is_durable(const artfs_store* store, uint64_t version) {
  return store != nullptr && store->store->is_durable(Version{version});
}

int artfs_checkpoint(artfs_store* store) {
  if (store == nullptr) return capi::null_argument();
  return capi::done(store->store->checkpoint());
}

int artfs_stats_json(const artfs_store* store, artfs_value* json) {
  if (store == nullptr || json == nullptr) return capi::null_argument();
  return capi::copy_out(to_json(store->store->stats()), 0, json);
}

int artfs_verify(artfs_store* store, uint64_t* problem_count, artfs_value* problems) {
  if (store == nullptr || problem_count == nullptr) return capi::null_argument();
  const Result<VerifyReport> report = store->store->verify();
  if (!report) return capi::failed(report.error());
  *problem_count = report->problems.size();
  if (problems == nullptr) return ARTFS_OK;
  std::string lines;
  for (const std::string& problem : report->problems) lines.append(problem).append("\n");
  return capi::copy_out(lines, 0, problems);
}

int artfs_create_tree(artfs_store* store, artfs_bytes name, artfs_tree* tree) {
  if (store == nullptr || tree == nullptr) return capi::null_argument();
  return hand_out(store->store->create_tree(capi::view_of(name)), store, tree);
}

int artfs_open_tree(artfs_store* store, artfs_bytes name, artfs_tree* tree) {
  if (store == nullptr || tree == nullptr) return capi::null_argument();
  return hand_out(store->store->open_tree(capi::view_of(name)), store, tree);
}

int artfs_tree_name(artfs_store* store, size_t index, artfs_value* name) {
  if (store == nullptr || name == nullptr) return capi::null_argument();
  const std::vector<std::string> names = store->store->tree_names();
  if (index >= names.size()) return ARTFS_END;
  return capi::copy_out(names[index], 0, name);
}

}  // extern "C"
