// SPDX-License-Identifier: Apache-2.0
// The checker itself: it must find what is wrong, and leave alone what is only concurrent.
#include <catch2/catch.hpp>

#include "support/linearizability.hpp"

namespace artfs::test {
namespace {

using Kind = Event::Kind;
using Guard = Event::Effect::Guard;

struct Times {
  std::uint64_t called;
  std::uint64_t returned;
};

Event put(Times times, std::uint64_t version, std::uint32_t key, std::uint64_t hash) {
  return {.kind = Kind::change,
          .called_ns = times.called,
          .returned_ns = times.returned,
          .version = version,
          .effects = {{.key = key, .hash = hash}}};
}

Event get(Times times, std::uint32_t key, Seen seen) {
  return {.kind = Kind::saw,
          .called_ns = times.called,
          .returned_ns = times.returned,
          .key = key,
          .seen = seen};
}

bool accepted(const std::vector<std::vector<Event>>& threads) {
  const auto wrong = Linearizability().check(threads);
  if (wrong) UNSCOPED_INFO(*wrong);
  return !wrong;
}

}  // namespace

TEST_CASE("linearizability: concurrent calls may fall either way", "[unit][support]") {
  CHECK(accepted({{put({1, 10}, 5, 1, 50)}, {get({2, 9}, 1, {}), get({9, 9}, 1, {5, 50})}}));
  CHECK(accepted({{put({1, 10}, 5, 1, 50), put({11, 20}, 6, 1, 60)},
                  {get({2, 15}, 1, {5, 50}), get({16, 17}, 1, {6, 60})}}));
}

TEST_CASE("P10: linearizability: a put that was acknowledged and is not seen is found",
          "[unit][support]") {
  CHECK_FALSE(accepted({{put({1, 10}, 5, 1, 50)}, {get({11, 12}, 1, {})}}));
  CHECK_FALSE(
      accepted({{put({1, 10}, 5, 1, 50), put({11, 20}, 6, 1, 60)}, {get({21, 22}, 1, {5, 50})}}));
}

TEST_CASE("P4: linearizability: bytes that nobody wrote are found", "[unit][support]") {
  CHECK_FALSE(accepted({{put({1, 10}, 5, 1, 50)}, {get({11, 12}, 1, {5, 51})}}));
  CHECK_FALSE(accepted({{put({1, 10}, 5, 1, 50)}, {get({11, 12}, 1, {4, 50})}}));
}

TEST_CASE("linearizability: a change seen before its call, or unseen again later, is found",
          "[unit][support]") {
  CHECK_FALSE(accepted({{put({5, 10}, 5, 1, 50)}, {get({1, 4}, 1, {5, 50})}}));
  // Both reads run beside the put; the second one after the first.
  const std::vector<Event> writes = {put({1, 2}, 4, 1, 40), put({3, 20}, 5, 1, 50)};
  CHECK(accepted({writes, {get({4, 5}, 1, {4, 40}), get({6, 7}, 1, {5, 50})}}));
  CHECK_FALSE(accepted({writes, {get({4, 5}, 1, {5, 50}), get({6, 7}, 1, {4, 40})}}));
}

TEST_CASE("linearizability: versions against real time, and guards that did not hold, are found",
          "[unit][support]") {
  CHECK_FALSE(accepted({{put({1, 2}, 9, 1, 50)}, {put({3, 4}, 8, 2, 60)}}));
  Event guarded = put({11, 12}, 9, 1, 60);
  guarded.effects[0].guard = Guard::version;
  guarded.effects[0].guarded_version = 5;
  CHECK(accepted({{put({1, 10}, 5, 1, 50), guarded}}));
  guarded.effects[0].guarded_version = 4;
  CHECK_FALSE(accepted({{put({1, 10}, 5, 1, 50), guarded}}));
  guarded.effects[0].guard = Guard::absent;
  CHECK_FALSE(accepted({{put({1, 10}, 5, 1, 50), guarded}}));
}

TEST_CASE("linearizability: two versions that never stood together are found", "[unit][support]") {
  const std::vector<Event> writes = {put({1, 2}, 4, 1, 40), put({3, 4}, 5, 2, 50),
                                     put({5, 6}, 6, 1, 60), put({7, 8}, 7, 2, 70)};
  Event both{.kind = Kind::saw_both,
             .called_ns = 1,
             .returned_ns = 9,
             .key = 1,
             .seen = {6, 60},
             .second = 2,
             .second_seen = {5, 50}};
  CHECK(accepted({writes, {both}}));
  both.seen = {4, 40};
  both.second_seen = {7, 70};
  CHECK_FALSE(accepted({writes, {both}}));
}

}  // namespace artfs::test
