// SPDX-License-Identifier: Apache-2.0
// The pool and its eviction indexes against naive twins, operation by operation.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "data/pool/pool.hpp"
#include "support/pool_blocks.hpp"
#include "support/scale.hpp"

namespace artfs::data::pool {
namespace {

using test::hash_of;

constexpr std::size_t slots_count = 12;

// An index that keeps a list and looks for the next one to go when it is asked.
class NaiveIndex {
 public:
  NaiveIndex(BlockCachePolicy policy, const FrequencySketch& sketch)
      : policy_(policy), sketch_(sketch) {}

  void add(const IndexEntry& entry) {
    if (policy_ == BlockCachePolicy::multi_lru) sink_faded();
    kept_.push_back({.entry = entry, .turn = ++turn_, .level = level_of(entry)});
    if (policy_ != BlockCachePolicy::lineage || !entry.lineage.known()) return;
    for (Kept& other : kept_) {
      if (other.entry.lineage.file == entry.lineage.file) other.turn = turn_;
    }
  }

  void remove(const IndexEntry& entry) {
    std::erase_if(kept_, [&](const Kept& kept) { return kept.entry.slot == entry.slot; });
  }

  std::optional<Slot> take() {
    if (kept_.empty()) return std::nullopt;
    const auto next =
        std::min_element(kept_.begin(), kept_.end(),
                         [this](const Kept& a, const Kept& b) { return goes_before(a, b); });
    taken_.push_back(*next);
    kept_.erase(next);
    return taken_.back().entry.slot;
  }

  void restore() {
    kept_.push_back(taken_.back());
    taken_.pop_back();
  }

  [[nodiscard]] std::size_t size() const { return kept_.size(); }

  [[nodiscard]] const IndexEntry& any(std::uint64_t number) const {
    return kept_[number % kept_.size()].entry;
  }

 private:
  struct Kept {
    IndexEntry entry;
    std::uint64_t turn = 0;
    unsigned level = 0;
  };

  [[nodiscard]] unsigned level_of(const IndexEntry& entry) const {
    const unsigned frequency = sketch_.estimate(entry.hash);
    return frequency >= 8 ? 3 : frequency >= 4 ? 2 : frequency >= 2 ? 1 : 0;
  }

  void sink_faded() {
    for (unsigned level = 1; level < 4; ++level) {
      Kept* oldest = nullptr;
      for (Kept& kept : kept_) {
        if (kept.level == level && (oldest == nullptr || kept.turn < oldest->turn)) oldest = &kept;
      }
      if (oldest == nullptr || level_of(oldest->entry) >= level) continue;
      oldest->level = level_of(oldest->entry);
      oldest->turn = ++turn_;
    }
  }

  [[nodiscard]] bool goes_before(const Kept& a, const Kept& b) const {
    switch (policy_) {
      case BlockCachePolicy::fifo:
        return a.entry.registration < b.entry.registration;
      case BlockCachePolicy::lru:
        return a.turn < b.turn;
      case BlockCachePolicy::multi_lru:
        return std::pair(a.level, a.turn) < std::pair(b.level, b.turn);
      case BlockCachePolicy::lineage:
        if (a.turn != b.turn) return a.turn < b.turn;
        return std::pair(a.entry.lineage.position, a.entry.registration) >
               std::pair(b.entry.lineage.position, b.entry.registration);
    }
    return false;
  }

  BlockCachePolicy policy_;
  const FrequencySketch& sketch_;
  std::vector<Kept> kept_;
  std::vector<Kept> taken_;
  std::uint64_t turn_ = 0;
};

BlockCachePolicy any_policy() {
  return GENERATE(BlockCachePolicy::fifo, BlockCachePolicy::lru, BlockCachePolicy::multi_lru,
                  BlockCachePolicy::lineage);
}

// One index and its twin, with slots that are in it or not.
struct IndexPair {
  FrequencySketch sketch{slots_count};
  std::unique_ptr<EvictionIndex> index;
  NaiveIndex naive;
  std::vector<std::uint32_t> outside;
  std::uint64_t registration = 0;

  explicit IndexPair(BlockCachePolicy policy)
      : index(make_index(policy, slots_count, sketch)), naive(policy, sketch) {
    for (std::uint32_t i = 0; i < slots_count; ++i) outside.push_back(i);
  }

  void add(std::mt19937_64& random) {
    if (outside.empty()) return;
    const std::uint64_t number = random() % 40;
    const IndexEntry entry{.slot = {outside.back()},
                           .hash = hash_of(number),
                           .lineage = {.file = number % 4, .position = random() % 5},
                           .registration = ++registration};
    outside.pop_back();
    for (std::uint64_t touches = random() % 4; touches > 0; --touches) sketch.touch(entry.hash);
    index->add(entry);
    naive.add(entry);
  }

