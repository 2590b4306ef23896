// SPDX-License-Identifier: Apache-2.0
// Bounded sequences of file operations, each with each way to make it durable, cut at each call of the device:
// all of length one, a sample of length two.
//
// Source: Mohan et al., "Finding crash-consistency bugs with bounded black-box crash testing" (OSDI 2018).
#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "support/figure.hpp"
#include "support/file_operations.hpp"
#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::FileHistory;
using test::FileOperations;

struct Operation {
  std::string text;
  std::string file;  // what a fsync of "the file" means after it
  std::function<bool(FileOperations&)> run;
};

enum class Persist { nothing, file, directory, everything };

constexpr std::array<Persist, 4> ways = {Persist::nothing, Persist::file, Persist::directory,
                                         Persist::everything};

const char* to_text(Persist how) {
  switch (how) {
    case Persist::nothing:
      return "nothing";
    case Persist::file:
      return "fsync of the file";
    case Persist::directory:
      return "fsync of its directory";
    case Persist::everything:
      return "sync";
  }
  return "";
}

// Files: /A/foo of two blocks and a half, /A/bar inline, /B/foo, /foo; /C is empty.
constexpr std::size_t foo_bytes = 18000;  // a whole block, of which little changes, and another

void add_names(std::vector<Operation>& all) {
  const auto add = [&](std::string text, std::string file,
                       std::function<bool(FileOperations&)> run) {
    all.push_back({.text = std::move(text), .file = std::move(file), .run = std::move(run)});
  };
  for (const std::string dir : {"", "/A"}) {
    add("creat " + dir + "/new", dir + "/new", [=](auto& f) { return f.create(dir + "/new"); });
    add("mkdir " + dir + "/dir", dir + "/dir", [=](auto& f) { return f.mkdir(dir + "/dir"); });
    add("symlink " + dir + "/ln", dir, [=](auto& f) { return f.symlink(dir + "/ln", "/A/foo"); });
    add("tmpfile and link " + dir + "/new", dir + "/new",
        [=](auto& f) { return f.create_unnamed_and_link(dir + "/new", std::string(6000, 'u')); });
  }
  for (const std::string to : {"/A/hard", "/B/hard", "/hard"}) {
    add("link /A/foo " + to, to, [=](auto& f) { return f.link("/A/foo", to); });
  }
  for (const std::string path : {"/A/foo", "/A/bar", "/B/foo", "/foo"}) {
    add("unlink " + path, path, [=](auto& f) { return f.unlink(path); });
    add("unlink " + path + " while open", path,
        [=](auto& f) { return f.unlink_while_open(path, std::string(5000, 'o')); });
  }
  add("rmdir /C", "", [](auto& f) { return f.rmdir("/C"); });
  using Pair = std::pair<std::string, std::string>;
  for (const Pair& pair :
       {Pair{"/A/foo", "/A/new"}, Pair{"/A/foo", "/B/new"}, Pair{"/A/foo", "/A/bar"},
        Pair{"/A/foo", "/B/foo"}, Pair{"/A/bar", "/foo"}, Pair{"/foo", "/A/bar"}, Pair{"/A", "/D"},
        Pair{"/A", "/B/D"}, Pair{"/C", "/A/D"}}) {
    add("rename " + pair.first + " " + pair.second, pair.second,
        [=](auto& f) { return f.rename(pair.first, pair.second); });
  }
  for (const Pair& pair : {Pair{"/A/foo", "/A/bar"}, Pair{"/A/foo", "/B/foo"}, Pair{"/A", "/B"},
                           Pair{"/A/bar", "/C"}}) {
    add("exchange " + pair.first + " " + pair.second, pair.first,
        [=](auto& f) { return f.exchange(pair.first, pair.second); });
  }
}

void add_contents(std::vector<Operation>& all) {
  const auto add = [&](std::string text, std::string file,
                       std::function<bool(FileOperations&)> run) {
    all.push_back({.text = std::move(text), .file = std::move(file), .run = std::move(run)});
  };
  for (const std::string path : {"/A/foo", "/A/bar", "/foo"}) {
    add("append " + path, path, [=](auto& f) { return f.append(path, std::string(5000, 'p')); });
    add("write to the front of " + path, path,
        [=](auto& f) { return f.write(path, 0, std::string(100, 'w')); });
    add("write across blocks of " + path, path,
        [=](auto& f) { return f.write(path, 4000, std::string(4200, 'x')); });
    add("write far behind " + path, path,
        [=](auto& f) { return f.write(path, 50000, std::string(10, 'y')); });
    for (const std::size_t size : {std::size_t{0}, std::size_t{2500}, std::size_t{20000}}) {
      add("truncate " + path + " to " + std::to_string(size), path,
          [=](auto& f) { return f.truncate(path, size); });
    }
    for (const bool keep : {false, true}) {
      add("fallocate " + path, path, [=](auto& f) { return f.fallocate(path, 9000, 9000, keep); });
      add("clear " + path, path, [=](auto& f) { return f.clear(path, 4096, 4096, keep); });
    }
    add("chmod " + path, path, [=](auto& f) { return f.chmod(path, 0640); });
    add("chown " + path, path, [=](auto& f) { return f.chown(path, 1, 2); });
    add("setxattr of " + path, path,
        [=](auto& f) { return f.set_xattr(path, "user.new", std::string(5000, 'v')); });
    add("removexattr of " + path, path, [=](auto& f) { return f.remove_xattr(path, "user.old"); });
  }
}

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  add_names(all);
  add_contents(all);
  return all;
}

