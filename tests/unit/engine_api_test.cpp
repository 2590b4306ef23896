// SPDX-License-Identifier: Apache-2.0
// What the public C++ interface promises beside its operations: options, ranges, overlooked errors.
#include <catch2/catch.hpp>
#include <ranges>

#include "support/death.hpp"
#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::small_options;

static_assert(std::input_iterator<Scan::Iterator>);
static_assert(std::ranges::input_range<Scan>);

Tree make_tree(Store& store) {
  const Tree tree = *store.create_tree("t");
  for (const char* key : {"a", "b/1", "b/2", "c"}) REQUIRE(tree.put(key, key).has_value());
  return tree;
}

TEST_CASE("options: the error names the one that is out of its range", "[unit][engine]") {
  const auto complaint = [](const StoreOptions& options) {
    const Result<void> checked = check(options);
    return checked ? std::string() : to_text(checked.error());
  };
  using namespace std::chrono_literals;
  CHECK(complaint({}).empty());
  CHECK(complaint({.cache_bytes = mib}).starts_with("option_invalid (cache_bytes: 8 MiB"));
  CHECK(complaint({.commit_interval = 1ms}).find("commit_interval: 10 ms") != std::string::npos);
  CHECK(complaint({.checkpoint_log_bytes = gib}).find("checkpoint_log_bytes") != std::string::npos);
  CHECK(complaint({.checkpoint_interval = 1ms}).find("checkpoint_interval") != std::string::npos);
  CHECK(complaint({.lock_wait = -1ms}).find("lock_wait") != std::string::npos);
  CHECK(complaint({.durability = static_cast<Durability>(9)}).find("relaxed") != std::string::npos);
}

TEST_CASE("scan: a range visits each entry once and says how it ended", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = make_tree(*store);
  Scan scan = tree.scan();
  std::string seen;
  for (const Entry& entry : scan) seen.append(entry.key).append(" ");
  CHECK(seen == "a b/1 b/2 c ");
  CHECK(scan.status().has_value());

  seen.clear();
  for (const Entry& entry : tree.scan({.prefix = "b/"}) | std::views::take(1)) seen = entry.key;
  CHECK(seen == "b/1");
  std::size_t rollups = 0;
  CHECK(tree.for_each({.delimiter = '/'}, [&](const Entry& entry) { rollups += entry.is_rollup; })
            .has_value());
  CHECK(rollups == 1);
  const Result<void> stopped = tree.for_each(
      {}, [](const Entry&) -> Result<void> { return fail(Errc::invalid_argument, 7); });
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error() == Error{Errc::invalid_argument, 7});
}

TEST_CASE("scan: an error that nobody asked for ends the process", "[unit][engine]") {
  // A tree of no store: the first step fails.
  Scan asked = Tree().scan();
  for (const Entry& entry : asked) FAIL(entry.key);
  REQUIRE_FALSE(asked.status().has_value());
  CHECK(asked.status().error().code == Errc::tree_not_found);
  CHECK(test::aborts([] {
    Scan overlooked = Tree().scan();
    for (const Entry& entry : overlooked) static_cast<void>(entry);
  }));
}

}  // namespace

}  // namespace artfs
