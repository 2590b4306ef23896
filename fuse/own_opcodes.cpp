// SPDX-License-Identifier: Apache-2.0
#include "fuse/own_opcodes.hpp"

#include <linux/fuse.h>
#include <linux/stat.h>
#include <pthread.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "fuse/inside_ops.hpp"
#include "fuse/reply.hpp"
#include "fuse/reply_route.hpp"

namespace artfs::fuse {

namespace {

using OwnHandler = Result<std::size_t> (*)(const OwnRequest& request);

template <typename Argument>
Result<Argument> argument_of(const OwnRequest& request) {
  static_assert(std::is_trivially_copyable_v<Argument>);
  Argument argument;
  if (request.argument.size() < sizeof argument) return fail(Errc::invalid_argument);
  std::memcpy(static_cast<void*>(&argument), request.argument.data(), sizeof argument);
  return argument;
}

template <typename Answer>
std::size_t put_answer(const OwnRequest& request, const Answer& answer) {
  static_assert(std::is_trivially_copyable_v<Answer> && sizeof answer <= own_answer_bytes_max);
  std::memcpy(request.answer.data(), &answer, sizeof answer);
  return sizeof answer;
}

StatxTime to_statx_time(Timestamp time) {
  return {.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

StatxOut to_statx(const Attr& attr) {
  StatxOut out;
  out.valid_s = static_cast<std::uint64_t>(attr_timeout_s);
  out.mask = STATX_BASIC_STATS | STATX_BTIME;
  out.block_bytes = attr.block_bytes;
  out.nlink = attr.nlink;
  out.uid = attr.uid;
  out.gid = attr.gid;
  out.mode = static_cast<std::uint16_t>(attr.mode);
  out.ino = attr.ino.raw;
  out.size = attr.size;
  out.blocks = attr.blocks_512;
  out.atime = to_statx_time(attr.atime);
  out.btime = to_statx_time(attr.btime);
  out.ctime = to_statx_time(attr.ctime);
  out.mtime = to_statx_time(attr.mtime);
  out.rdev_major = major(attr.rdev);
  out.rdev_minor = minor(attr.rdev);
  return out;
}

// The kernel asks only for what GETATTR cannot say: the time of birth.
Result<std::size_t> own_statx(const OwnRequest& request) {
  ARTFS_TRY(argument_of<StatxIn>(request));
  const auto inside = inside_attributes(request.serving, request.node);
  if (inside) return put_answer(request, to_statx(*inside));
  const Attr attr = ARTFS_TRY(request.serving.volume.getattr(request.node));
  return put_answer(request, to_statx(attr));
}

struct Row {
  std::uint32_t opcode;
  OwnHandler handler;
};

constexpr std::array<Row, 1> table = {{{opcode_statx, own_statx}}};

// A reply the kernel does not take (ENOENT: the request was interrupted) leaves nothing behind.
void reply(int fd, std::uint64_t unique, int error, std::span<const std::byte> answer) noexcept {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + answer.size());
  header.error = -error;
  header.unique = unique;
  const std::array<iovec, 2> pieces = {
      {{.iov_base = &header, .iov_len = sizeof header},
       {.iov_base = const_cast<std::byte*>(answer.data()), .iov_len = answer.size()}}};
  static_cast<void>(send_reply(fd, std::span(pieces).first(answer.empty() ? 1 : 2)));
}

// libfuse ends workers by cancelling them in their read; what runs in there now must not be.
class Uncancelled {
 public:
  Uncancelled() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }

  Uncancelled(const Uncancelled&) = delete;
  Uncancelled& operator=(const Uncancelled&) = delete;

  ~Uncancelled() { ::pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = 0;
};

}  // namespace

bool answer_own(int fd, Serving& serving, std::span<const std::byte> request) noexcept {
  fuse_in_header header{};
  if (request.size() < sizeof header) return false;
  std::memcpy(static_cast<void*>(&header), request.data(), sizeof header);
  const auto* row = std::find_if(table.begin(), table.end(), [&](const Row& candidate) {
    return candidate.opcode == header.opcode;
  });
  if (row == table.end()) return false;
  const Uncancelled uncancelled;
  std::array<std::byte, own_answer_bytes_max> answer{};
  const OwnRequest own{.serving = serving,
                       .node = Ino{header.nodeid},
                       .caller = {.uid = header.uid, .gid = header.gid},
                       .argument = request.subspan(sizeof header),
                       .answer = answer};
  const Result<std::size_t> bytes = row->handler(own);
  if (bytes) {
    reply(fd, header.unique, 0, std::span(answer).first(*bytes));
  } else {
    reply(fd, header.unique, to_errno(bytes.error()), {});
  }
  return true;
}

}  // namespace artfs::fuse
