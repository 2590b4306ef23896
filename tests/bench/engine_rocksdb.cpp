// SPDX-License-Identifier: Apache-2.0
// RocksDB: block cache of the budget, bloom filters, pipelined writes, no compression.
//
// create and erase are blind writes, as its API has them: it is asked for less than the others.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "bench/engine.hpp"

namespace artfs::bench {
namespace {

constexpr int bloom_bits_per_key = 10;
constexpr int background_threads = 2;
// What keep_log holds back: the log lives as long as the table in memory it belongs to.
constexpr std::size_t kept_log_bytes = std::size_t{1} << 30U;

void check(const rocksdb::Status& status, std::string_view what) {
  if (!status.ok()) fatal(what, status.ToString());
}

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

class RocksSession final : public Session {
 public:
  RocksSession(rocksdb::DB& db, const rocksdb::WriteOptions& writing)
      : db_(&db), writing_(writing) {}

  bool get(std::string_view key, std::string& value) override {
    const rocksdb::Status status =
        db_->Get(reading_, db_->DefaultColumnFamily(), slice(key), &found_);
    if (!status.IsNotFound()) {
      check(status, "Get");
      value.assign(view(found_));
    }
    found_.Reset();
    return status.ok();
  }

  void put(std::string_view key, std::string_view value) override {
    check(db_->Put(writing_, slice(key), slice(value)), "Put");
  }

  void create(std::string_view key, std::string_view value) override { put(key, value); }

  void erase(std::string_view key) override { check(db_->Delete(writing_, slice(key)), "Delete"); }

  void rename(std::string_view from, std::string_view to) override {
    require(get(from, buffer_), "rename", "no such key");
    batch_.Clear();
    check(batch_.Put(slice(to), buffer_), "Put");
    check(batch_.Delete(slice(from)), "Delete");
    check(db_->Write(writing_, &batch_), "Write");
  }

  std::size_t list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    const Range range = below(prefix);
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(range.options));
    iterator->Seek(slice(after < prefix ? prefix : after));
    if (iterator->Valid() && view(iterator->key()) == after) iterator->Next();
    std::size_t entries = 0;
    for (; iterator->Valid() && entries < limit; iterator->Next(), ++entries) {
      keep(iterator->key());
      keep(iterator->value());
    }
    check(iterator->status(), "list");
    return entries;
  }

  std::size_t list_dir(std::string_view prefix, std::size_t limit) override {
    const Range range = below(prefix);
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(range.options));
    buffer_.assign(prefix);
    std::size_t names = 0;
    for (; limit == 0 || names < limit; ++names) {
      iterator->Seek(buffer_);
      if (!iterator->Valid()) break;
      const std::string_view key = view(iterator->key());
      const std::size_t end = key.find('/', prefix.size());
      buffer_.assign(key.substr(0, end));
      buffer_.push_back(end == std::string_view::npos ? '\0' : '/' + 1);  // behind the roll-up
    }
    check(iterator->status(), "list_dir");
    return names;
  }

  std::size_t list_dir_naive(std::string_view prefix) override {
    const Range range = below(prefix);
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(range.options));
    std::size_t names = 0;
    for (iterator->Seek(slice(prefix)); iterator->Valid(); iterator->Next()) {
      const std::string_view rest = view(iterator->key()).substr(prefix.size());
      const std::string_view name = rest.substr(0, rest.find('/'));
      if (names == 0 || name != buffer_) {
        buffer_.assign(name);
        ++names;
      }
    }
    check(iterator->status(), "list_dir_naive");
    return names;
  }

 private:
  // Options that end an iterator behind the prefix; the bound is pointed at, so it stays in place.
  struct Range {
    std::string end;
    rocksdb::Slice bound;
    rocksdb::ReadOptions options;

    explicit Range(std::string_view prefix) : end(after_prefix(prefix)), bound(end) {
      if (!end.empty()) options.iterate_upper_bound = &bound;
    }

    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;
    ~Range() = default;
  };

  static Range below(std::string_view prefix) { return Range(prefix); }

  rocksdb::DB* db_;
  rocksdb::WriteOptions writing_;
  rocksdb::ReadOptions reading_;
  rocksdb::PinnableSlice found_;
  rocksdb::WriteBatch batch_;
  std::string buffer_;
};

class RocksEngine final : public Engine {
 public:
  explicit RocksEngine(const EngineOptions& options) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits_per_key));
    rocksdb::Options db_options;
    db_options.create_if_missing = true;
    db_options.compression = rocksdb::kNoCompression;
    db_options.enable_pipelined_write = true;
    db_options.IncreaseParallelism(background_threads);
    db_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    if (options.keep_log) db_options.write_buffer_size = kept_log_bytes;
    writing_.disableWAL = options.mode == Mode::memory;
    writing_.sync = options.mode == Mode::sync;
    rocksdb::DB* db = nullptr;
    check(rocksdb::DB::Open(db_options, options.directory, &db), "Open");
    db_.reset(db);
  }

  RocksEngine(const RocksEngine&) = delete;
  RocksEngine& operator=(const RocksEngine&) = delete;

  ~RocksEngine() override { check(db_->Close(), "Close"); }

  std::unique_ptr<Session> session() override {
    return std::make_unique<RocksSession>(*db_, writing_);
  }

  void load(std::span<const Pair> batch) override {
    rocksdb::WriteBatch writes;
    for (const Pair& pair : batch) check(writes.Put(pair.key, pair.value), "Put");
    check(db_->Write(writing_, &writes), "Write");
  }

  void load_sorted(std::span<const Pair> pairs) override {
    constexpr std::size_t batch_pairs = 1000;
    while (!pairs.empty()) {
      const std::span<const Pair> batch = pairs.first(std::min(batch_pairs, pairs.size()));
      load(batch);
      pairs = pairs.subspan(batch.size());
    }
  }

  void move_prefix(std::string_view from, std::string_view to) override {
    rocksdb::WriteBatch writes;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator({}));
    std::string target;
    for (iterator->Seek(slice(from)); iterator->Valid(); iterator->Next()) {
      if (!iterator->key().starts_with(slice(from))) break;
      target.assign(to).append(view(iterator->key()).substr(from.size()));
      check(writes.Put(target, iterator->value()), "Put");
      check(writes.Delete(iterator->key()), "Delete");
    }
    check(iterator->status(), "move_prefix");
    check(db_->Write(writing_, &writes), "Write");
  }

  void sync() override {
    if (!writing_.disableWAL) check(db_->FlushWAL(true), "FlushWAL");
  }

  void settle() override {
    check(db_->Flush({}), "Flush");
    using Properties = rocksdb::DB::Properties;
    while (property(Properties::kCompactionPending) + property(Properties::kNumRunningCompactions) +
               property(Properties::kNumRunningFlushes) >
           0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::uint64_t log_bytes() override { return file_bytes_ending(db_->GetName(), ".log"); }

 private:
  [[nodiscard]] std::uint64_t property(const std::string& name) const {
    std::uint64_t value = 0;
    require(db_->GetIntProperty(name, &value), name, "no such property");
    return value;
  }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions writing_;
};

}  // namespace

std::unique_ptr<Engine> open_rocksdb(const EngineOptions& options) {
  return std::make_unique<RocksEngine>(options);
}

}  // namespace artfs::bench