// The disk that every sequence begins with, and its history.
struct Beginning {
  std::unique_ptr<io::MemoryDirectory> disk;
  FileHistory history;

  Beginning() {
    io::MemoryDirectory fresh;
    test::must_create_small(fresh);
    {
      const auto store = test::must_open(fresh, test::small_options());
      FormatOptions format;
      format.block_bytes = 16384;
      REQUIRE(vol::VolumeImpl::format_store(*store, format).has_value());
      REQUIRE(store->close().has_value());
    }
    const auto volume = test::must_open_volume(fresh, test::small_volume_options());
    FileOperations files(*volume, history);
    for (const std::string dir : {"/A", "/B", "/C"}) REQUIRE(files.mkdir(dir));
    for (const std::string path : {"/A/foo", "/A/bar", "/B/foo", "/foo"}) {
      REQUIRE(files.create(path));
      REQUIRE(files.write(path, 0, std::string(path == "/A/bar" ? 500 : foo_bytes, path[1])));
      REQUIRE(files.set_xattr(path, "user.old", "value"));
    }
    REQUIRE(files.sync());
    REQUIRE(volume->close().has_value());
    history.verify(*test::must_open_volume(fresh, test::small_volume_options()));
    disk = fresh.clone_current();
  }
};

bool persist(FileOperations& files, const std::string& file, Persist how) {
  switch (how) {
    case Persist::nothing:
      return true;
    case Persist::file:
      return files.fsync(file);
    case Persist::directory:
      return files.fsync(file.empty() ? file : test::Names::parent_of(file));
    case Persist::everything:
      return files.sync();
  }
  return true;
}

struct Step {
  const Operation* operation;
  Persist how;
};

// Runs the steps with the n-th call of the device failing, and all after it; 0: none. False: all steps were
// done before that call.
bool cut_at(const Beginning& beginning, std::span<const Step> steps, std::uint64_t call) {
  auto disk = beginning.disk->clone_current();
  FileHistory history = beginning.history;
  bool has_failed = false;
  std::unique_ptr<io::MemoryDirectory> after;  // taken before the volume closes
  {
    VolumeOptions options = test::small_volume_options();
    options.store.commit_interval = std::chrono::milliseconds(10000);
    const auto volume = test::must_open_volume(*disk, options);
    FileOperations files(*volume, history);
    if (call != 0) {
      disk->fail_call(call, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
    }
    for (const Step& step : steps) {
      if (files.has_failed() || !step.operation->run(files)) break;
      if (!persist(files, step.operation->file, step.how)) break;
    }
    has_failed = files.has_failed();
    after = disk->clone_after_power_cut(call);
  }
  const auto volume = test::must_open_volume(*after, test::small_volume_options());
  history.verify(*volume);
  return has_failed;
}

constexpr std::uint64_t calls_max = 100;  // far more than a step makes

TEST_CASE("sequences: each operation, made durable in each way, cut at each call of the device",
          "[crash][vol]") {
  test::silence_log();
  const Beginning beginning;
  const std::vector<Operation> operations = all_operations();
  std::uint64_t cuts = 0;
  for (const Operation& operation : operations) {
    for (const Persist how : ways) {
      CAPTURE(operation.text, to_text(how));
      const std::array<Step, 1> steps = {Step{&operation, how}};
      REQUIRE_FALSE(cut_at(beginning, steps, 0));
      ++cuts;
      for (std::uint64_t call = 1; call < calls_max; ++call) {
        CAPTURE(call);
        ++cuts;
        if (!cut_at(beginning, steps, call)) break;
      }
    }
  }
  CHECK(operations.size() >= 60);
  test::figure("power cuts in sequences of one operation", cuts);
}

TEST_CASE("sequences: pairs of operations at random, cut at a call at random", "[crash][vol]") {
  test::silence_log();
  const Beginning beginning;
  const std::vector<Operation> operations = all_operations();
  const std::uint64_t pairs = test::rounds({.normal = 300, .in_long_mode = 50000});
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + pairs; ++seed) {
    std::mt19937_64 rng(seed);
    const auto pick = [&] {
      return Step{&operations[rng() % operations.size()], ways[rng() % ways.size()]};
    };
    const std::array<Step, 2> steps = {pick(), pick()};
    CAPTURE(seed, steps[0].operation->text, to_text(steps[0].how), steps[1].operation->text,
            to_text(steps[1].how));
    for (int cut = 0; cut < 2; ++cut) {
      const std::uint64_t call = cut == 0 ? 0 : 1 + rng() % 25;
      CAPTURE(call);
      static_cast<void>(cut_at(beginning, steps, call));
      ++cuts;
    }
  }
  test::figure("power cuts in sequences of two operations", cuts);
}

}  // namespace
}  // namespace artfs
