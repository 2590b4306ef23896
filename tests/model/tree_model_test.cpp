// SPDX-License-Identifier: Apache-2.0
// The tree against std::map: random operations on keys made to collide, all frames checked again and again.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "support/memory_tree.hpp"
#include "support/scale.hpp"

namespace artfs::test {

namespace {

using Random = std::mt19937_64;

struct Stored {
  std::string value;
  Lsn version;
};

using Model = std::map<std::string, Stored>;

std::size_t below(Random& random, std::size_t bound) {
  return random() % bound;
}

// Keys of several families, so that many share long prefixes and some are prefixes of others.
class Keys {
 public:
  explicit Keys(Random& random) : random_(&random) {
    for (std::size_t i = 0; i < key_bytes_max; ++i) spine_.push_back(any_byte());
  }

  [[nodiscard]] std::string draw() {
    switch (below(*random_, 8)) {
      case 0:
        return of_alphabet(below(*random_, 7));
      case 1:
        return "/usr/local/share/category-" + std::to_string(below(*random_, 16)) + "/file-" +
               std::to_string(below(*random_, 3000));
      case 2:
        return spine_.substr(0, below(*random_, key_bytes_max + 1));
      case 3: {
        std::string key = spine_.substr(0, below(*random_, key_bytes_max / 2));
        return key + of_alphabet(below(*random_, 4));
      }
      case 4:
        return fan(2);
      case 5:
        return "i/" + number();
      case 6:
        return "d/" + number().substr(4) + "/" + of_alphabet(below(*random_, 6));
      default:
        return deep_path();
    }
  }

 private:
  [[nodiscard]] char any_byte() { return static_cast<char>(below(*random_, 256)); }

  [[nodiscard]] std::string of_alphabet(std::size_t bytes) {
    constexpr std::string_view alphabet("\0\1a/\xff", 5);
    std::string key;
    for (std::size_t i = 0; i < bytes; ++i)
      key.push_back(alphabet[below(*random_, alphabet.size())]);
    return key;
  }

  // All 256 edges at each node.
  [[nodiscard]] std::string fan(std::size_t bytes) {
    std::string key = "fan:";
    for (std::size_t i = 0; i < bytes; ++i) key.push_back(any_byte());
    return key;
  }

  [[nodiscard]] std::string number() {
    std::string key(6, '\0');
    key.push_back(static_cast<char>(below(*random_, 8)));
    key.push_back(any_byte());
    return key;
  }

  [[nodiscard]] std::string deep_path() {
    std::string key;
    const std::size_t parts = 1 + below(*random_, 6);
    for (std::size_t i = 0; i < parts; ++i) key += "dir" + std::to_string(below(*random_, 4)) + "/";
    return key + "f" + std::to_string(below(*random_, 20));
  }

  Random* random_;
  std::string spine_;
};

std::string draw_value(Random& random) {
  std::size_t bytes = below(random, 300);
  const std::size_t dice = below(random, 200);
  if (dice < 16) bytes = below(random, 6000);
  if (dice == 0) bytes = below(random, value_bytes_max + 1);
  if (dice == 9) bytes = value_bytes_max;
  return std::string(bytes, static_cast<char>('a' + below(random, 26)));
}

struct Entry {
  std::string key;
  bool is_rollup = false;

  friend bool operator==(const Entry&, const Entry&) = default;
};

std::vector<Entry> scan_model(const Model& model, const art::ScanRequest& request,
                              std::size_t limit) {
  std::vector<Entry> entries;
  for (auto it = model.lower_bound(std::string(request.prefix)); it != model.end(); ++it) {
    if (!it->first.starts_with(request.prefix) || entries.size() == limit) break;
    Entry entry{.key = it->first};
    if (request.delimiter) {
      const std::size_t at = it->first.find(*request.delimiter, request.prefix.size());
      if (at != std::string::npos) entry = {.key = it->first.substr(0, at + 1), .is_rollup = true};
    }
    if (request.after_valid && entry.key <= request.after) continue;
    if (!entries.empty() && entries.back() == entry) continue;
    entries.push_back(std::move(entry));
  }
  return entries;
}

class Session {
 public:
  explicit Session(std::uint64_t seed) : random_(seed), keys_(random_) {}

  void run(std::size_t operations) {
    for (std::size_t i = 0; i < operations; ++i) {
      // Waves: the tree grows to many frames and shrinks to almost nothing.
      const bool grows = (i / 9000) % 3 != 2;
      step(below(random_, 100), grows ? 45 : 10);
      if (i % 1009 == 0) check_structure();
    }
    check_structure();
    check_all();
    for (auto it = model_.begin(); it != model_.end(); it = model_.erase(it)) {
      if (!tree_.erase(it->first)) FAIL("a key is lost");
    }
    const TreeFacts facts = tree_.verify();
    CHECK(facts.problems.empty());
    CHECK(facts.frames == 1);
    CHECK(facts.bytes_live == 0);
  }

  [[nodiscard]] std::uint64_t frames_max() const noexcept { return frames_max_; }

 private:
  void step(std::size_t dice, std::size_t puts) {
    if (dice < puts) {
      put(below(random_, 4) == 0 ? known_key() : keys_.draw());
    } else if (dice < 55) {
      erase(below(random_, 8) == 0 ? keys_.draw() : known_key());
    } else if (dice < 85) {
      get(below(random_, 3) == 0 ? keys_.draw() : known_key());
    } else if (dice < 92) {
      scan();
    } else {
      ask_prefixes();
    }
  }

