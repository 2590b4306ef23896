// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <optional>
#include <random>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

// The numbers of a frame by page.
using Numbers = std::map<std::size_t, std::uint64_t>;
using State = std::map<std::uint64_t, Numbers>;

// Random operations on a cache and on a map; every state that was frozen must come back whole.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), world_(with_frames(16)) {}

  void step() {
    switch (random_() % 16) {
      case 0:
        create();
        break;
      case 1:
        remove();
        break;
      case 2:
        step_checkpoint();
        break;
      case 3:
        if (random_() % 20 == 0) crash();
        break;
      case 4:
      case 5:
      case 6:
        check_one();
        break;
      default:
        change();
        break;
    }
    // A checkpoint that takes too long must be finished before dirt fills the cache.
    while (world_.cache().unevictable_bytes() > 10 * io::frame_bytes) step_checkpoint();
  }

 private:
  [[nodiscard]] std::optional<std::uint64_t> pick() {
    if (live_.empty()) return std::nullopt;
    auto at = live_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % live_.size()));
    return at->first;
  }

  void create() {
    if (live_.size() >= 60) return;
    const std::uint64_t number = random_();
    const std::size_t page = 1 + random_() % 127;
    const FrameId id = world_.make_frame(number, page);
    CHECK(live_.emplace(id.raw, Numbers{{page, number}}).second);
  }

  void remove() {
    const auto id = pick();
    if (!id) return;
    world_.cache().remove(world_.cache().load(FrameId{*id}).value());
    live_.erase(*id);
  }

  void change() {
    const auto id = pick();
    if (!id) return;
    const std::size_t page = 1 + random_() % 127;
    const std::uint64_t number = random_();
    world_.write_number(FrameId{*id}, number, page);
    live_[*id][page] = number;
  }

  void check_one() {
    const auto id = pick();
    if (!id) return;
    const Pin pin = world_.cache().load(FrameId{*id}).value();
    for (const auto& [page, number] : live_[*id]) {
      CHECK(number_at(pin.bytes(), page * io::page_bytes) == number);
    }
  }

  // Freezes, or fails once in a while, or finishes: so that other steps happen in between.
  void step_checkpoint() {
    if (!set_) {
      set_ = world_.cache().freeze();
      frozen_ = live_;
      return;
    }
    if (random_() % 3 == 0) {
      world_.directory().fail_call(1 + random_() % 2, Errc::no_space);
      if (!world_.write_home(*set_)) return;
      world_.directory().fail_call(0, Errc::no_space);
    }
    REQUIRE(world_.write_home(*set_));
    world_.commit(std::move(*set_));
    set_.reset();
    durable_ = frozen_;
  }

  // Home pages of a set that was not committed may be torn over old ones here; the engine's checkpoint
  // log repairs that, so crash only between checkpoints.
  void crash() {
    if (set_) step_checkpoint();
    if (set_) return;
    world_.reopen();
    live_ = durable_;
    for (const auto& [id, numbers] : live_) {
      const Pin pin = world_.cache().load(FrameId{id}).value();
      for (const auto& [page, number] : numbers) {
        CHECK(number_at(pin.bytes(), page * io::page_bytes) == number);
      }
    }
    CHECK(world_.cache().live_frames().size() == live_.size());
  }

  std::mt19937_64 random_;
  World world_;
  State live_;
  State frozen_;
  State durable_;
  std::optional<FrozenSet> set_;
};

}  // namespace

TEST_CASE("frame cache: random operations agree with a map, over checkpoints, failures and crashes",
          "[unit][frame][model]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int i = 0; i < 1500; ++i) model.step();
  }
}

}  // namespace artfs::frame::test
