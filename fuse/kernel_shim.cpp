// SPDX-License-Identifier: Apache-2.0
#include "fuse/kernel_shim.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

#include "fuse/kernel_abi.hpp"
#include "fuse/own_opcodes.hpp"
#include "fuse/reply_route.hpp"
#include "fuse/request_counts.hpp"
#include "fuse/request_meter.hpp"

namespace artfs::fuse {

namespace {

// Above every open flag and every mode bit there is.
constexpr std::uint32_t shed_in_flags = 1U << 30;
constexpr std::uint32_t shed_in_mode = 1U << 31;
// What of the kernel's offer INIT's reply accepts beyond libfuse.
constexpr std::uint32_t accepted_flags = FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT;

// Protocol 7.37. Argument and answer are those of CREATE.
constexpr std::uint32_t opcode_tmpfile = 51;

// The INIT request's number, 0 before and after: its reply is the only one to be rewritten.
std::atomic<std::uint64_t> init_unique{0};
std::atomic<std::uint32_t> offered_flags{0};
std::atomic<bool> is_ring_offered{false};
std::atomic<bool> is_setxattr_extended{false};
std::atomic<bool> wants_ring{false};
std::atomic<InitState> state{InitState::awaited};

using Bytes = std::span<std::byte>;

// A field of a request's fixed argument, or nothing when the request is too short for it.
std::uint32_t* field(Bytes request, std::size_t offset_in_argument) noexcept {
  const std::size_t offset = sizeof(fuse_in_header) + offset_in_argument;
  if (request.size() < offset + sizeof(std::uint32_t)) return nullptr;
  return reinterpret_cast<std::uint32_t*>(request.data() + offset);
}

void carry(Bytes request, std::size_t from, std::uint32_t bit, std::size_t to,
           std::uint32_t carried) noexcept {
  const std::uint32_t* source = field(request, from);
  std::uint32_t* target = field(request, to);
  if (source == nullptr || target == nullptr) return;
  *target = (*source & bit) != 0 ? *target | carried : *target & ~carried;
}

// A CREATE whose open flags carry O_TMPFILE, which no other CREATE has. Set here, since a caller inside the
// kernel (overlayfs) sends the opcode without the flag.
void rename_to_create(Bytes request) noexcept {
  constexpr std::uint32_t create = FUSE_CREATE;
  std::memcpy(request.data() + offsetof(fuse_in_header, opcode), &create, sizeof create);
  std::uint32_t* flags = field(request, offsetof(fuse_create_in, flags));
  if (flags != nullptr) *flags |= O_TMPFILE;
}

// libfuse 3.14 knows SETXATTR with a fixed argument of 8 bytes; the kernel now sends 16. Returns the new
// length of the request.
std::size_t shorten_setxattr(Bytes request) noexcept {
  constexpr std::size_t argument = sizeof(fuse_in_header);
  constexpr std::size_t surplus = sizeof(fuse_setxattr_in) - FUSE_COMPAT_SETXATTR_IN_SIZE;
  if (!is_setxattr_extended.load(std::memory_order_relaxed)) return request.size();
  if (request.size() < argument + sizeof(fuse_setxattr_in)) return request.size();
  carry(request, offsetof(fuse_setxattr_in, setxattr_flags), FUSE_SETXATTR_ACL_KILL_SGID,
        offsetof(fuse_setxattr_in, flags), shed_in_flags);
  const Bytes tail = request.subspan(argument + sizeof(fuse_setxattr_in));
  std::memmove(tail.data() - surplus, tail.data(), tail.size());
  const auto length = static_cast<std::uint32_t>(request.size() - surplus);
  std::memcpy(request.data() + offsetof(fuse_in_header, len), &length, sizeof length);
  return length;
}

// Flags 32 to 63 stand in a second word, which the kernel sends only with FUSE_INIT_EXT.
bool offers_ring(Bytes request) noexcept {
  const std::uint32_t* flags = field(request, offsetof(fuse_init_in, flags));
  const std::uint32_t* flags2 = field(request, offsetof(fuse_init_in, flags2));
  return flags != nullptr && flags2 != nullptr && (*flags & init_ext) != 0 &&
         (*flags2 & init2_over_io_uring) != 0;
}

void rewrite_fields(Bytes request, const fuse_in_header& header) noexcept {
  switch (header.opcode) {
    case opcode_tmpfile:
      return rename_to_create(request);
    case FUSE_INIT: {
      const std::uint32_t* flags = field(request, offsetof(fuse_init_in, flags));
      offered_flags = flags != nullptr ? *flags & accepted_flags : 0;
      is_ring_offered = wants_ring && offers_ring(request);
      init_unique = header.unique;
      return;
    }
    case FUSE_WRITE:
      return carry(request, offsetof(fuse_write_in, write_flags), FUSE_WRITE_KILL_SUIDGID,
                   offsetof(fuse_write_in, flags), shed_in_flags);
    case FUSE_OPEN:
      return carry(request, offsetof(fuse_open_in, open_flags), FUSE_OPEN_KILL_SUIDGID,
                   offsetof(fuse_open_in, flags), shed_in_flags);
    case FUSE_SETATTR:
      return carry(request, offsetof(fuse_setattr_in, valid), FATTR_KILL_SUIDGID,
                   offsetof(fuse_setattr_in, mode), shed_in_mode);
    default:
      return;
  }
}

// In the reply to INIT.
std::uint32_t& init_word(const iovec& piece, std::size_t offset) noexcept {
  return *reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(piece.iov_base) + offset);
}

void rewrite_reply(std::span<iovec> pieces) noexcept {
  if (init_unique.load(std::memory_order_relaxed) == 0 || pieces.size() < 2) return;
  fuse_out_header header{};
  if (pieces[0].iov_len < sizeof header) return;
  std::memcpy(static_cast<void*>(&header), pieces[0].iov_base, sizeof header);
  constexpr std::size_t flags_end = offsetof(fuse_init_out, flags) + sizeof(std::uint32_t);
  constexpr std::size_t flags2_end = offsetof(fuse_init_out, flags2) + sizeof(std::uint32_t);
  if (header.unique != init_unique || header.error != 0 || pieces[1].iov_len < flags_end) return;
  init_unique = 0;
  std::uint32_t& flags = init_word(pieces[1], offsetof(fuse_init_out, flags));
  flags |= offered_flags;
  is_setxattr_extended = (offered_flags & FUSE_SETXATTR_EXT) != 0;
  const bool takes_ring = is_ring_offered && pieces[1].iov_len >= flags2_end;
  if (takes_ring) {
    std::uint32_t& flags2 = init_word(pieces[1], offsetof(fuse_init_out, flags2));
    flags2 = ((flags & init_ext) != 0 ? flags2 : 0) | init2_over_io_uring;
    flags |= init_ext;
  }
  state = takes_ring ? InitState::answered_with_ring : InitState::answered;
}

// Not noexcept: libfuse ends its idle workers with pthread_cancel, which unwinds out of read(2).
ssize_t read_request(int fd, void* buffer, std::size_t size, void* userdata) {
  for (;;) {
    const ssize_t got = ::read(fd, buffer, size);
    if (got <= 0) return got;
    const Bytes request{static_cast<std::byte*>(buffer), static_cast<std::size_t>(got)};
    const std::size_t length = take_request(fd, *static_cast<Serving*>(userdata), request);
    if (length > 0) return static_cast<ssize_t>(length);
  }
}

ssize_t write_reply(int fd, iovec* pieces, int count, void* /*userdata*/) noexcept {
  const std::span all{pieces, static_cast<std::size_t>(count)};
  rewrite_reply(all);
  return send_reply(fd, all);
}

}  // namespace