  [[nodiscard]] std::string known_key() {
    auto it = model_.lower_bound(keys_.draw());
    return it == model_.end() ? keys_.draw() : it->first;
  }

  void put(const std::string& key) {
    Stored stored{.value = draw_value(random_), .version = {}};
    stored.version = tree_.put(key, stored.value);
    model_[key] = std::move(stored);
  }

  void erase(const std::string& key) {
    if (tree_.erase(key) != (model_.erase(key) > 0)) FAIL("erase differs");
  }

  void get(const std::string& key) {
    const auto it = model_.find(key);
    const Result<art::Found> found = art::find(tree_.view(), key);
    if (found.has_value() != (it != model_.end())) FAIL("presence differs");
    if (!found) {
      if (found.error().code != Errc::key_not_found) FAIL("get failed");
      return;
    }
    if (found->value != it->second.value || found->version != it->second.version)
      FAIL("value differs");
  }

  [[nodiscard]] std::string some_prefix() {
    std::string key = below(random_, 2) == 0 ? known_key() : keys_.draw();
    if (key.size() > 40 && below(random_, 4) != 0) key.resize(40);
    key.resize(below(random_, key.size() + 1));
    return key;
  }

  void scan() {
    const std::string prefix = some_prefix();
    const std::string after = below(random_, 2) == 0 ? some_prefix() : prefix + some_prefix();
    art::ScanRequest request;
    request.prefix = prefix;
    request.after = after;
    request.after_valid = below(random_, 2) == 0;
    request.keys_only = below(random_, 2) == 0;
    if (below(random_, 2) == 0) request.delimiter = below(random_, 4) == 0 ? '\0' : '/';
    const std::size_t limit = 1 + below(random_, 60);
    art::ScanBatch batch;
    if (!art::scan(tree_.view(), request, limit, mib, batch)) FAIL("scan failed");
    const std::vector<Entry> expected = scan_model(model_, request, limit);
    const std::size_t count = batch.items.size();
    if (count > expected.size()) FAIL("scan returned too much");
    if (count < expected.size() && (batch.bytes.size() < mib || count == 0))
      FAIL("scan stopped early");
    if (batch.at_end && count != expected.size()) FAIL("scan says it is at the end");
    for (std::size_t i = 0; i < count; ++i)
      compare_item(batch, batch.items[i], expected[i], request);
  }

  void compare_item(const art::ScanBatch& batch, const art::ScanItem& item, const Entry& expected,
                    const art::ScanRequest& request) const {
    const std::string_view bytes = batch.bytes;
    if (bytes.substr(item.key_off, item.key_bytes) != expected.key) FAIL("scan key differs");
    if (item.is_rollup != expected.is_rollup) FAIL("roll-up differs");
    if (item.is_rollup) return;
    const Stored& stored = model_.at(expected.key);
    const std::string_view value = bytes.substr(item.value_off, item.value_bytes);
    if (item.version != stored.version) FAIL("scan version differs");
    if (value != (request.keys_only ? std::string_view() : stored.value))
      FAIL("scan value differs");
  }

  void ask_prefixes() {
    const std::string prefix = some_prefix();
    const auto it = model_.lower_bound(prefix);
    const bool expected = it == model_.end() || !it->first.starts_with(prefix);
    if (art::prefix_empty(tree_.view(), prefix) != expected) FAIL("prefix_empty differs");
    const std::string key = keys_.draw();
    const std::ptrdiff_t longest = longest_prefix_in_model(key);
    const Result<std::size_t> found = art::longest_prefix(tree_.view(), key);
    const std::ptrdiff_t got = found ? static_cast<std::ptrdiff_t>(*found) : -1;
    if (got != longest) FAIL("longest_prefix differs");
  }

  [[nodiscard]] std::ptrdiff_t longest_prefix_in_model(const std::string& key) const {
    std::string cut = key;
    for (;;) {
      auto it = model_.upper_bound(cut);
      if (it == model_.begin()) return -1;
      --it;
      // The greatest key not behind `cut`: a prefix of it, or what they share is the next candidate.
      if (cut.starts_with(it->first)) return static_cast<std::ptrdiff_t>(it->first.size());
      std::size_t shared = 0;
      while (cut[shared] == it->first[shared]) ++shared;
      cut.resize(shared);
    }
  }

  void check_structure() {
    const TreeFacts facts = tree_.verify();
    for (const std::string& problem : facts.problems) UNSCOPED_INFO(problem);
    if (!facts.problems.empty()) FAIL("a frame is damaged");
    if (facts.keys != model_.size()) FAIL("the number of keys differs");
    frames_max_ = std::max(frames_max_, facts.frames);
  }

  void check_all() {
    art::ScanBatch batch;
    if (!art::scan(tree_.view(), {}, model_.size() + 1, gib, batch)) FAIL("scan failed");
    if (batch.items.size() != model_.size() || !batch.at_end)
      FAIL("the whole scan differs in size");
    auto it = model_.begin();
    for (const art::ScanItem& item : batch.items) {
      compare_item(batch, item, {.key = it->first}, {});
      ++it;
    }
  }

  Random random_;
  Keys keys_;
  MemoryTree tree_;
  Model model_;
  std::uint64_t frames_max_ = 0;
};

}  // namespace

// AP: after a plan the change must succeed, also when the plan had to spill or compact first.
TEST_CASE("model: the tree answers like a sorted map, whatever the keys and sizes (P1, P2)",
          "[model][art]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{6}));
  CAPTURE(seed);
  Session session(seed);
  session.run(scaled(44000));
  CHECK(session.frames_max() > 1);
}

}  // namespace artfs::test
