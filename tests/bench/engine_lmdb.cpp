// SPDX-License-Identifier: Apache-2.0
// LMDB: one write transaction per change, as its API wants; readers renew a snapshot per call.
//
// `wal` has no log to write: MDB_NOSYNC, so that every commit reaches the page cache. `lmdb_writemap`
// also maps the file writable (MDB_WRITEMAP), which is faster and lets a stray pointer damage the store.
#include <lmdb.h>

#include <memory>

#include "bench/engine.hpp"

namespace artfs::bench {
namespace {

constexpr std::size_t map_bytes = std::size_t{16} << 30U;
constexpr unsigned readers_max = 64;

void check(int status, std::string_view what) {
  require(status == MDB_SUCCESS, what, status == 0 ? "" : mdb_strerror(status));
}

MDB_val val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// A write transaction; what is not committed is undone.
class WriteTxn {
 public:
  explicit WriteTxn(MDB_env* env) { check(mdb_txn_begin(env, nullptr, 0, &txn_), "mdb_txn_begin"); }

  WriteTxn(const WriteTxn&) = delete;
  WriteTxn& operator=(const WriteTxn&) = delete;

  ~WriteTxn() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }

  [[nodiscard]] MDB_txn* get() const noexcept { return txn_; }

  void commit() {
    MDB_txn* const txn = txn_;
    txn_ = nullptr;
    check(mdb_txn_commit(txn), "mdb_txn_commit");
  }

 private:
  MDB_txn* txn_ = nullptr;
};

class LmdbSession final : public Session {
 public:
  LmdbSession(MDB_env* env, MDB_dbi dbi) : env_(env), dbi_(dbi) {
    check(mdb_txn_begin(env, nullptr, MDB_RDONLY, &reader_), "mdb_txn_begin");
    check(mdb_cursor_open(reader_, dbi, &cursor_), "mdb_cursor_open");
    mdb_txn_reset(reader_);
  }

  LmdbSession(const LmdbSession&) = delete;
  LmdbSession& operator=(const LmdbSession&) = delete;

  ~LmdbSession() override {
    mdb_cursor_close(cursor_);
    mdb_txn_abort(reader_);
  }

  bool get(std::string_view key, std::string& value) override {
    check(mdb_txn_renew(reader_), "mdb_txn_renew");
    MDB_val wanted = val(key);
    MDB_val found;
    const int status = mdb_get(reader_, dbi_, &wanted, &found);
    if (status == MDB_SUCCESS) value.assign(view(found));
    mdb_txn_reset(reader_);
    if (status != MDB_NOTFOUND) check(status, "mdb_get");
    return status == MDB_SUCCESS;
  }

  void put(std::string_view key, std::string_view value) override { put_with(key, value, 0); }

  void create(std::string_view key, std::string_view value) override {
    put_with(key, value, MDB_NOOVERWRITE);
  }

  void erase(std::string_view key) override {
    WriteTxn txn(env_);
    MDB_val wanted = val(key);
    check(mdb_del(txn.get(), dbi_, &wanted, nullptr), "mdb_del");
    txn.commit();
  }

  void rename(std::string_view from, std::string_view to) override {
    WriteTxn txn(env_);
    MDB_val source = val(from);
    MDB_val found;
    check(mdb_get(txn.get(), dbi_, &source, &found), "mdb_get");
    buffer_.assign(view(found));  // the page it lies in may move
    MDB_val target = val(to);
    MDB_val value = val(buffer_);
    check(mdb_put(txn.get(), dbi_, &target, &value, MDB_NOOVERWRITE), "mdb_put");
    check(mdb_del(txn.get(), dbi_, &source, nullptr), "mdb_del");
    txn.commit();
  }