bool install_kernel_shim(fuse_session* session, bool with_ring) noexcept {
  wants_ring = with_ring;
  fuse_custom_io io{};
  io.read = read_request;
  io.writev = write_reply;
  return fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0;
}

InitState init_state() noexcept {
  return state;
}

std::size_t take_request(int fd, Serving& serving, std::span<std::byte> request) noexcept {
  fuse_in_header header{};
  if (request.size() < sizeof header) return request.size();  // libfuse refuses it
  std::memcpy(static_cast<void*>(&header), request.data(), sizeof header);
  count_request(header.opcode);
  begin_request(header);
  if (answer_own(fd, serving, request)) return 0;
  if (header.opcode == FUSE_SETXATTR) return shorten_setxattr(request);
  rewrite_fields(request, header);
  return request.size();
}

bool is_tmpfile(const fuse_file_info& file) noexcept {
  return (file.flags & O_TMPFILE) == O_TMPFILE;
}

bool sheds_privileges(const fuse_file_info& file) noexcept {
  return (static_cast<std::uint32_t>(file.flags) & shed_in_flags) != 0;
}

bool sheds_sgid(int flags) noexcept {
  return (static_cast<std::uint32_t>(flags) & shed_in_flags) != 0;
}

bool sheds_privileges(const struct stat& wanted) noexcept {
  return (wanted.st_mode & shed_in_mode) != 0;
}

}  // namespace artfs::fuse
