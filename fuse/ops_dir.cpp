// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "base/mutex.hpp"
#include "fuse/ops.hpp"
#include "fuse/reply.hpp"
#include "fuse/reply_route.hpp"

namespace artfs::fuse {

namespace {

// An open directory. The kernel sends one request at a time for a handle as long as user space shares
// no descriptor through NFS; the mutex covers that case too.
class DirHandle {
 public:
  explicit DirHandle(std::unique_ptr<DirStream> stream) noexcept : stream_(std::move(stream)) {}

  enum class Attributes : bool { no, yes };

  // Appends entries after `offset` to a buffer of `size` bytes; returns the bytes used.
  template <Attributes attributes, typename AppendEntry>
  Result<std::size_t> fill(std::int64_t offset, std::size_t size, const AppendEntry& append) {
    const base::MutexLock lock(mutex_);
    if (offset != position_ || offset == 0) ARTFS_TRY(stream_->seek(offset));
    // The kernel takes what a reply says for newer than all that was replied before the request.
    stream_->forget_attributes();
    position_ = offset;
    std::size_t used = 0;
    while (true) {
      const Result<const DirEntry*> next =
          attributes == Attributes::yes ? stream_->next_with_attributes() : stream_->next();
      // What was gathered is good; the error shows itself again at the next request.
      if (!next && used > 0) break;
      if (!next) return fail(next.error());
      if (*next == nullptr) break;
      const std::size_t needed = append(**next, stream_->attributes(), used, size - used);
      if (needed > size - used) {
        stream_->unread();
        break;
      }
      used += needed;
      position_ = (*next)->offset;
    }
    return used;
  }

 private:
  base::Mutex mutex_{base::Rank::session};
  std::unique_ptr<DirStream> stream_ ARTFS_GUARDED_BY(mutex_);
  std::int64_t position_ ARTFS_GUARDED_BY(mutex_) = 0;
};

DirHandle& handle_of(const fuse_file_info& file) noexcept {
  return *reinterpret_cast<DirHandle*>(file.fh);
}

void op_opendir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  Reply reply(request);
  Result<std::unique_ptr<DirStream>> stream = volume_of(request).open_dir(Ino{ino});
  if (!stream) return std::move(reply).error(stream.error());
  auto handle = std::make_unique<DirHandle>(*std::move(stream));
  file->fh = reinterpret_cast<std::uint64_t>(handle.get());
  file->cache_readdir = 1;
  // From here the kernel owns the handle and gives it back in releasedir.
  if (std::move(reply).opened(*file)) static_cast<void>(handle.release());
}

void op_releasedir(fuse_req_t request, fuse_ino_t /*ino*/, fuse_file_info* file) noexcept {
  std::unique_ptr<DirHandle>(&handle_of(*file)).reset();
  Reply(request).ok();
}

// The entry's name with a final NUL, as libfuse wants it.
class NameBuffer {
 public:
  const char* operator()(std::string_view name) noexcept {
    const std::size_t length = std::min(name.size(), name_bytes_max);
    std::copy_n(name.begin(), length, chars_.begin());
    chars_[length] = '\0';
    return chars_.data();
  }

 private:
  std::array<char, name_bytes_max + 1> chars_{};
};

std::span<char> reply_buffer(std::size_t size) {
  const std::span<std::byte> space = answer_space(size);
  return {reinterpret_cast<char*>(space.data()), space.size()};
}

void op_readdir(fuse_req_t request, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
                fuse_file_info* file) noexcept {
  Reply reply(request);
  const std::span<char> buffer = reply_buffer(size);
  NameBuffer name;
  const auto append = [&](const DirEntry& entry, const Attr* /*attributes*/, std::size_t used,
                          std::size_t room) {
    struct stat attr {};
    attr.st_ino = entry.ino.raw;
    attr.st_mode = entry.type;
    return fuse_add_direntry(request, buffer.data() + used, room, name(entry.name), &attr,
                             entry.offset);
  };
  const Result<std::size_t> used =
      handle_of(*file).fill<DirHandle::Attributes::no>(offset, size, append);
  if (!used) return std::move(reply).error(used.error());
  std::move(reply).bytes({buffer.data(), *used});
}

// "." and "..", and what vanished meanwhile, go without attributes: node id 0 makes the kernel list the name
// and link nothing.
fuse_entry_param entry_with_attributes(const DirEntry& entry, const Attr* attributes) {
  if (attributes != nullptr) return to_entry(*attributes);
  fuse_entry_param bare{};
  bare.attr.st_ino = entry.ino.raw;
  bare.attr.st_mode = entry.type;
  return bare;
}

void op_readdirplus(fuse_req_t request, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
                    fuse_file_info* file) noexcept {
  Reply reply(request);
  const std::span<char> buffer = reply_buffer(size);
  NameBuffer name;
  const auto append = [&](const DirEntry& entry, const Attr* attributes, std::size_t used,
                          std::size_t room) {
    const fuse_entry_param param = entry_with_attributes(entry, attributes);
    return fuse_add_direntry_plus(request, buffer.data() + used, room, name(entry.name), &param,
                                  entry.offset);
  };
  const Result<std::size_t> used =
      handle_of(*file).fill<DirHandle::Attributes::yes>(offset, size, append);
  if (!used) return std::move(reply).error(used.error());
  std::move(reply).bytes({buffer.data(), *used});
}

void op_fsyncdir(fuse_req_t request, fuse_ino_t ino, int /*data_only*/,
                 fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  Serving& target = serving(request);
  std::move(reply).done(target.fsync_waits ? target.volume.fsync(Ino{ino}) : Result<void>());
}

}  // namespace

void add_dir_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.opendir = op_opendir;
  ops.releasedir = op_releasedir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.fsyncdir = op_fsyncdir;
}

}  // namespace artfs::fuse
