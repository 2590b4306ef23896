// SPDX-License-Identifier: Apache-2.0
// SQLite: one WITHOUT ROWID table, prepared statements, a connection per session.
//
// `memory` is ":memory:", which has one connection: sessions take turns. Otherwise a file in WAL mode:
// synchronous=NORMAL for `wal`, FULL for `sync`.
#include <sqlite3.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "bench/engine.hpp"

namespace artfs::bench {
namespace {

constexpr int busy_timeout_ms = 60'000;

void check(sqlite3* db, bool good, std::string_view what) {
  if (!good) fatal(what, sqlite3_errmsg(db));
}

class Connection {
 public:
  Connection(const std::string& path, const EngineOptions& options) {
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    check(db_, sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) == SQLITE_OK, "sqlite3_open");
    sqlite3_busy_timeout(db_, busy_timeout_ms);
    run("PRAGMA cache_size=-" + std::to_string(options.cache_bytes / kib));
    if (options.mode == Mode::memory) {
      run("PRAGMA journal_mode=MEMORY");
      run("PRAGMA synchronous=OFF");
    } else {
      run("PRAGMA journal_mode=WAL");
      run(options.mode == Mode::sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
      if (options.keep_log) run("PRAGMA wal_autocheckpoint=0");
    }
    run("CREATE TABLE IF NOT EXISTS kv(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ~Connection() { sqlite3_close_v2(db_); }

  [[nodiscard]] sqlite3* get() const noexcept { return db_; }

  void run(const std::string& sql) {
    check(db_, sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, sql);
  }

 private:
  sqlite3* db_ = nullptr;
};

class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    constexpr unsigned flags = SQLITE_PREPARE_PERSISTENT;
    check(db, sqlite3_prepare_v3(db, sql, -1, flags, &statement_, nullptr) == SQLITE_OK, sql);
  }

  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(int index, std::string_view bytes) {
    const int size = static_cast<int>(bytes.size());
    // An empty blob needs an address, else it is NULL.
    const char* const data = bytes.empty() ? "" : bytes.data();
    check(db_, sqlite3_bind_blob(statement_, index, data, size, SQLITE_STATIC) == SQLITE_OK,
          "bind");
    return *this;
  }

  Statement& bind(int index, std::size_t number) {
    const auto value = static_cast<sqlite3_int64>(number);
    check(db_, sqlite3_bind_int64(statement_, index, value) == SQLITE_OK, "bind");
    return *this;
  }

  // True: a row is there.
  bool step() {
    const int status = sqlite3_step(statement_);
    check(db_, status == SQLITE_ROW || status == SQLITE_DONE, "sqlite3_step");
    return status == SQLITE_ROW;
  }

  [[nodiscard]] std::string_view column(int index) const {
    const void* const data = sqlite3_column_blob(statement_, index);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, index));
    return {static_cast<const char*>(data), data == nullptr ? 0 : size};
  }

  void reset() { sqlite3_reset(statement_); }

  // Runs it to its end; one row must have changed.
  void change() {
    while (step()) {
    }
    reset();
    check(db_, sqlite3_changes(db_) == 1, "a change of one row");
  }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

class SqliteSession final : public Session {
 public:
  // `turn` is there when the connection is shared.
  SqliteSession(std::unique_ptr<Connection> own, Connection& connection, std::mutex* turn)
      : own_(std::move(own)),
        turn_(turn),
        get_(connection.get(), "SELECT v FROM kv WHERE k=?1"),
        put_(connection.get(),
             "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v"),
        create_(connection.get(), "INSERT INTO kv VALUES(?1,?2)"),
        erase_(connection.get(), "DELETE FROM kv WHERE k=?1"),
        rename_(connection.get(), "UPDATE kv SET k=?2 WHERE k=?1"),
        list_(connection.get(),
              "SELECT k,v FROM kv WHERE k>?1 AND k>=?2 AND k<?3 ORDER BY k LIMIT ?4"),
        seek_(connection.get(), "SELECT k FROM kv WHERE k>=?1 AND k<?2 ORDER BY k LIMIT 1"),
        scan_(connection.get(), "SELECT k FROM kv WHERE k>=?1 AND k<?2 ORDER BY k") {}

  bool get(std::string_view key, std::string& value) override {
    const Turn turn(turn_);
    const bool found = get_.bind(1, key).step();
    if (found) value.assign(get_.column(0));
    get_.reset();
    return found;
  }

  void put(std::string_view key, std::string_view value) override {
    const Turn turn(turn_);
    put_.bind(1, key).bind(2, value).change();
  }

