// SPDX-License-Identifier: Apache-2.0
// Single flipped bits anywhere in the store's files: detected or harmless, never other bytes, never an
// end of the process. R5, P11.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "support/engine_store.hpp"
#include "support/figure.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

constexpr std::uint64_t records = 1200;

std::string key_of(std::uint64_t number) {
  return "d" + std::to_string(number % 31) + "/file-" + std::to_string(number);
}

// Long ones now and then: several frames from few records.
std::string value_of(std::uint64_t number) {
  std::string value = std::to_string(number) + ":";
  const std::uint64_t length = number % 40 == 0 ? 20000 : 40 + number % 300;
  std::uint64_t word = number;
  while (value.size() < length) {
    word = word * 6364136223846793005U + 1442695040888963407U;
    value.push_back(static_cast<char>(word >> 56U));
  }
  return value;
}

std::map<std::string, std::string> make_state() {
  std::map<std::string, std::string> state;
  for (std::uint64_t number = 0; number < records; ++number) {
    state[key_of(number)] = value_of(number);
  }
  return state;
}

// Most records in the frames, some only in the log, as after a kill. The last one is behind a sync of all
// others: what damage makes of it alone cannot be told from a record that was never finished.
std::unique_ptr<io::MemoryDirectory> make_store() {
  io::MemoryDirectory disk;
  test::must_create_small(disk);
  const auto store = test::must_open(disk, test::small_options());
  const Tree tree = *store->create_tree("t");
  for (std::uint64_t number = 0; number < records; ++number) {
    if (number == records / 2 || number == records * 3 / 4) {
      REQUIRE(store->checkpoint().has_value());
    }
    if (!tree.put(key_of(number), value_of(number))) FAIL("put");
  }
  REQUIRE(store->sync().has_value());
  REQUIRE(tree.put("zz-last", "last").has_value());
  REQUIRE(store->sync().has_value());
  return disk.clone_current();
}

// The pages of the store's files that are not all zeros.
struct UsedPage {
  std::string file;
  std::uint64_t page = 0;
};

std::vector<std::vector<UsedPage>> used_pages(io::MemoryDirectory& disk) {
  std::vector<std::vector<UsedPage>> all;
  const std::vector<std::string> names = disk.list().value();
  for (const std::string& name : names) {
    const auto file = disk.open(name, {.read_only = true}).value();
    const std::uint64_t size = file->size().value();
    std::vector<UsedPage> used;
    for (std::uint64_t page = 0; page * io::page_bytes < size; ++page) {
      std::array<std::byte, io::page_bytes> bytes{};
      REQUIRE(file->read_at(page * io::page_bytes, bytes).has_value());
      const bool zeros = std::all_of(bytes.begin(), bytes.end(),
                                     [](std::byte byte) { return byte == std::byte{0}; });
      if (!zeros) used.push_back({name, page});
    }
    if (!used.empty()) all.push_back(std::move(used));
  }
  return all;
}

bool is_detection(Errc code) {
  return code == Errc::superblock_corrupt || code == Errc::manifest_corrupt ||
         code == Errc::frame_corrupt || code == Errc::log_corrupt ||
         code == Errc::checkpoint_corrupt || code == Errc::store_foreign ||
         code == Errc::store_newer || code == Errc::io_failed;
}

bool require_detection(Error error) {
  if (!is_detection(error.code)) FAIL(to_text(error));
  return true;
}

// True when the damage was noticed. Every answer that is no error must be the right one.
bool scan_all(Tree tree, const std::map<std::string, std::string>& state) {
  Scan scan = tree.scan({});
  for (const auto& [key, value] : state) {
    const Result<bool> more = scan.next();
    if (!more) return require_detection(more.error());
    if (!*more || scan.entry().key != key) FAIL("the scan went past " << key);
    if (scan.entry().value != value) FAIL("other bytes for " << key);
  }
  const Result<bool> more = scan.next();
  if (!more) return require_detection(more.error());
  if (!*more) return true;  // the last record is gone
  if (scan.entry().key != "zz-last" || scan.entry().value != "last") FAIL("a key too many");
  return false;
}

bool get_some(Tree tree, const std::map<std::string, std::string>& state, std::uint64_t first) {
  bool noticed = false;
  std::uint64_t index = 0;
  for (const auto& [key, value] : state) {
    if (index++ % 16 != first % 16) continue;
    const Result<Record> record = tree.get(key);
    if (!record) {
      noticed = require_detection(record.error());
    } else if (record->value != value) {
      FAIL("other bytes for " << key);
    }
  }
  return noticed;
}

bool is_noticed(io::MemoryDirectory& disk, const std::map<std::string, std::string>& state,
                std::uint64_t round) {
  StoreOptions options = test::small_options();
  options.read_only = round % 4 != 0;  // cheaper; the writable open adds its repairs
  const auto store = test::open_on(disk, options);
  if (!store) return require_detection(store.error());
  const Result<Tree> tree = (*store)->open_tree("t");
  REQUIRE(tree.has_value());
  bool noticed = scan_all(*tree, state);
  noticed = get_some(*tree, state, round) || noticed;
  if (round % 16 < 2) {
    const Result<VerifyReport> report = (*store)->verify();
    REQUIRE(report.has_value());
    noticed = noticed || !report->problems.empty();
  }
  return noticed;
}

TEST_CASE("P11: bit flips: every one is detected or harmless", "[crash][engine]") {
  test::silence_log();
  const auto original = make_store();
  const auto state = make_state();
  const auto files = used_pages(*original);
  std::mt19937_64 random(test::first_seed() + 10);
  const std::uint64_t flips = test::rounds({.normal = 20000, .in_long_mode = 1000000});
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> noticed_of;
  for (std::uint64_t flip = 0; flip < flips; ++flip) {
    // Half of them in the frames, the other half evenly over the kinds of files.
    const auto frames = std::find_if(files.begin(), files.end(), [](const auto& pages) {
      return pages.front().file == "frames.dat";
    });
    const auto& pages = random() % 2 == 0 ? *frames : files[random() % files.size()];
    const auto& [name, page] = pages[random() % pages.size()];
    const auto disk = original->clone_current();
    const std::uint64_t bit = page * io::page_bytes * 8 + random() % (io::page_bytes * 8);
    CAPTURE(flip, name, bit);
    if (!disk->flip_bit(name, bit)) continue;  // behind the end of a short file
    auto& [noticed, all] = noticed_of[name];
    ++all;
    if (is_noticed(*disk, state, flip)) ++noticed;
  }
  for (const auto& [name, counts] : noticed_of) {
    UNSCOPED_INFO(name << ": noticed " << counts.first << " of " << counts.second);
  }
  // Not everything in a used page is used; most of it is.
  const auto& [noticed, all] = noticed_of["frames.dat"];
  CHECK(noticed * 4 > all * 3);
  test::figure("bit flips below the engine", flips);
}

}  // namespace

}  // namespace artfs
