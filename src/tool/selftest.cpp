// SPDX-License-Identifier: Apache-2.0
#include "tool/selftest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>

#include "artfs/error.hpp"
#include "artfs/store.hpp"
#include "artfs/volume.hpp"

#include "fuse/run_program.hpp"
#include "fuse/transport.hpp"

namespace artfs::tool {

namespace {

namespace fs = std::filesystem;
using State = SelfTestStep::State;

constexpr std::uint32_t files_count = 200;
// Beside the attributes, at the limit, one block, several.
constexpr std::array<std::size_t, 5> sizes = {0, 100, 2048, 60'000, 300'000};

struct Outcome {
  State state = State::ok;
  std::string detail;
};

Outcome failed(std::string detail) {
  return {State::failed, std::move(detail)};
}

Outcome failed(Error error) {
  return failed(to_text(error));
}

Outcome failed_errno(std::string_view what) {
  return failed(fmt::format("{}: {}", what, std::strerror(errno)));
}

std::string name_of(std::uint32_t number) {
  return fmt::format("file-{:03}", number);
}

std::string contents_of(std::uint32_t number) {
  std::minstd_rand random(number + 1);
  std::string bytes(sizes[number % sizes.size()], '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
  return bytes;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Result<void> write_files(Volume& volume) {
  const Ino dir = ARTFS_TRY(volume.mkdir(root_ino, "dir", 0755, {})).ino;
  for (std::uint32_t i = 0; i < files_count; ++i) {
    const Ino ino = ARTFS_TRY(volume.create(dir, name_of(i), 0644, {})).ino;
    const std::string bytes = contents_of(i);
    if (!bytes.empty()) ARTFS_TRY(volume.write(ino, 0, bytes_of(bytes), {}));
    ARTFS_TRY(volume.flush(ino));
    volume.release(ino);
  }
  ARTFS_TRY(volume.rename({root_ino, "dir"}, {root_ino, "renamed"}, {}));
  return volume.sync();
}

// Empty when all of them are as written.
Result<std::string> compare_files(Volume& volume) {
  const Ino dir = ARTFS_TRY(volume.lookup(root_ino, "renamed")).ino;
  std::string read;
  for (std::uint32_t i = 0; i < files_count; ++i) {
    const Attr attr = ARTFS_TRY(volume.lookup(dir, name_of(i)));
    const std::string wanted = contents_of(i);
    read.assign(wanted.size() + 1, '\0');
    read.resize(ARTFS_TRY(volume.read(attr.ino, 0, std::as_writable_bytes(std::span(read)))));
    if (read != wanted) return fmt::format("renamed/{} is not as it was written", name_of(i));
  }
  return std::string();
}

class SelfTest {
 public:
  SelfTest(fs::path work, std::string program)
      : work_(std::move(work)), program_(std::move(program)) {}

  [[nodiscard]] std::vector<SelfTestStep> run() {
    step("device", [this] { return look_at_device(); });
    step("store", [this] { return fill_store(); });
    step("reopen", [this] { return reopen_store(); });
    step("transport", [] { return look_at_transport_facts(); });
    step("mount", [this] { return use_mount(); });
    step("unmount", [this] { return unmount(); });
    step("check", [this] { return check_store(); });
    return std::move(steps_);
  }

  // Whatever happened: nothing stays mounted.
  void clean_up() {
    if (is_mounted_) static_cast<void>(unmount());
  }

 private:
  void step(std::string name, const std::function<Outcome()>& action) {
    const bool goes_on = std::none_of(steps_.begin(), steps_.end(), [](const SelfTestStep& before) {
      return before.state == State::failed;
    });
    Outcome outcome = goes_on ? action() : Outcome{State::skipped, "a step before it failed"};
    steps_.push_back({std::move(name), outcome.state, std::move(outcome.detail)});
  }

  [[nodiscard]] Outcome look_at_device() const {
    const std::string path = work_ / "direct";
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_DIRECT, 0600);
    if (file < 0 && errno == EINVAL) return {State::ok, "no O_DIRECT here: slower, not less safe"};
    if (file < 0) return failed_errno("a file cannot be made");
    ::close(file);
    return {State::ok, "O_DIRECT works"};
  }

  [[nodiscard]] Outcome fill_store() const {
    FormatOptions format;
    format.root_uid = ::geteuid();
    format.root_gid = ::getegid();
    if (const Result<void> made = Volume::format(store(), format); !made) {
      return failed(made.error());
    }
    const auto volume = Volume::open(store(), {});
    if (!volume) return failed(volume.error());
    if (const Result<void> written = write_files(**volume); !written)
      return failed(written.error());
    const StoreStats stats = (*volume)->store().stats();
    if (const Result<void> closed = (*volume)->close(); !closed) return failed(closed.error());
    return {State::ok, fmt::format("{} files; frames through {}{}", files_count, stats.io,
                                   stats.direct_io ? ", direct" : "")};
  }

  [[nodiscard]] Outcome reopen_store() const {
    const auto volume = Volume::open(store(), {});
    if (!volume) return failed(volume.error());
    const Result<std::string> wrong = compare_files(**volume);
    if (!wrong) return failed(wrong.error());
    if (!wrong->empty()) return failed(*wrong);
    if (const Result<void> closed = (*volume)->close(); !closed) return failed(closed.error());
    return {State::ok, "every byte is as it was written"};
  }

  static Outcome look_at_transport_facts() {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      return {State::skipped, fmt::format("/dev/fuse: {}", std::strerror(errno))};
    }
    const fuse::TransportChoice choice =
        fuse::choose_transport(fuse::Transport::automatic, fuse::look_at_transport());
    if (choice.why_not_ring.empty()) return {State::ok, "requests come through io_uring"};
    return {State::ok, "requests come through /dev/fuse: " + choice.why_not_ring};
  }

  [[nodiscard]] Outcome use_mount() {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) return {State::skipped, "no /dev/fuse"};
    std::error_code error;
    fs::create_directory(mount_point(), error);
    if (fuse::run_program({program_, "mount", store(), mount_point()}) != 0) {
      return failed("artfs mount failed: try it by hand");
    }
    is_mounted_ = true;
    const std::string dir = mount_point() + "/renamed";
    for (std::uint32_t i = 0; i < files_count; ++i) {
      std::ifstream file(dir + "/" + name_of(i), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (!file || bytes != contents_of(i)) return failed(name_of(i) + " is not as it was written");
    }
    return work_on_mount(dir);
  }

  [[nodiscard]] static Outcome work_on_mount(const std::string& dir) {
    const std::string path = dir + "/new";
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) return failed_errno("create");
    constexpr std::string_view text = "hello";
    const bool written =
        ::write(file, text.data(), text.size()) == ssize_t{5} && ::fsync(file) == 0;
    ::close(file);
    if (!written) return failed_errno("write and fsync");
    if (::setxattr(path.c_str(), "user.test", "1", 1, 0) != 0) return failed_errno("setxattr");
    const std::string other = dir + "/moved";
    if (::rename(path.c_str(), other.c_str()) != 0) return failed_errno("rename");
    if (::access(other.c_str(), R_OK) != 0) return failed_errno("what was renamed");
    if (::unlink(other.c_str()) != 0) return failed_errno("unlink");
    return {State::ok, "create, write, fsync, setxattr, rename, unlink"};
  }

