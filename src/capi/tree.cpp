// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>

#include "capi/handles.hpp"

using namespace artfs;

extern "C" {

int artfs_get(artfs_tree tree, artfs_bytes key, artfs_value* value) {
  if (tree.store == nullptr || value == nullptr) return capi::null_argument();
  const Result<Record> record = capi::tree_of(tree).get(capi::view_of(key));
  if (!record) return capi::failed(record.error());
  return capi::copy_out(record->value, record->version.raw, value);
}

int artfs_get_into(artfs_tree tree, artfs_bytes key, artfs_buffer* buffer, uint64_t* version) {
  if (tree.store == nullptr || buffer == nullptr) return capi::null_argument();
  // Keeps its capacity from call to call: no allocation on the way.
  thread_local std::string value;
  const Result<Version> found = capi::tree_of(tree).get_into(capi::view_of(key), value);
  if (!found) return capi::failed(found.error());
  buffer->size = value.size();
  if (value.size() > buffer->capacity) {
    return capi::failed(ARTFS_BUFFER_TOO_SMALL, ERANGE, "the value is larger than the buffer");
  }
  if (!value.empty()) std::memcpy(buffer->data, value.data(), value.size());
  return capi::changed(found, version);
}

int artfs_contains(artfs_tree tree, artfs_bytes key, bool* found) {
  if (tree.store == nullptr || found == nullptr) return capi::null_argument();
  const Result<bool> contains = capi::tree_of(tree).contains(capi::view_of(key));
  if (!contains) return capi::failed(contains.error());
  *found = *contains;
  return ARTFS_OK;
}

int artfs_put(artfs_tree tree, artfs_bytes key, artfs_bytes value, uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  return capi::changed(capi::tree_of(tree).put(capi::view_of(key), capi::view_of(value)), version);
}

int artfs_put_if_absent(artfs_tree tree, artfs_bytes key, artfs_bytes value, uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  return capi::changed(capi::tree_of(tree).put_if_absent(capi::view_of(key), capi::view_of(value)),
                       version);
}

int artfs_compare_and_put(artfs_tree tree, artfs_bytes key, uint64_t expected, artfs_bytes value,
                          uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  return capi::changed(capi::tree_of(tree).compare_and_put(capi::view_of(key), Version{expected},
                                                           capi::view_of(value)),
                       version);
}

int artfs_erase(artfs_tree tree, artfs_bytes key, uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  return capi::changed(capi::tree_of(tree).erase(capi::view_of(key)), version);
}

int artfs_rename(artfs_tree tree, artfs_bytes from, artfs_bytes to, int mode, uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  if (mode < ARTFS_RENAME_NO_REPLACE || mode > ARTFS_RENAME_EXCHANGE) {
    return capi::failed(ARTFS_INVALID_ARGUMENT, EINVAL, "the mode is no artfs_rename_mode");
  }
  return capi::changed(capi::tree_of(tree).rename(capi::view_of(from), capi::view_of(to),
                                                  static_cast<RenameMode>(mode)),
                       version);
}

int artfs_rename_prefix(artfs_tree tree, artfs_bytes from, artfs_bytes to, uint64_t* version) {
  if (tree.store == nullptr) return capi::null_argument();
  return capi::changed(capi::tree_of(tree).rename_prefix(capi::view_of(from), capi::view_of(to)),
                       version);
}

int artfs_count(artfs_tree tree, artfs_bytes prefix, uint64_t* count) {
  if (tree.store == nullptr || count == nullptr) return capi::null_argument();
  const Result<std::uint64_t> counted = capi::tree_of(tree).count(capi::view_of(prefix));
  if (!counted) return capi::failed(counted.error());
  *count = *counted;
  return ARTFS_OK;
}

int artfs_prefix_empty(artfs_tree tree, artfs_bytes prefix, bool* empty) {
  if (tree.store == nullptr || empty == nullptr) return capi::null_argument();
  const Result<bool> found = capi::tree_of(tree).prefix_empty(capi::view_of(prefix));
  if (!found) return capi::failed(found.error());
  *empty = *found;
  return ARTFS_OK;
}

int artfs_longest_prefix(artfs_tree tree, artfs_bytes key, size_t* prefix_bytes) {
  if (tree.store == nullptr || prefix_bytes == nullptr) return capi::null_argument();
  const Result<std::string> prefix = capi::tree_of(tree).longest_prefix(capi::view_of(key));
  if (!prefix) return capi::failed(prefix.error());
  *prefix_bytes = prefix->size();
  return ARTFS_OK;
}

int64_t artfs_counter(artfs_tree tree, size_t index) {
  return tree.store == nullptr ? 0 : capi::tree_of(tree).counter(index);
}

// --- Scans -------------------------------------------------------------------------------------

void artfs_scan_options_init(artfs_scan_options* options, size_t struct_size) {
  if (options == nullptr) return;
  artfs_scan_options filled{};
  filled.struct_size = struct_size < sizeof filled ? struct_size : sizeof filled;
  filled.delimiter = -1;
  std::memset(options, 0, struct_size);
  std::memcpy(options, &filled, filled.struct_size);
}

int artfs_scan_open(artfs_tree tree, const artfs_scan_options* options, artfs_scan** scan) {
  if (tree.store == nullptr || scan == nullptr) return capi::null_argument();
  artfs_scan_options known;
  artfs_scan_options_init(&known, sizeof known);
  if (options != nullptr && !capi::copy_known(&known, options)) {
    return capi::failed({Errc::invalid_argument, options->struct_size});
  }
  if (known.delimiter < -1 || known.delimiter > 255) {
    return capi::failed(ARTFS_INVALID_ARGUMENT, EINVAL, "a delimiter is a byte, or -1");
  }
  ScanOptions wanted{.prefix = capi::view_of(known.prefix),
                     .start_after = capi::view_of(known.start_after),
                     .limit = known.limit,
                     .keys_only = known.keys_only};
  if (known.delimiter >= 0) wanted.delimiter = static_cast<char>(known.delimiter);
  *scan = std::make_unique<artfs_scan>(artfs_scan{capi::tree_of(tree).scan(wanted)}).release();
  return ARTFS_OK;
}

int artfs_scan_next(artfs_scan* scan, artfs_entry* entry) {
  if (scan == nullptr || entry == nullptr) return capi::null_argument();
  const Result<bool> stepped = scan->scan.next();
  if (!stepped) return capi::failed(stepped.error());
  if (!*stepped) return ARTFS_END;
  const Entry& at = scan->scan.entry();
  *entry = {.key = capi::bytes_of(at.key),
            .value = capi::bytes_of(at.value),
            .version = at.version.raw,
            .is_rollup = at.is_rollup};
  return ARTFS_OK;
}

void artfs_scan_close(artfs_scan* scan) {
  const std::unique_ptr<artfs_scan> ended(scan);
}

// --- Read transactions -------------------------------------------------------------------------

int artfs_read(artfs_store* store, artfs_read_body body, void* user) {
  if (store == nullptr || body == nullptr) return capi::null_argument();
  int returned = ARTFS_OK;
  const Result<void> read = store->store->read([&](ReadView& view) -> Result<void> {
    artfs_view handle{&view};
    returned = body(&handle, user);
    return {};
  });
  return read ? returned : capi::failed(read.error());
}

int artfs_view_get(artfs_view* view, artfs_tree tree, artfs_bytes key, artfs_value* value) {
  if (view == nullptr || tree.store == nullptr || value == nullptr) return capi::null_argument();
  const Result<Record> record = view->view->get(capi::tree_of(tree), capi::view_of(key));
  if (!record) return capi::failed(record.error());
  return capi::copy_out(record->value, record->version.raw, value);
}

// --- Bulk loading ------------------------------------------------------------------------------

int artfs_load_open(artfs_tree tree, unsigned fill_percent, artfs_load** load) {
  if (tree.store == nullptr || load == nullptr) return capi::null_argument();
  LoadOptions options;
  if (fill_percent != 0) options.fill_percent = fill_percent;
  Result<SortedLoad> begun = capi::tree_of(tree).begin_sorted_load(options);
  if (!begun) return capi::failed(begun.error());
  *load = std::make_unique<artfs_load>(artfs_load{*std::move(begun)}).release();
  return ARTFS_OK;
}

int artfs_load_add(artfs_load* load, artfs_bytes key, artfs_bytes value) {
  if (load == nullptr) return capi::null_argument();
  return capi::done(load->load.add(capi::view_of(key), capi::view_of(value)));
}

int artfs_load_finish(artfs_load* load, uint64_t* records) {
  if (load == nullptr) return capi::null_argument();
  const Result<LoadReport> report = load->load.finish();
  if (!report) return capi::failed(report.error());
  if (records != nullptr) *records = report->records;
  return ARTFS_OK;
}

void artfs_load_close(artfs_load* load) {
  const std::unique_ptr<artfs_load> ended(load);
}

// --- Transactions ------------------------------------------------------------------------------

int artfs_txn_open(artfs_store* store, artfs_txn** txn) {
  if (store == nullptr || txn == nullptr) return capi::null_argument();
  *txn = std::make_unique<artfs_txn>(artfs_txn{store, {}}).release();
  return ARTFS_OK;
}

void artfs_txn_assert_absent(artfs_txn* txn, artfs_tree tree, artfs_bytes key) {
  txn->txn.assert_absent(capi::tree_of(tree), capi::view_of(key));
}

void artfs_txn_assert_version(artfs_txn* txn, artfs_tree tree, artfs_bytes key, uint64_t version) {
  txn->txn.assert_version(capi::tree_of(tree), capi::view_of(key), Version{version});
}

void artfs_txn_assert_prefix_empty(artfs_txn* txn, artfs_tree tree, artfs_bytes prefix) {
  txn->txn.assert_prefix_empty(capi::tree_of(tree), capi::view_of(prefix));
}

void artfs_txn_put(artfs_txn* txn, artfs_tree tree, artfs_bytes key, artfs_bytes value) {
  txn->txn.put(capi::tree_of(tree), capi::view_of(key), capi::view_of(value));
}

void artfs_txn_erase(artfs_txn* txn, artfs_tree tree, artfs_bytes key) {
  txn->txn.erase(capi::tree_of(tree), capi::view_of(key));
}

void artfs_txn_add(artfs_txn* txn, artfs_tree tree, size_t counter, int64_t delta) {
  txn->txn.add(capi::tree_of(tree), counter, delta);
}

int artfs_txn_commit(artfs_txn* txn, uint64_t* version) {
  if (txn == nullptr) return capi::null_argument();
  return capi::changed(txn->store->store->commit(txn->txn), version);
}

void artfs_txn_clear(artfs_txn* txn) {
  if (txn != nullptr) txn->txn.clear();
}

void artfs_txn_close(artfs_txn* txn) {
  const std::unique_ptr<artfs_txn> ended(txn);
}

}  // extern "C"