  void create(std::string_view key, std::string_view value) override {
    const Turn turn(turn_);
    create_.bind(1, key).bind(2, value).change();
  }

  void erase(std::string_view key) override {
    const Turn turn(turn_);
    erase_.bind(1, key).change();
  }

  void rename(std::string_view from, std::string_view to) override {
    const Turn turn(turn_);
    rename_.bind(1, from).bind(2, to).change();
  }

  std::size_t list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    const Turn turn(turn_);
    const std::string end = end_of(prefix);
    list_.bind(1, after).bind(2, prefix).bind(3, end).bind(4, limit);
    std::size_t entries = 0;
    for (; list_.step(); ++entries) {
      keep(list_.column(0));
      keep(list_.column(1));
    }
    list_.reset();
    return entries;
  }

  std::size_t list_dir(std::string_view prefix, std::size_t limit) override {
    const Turn turn(turn_);
    const std::string end = end_of(prefix);
    std::string from(prefix);
    std::size_t names = 0;
    for (; limit == 0 || names < limit; ++names) {
      if (!seek_.bind(1, from).bind(2, end).step()) break;
      const std::string_view key = seek_.column(0);
      const std::size_t slash = key.find('/', prefix.size());
      from.assign(key.substr(0, slash));
      from.push_back(slash == std::string_view::npos ? '\0' : '/' + 1);  // behind the roll-up
      seek_.reset();
    }
    seek_.reset();
    return names;
  }

  std::size_t list_dir_naive(std::string_view prefix) override {
    const Turn turn(turn_);
    const std::string end = end_of(prefix);
    scan_.bind(1, prefix).bind(2, end);
    std::string last;
    std::size_t names = 0;
    while (scan_.step()) {
      const std::string_view below = scan_.column(0).substr(prefix.size());
      const std::string_view name = below.substr(0, below.find('/'));
      if (names == 0 || name != last) {
        last.assign(name);
        ++names;
      }
    }
    scan_.reset();
    return names;
  }

 private:
  class Turn {
   public:
    explicit Turn(std::mutex* mutex) {
      if (mutex != nullptr) lock_.emplace(*mutex);
    }

   private:
    std::optional<std::unique_lock<std::mutex>> lock_;
  };

  // Below every end there is a byte that no key starts with.
  static std::string end_of(std::string_view prefix) {
    return prefix.empty() ? std::string("\xff") : after_prefix(prefix);
  }

  std::unique_ptr<Connection> own_;
  std::mutex* turn_;
  Statement get_;
  Statement put_;
  Statement create_;
  Statement erase_;
  Statement rename_;
  Statement list_;
  Statement seek_;
  Statement scan_;
};

class SqliteEngine final : public Engine {
 public:
  explicit SqliteEngine(const EngineOptions& options)
      : options_(options),
        path_(options.mode == Mode::memory ? ":memory:" : options.directory + "/kv.sqlite"),
        main_(path_, options) {}

  std::unique_ptr<Session> session() override {
    if (options_.mode == Mode::memory) {
      return std::make_unique<SqliteSession>(nullptr, main_, &turn_);
    }
    auto own = std::make_unique<Connection>(path_, options_);
    Connection& connection = *own;
    return std::make_unique<SqliteSession>(std::move(own), connection, nullptr);
  }

  void load(std::span<const Pair> batch) override {
    main_.run("BEGIN IMMEDIATE");
    {
      Statement insert(main_.get(), "INSERT INTO kv VALUES(?1,?2)");
      for (const Pair& pair : batch) insert.bind(1, pair.key).bind(2, pair.value).change();
    }
    main_.run("COMMIT");
  }

  void load_sorted(std::span<const Pair> pairs) override { load(pairs); }

  void move_prefix(std::string_view from, std::string_view to) override {
    main_.run("BEGIN IMMEDIATE");
    {
      const std::string end = after_prefix(from);
      Statement update(main_.get(),
                       "UPDATE kv SET k=CAST(?3||substr(k,?4) AS BLOB) WHERE k>=?1 AND k<?2");
      update.bind(1, from).bind(2, end).bind(3, to).bind(4, from.size() + 1);
      update.step();
    }
    main_.run("COMMIT");
  }

  void sync() override { settle(); }

  void settle() override {
    if (options_.mode != Mode::memory) main_.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  std::uint64_t log_bytes() override { return file_bytes_ending(options_.directory, "-wal"); }

 private:
  EngineOptions options_;
  std::string path_;
  Connection main_;
  std::mutex turn_;
};

}  // namespace

std::unique_ptr<Engine> open_sqlite(const EngineOptions& options) {
  return std::make_unique<SqliteEngine>(options);
}

}  // namespace artfs::bench
