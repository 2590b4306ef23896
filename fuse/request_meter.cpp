// SPDX-License-Identifier: Apache-2.0
#include "fuse/request_meter.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "fuse/request_counts.hpp"

namespace artfs::fuse {

namespace {

constexpr std::size_t opcodes = 64;
constexpr std::size_t errnos = 192;  // the largest of Linux is 133

// One thread's. What others read of the request under way is stored with release and loaded with acquire: who sees
// a field of a later request sees that the number of the earlier one is gone.
struct alignas(64) Place {
  std::atomic<std::uint64_t> unique{0};  // of the request under way; 0: none
  std::atomic<std::uint64_t> started_ns{0};
  std::atomic<std::uint64_t> ino{0};
  std::atomic<std::uint64_t> caller{0};  // uid, pid
  std::atomic<std::uint32_t> opcode{0};
  std::atomic<int> thread{0};
  std::array<std::atomic<LatencyHistogram*>, opcodes> latencies{};
  std::array<std::unique_ptr<LatencyHistogram>, opcodes> owned;  // the thread's
  AccessRing recent;
};

struct Places {
  base::Mutex mutex{base::Rank::leaf};
  std::vector<std::unique_ptr<Place>> all ARTFS_GUARDED_BY(mutex);
  std::vector<Place*> unused ARTFS_GUARDED_BY(mutex);  // their threads have ended
};

Places& places() {
  static Places instance;
  return instance;
}

std::array<std::atomic<std::uint64_t>, opcodes * errnos> errors{};
std::atomic<bool> keeps_recent{true};

thread_local constinit Place* own_place = nullptr;

// Gives the place back when the thread ends.
struct Lease {
  Lease() = default;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  ~Lease() {
    if (own_place == nullptr) return;
    own_place->unique.store(0, std::memory_order_release);
    const base::MutexLock lock(places().mutex);
    places().unused.push_back(own_place);
    own_place = nullptr;
  }
};

Place& take_place() {
  thread_local Lease lease;
  static_cast<void>(lease);
  const base::MutexLock lock(places().mutex);
  if (places().unused.empty()) {
    places().all.push_back(std::make_unique<Place>());
    own_place = places().all.back().get();
  } else {
    own_place = places().unused.back();
    places().unused.pop_back();
  }
  own_place->thread.store(::gettid(), std::memory_order_release);
  return *own_place;
}

std::size_t index_of(std::uint32_t opcode) noexcept {
  return std::min<std::size_t>(opcode, opcodes - 1);
}

LatencyHistogram& latency_of(Place& place, std::uint32_t opcode) {
  const std::size_t index = index_of(opcode);
  if (LatencyHistogram* known = place.latencies[index].load(std::memory_order_relaxed)) {
    return *known;
  }
  place.owned[index] = std::make_unique<LatencyHistogram>();
  // Pairs with the reader's acquire: it sees the zeros.
  place.latencies[index].store(place.owned[index].get(), std::memory_order_release);
  return *place.owned[index];
}

bool is_answered(std::uint32_t opcode) noexcept {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
         opcode != FUSE_NOTIFY_REPLY;
}

void count_error(std::uint32_t opcode, int error) noexcept {
  const std::size_t index = std::min<std::size_t>(static_cast<unsigned>(error), errnos - 1);
  errors[index_of(opcode) * errnos + index].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void begin_request(const fuse_in_header& header) noexcept {
  if (!is_answered(header.opcode)) return;
  Place& place = own_place != nullptr ? *own_place : take_place();
  place.started_ns.store(base::now_ns(), std::memory_order_release);
  place.ino.store(header.nodeid, std::memory_order_release);
  place.caller.store((std::uint64_t{header.uid} << 32) | header.pid, std::memory_order_release);
  place.opcode.store(header.opcode, std::memory_order_release);
  place.unique.store(header.unique, std::memory_order_release);
}

void end_request(std::uint64_t unique, int error) noexcept {
  if (own_place == nullptr || unique == 0) return;
  Place& place = *own_place;
  if (place.unique.load(std::memory_order_relaxed) != unique) return;
  const std::uint64_t started = place.started_ns.load(std::memory_order_relaxed);
  const std::uint64_t took = base::now_ns() - started;
  const std::uint32_t opcode = place.opcode.load(std::memory_order_relaxed);
  latency_of(place, opcode).add(took);
  if (error != 0) count_error(opcode, error);
  if (keeps_recent.load(std::memory_order_relaxed)) {
    const std::uint64_t caller = place.caller.load(std::memory_order_relaxed);
    place.recent.put({.started_ns = started,
                      .took_ns = took,
                      .ino = place.ino.load(std::memory_order_relaxed),
                      .uid = static_cast<std::uint32_t>(caller >> 32),
                      .pid = static_cast<std::uint32_t>(caller),
                      .opcode = opcode,
                      .error = static_cast<std::uint32_t>(error)});
  }
  place.unique.store(0, std::memory_order_release);
}

std::vector<OperationLatency> operation_latencies() {
  std::vector<OperationLatency> out;
  const base::MutexLock lock(places().mutex);
  for (std::size_t opcode = 0; opcode < opcodes; ++opcode) {
    LatencyCounts sum;
    for (const auto& place : places().all) {
      const LatencyHistogram* one = place->latencies[opcode].load(std::memory_order_acquire);
      if (one != nullptr) one->read_into(sum);
    }
    if (sum.count() == 0) continue;
    out.push_back(
        {.operation = operation_name(static_cast<std::uint32_t>(opcode)), .latency = sum});
  }
  return out;
}

std::vector<RequestErrors> request_errors() {
  std::vector<RequestErrors> out;
  for (std::size_t index = 0; index < errors.size(); ++index) {
    const std::uint64_t count = errors[index].load(std::memory_order_relaxed);
    if (count == 0) continue;
    out.push_back({.operation = operation_name(static_cast<std::uint32_t>(index / errnos)),
                   .error = static_cast<int>(index % errnos),
                   .count = count});
  }
  return out;
}

std::vector<RequestInFlight> requests_in_flight() {
  std::vector<RequestInFlight> out;
  const base::MutexLock lock(places().mutex);
  for (const auto& place : places().all) {
    const std::uint64_t unique = place->unique.load(std::memory_order_acquire);
    if (unique == 0) continue;
    const std::uint64_t caller = place->caller.load(std::memory_order_acquire);
    RequestInFlight one{.unique = unique,
                        .started_ns = place->started_ns.load(std::memory_order_acquire),
                        .ino = place->ino.load(std::memory_order_acquire),
                        .operation = operation_name(place->opcode.load(std::memory_order_acquire)),
                        .uid = static_cast<std::uint32_t>(caller >> 32),
                        .pid = static_cast<std::uint32_t>(caller),
                        .thread = place->thread.load(std::memory_order_acquire)};
    // Unchanged: the fields are of this request.
    if (place->unique.load(std::memory_order_acquire) == unique) out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.started_ns < b.started_ns; });
  return out;
}

std::vector<AccessEntry> recent_requests() {
  std::vector<AccessEntry> out;
  {
    const base::MutexLock lock(places().mutex);
    for (const auto& place : places().all) place->recent.copy(out);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.started_ns < b.started_ns; });
  return out;
}

void keep_recent_requests(bool keep) noexcept {
  keeps_recent.store(keep, std::memory_order_relaxed);
}

bool keeps_recent_requests() noexcept {
  return keeps_recent.load(std::memory_order_relaxed);
}

}  // namespace artfs::fuse