  void remove(std::mt19937_64& random) {
    if (naive.size() == 0) return;
    const IndexEntry entry = naive.any(random());
    index->remove(entry);
    naive.remove(entry);
    outside.push_back(entry.slot.index);
  }
};

TEST_CASE("pool model: every eviction index takes what its rule says, and a restore undoes takes",
          "[unit][data][pool][model]") {
  const BlockCachePolicy policy = any_policy();
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + test::scaled(40);
       ++seed) {
    INFO("seed " << seed << ", policy " << static_cast<int>(policy));
    std::mt19937_64 random(seed);
    IndexPair pair(policy);
    std::map<std::uint32_t, IndexEntry> entries;
    for (int step = 0; step < 400; ++step) {
      switch (random() % 4) {
        case 0:
        case 1:
          pair.add(random);
          break;
        case 2:
          pair.remove(random);
          break;
        default: {
          entries.clear();
          for (std::size_t i = 0; i < pair.naive.size(); ++i) {
            entries[pair.naive.any(i).slot.index] = pair.naive.any(i);
          }
          std::vector<Slot> taken;
          for (std::uint64_t count = random() % 5; count > 0; --count) {
            const std::optional<Slot> slot = pair.index->take();
            const std::optional<Slot> expected = pair.naive.take();
            REQUIRE(slot.has_value() == expected.has_value());
            if (!slot) break;
            REQUIRE(slot->index == expected->index);
            taken.push_back(*slot);
          }
          const bool restore = random() % 2 == 0;
          for (; !taken.empty(); taken.pop_back()) {
            if (restore) {
              pair.index->restore(entries[taken.back().index]);
              pair.naive.restore();
            } else {
              pair.outside.push_back(taken.back().index);
            }
          }
        }
      }
      REQUIRE(pair.index->size() == pair.naive.size());
    }
    while (const std::optional<Slot> expected = pair.naive.take()) {
      REQUIRE(pair.index->take() == expected);
    }
    REQUIRE_FALSE(pair.index->take());
  }
}

// What a pool must be, from the handles that the test holds and a set of cached numbers.
class PoolModel {
 public:
  PoolModel(const PoolOptions& options, std::uint64_t seed)
      : options_(options), pool_(options), random_(seed) {}

