// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "model/volume_world.hpp"

namespace artfs::test {
namespace {

constexpr std::size_t handles_max = 6;

std::uint64_t host_size(int fd) {
  struct ::stat st {};

  return ::fstat(fd, &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

int open_host(const std::string& path) {
  return ::open(path.c_str(), O_RDWR | O_CLOEXEC);
}

}  // namespace

void VolumeWorld::write_both(int fd, Ino ino, const std::string& path, std::uint64_t offset) {
  const std::string data = bytes(some_length());
  begin(fmt::format("write {} ino {} at {} {} bytes", path, ino.raw, offset, data.size()), {path});
  const ssize_t wrote = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
  const int left = wrote < 0 ? errno : 0;
  const int right = code(
      volume_->write(ino, offset, std::as_bytes(std::span(data.data(), data.size())), caller_));
  end(left, right);
}

void VolumeWorld::read_both(int fd, Ino ino, std::uint64_t offset, std::size_t length) {
  std::string left(length, '\0');
  std::string right(length, '\0');
  const ssize_t got = ::pread(fd, left.data(), length, static_cast<off_t>(offset));
  const Result<std::size_t> read =
      volume_->read(ino, offset, std::as_writable_bytes(std::span(right.data(), right.size())));
  if (!read) differ("read: " + to_text(read.error()));
  if (got < 0 || static_cast<std::size_t>(got) != *read) {
    differ(fmt::format("read at {}: host {}, volume {} bytes", offset, got, *read));
  }
  left.resize(*read);
  right.resize(*read);
  if (left == right) return;
  const auto at = std::mismatch(left.begin(), left.end(), right.begin()).first - left.begin();
  differ(fmt::format("read at {}: differs at byte {} of {}", offset, at, *read));
}

// Where the volume says there is a hole, the host must have zeros.
void VolumeWorld::check_holes(Ino ino, int fd) {
  const std::uint64_t size = host_size(fd);
  const std::uint64_t from = below(size + 1);
  const Result<std::uint64_t> data = volume_->seek_data(ino, from);
  if (!data && data.error().code != Errc::no_more_data) differ("seek_data");
  const std::uint64_t to = data ? *data : size;
  std::string bytes(std::min<std::uint64_t>(to - std::min(to, from), 1 << 20), 'x');
  const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(from));
  if (got != static_cast<ssize_t>(bytes.size()) || bytes.find_first_not_of('\0') != bytes.npos) {
    differ(fmt::format("seek_data from {} skips bytes before {}", from, to));
  }
}

void VolumeWorld::write_path() {
  const std::string path = pick("f");
  const int fd = open_host(host(path));
  if (fd < 0) return;
  const Result<Ino> ino = resolve(path);
  if (!ino) differ("resolve " + path);
  const bool open = chance(2);
  if (open && !volume_->open_file(*ino)) differ("open " + path);
  write_both(fd, *ino, path, some_offset(host_size(fd)));
  if (open) volume_->release(*ino);
  ::close(fd);
}

void VolumeWorld::append_path() {
  const std::string path = pick("f");
  const int fd = open_host(host(path));
  if (fd < 0) return;
  const Result<Ino> ino = resolve(path);
  if (!ino) differ("resolve " + path);
  write_both(fd, *ino, path, volume_->getattr(*ino)->size);
  ::close(fd);
}

void VolumeWorld::read_path() {
  const std::string path = pick("f");
  const int fd = open_host(host(path));
  if (fd < 0) return;
  begin("read " + path, {path});
  const Result<Ino> ino = resolve(path);
  if (!ino) differ("resolve " + path);
  read_both(fd, *ino, some_offset(host_size(fd)), some_length());
  ::close(fd);
}

void VolumeWorld::truncate_path() {
  const std::string path = chance(8) ? pick("d") : pick("f");

  struct ::stat st {};

  const bool there = ::lstat(host(path).c_str(), &st) == 0;
  const auto before = there ? static_cast<std::uint64_t>(st.st_size) : 0;
  const std::uint64_t size = chance(5) ? 0 : chance(5) ? before : some_offset(before);
  begin(fmt::format("truncate {} from {} to {}", path, before, size), {path, parent_of(path)});
  const int left =
      errno_of([&] { return ::truncate(host(path).c_str(), static_cast<off_t>(size)); });
  const Result<Ino> ino = resolve(path);
  SetAttr changes;
  changes.size = size;
  const Result<Attr> right = ino ? volume_->setattr(*ino, changes, caller_) : fail(ino.error());
  if (right && right->size != size) differ("truncate: the size returned");
  end(left, code(right), before != size);
}

void VolumeWorld::allocate_path() {
  const std::string path = pick("f");
  const int fd = open_host(host(path));
  if (fd < 0) return;
  const Result<Ino> ino = resolve(path);
  const std::uint64_t size = host_size(fd);
  const bool keep_size = chance(2);
  const std::uint64_t offset = some_offset(size);
  const std::uint64_t length = chance(20) ? 0 : some_length();
  const std::uint64_t how = below(3);
  begin(fmt::format("fallocate {} of {} at {} length {} keep {} way {}", path, size, offset, length,
                    keep_size, how),
        {path});
  int mode = keep_size ? FALLOC_FL_KEEP_SIZE : 0;
  if (how == 1) mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
  // tmpfs has no zero range; what it does to the bytes can be done by hand.
  const bool by_hand = how == 2;
  const int left = errno_of([&] {
    const int done = ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length));
    if (done < 0 || !by_hand || offset >= host_size(fd)) return done;
    const std::string zeros(std::min<std::uint64_t>(length, host_size(fd) - offset), '\0');
    return ::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(offset)) < 0 ? -1 : 0;
  });
  ::close(fd);
  const auto run = [&] {
    if (how == 1) return volume_->punch_hole(*ino, offset, length);
    if (how == 2) return volume_->zero_range(*ino, offset, length, keep_size);
    return volume_->fallocate(*ino, offset, length, keep_size);
  };
  end(left, ino ? code(run()) : code(ino), false);
}

