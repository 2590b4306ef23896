// SPDX-License-Identifier: Apache-2.0
// listing: getdents of every buffer size and seeks to every earlier position, while others change the directory.
//
// usage: listing churn DIRECTORY --positions FILE [--seed N] [--rounds N]
//        listing verify DIRECTORY --positions FILE
// churn makes DIRECTORY with names that stay. Threads beside it create, unlink, rename in and out, link, and also
// replace and exchange what the staying names stand for. Each listing must have each staying name exactly once,
// and in the same order; each seek, to a position from any listing, must go on with the staying names that followed
// it. The positions go to FILE; verify checks them again, after a restart of the daemon.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int stable_names = 700;
constexpr std::size_t buffer_min = 288;  // the largest entry: 24 bytes and a name of 255
constexpr std::size_t buffer_max = 64 * 1024;

struct Options {
  std::string directory;
  std::string positions;
  std::uint64_t seed = 1;
  std::uint64_t rounds = 60;
};

[[noreturn]] void stop(const std::string& what) {
  fmt::print("FAIL: {}\n", what);
  std::fflush(stdout);
  std::_Exit(1);
}

void must(bool condition, const std::string& what) {
  if (!condition) stop(what);
}

std::string errno_text(const char* what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

struct Entry {
  std::string name;
  off_t offset = 0;
};

// What getdents64 gives from where the descriptor stands, to the end.
std::vector<Entry> read_rest(int fd, std::mt19937_64& rng) {
  // Half of the time the smallest sizes, where each call returns one to three entries.
  const std::size_t span = rng() % 2 == 0 ? 300 : buffer_max - buffer_min;
  std::vector<Entry> out;
  std::vector<char> buffer;
  for (;;) {
    buffer.resize((buffer_min + rng() % span) / 8 * 8);
    const long got = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    must(got >= 0, errno_text("getdents64"));
    if (got == 0) return out;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      out.push_back({entry->d_name, entry->d_off});
      at += entry->d_reclen;
    }
  }
}

bool stays(const std::string& name) {
  return name.starts_with("stays-");
}

// The staying names in their order, and which of them follow a position.
class Order {
 public:
  void check(const std::vector<Entry>& listing) {
    std::vector<std::string> names;
    for (const Entry& entry : listing) {
      if (stays(entry.name)) names.push_back(entry.name);
      note(entry.offset, names.size());
    }
    if (names_.empty()) names_ = names;
    if (names == names_) return;
    std::map<std::string, int> count;
    for (const std::string& name : names) ++count[name];
    for (const std::string& name : names_) {
      if (count[name] != 1) stop(fmt::format("{} is listed {} times", name, count[name]));
    }
    stop("the names that stay changed their order");
  }

  void check_rest(off_t from, const std::vector<Entry>& listing) {
    std::size_t next = positions_.at(from);
    for (const Entry& entry : listing) {
      if (stays(entry.name)) {
        must(next < names_.size() && names_[next] == entry.name,
             fmt::format("after {}: {} came, not {}", from, entry.name,
                         next < names_.size() ? names_[next] : "the end"));
        ++next;
      }
      note(entry.offset, next);
    }
    must(next == names_.size(),
         fmt::format("after {}: {} names are missing", from, names_.size() - next));
  }

  [[nodiscard]] off_t any(std::mt19937_64& rng) const {
    auto at = positions_.lower_bound(
        static_cast<off_t>(rng() % static_cast<std::uint64_t>(positions_.rbegin()->first + 1)));
    return at == positions_.end() ? positions_.begin()->first : at->first;
  }

  [[nodiscard]] const std::map<off_t, std::size_t>& positions() const { return positions_; }

  void save(const std::string& path) const {
    std::ofstream file(path);
    for (const std::string& name : names_) file << name << '\n';
    for (const auto& [offset, before] : positions_) file << offset << ' ' << before << '\n';
    must(file.good(), "the positions cannot be written");
  }

  void load(const std::string& path) {
    std::ifstream file(path);
    for (int i = 0; i < stable_names; ++i) std::getline(file, names_.emplace_back());
    off_t offset = 0;
    for (std::size_t before = 0; file >> offset >> before;) positions_[offset] = before;
    must(!positions_.empty(), "no positions");
  }

 private:
  // The same position means the same each time.
  void note(off_t offset, std::size_t before) {
    const auto [at, is_new] = positions_.emplace(offset, before);
    must(at->second == before, fmt::format("position {} moved", offset));
  }

  std::vector<std::string> names_;
  std::map<off_t, std::size_t> positions_;  // offset -> staying names up to it
};

