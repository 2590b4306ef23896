// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "fuse/mount_options.hpp"
#include "fuse/reply_route.hpp"
#include "fuse/ring_entry.hpp"
#include "fuse/transport.hpp"
#include "fuse/uring_transport.hpp"

using artfs::fuse::choose_transport;
using artfs::fuse::parse_mount_options;
using artfs::fuse::plan_ring;
using artfs::fuse::RingEntry;
using artfs::fuse::RingHeaders;
using artfs::fuse::RingPlace;
using artfs::fuse::Transport;
using artfs::fuse::TransportFacts;

namespace {

constexpr TransportFacts all_fine{
    .is_built = true, .module = TransportFacts::Module::on, .ring_error = 0};

constexpr std::size_t payload_bytes = 64 * 1024;

std::unique_ptr<RingEntry> make_entry() {
  auto entry = RingEntry::make(3, payload_bytes);
  REQUIRE(entry);
  return *std::move(entry);
}

struct Sent {
  fuse_in_header header{};
  std::string argument;
  std::string payload;
};

// What the kernel does with a request.
void put(const RingEntry& entry, Sent sent) {
  auto& headers = *static_cast<RingHeaders*>(entry.areas()[0].iov_base);
  sent.header.len =
      static_cast<std::uint32_t>(sizeof sent.header + sent.argument.size() + sent.payload.size());
  std::memcpy(headers.in_out, &sent.header, sizeof sent.header);
  std::memcpy(headers.argument, sent.argument.data(), sent.argument.size());
  std::memcpy(entry.areas()[1].iov_base, sent.payload.data(), sent.payload.size());
  headers.payload_bytes = static_cast<std::uint32_t>(sent.payload.size());
  headers.commit_id = sent.header.unique;
}

struct Taken {
  fuse_out_header header{};
  std::string payload;
};

// What the kernel takes of the reply.
Taken take(const RingEntry& entry) {
  const auto& headers = *static_cast<const RingHeaders*>(entry.areas()[0].iov_base);
  Taken taken;
  std::memcpy(static_cast<void*>(&taken.header), headers.in_out, sizeof taken.header);
  taken.payload.assign(static_cast<const char*>(entry.areas()[1].iov_base), headers.payload_bytes);
  return taken;
}

iovec piece_of(const void* data, std::size_t size) {
  return {.iov_base = const_cast<void*>(data), .iov_len = size};
}

fuse_out_header reply_header(std::uint64_t unique, std::size_t bytes) {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + bytes);
  header.unique = unique;
  return header;
}

}  // namespace

TEST_CASE("transport: an option names it, and nothing else does", "[unit][fuse]") {
  const auto transport = [](const std::string& list) {
    const auto options = parse_mount_options({list}, false);
    REQUIRE(options);
    return options->transport;
  };
  CHECK(transport("") == Transport::automatic);
  CHECK(transport("transport=auto") == Transport::automatic);
  CHECK(transport("transport=uring") == Transport::uring);
  CHECK(transport("transport=uring,transport=dev") == Transport::dev);
  for (const char* bad : {"transport=bogus", "transport=", "transport=URING"}) {
    CHECK_FALSE(parse_mount_options({bad}, false));
  }
}

TEST_CASE("transport: the ring is chosen when everything allows it, and each refusal is named",
          "[unit][fuse]") {
  CHECK(choose_transport(Transport::automatic, all_fine).runs == Transport::uring);
  CHECK(choose_transport(Transport::uring, all_fine).runs == Transport::uring);
  CHECK(choose_transport(Transport::dev, all_fine).runs == Transport::dev);
  CHECK(choose_transport(Transport::dev, all_fine).why_not_ring.empty());

  const auto refused = [](TransportFacts facts, const std::string& word) {
    for (const Transport wanted : {Transport::automatic, Transport::uring}) {
      const auto choice = choose_transport(wanted, facts);
      CHECK(choice.runs == Transport::dev);
      CHECK(choice.why_not_ring.find(word) != std::string::npos);
    }
  };
  TransportFacts facts = all_fine;
  facts.is_built = false;
  refused(facts, "liburing");
  facts = all_fine;
  facts.module = TransportFacts::Module::absent;
  refused(facts, "Linux 6.14");
  facts.module = TransportFacts::Module::off;
  refused(facts, "enable_uring is N");
  facts = all_fine;
  facts.ring_error = EPERM;
  refused(facts, "io_uring_disabled");
}

TEST_CASE("transport: every queue has a thread, cores that run have several, none too many",
          "[unit][fuse]") {
  const auto lanes = [](const std::vector<RingPlace>& places, std::uint16_t queue) {
    std::size_t count = 0;
    for (const RingPlace& place : places) {
      for (const std::uint16_t served : place.queues) count += served == queue ? 1U : 0U;
    }
    return count;
  };
  const std::vector<RingPlace> two = plan_ring(2, {true, true}, 0);
  CHECK(two.size() == 16);
  CHECK(lanes(two, 0) == 8);
  CHECK(lanes(two, 1) == 8);
  CHECK(plan_ring(64, std::vector<bool>(64, true), 0).size() == 128);
  CHECK(plan_ring(2, {true, true}, 1).size() == 2);
  CHECK(plan_ring(2, {true, true}, 7).size() == 8);

  // Cores that may come later: their requests are served, by one thread for all of them.
  const std::vector<RingPlace> some = plan_ring(6, {true, false, true, false, false, false}, 0);
  CHECK(some.size() == 17);
  for (std::uint16_t queue = 0; queue < 6; ++queue) {
    CHECK(lanes(some, queue) == (queue == 0 || queue == 2 ? 8U : 1U));
  }
  CHECK(some.back().core == -1);
  std::vector<std::size_t> first(6);
  for (const RingPlace& place : some) {
    for (const std::uint16_t queue : place.queues) first[queue] += place.is_first ? 1 : 0;
  }
  CHECK(first == std::vector<std::size_t>(6, 1));
}

