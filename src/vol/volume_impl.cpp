// SPDX-License-Identifier: Apache-2.0
#include "vol/volume_impl.hpp"

#include "base/checksum.hpp"
#include "base/log.hpp"
#include "engine/store_impl.hpp"
#include "format/key.hpp"
#include "vol/check.hpp"
#include "vol/file.hpp"
#include "vol/inode.hpp"
#include "vol/numbering.hpp"
#include "vol/orphan.hpp"

namespace artfs::vol {
namespace {

format::Inode root_inode(const FormatOptions& options) {
  format::Inode root;
  root.mode = format::mode_directory | (options.root_mode & format::mode_permission_mask);
  root.uid = options.root_uid;
  root.gid = options.root_gid;
  root.nlink = 2;
  root.parent = root_ino;
  root.atime = root.mtime = root.ctime = root.btime = now();
  return root;
}

}  // namespace

// The settings come last and with the root: a store without them holds no volume.
Result<void> VolumeImpl::format_store(Store& store, const FormatOptions& options) {
  const format::VolumeSettings settings{.inline_bytes_max = options.inline_bytes_max,
                                        .block_bytes = options.block_bytes,
                                        .dedup = options.dedup};
  if (!format::valid(settings)) return fail(Errc::invalid_argument);
  const Tree tree = ARTFS_TRY(store.create_tree(format::volume_tree_name));
  const Tree space = ARTFS_TRY(store.create_tree(format::space_tree_name));
  ARTFS_TRY(store.create_tree(format::blocks_tree_name));
  ARTFS_TRY(data::FileBytes::format(store, space));
  std::string root;
  format::encode(root_inode(options), root);
  Txn txn;
  txn.put(tree, format::volume_settings_key, format::encode(settings));
  txn.put(tree, format::inode_key(root_ino), root);
  txn.add(tree, format::index_of(format::VolumeCounter::inodes), 1);
  txn.add(tree, format::index_of(format::VolumeCounter::directories), 1);
  ARTFS_TRY(store.commit(txn));
  return store.sync();
}

Result<void> VolumeImpl::load_settings() {
  const Result<Tree> tree = core_.store->open_tree(format::volume_tree_name);
  if (!tree) {
    return fail(tree.error().code == Errc::tree_not_found ? Error{Errc::store_foreign}
                                                          : tree.error());
  }
  core_.tree = *tree;
  const Result<Record> record = core_.tree.get(format::volume_settings_key);
  if (!record) {
    return fail(record.error().code == Errc::key_not_found ? Error{Errc::store_foreign}
                                                           : record.error());
  }
  core_.settings = ARTFS_TRY(format::decode_volume_settings(record->value));
  core_.fsid = base::xxh3_64(core_.store->impl().uuid());
  return {};
}

// Last of what makes a volume of an older version one of ours.
Result<void> VolumeImpl::upgrade_settings() {
  const Record record = ARTFS_TRY(core_.tree.get(format::volume_settings_key));
  const std::string current = format::encode(core_.settings);
  if (record.value == current) return {};
  Txn txn;
  txn.put(core_.tree, format::volume_settings_key, current);
  ARTFS_TRY(core_.store->commit(txn));
  return core_.store->sync();
}

// Made by the first opening that may write: a volume of version 1 has no shared blocks.
Result<std::optional<Tree>> VolumeImpl::open_blocks() {
  const Result<Tree> tree = core_.store->open_tree(format::blocks_tree_name);
  if (tree) return std::optional(*tree);
  if (tree.error().code != Errc::tree_not_found) return fail(tree.error());
  if (core_.read_only()) return std::optional<Tree>();
  return std::optional(ARTFS_TRY(core_.store->create_tree(format::blocks_tree_name)));
}

Result<void> VolumeImpl::open_contents() {
  data::Environment environment;
  environment.store = core_.store.get();
  environment.volume = core_.tree;
  environment.space = ARTFS_TRY(core_.store->open_tree(format::space_tree_name));
  environment.blocks = ARTFS_TRY(open_blocks());
  const data::Layout layout{.block_bytes = core_.settings.block_bytes,
                            .inline_bytes_max = core_.settings.inline_bytes_max,
                            .dedup = core_.settings.dedup};
  data::DataOptions options;
  options.write_buffer_bytes = core_.options.write_buffer_bytes;
  options.block_cache_bytes = core_.options.block_cache_bytes;
  options.block_cache_policy = core_.options.block_cache_policy;
  options.read_only = core_.read_only();
  core_.bytes = ARTFS_TRY(data::FileBytes::open(environment, layout, options));
  return {};
}

Result<std::unique_ptr<VolumeImpl>> VolumeImpl::open_store(std::unique_ptr<Store> store,
                                                           const VolumeOptions& options) {
  auto volume = std::make_unique<VolumeImpl>();
  Core& core = volume->core_;
  core.store = std::move(store);
  core.options = options;
  core.access_times = options.access_times;
  volume->closed_ = true;  // nothing to write out unless opening succeeds
  ARTFS_TRY(volume->load_settings());
  ARTFS_TRY(volume->open_contents());
  core.inos.emplace(*core.store, core.tree, format::index_of(format::VolumeCounter::inos_reserved));
  if (!core.read_only()) {
    if (!options.keep_orphans) ARTFS_TRY(reclaim_all_orphans(core));
    ARTFS_TRY(core.inos->reserve_ahead());
    if (!core.settings.is_numbered) ARTFS_TRY(number_entries(core));
    ARTFS_TRY(volume->upgrade_settings());
    volume->flusher_.start();
  }
  volume->closed_ = false;
  return volume;
}

VolumeImpl::~VolumeImpl() {
  const Result<void> closed = close();
  if (!closed) base::log_error("closing the volume: {}", to_text(closed.error()));
}

Result<void> VolumeImpl::sync() {
  if (core_.read_only()) return {};
  ARTFS_TRY(flusher_.flush_all());
  return core_.store->sync();
}

// A barrier: what other files accepted goes along, in the same device sync.
Result<void> VolumeImpl::fsync(Ino ino) {
  if (core_.read_only()) return {};
  if (core_.options.store.durability == Durability::relaxed) return flush(core_, ino);
  const Result<void> flushed = flusher_.flush_all();
  ARTFS_TRY(flush(core_, ino));
  // What another file could not write out is reported there; a device that fails is everybody's.
  if (!flushed &&
      (flushed.error().code == Errc::store_stopped || flushed.error().code == Errc::io_failed)) {
    return flushed;
  }
  return core_.store->sync();
}

Result<CheckReport> VolumeImpl::check(const CheckOptions& options) {
  if (!core_.read_only()) {
    const Result<void> flushed = flusher_.flush_all();
    if (!flushed)
      base::log_warning("check: not everything is written out: {}", to_text(flushed.error()));
  }
  return vol::check(core_, options);
}

// Everything is tried even when something fails; the first error counts.
Result<void> VolumeImpl::close() {
  if (closed_) return {};
  closed_ = true;
  flusher_.stop();
  Result<void> result;
  if (!core_.read_only()) {
    result = flusher_.flush_all();
    const Result<void> reclaimed =
        core_.options.keep_orphans ? Result<void>{} : reclaim_all_orphans(core_);
    if (result) result = reclaimed;
  }
  core_.open.clear();
  core_.bytes.reset();
  const Result<void> closed = core_.store->close();
  return result ? closed : result;
}

}  // namespace artfs::vol