void VolumeWorld::open_handle() {
  if (handles_.size() >= handles_max) return close_handle();
  const std::string path = pick("f");
  const int fd = open_host(host(path));
  if (fd < 0) return;
  begin("open " + path, {path});
  const Result<Ino> ino = resolve(path);
  if (!ino || !volume_->open_file(*ino)) differ("open " + path);
  handles_.push_back({.fd = fd, .ino = *ino});
}

void VolumeWorld::write_handle() {
  if (handles_.empty()) return;
  const Handle handle = handles_[below(handles_.size())];
  write_both(handle.fd, handle.ino, {}, some_offset(host_size(handle.fd)));
  check_holes(handle.ino, handle.fd);
}

void VolumeWorld::read_handle() {
  if (handles_.empty()) return;
  const Handle handle = handles_[below(handles_.size())];
  begin(fmt::format("read of open inode {}", handle.ino.raw), {});

  struct ::stat st {};

  ::fstat(handle.fd, &st);
  const Result<Attr> attr = volume_->getattr(handle.ino);
  if (!attr) differ("an open inode is gone: " + to_text(attr.error()));
  compare_attributes("(open)", st, *attr);
  read_both(handle.fd, handle.ino, some_offset(host_size(handle.fd)), some_length());
}

void VolumeWorld::truncate_handle() {
  if (handles_.empty()) return;
  const Handle handle = handles_[below(handles_.size())];
  SetAttr changes;
  changes.size = some_offset(host_size(handle.fd));
  begin(fmt::format("ftruncate of inode {} to {}", handle.ino.raw, *changes.size), {});
  const int left =
      errno_of([&] { return ::ftruncate(handle.fd, static_cast<off_t>(*changes.size)); });
  end(left, code(volume_->setattr(handle.ino, changes, caller_)));
}

void VolumeWorld::close_handle() {
  if (handles_.empty()) return;
  const std::size_t at = below(handles_.size());
  begin(fmt::format("close inode {}", handles_[at].ino.raw), {});
  ::close(handles_[at].fd);
  if (!volume_->flush(handles_[at].ino)) differ("flush");
  volume_->release(handles_[at].ino);
  handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(at));
}

void VolumeWorld::sync_handle() {
  if (handles_.empty()) return;
  begin("fsync", {});
  const Result<void> synced = volume_->fsync(handles_[below(handles_.size())].ino);
  if (!synced) differ("fsync: " + to_text(synced.error()));
}

void VolumeWorld::sync_volume() {
  begin("sync", {});
  const Result<void> synced = volume_->sync();
  if (!synced) differ("sync: " + to_text(synced.error()));
}

void VolumeWorld::close_all() {
  while (!handles_.empty()) close_handle();
}

void VolumeWorld::reopen() {
  if (kind_ != Kind::on_disk) return;
  close_all();
  begin("reopen", {});
  const Result<void> closed = volume_->close();
  if (!closed) differ("close: " + to_text(closed.error()));
  volume_.reset();
  open_volume();
  if (volume_->stats().orphans != 0) differ("orphans after a clean close");
  compare_all();
}

void VolumeWorld::check_now() {
  begin("check", {});
  check();
}

const std::vector<VolumeWorld::Weighted>& VolumeWorld::steps() {
  using World = VolumeWorld;
  static const std::vector<Weighted> all = {
      {&World::make_directory, 400},
      {&World::remove_directory, 250},
      {&World::create_file, 900},
      {&World::unlink_path, 700},
      {&World::rename_plain, 500},
      {&World::rename_no_replace, 150},
      {&World::rename_exchange, 200},
      {&World::rename_whiteout, 100},
      {&World::rename_directory_below_itself, 60},
      {&World::hard_link, 300},
      {&World::make_symlink, 150},
      {&World::read_link, 100},
      {&World::make_special, 150},
      {&World::look_up, 400},
      {&World::list_directory, 150},
      {&World::change_mode, 250},
      {&World::change_owner, 200},
      {&World::change_times, 300},
      {&World::set_attribute, 250},
      {&World::get_attribute, 150},
      {&World::list_attributes, 80},
      {&World::remove_attribute, 100},
      {&World::get_attr, 400},
      {&World::write_path, 900},
      {&World::append_path, 400},
      {&World::read_path, 500},
      {&World::truncate_path, 350},
      {&World::allocate_path, 120},
      {&World::open_handle, 150},
      {&World::write_handle, 300},
      {&World::read_handle, 300},
      {&World::truncate_handle, 100},
      {&World::close_handle, 120},
      {&World::sync_handle, 20},
      {&World::sync_volume, 10},
      {&World::reopen, 2},
      {&World::check_now, 3},
      {&World::compare_now, 2},
  };
  return all;
}

void VolumeWorld::run(std::uint64_t count) {
  std::uint64_t total = 0;
  for (const Weighted& weighted : steps()) total += weighted.weight;
  for (std::uint64_t i = 0; i < count; ++i, ++step_) {
    std::uint64_t at = below(total);
    for (const Weighted& weighted : steps()) {
      if (at < weighted.weight) {
        (this->*weighted.step)();
        break;
      }
      at -= weighted.weight;
    }
  }
  close_all();
  compare_all();
  check();
  if (kind_ == Kind::on_disk) reopen();
}

}  // namespace artfs::test