TEST_CASE("ring entry: a request is header, argument and payload in one piece", "[unit][fuse]") {
  const auto entry = make_entry();
  Sent sent{.header = {}, .argument = std::string(24, 'a'), .payload = "name"};
  sent.header.opcode = FUSE_CREATE;
  sent.header.unique = 77;
  put(*entry, sent);
  const std::span<std::byte> request = entry->request();
  REQUIRE(request.size() == sizeof(fuse_in_header) + 24 + 4);
  fuse_in_header header{};
  std::memcpy(static_cast<void*>(&header), request.data(), sizeof header);
  CHECK(header.opcode == FUSE_CREATE);
  const std::string rest(reinterpret_cast<const char*>(request.data()) + sizeof header, 28);
  CHECK(rest == sent.argument + "name");
  CHECK(entry->unique() == 77);
  CHECK(entry->commit_id() == 77);
}

TEST_CASE("ring entry: sizes that do not fit are no request", "[unit][fuse]") {
  const auto entry = make_entry();
  auto& headers = *static_cast<RingHeaders*>(entry->areas()[0].iov_base);
  fuse_in_header header{};
  header.unique = 5;
  const auto try_sizes = [&](std::uint32_t length, std::uint32_t payload) {
    header.len = length;
    std::memcpy(headers.in_out, &header, sizeof header);
    headers.payload_bytes = payload;
    return entry->request().empty();
  };
  CHECK(try_sizes(0, 0));
  CHECK(try_sizes(39, 0));
  CHECK(try_sizes(40 + 129, 0));
  CHECK(try_sizes(50, 11));
  CHECK(try_sizes(UINT32_MAX, payload_bytes + 1));
  CHECK_FALSE(try_sizes(40 + 128 + payload_bytes, payload_bytes));
  entry->answer_error(EIO);
  CHECK(take(*entry).header.error == -EIO);
  CHECK(take(*entry).header.unique == 5);
}

TEST_CASE("ring entry: a reply is gathered, also from the request's own bytes", "[unit][fuse]") {
  const auto entry = make_entry();
  Sent sent{.header = {}, .argument = "", .payload = "0123456789"};
  sent.header.unique = 9;
  put(*entry, sent);
  static_cast<void>(entry->request());
  const std::string front = "front-";
  const fuse_out_header header = reply_header(9, front.size() + 4);
  const std::array<iovec, 3> pieces = {piece_of(&header, sizeof header),
                                       piece_of(front.data(), front.size()),
                                       piece_of(entry->payload().data() + 2, 4)};
  REQUIRE(entry->answer(pieces));
  CHECK(take(*entry).payload == "front-2345");
  CHECK(entry->unique() == 0);
  CHECK_FALSE(entry->answer(pieces));  // once
}

TEST_CASE("ring entry: what is built in its payload stays there", "[unit][fuse]") {
  const auto entry = make_entry();
  Sent sent{.header = {}, .argument = "", .payload = ""};
  sent.header.unique = 11;
  put(*entry, sent);
  static_cast<void>(entry->request());
  const artfs::fuse::ServedEntry served(*entry);
  const std::span<std::byte> space = artfs::fuse::answer_space(payload_bytes);
  CHECK(space.data() == entry->payload().data());
  std::memset(space.data(), 'x', space.size());
  const fuse_out_header header = reply_header(11, space.size());
  const std::array<iovec, 2> pieces = {piece_of(&header, sizeof header),
                                       piece_of(space.data(), space.size())};
  CHECK(artfs::fuse::send_reply(-1, pieces) == static_cast<ssize_t>(sizeof header + space.size()));
  CHECK(take(*entry).payload == std::string(payload_bytes, 'x'));
}

TEST_CASE("reply route: notifications, foreign replies and oversized ones do not enter the ring",
          "[unit][fuse]") {
  const auto entry = make_entry();
  Sent sent{.header = {}, .argument = "", .payload = ""};
  sent.header.unique = 13;
  put(*entry, sent);
  static_cast<void>(entry->request());
  const artfs::fuse::ServedEntry served(*entry);
  const auto send = [](std::uint64_t unique, std::size_t bytes) {
    const std::vector<char> body(bytes);
    const fuse_out_header header = reply_header(unique, bytes);
    const std::array<iovec, 2> pieces = {piece_of(&header, sizeof header),
                                         piece_of(body.data(), body.size())};
    errno = 0;
    const ssize_t sent_bytes = artfs::fuse::send_reply(-1, pieces);
    return sent_bytes < 0 ? errno : 0;
  };
  CHECK(send(0, 8) == EBADF);   // went to the descriptor
  CHECK(send(12, 8) == EBADF);  // likewise
  CHECK(send(13, payload_bytes + 1) == EINVAL);
  CHECK(entry->unique() == 13);
  CHECK(send(13, 8) == 0);
}
