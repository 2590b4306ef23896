// SPDX-License-Identifier: Apache-2.0
// The small parts of the engine, each by itself.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "engine/hook.hpp"
#include "engine/overlay_store.hpp"
#include "engine/tree_table.hpp"
#include "io/memory_store.hpp"

namespace artfs::engine {

namespace {

TEST_CASE("tree table: trees are found by id and name, in the order they were made",
          "[unit][engine]") {
  TreeTable table;
  CHECK(table.find(TreeId{0}) == nullptr);
  CHECK(table.find(TreeId{1}) == nullptr);
  table.add(table.next_id(), "a", FrameId{7});
  table.add(table.next_id(), "b", FrameId{9});
  CHECK(table.find(TreeId{2})->name == "b");
  CHECK(table.find("a")->root == FrameId{7});
  CHECK(table.find("c") == nullptr);
  CHECK(table.find(TreeId{3}) == nullptr);
  CHECK(table.all().size() == 2);
  CHECK(table.next_id() == TreeId{3});
}

TEST_CASE("hook: after it was replaced no old call runs", "[unit][engine]") {
  Hook hook;
  CHECK(hook.run().has_value());
  std::atomic<bool> alive{true};
  std::atomic<int> calls{0};
  std::atomic<int> late{0};
  hook.set([&]() -> Result<void> {
    if (!alive) ++late;
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (!alive) ++late;
    return fail(Errc::io_failed, 5);
  });
  std::atomic<bool> stop{false};
  std::thread runner([&] {
    while (!stop) (void)hook.run();
  });
  while (calls < 5) std::this_thread::yield();
  CHECK_FALSE(hook.run().has_value());
  hook.set({});
  alive = false;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop = true;
  runner.join();
  CHECK(late == 0);
}

class Counting final : public io::BlobStore {
 public:
  explicit Counting(io::MemoryStore& store) : store_(store) {}

  Result<void> read(io::SlotId slot, std::uint32_t page, std::span<std::byte> out) override {
    return store_.read(slot, page, out);
  }

  Result<void> write(std::span<const io::PageWrite> writes) override {
    ++changes;
    return store_.write(writes);
  }

  Result<void> sync() override { return {}; }

  Result<void> reserve(std::size_t) override {
    ++changes;
    return {};
  }

  void unreserve(std::size_t) noexcept override {}

  io::SlotId allocate() noexcept override {
    ++changes;
    return {};
  }

  void free(io::SlotId) noexcept override { ++changes; }

  void restore(std::span<const io::SlotId>) override {}

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return 0; }

  [[nodiscard]] bool is_direct() const noexcept override { return false; }

  int changes = 0;

 private:
  io::MemoryStore& store_;
};

TEST_CASE("overlay: written pages shadow the base, which is never changed", "[unit][engine]") {
  io::MemoryStore memory;
  REQUIRE(memory.reserve(2).has_value());
  const io::SlotId first = memory.allocate();
  const io::SlotId second = memory.allocate();
  io::AlignedBuffer page(io::page_bytes);
  std::fill(page.span().begin(), page.span().end(), std::byte{1});
  const io::PageWrite below{.slot = first, .first_page = 2, .pages = page.span()};
  REQUIRE(memory.write({&below, 1}).has_value());

  auto counting = std::make_unique<Counting>(memory);
  Counting& base = *counting;
  OverlayStore overlay(std::move(counting));
  overlay.restore(std::vector{first, second});
  std::fill(page.span().begin(), page.span().end(), std::byte{2});
  const io::PageWrite above{.slot = first, .first_page = 3, .pages = page.span()};
  REQUIRE(overlay.write({&above, 1}).has_value());
  io::AlignedBuffer out(3 * io::page_bytes);
  REQUIRE(overlay.read(first, 2, out.span()).has_value());
  CHECK(out.span()[0] == std::byte{1});
  CHECK(out.span()[io::page_bytes] == std::byte{2});
  CHECK(out.span()[2 * io::page_bytes] == std::byte{0});

  REQUIRE(overlay.reserve(1).has_value());
  const io::SlotId fresh = overlay.allocate();
  CHECK(fresh > second);
  const io::PageWrite beyond{.slot = fresh, .first_page = 0, .pages = page.span()};
  REQUIRE(overlay.write({&beyond, 1}).has_value());
  REQUIRE(overlay.read(fresh, 0, out.span()).has_value());
  CHECK(out.span()[0] == std::byte{2});
  CHECK(out.span()[io::page_bytes] == std::byte{0});
  overlay.free(fresh);
  REQUIRE(overlay.read(fresh, 0, out.span()).has_value());
  CHECK(out.span()[0] == std::byte{0});
  CHECK(base.changes == 0);
}

}  // namespace

}  // namespace artfs::engine