int open_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  must(fd >= 0, errno_text("open"));
  return fd;
}

void touch(int dir, const std::string& name) {
  const int fd = ::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) ::close(fd);
}

// Names of its own come and go; the staying ones only change what they stand for.
void churn(const Options& options, unsigned who, const std::atomic<bool>& done) {
  std::mt19937_64 rng(options.seed * 16 + who);
  const int dir = open_directory(options.directory);
  const int other = open_directory(options.directory + ".other");
  const auto staying = [&] { return fmt::format("stays-{}", rng() % stable_names); };
  while (!done) {
    const std::string name = fmt::format("passes-{}-{}", who, rng() % 200);
    const std::string next = fmt::format("passes-{}-{}", who, rng() % 200);
    switch (rng() % 10) {
      case 0:
      case 1:
        touch(dir, name);
        break;
      case 2:
        ::unlinkat(dir, name.c_str(), 0);
        break;
      case 3:
        ::renameat(dir, name.c_str(), dir, next.c_str());
        break;
      case 4:
        ::renameat(dir, name.c_str(), other, name.c_str());
        break;
      case 5:
        ::renameat(other, name.c_str(), dir, next.c_str());
        break;
      case 6:
        ::renameat(dir, name.c_str(), dir, staying().c_str());
        break;
      case 7:
        ::renameat2(dir, name.c_str(), dir, staying().c_str(), RENAME_EXCHANGE);
        break;
      case 8:
        ::linkat(dir, staying().c_str(), dir, name.c_str(), 0);
        break;
      default:
        ::renameat2(dir, staying().c_str(), dir, name.c_str(), RENAME_WHITEOUT);
    }
  }
  ::close(dir);
  ::close(other);
}

void list_and_seek(const Options& options, Order& order) {
  std::mt19937_64 rng(options.seed);
  int kept = open_directory(options.directory);
  std::uint64_t seeks = 0;
  for (std::uint64_t round = 0; round < options.rounds; ++round) {
    const int fresh = open_directory(options.directory);
    order.check(read_rest(fresh, rng));
    must(::lseek(kept, 0, SEEK_SET) == 0, errno_text("rewind"));
    order.check(read_rest(kept, rng));
    for (int i = 0; i < 20; ++i, ++seeks) {
      const int fd = i % 2 == 0 ? kept : fresh;
      const off_t position = order.any(rng);
      must(::lseek(fd, position, SEEK_SET) == position, errno_text("lseek"));
      order.check_rest(position, read_rest(fd, rng));
    }
    ::close(kept);
    kept = fresh;
  }
  ::close(kept);
  fmt::print("{} listings, {} seeks, {} positions\n", options.rounds * 2, seeks,
             order.positions().size());
}

void run_churn(const Options& options) {
  must(::mkdir(options.directory.c_str(), 0755) == 0, errno_text("mkdir"));
  must(::mkdir((options.directory + ".other").c_str(), 0755) == 0, errno_text("mkdir"));
  const int dir = open_directory(options.directory);
  for (int i = 0; i < stable_names; ++i)
    touch(dir, fmt::format("stays-{}", i * 331 % stable_names));
  ::close(dir);
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (unsigned who = 0; who < 2; ++who) {
    threads.emplace_back([&options, &done, who] { churn(options, who, done); });
  }
  Order order;
  list_and_seek(options, order);
  done = true;
  for (std::thread& thread : threads) thread.join();
  order.save(options.positions);
}

void run_verify(const Options& options) {
  Order order;
  order.load(options.positions);
  std::mt19937_64 rng(options.seed);
  std::vector<off_t> all;
  for (const auto& [offset, before] : order.positions()) all.push_back(offset);
  std::shuffle(all.begin(), all.end(), rng);
  if (all.size() > 1000) all.resize(1000);
  for (const off_t position : all) {
    const int fd = open_directory(options.directory);
    must(::lseek(fd, position, SEEK_SET) == position, errno_text("lseek"));
    order.check_rest(position, read_rest(fd, rng));
    ::close(fd);
  }
  fmt::print("{} positions hold\n", all.size());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Listings and seeks in a directory that others change.");
  app.require_subcommand(1);
  for (const char* name : {"churn", "verify"}) {
    CLI::App* command = app.add_subcommand(name, "");
    command->add_option("DIRECTORY", options.directory)->required();
    command->add_option("--positions", options.positions)->required();
    command->add_option("--seed", options.seed);
    command->add_option("--rounds", options.rounds);
  }
  CLI11_PARSE(app, argc, argv);
  if (app.got_subcommand("churn")) {
    run_churn(options);
  } else {
    run_verify(options);
  }
  return 0;
}