  [[nodiscard]] Outcome unmount() {
    if (!is_mounted_) return {State::skipped, "not mounted"};
    if (fuse::run_program({program_, "umount", mount_point()}) != 0) {
      return failed(mount_point() + " cannot be unmounted: see who uses it, then artfs umount it");
    }
    is_mounted_ = false;
    return {};
  }

  [[nodiscard]] Outcome check_store() const {
    VolumeOptions options;
    options.store.read_only = true;
    const auto volume = Volume::open(store(), options);
    if (!volume) return failed(volume.error());
    const Result<CheckReport> report = (*volume)->check();
    if (!report) return failed(report.error());
    if (!report->problems.empty()) return failed(report->problems.front());
    return {State::ok,
            fmt::format("{} inodes, {} blocks, no problem", report->inodes, report->blocks)};
  }

  [[nodiscard]] std::string store() const { return work_ / "store"; }

  [[nodiscard]] std::string mount_point() const { return work_ / "mnt"; }

  const fs::path work_;
  const std::string program_;
  std::vector<SelfTestStep> steps_;
  bool is_mounted_ = false;
};

}  // namespace

std::vector<SelfTestStep> run_self_test(const std::string& parent, const std::string& program) {
  std::string work = parent + "/artfs-selftest.XXXXXX";
  if (::mkdtemp(work.data()) == nullptr) {
    return {{"directory", State::failed,
             fmt::format("{}: {}: name a directory that can be written", parent,
                         std::strerror(errno))}};
  }
  SelfTest test(work, program);
  std::vector<SelfTestStep> steps = test.run();
  test.clean_up();
  std::error_code ignored;
  // What may still be mounted is left alone, and told.
  fs::remove_all(fs::path(work) / "store", ignored);
  fs::remove(fs::path(work) / "direct", ignored);
  fs::remove(fs::path(work) / "mnt", ignored);
  fs::remove(work, ignored);
  return steps;
}

}  // namespace artfs::tool