  ~PoolModel() {
    filling_.clear();
    held_.clear();
  }

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1:
        return allocate(1 + random_() % 3);
      case 2:
      case 3:
        return register_one();
      case 4:
        return drop();
      case 5:
        return find();
      case 6:
        return find_many();
      default:
        if (random_() % 4 == 0) return reset_on_release();
        return share();
    }
  }

  void check() {
    const BlockCacheStats stats = pool_.stats();
    std::size_t active = 0;
    std::size_t duplicates = 0;
    for (const auto& [number, blocks] : held_) {
      std::vector<const std::byte*> distinct;
      for (const ImmutableBlock& block : blocks) {
        REQUIRE(test::block_of(block.bytes()) == number);
        distinct.push_back(block.bytes().data());
      }
      std::sort(distinct.begin(), distinct.end());
      distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
      if (distinct.empty()) continue;
      const bool has_primary = cached_.contains(number) && held_primary(number);
      if (has_primary) ++active;
      duplicates += distinct.size() - (has_primary ? 1 : 0);
    }
    REQUIRE(stats.filling == filling_.size());
    REQUIRE(stats.active == active);
    REQUIRE(stats.duplicates == duplicates);
    REQUIRE(stats.active + stats.inactive == cached_.size());
    REQUIRE(stats.free + stats.filling + stats.staged + stats.active + stats.duplicates +
                stats.inactive ==
            options_.blocks);
    for (std::uint64_t number = 0; number < numbers; ++number) {
      REQUIRE(pool_.registry().has(hash_of(number), Mark::cached) == cached_.contains(number));
    }
    REQUIRE(stats.late_releases == 0);  // one thread
  }

 private:
  static constexpr std::uint64_t numbers = 24;

  [[nodiscard]] bool held_primary(std::uint64_t number) {
    for (const ImmutableBlock& block : held_[number]) {
      if (block.bytes().data() == primary_[number]) return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t evictable() {
    const BlockCacheStats stats = pool_.stats();
    return stats.free + stats.inactive;
  }

  void allocate(std::size_t count) {
    const std::size_t there = evictable();
    const BlockCacheStats before = pool_.stats();
    auto blocks = pool_.allocate(count);
    REQUIRE(blocks.has_value() == (count <= there));
    if (!blocks) return;
    const std::size_t evicted = count - std::min<std::size_t>(count, before.free);
    REQUIRE(pool_.stats().evicted - before.evicted == evicted);
    std::size_t gone = 0;
    std::erase_if(cached_, [&](const auto& cached) {
      const bool is_gone = !pool_.registry().has(hash_of(cached.first), Mark::cached);
      // Never one that somebody holds.
      if (is_gone) REQUIRE_FALSE(held_primary(cached.first));
      gone += is_gone ? 1 : 0;
      return is_gone;
    });
    REQUIRE(gone == evicted);
    for (MutableBlock& block : *blocks) filling_.push_back(std::move(block));
  }

  void register_one() {
    if (filling_.empty()) return;
    const std::uint64_t number = random_() % numbers;
    MutableBlock block = std::move(filling_.back());
    filling_.pop_back();
    const std::byte* const buffer = block.bytes().data();
    const Lineage lineage{.file = number % 3, .position = number};
    ImmutableBlock registered =
        pool_.register_block(test::complete(std::move(block), number, lineage));
    const bool was_there = cached_.contains(number);
    if (!was_there) primary_[number] = buffer;
    const bool expects_own = !was_there || options_.duplicates == Duplicates::allow;
    REQUIRE(registered.bytes().data() == (expects_own ? buffer : primary_[number]));
    cached_[number] = false;
    held_[number].push_back(std::move(registered));
  }

  void drop() {
    if (random_() % 4 == 0 && !filling_.empty()) return filling_.pop_back();
    const std::uint64_t number = random_() % numbers;
    std::vector<ImmutableBlock>& blocks = held_[number];
    if (blocks.empty()) return;
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(random_() % blocks.size()));
    const auto cached = cached_.find(number);
    if (cached != cached_.end() && cached->second && !held_primary(number)) cached_.erase(cached);
  }

  void find() {
    const std::uint64_t number = random_() % numbers;
    std::optional<ImmutableBlock> found = pool_.find(hash_of(number));
    REQUIRE(found.has_value() == cached_.contains(number));
    if (!found) return;
    REQUIRE(found->bytes().data() == primary_[number]);
    if (random_() % 2 == 0) held_[number].push_back(std::move(*found));
    if (cached_[number] && !held_primary(number)) {
      found.reset();
      cached_.erase(number);
    }
  }

  void find_many() {
    std::vector<std::uint64_t> asked;
    std::vector<base::Hash128> hashes;
    for (std::uint64_t count = random_() % 6; count > 0; --count) {
      asked.push_back(random_() % numbers);
      hashes.push_back(hash_of(asked.back()));
    }
    std::size_t prefix = 0;
    while (prefix < asked.size() && cached_.contains(asked[prefix])) ++prefix;
    REQUIRE(pool_.find_prefix(hashes).size() == prefix);
    const auto found = pool_.find_scattered(hashes);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      REQUIRE(found[i].has_value() == cached_.contains(asked[i]));
    }
  }

  void share() {
    std::vector<ImmutableBlock>& blocks = held_[random_() % numbers];
    if (blocks.empty()) return;
    const WeakBlock weak = blocks.back().weak();
    blocks.push_back(blocks.back().share());
    std::optional<ImmutableBlock> upgraded = weak.upgrade();
    REQUIRE(upgraded);
    REQUIRE(upgraded->bytes().data() == blocks.back().bytes().data());
  }

  void reset_on_release() {
    const std::uint64_t number = random_() % numbers;
    pool_.reset_on_release(hash_of(number));
    const auto cached = cached_.find(number);
    if (cached == cached_.end()) return;
    cached->second = true;
    if (!held_primary(number)) cached_.erase(cached);
  }

  const PoolOptions options_;
  Pool pool_;
  std::mt19937_64 random_;
  std::vector<MutableBlock> filling_;
  std::map<std::uint64_t, std::vector<ImmutableBlock>> held_;
  std::map<std::uint64_t, bool> cached_;  // to be reset by the last holder?
  std::map<std::uint64_t, const std::byte*> primary_;
};

TEST_CASE("pool model: after every step states, lookups and marks are those of the model",
          "[unit][data][pool][model]") {
  PoolOptions options{.blocks = slots_count, .block_bytes = test::pool_block_bytes};
  options.policy = any_policy();
  options.duplicates = GENERATE(Duplicates::reject, Duplicates::allow);
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + test::scaled(20);
       ++seed) {
    INFO("seed " << seed << ", policy " << static_cast<int>(options.policy));
    PoolModel model(options, seed);
    for (int step = 0; step < 400; ++step) {
      model.step();
      model.check();
    }
  }
}

}  // namespace
}  // namespace artfs::data::pool