  std::size_t list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    start_reading();
    MDB_val key = val(after < prefix ? prefix : after);
    MDB_val value;
    int status = mdb_cursor_get(cursor_, &key, &value, MDB_SET_RANGE);
    if (status == MDB_SUCCESS && view(key) == after) {
      status = mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);
    }
    std::size_t entries = 0;
    while (status == MDB_SUCCESS && entries < limit && view(key).starts_with(prefix)) {
      keep(key);
      keep(value);
      ++entries;
      status = mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);
    }
    mdb_txn_reset(reader_);
    return entries;
  }

  std::size_t list_dir(std::string_view prefix, std::size_t limit) override {
    start_reading();
    buffer_.assign(prefix);
    std::size_t names = 0;
    while (limit == 0 || names < limit) {
      MDB_val key = val(buffer_);
      MDB_val value;
      const int status = mdb_cursor_get(cursor_, &key, &value, MDB_SET_RANGE);
      if (status != MDB_SUCCESS || !view(key).starts_with(prefix)) break;
      keep(key);
      ++names;
      const std::size_t end = view(key).find('/', prefix.size());
      buffer_.assign(view(key).substr(0, end));
      buffer_.push_back(end == std::string_view::npos ? '\0' : '/' + 1);  // behind the roll-up
    }
    mdb_txn_reset(reader_);
    return names;
  }

  std::size_t list_dir_naive(std::string_view prefix) override {
    start_reading();
    MDB_val key = val(prefix);
    MDB_val value;
    std::size_t names = 0;
    int status = mdb_cursor_get(cursor_, &key, &value, MDB_SET_RANGE);
    while (status == MDB_SUCCESS && view(key).starts_with(prefix)) {
      const std::string_view below = view(key).substr(prefix.size());
      const std::string_view name = below.substr(0, below.find('/'));
      if (names == 0 || name != buffer_) {
        buffer_.assign(name);
        ++names;
      }
      status = mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);
    }
    mdb_txn_reset(reader_);
    return names;
  }

 private:
  void start_reading() {
    check(mdb_txn_renew(reader_), "mdb_txn_renew");
    check(mdb_cursor_renew(reader_, cursor_), "mdb_cursor_renew");
  }

  void put_with(std::string_view key, std::string_view value, unsigned flags) {
    WriteTxn txn(env_);
    MDB_val name = val(key);
    MDB_val bytes = val(value);
    check(mdb_put(txn.get(), dbi_, &name, &bytes, flags), "mdb_put");
    txn.commit();
  }

  MDB_env* env_;
  MDB_dbi dbi_;
  MDB_txn* reader_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  std::string buffer_;
};

class LmdbEngine final : public Engine {
 public:
  LmdbEngine(const EngineOptions& options, unsigned flags) {
    if (options.mode != Mode::sync) flags |= MDB_NOSYNC | MDB_NOMETASYNC;
    check(mdb_env_create(&env_), "mdb_env_create");
    check(mdb_env_set_mapsize(env_, map_bytes), "mdb_env_set_mapsize");
    check(mdb_env_set_maxreaders(env_, readers_max), "mdb_env_set_maxreaders");
    // Readers do not read ahead: point reads are what is measured, and the manual says so for them.
    check(mdb_env_open(env_, options.directory.c_str(), flags | MDB_NOTLS | MDB_NORDAHEAD, 0644),
          "mdb_env_open");
    WriteTxn txn(env_);
    check(mdb_dbi_open(txn.get(), nullptr, 0, &dbi_), "mdb_dbi_open");
    txn.commit();
  }

  LmdbEngine(const LmdbEngine&) = delete;
  LmdbEngine& operator=(const LmdbEngine&) = delete;

  ~LmdbEngine() override { mdb_env_close(env_); }

  std::unique_ptr<Session> session() override { return std::make_unique<LmdbSession>(env_, dbi_); }

  void load(std::span<const Pair> batch) override { load_with(batch, 0); }

  void load_sorted(std::span<const Pair> pairs) override { load_with(pairs, MDB_APPEND); }

  void move_prefix(std::string_view from, std::string_view to) override {
    WriteTxn txn(env_);
    MDB_cursor* cursor = nullptr;
    check(mdb_cursor_open(txn.get(), dbi_, &cursor), "mdb_cursor_open");
    MDB_val key = val(from);
    MDB_val value;
    std::string target;
    std::string bytes;
    int status = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (status == MDB_SUCCESS && view(key).starts_with(from)) {
      target.assign(to).append(view(key).substr(from.size()));
      bytes.assign(view(value));
      check(mdb_cursor_del(cursor, 0), "mdb_cursor_del");
      MDB_val new_key = val(target);
      MDB_val new_value = val(bytes);
      check(mdb_put(txn.get(), dbi_, &new_key, &new_value, 0), "mdb_put");
      key = val(from);
      status = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    }
    mdb_cursor_close(cursor);
    txn.commit();
  }

  void sync() override { check(mdb_env_sync(env_, 1), "mdb_env_sync"); }

  void settle() override { sync(); }

 private:
  void load_with(std::span<const Pair> pairs, unsigned flags) {
    WriteTxn txn(env_);
    for (const Pair& pair : pairs) {
      MDB_val key = val(pair.key);
      MDB_val value = val(pair.value);
      check(mdb_put(txn.get(), dbi_, &key, &value, flags), "mdb_put");
    }
    txn.commit();
  }

  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

}  // namespace

std::unique_ptr<Engine> open_lmdb(const EngineOptions& options) {
  return std::make_unique<LmdbEngine>(options, 0U);
}

std::unique_ptr<Engine> open_lmdb_writemap(const EngineOptions& options) {
  return std::make_unique<LmdbEngine>(options, unsigned{MDB_WRITEMAP});
}

}  // namespace artfs::bench
