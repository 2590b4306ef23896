// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <array>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

bool any_direct(const Side& side, const Step& step) {
  return side.direct(step.slot) || side.direct(step.other_slot);
}

std::string call_copy_file_range(Side& side, const Step& step) {
  if (any_direct(side, step)) return "skipped: O_DIRECT";
  const int from = side.fd(step.other_slot);
  const int to = side.fd(step.slot);
  if (step.choice % 3 == 0)
    return result(::copy_file_range(from, nullptr, to, nullptr, step.length, 0));
  off_t from_at = step.offset;
  off_t to_at = static_cast<off_t>((step.choice >> 8) % 150000);
  // Whole blocks are shared instead of copied.
  if (step.choice % 3 == 1) to_at -= to_at % 65536;
  const ssize_t copied = ::copy_file_range(from, &from_at, to, &to_at, step.length, 0);
  return fmt::format("{} {} {}", result(copied), from_at, to_at);
}

std::string call_sendfile(Side& side, const Step& step) {
  if (any_direct(side, step)) return "skipped: O_DIRECT";
  off_t from_at = step.offset;
  off_t* at = step.choice % 2 == 0 ? &from_at : nullptr;
  const ssize_t sent = ::sendfile(side.fd(step.slot), side.fd(step.other_slot), at, step.length);
  return fmt::format("{} {}", result(sent), from_at);
}

std::string call_splice(Side& side, const Step& step) {
  if (any_direct(side, step)) return "skipped: O_DIRECT";
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return result(-1);
  off_t from_at = step.offset;
  const ssize_t in = ::splice(side.fd(step.other_slot), &from_at, ends[1], nullptr, step.length, 0);
  std::string answer = result(in);
  if (in > 0) {
    const ssize_t out =
        ::splice(ends[0], nullptr, side.fd(step.slot), nullptr, static_cast<std::size_t>(in), 0);
    answer += " " + result(out);
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return answer;
}

std::string call_advise(Side& side, const Step& step) {
  constexpr std::array<int, 4> advice = {POSIX_FADV_NORMAL, POSIX_FADV_WILLNEED,
                                         POSIX_FADV_DONTNEED, POSIX_FADV_RANDOM};
  return result(::posix_fadvise(side.fd(step.slot), step.offset, static_cast<off_t>(step.length),
                                advice[step.choice % advice.size()]));
}

std::string call_readahead(Side& side, const Step& step) {
  if (step.offset < 0) return "skipped: negative";
  return result(::readahead(side.fd(step.slot), step.offset, step.length));
}

constexpr std::array copy_table = {
    Call{"copy_file_range", 5, call_copy_file_range},
    Call{"sendfile", 3, call_sendfile},
    Call{"splice", 2, call_splice},
    Call{"posix_fadvise", 3, call_advise},
    Call{"readahead", 1, call_readahead},
};

}  // namespace

std::span<const Call> copy_calls() noexcept {
  return copy_table;
}

}  // namespace artfs::differential
