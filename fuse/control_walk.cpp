// SPDX-License-Identifier: Apache-2.0
#include "fuse/control_walk.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.hpp"

namespace artfs::fuse {

namespace {

using nlohmann::json;

constexpr suseconds_t send_wait_us = 200'000;         // how soon an end is noticed
constexpr std::uint64_t entries_between_looks = 256;  // at the clock
constexpr std::uint64_t chunk_age_max_ns = 100'000'000;

std::string last_line(const Result<bool>& walked) {
  const json object = walked ? json{{"ok", true}, {"complete", *walked}}
                             : json{{"ok", false},
                                    {"error", name_of(walked.error().code)},
                                    {"text", to_text(walked.error())}};
  return object.dump() + "\n";
}

}  // namespace

ControlWalk::ControlWalk(Volume& volume, base::UniqueFd client, WalkRequest request)
    : volume_(volume),
      client_(std::move(client)),
      request_(std::move(request)),
      thread_([this] { run(); }) {}

ControlWalk::~ControlWalk() {
  is_cancelled_ = true;
  thread_.join();
}

void ControlWalk::run() {
  const timeval limit{.tv_sec = 0, .tv_usec = send_wait_us};
  ::setsockopt(client_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  send(last_line(walk()));
  client_.reset();
  is_done_ = true;
}

Result<bool> ControlWalk::walk() {
  const Ino root = ARTFS_TRY(find_walk_root(volume_, request_));
  if (!send(json{{"ok", true}, {"walk", walk_stream_format()}}.dump() + "\n")) return false;
  WalkWriter writer;
  std::uint64_t entries = 0;
  std::uint64_t sent_ns = base::now_ns();
  const auto visit = [&](const WalkEntry& entry) {
    writer.add(entry);
    ++entries;
    bool is_due = writer.size() >= walk_chunk_bytes;
    if (entries % entries_between_looks == 0) {
      const std::uint64_t now = base::now_ns();
      is_due = is_due || now - sent_ns > chunk_age_max_ns;
      if (is_due) sent_ns = now;
    }
    if (is_cancelled_.load(std::memory_order_relaxed)) return false;
    return !is_due || send(writer.take());
  };
  const Result<bool> walked = volume_.walk(root, {.levels_max = request_.levels_max}, visit);
  if (!send(writer.take(true))) return false;
  return walked;
}

// False: nobody is there any more, or it is time to end.
bool ControlWalk::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    const bool goes_on = sent >= 0 || errno == EINTR || errno == EAGAIN;
    if (!goes_on || (sent < 0 && is_cancelled_)) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace artfs::fuse
