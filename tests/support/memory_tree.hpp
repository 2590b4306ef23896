// SPDX-License-Identifier: Apache-2.0
// MemoryTree: a radix tree over frames in memory, changed as the engine does it: plan, reserve, apply.
//
// Contract:   one thread. put() checks that a plan's bound on new frames held. verify() walks all frames.
#pragma once

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "art/node.hpp"
#include "art/plan.hpp"
#include "art/tree.hpp"
#include "frame/cache.hpp"
#include "io/memory_store.hpp"

namespace artfs::test {

struct TreeFacts {
  std::uint64_t frames = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes_live = 0;
  std::vector<std::string> problems{};

  [[nodiscard]] double fill() const {
    return static_cast<double>(bytes_live) /
           static_cast<double>(frames * (io::frame_bytes - io::page_bytes));
  }
};

class MemoryTree {
 public:
  MemoryTree()
      : cache_(blobs_, {}, {.budget_bytes = 64 * mib, .on_pressure = {}, .volatile_frames = true}) {
    frame::FrameReserve reserve = cache_.reserve(1).value();
    const frame::Pin root = cache_.create(reserve);
    art::format_root(root);
    root_ = root.id();
  }

  [[nodiscard]] art::TreeView view() noexcept { return {.cache = cache_, .root = root_}; }

  [[nodiscard]] frame::Cache& cache() noexcept { return cache_; }

  Lsn put(std::string_view key, std::string_view value) {
    art::WritePlan plan;
    if (!plan.add_put(view(), key, value.size())) FAIL("put cannot be planned");
    frame::FrameReserve reserve = cache_.reserve(plan.frames_needed()).value();
    if (!plan.latch()) FAIL("put cannot be latched");
    const Lsn version{++version_};
    plan.put(value, version, reserve);
    return version;
  }

  bool erase(std::string_view key) {
    art::WritePlan plan;
    // The second attempt knows that frames above have to change.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (!plan.add_erase(view(), key)) FAIL("erase cannot be planned");
      if (plan.latch()) return plan.erase(Lsn{++version_});
      plan.restart();
    }
    FAIL("erase cannot be latched");
    return false;
  }

  [[nodiscard]] TreeFacts verify() {
    TreeFacts facts;
    std::set<std::uint64_t> seen{root_.raw};
    std::vector<std::pair<FrameId, art::EdgeSet>> todo{{root_, {}}};
    while (!todo.empty()) {
      const auto [id, edges] = todo.back();
      todo.pop_back();
      const frame::Pin pin = cache_.pin(id).value();
      art::FrameCheck check;
      art::check_frame(id, pin.bytes(), check);
      if (id != root_) art::check_entry(edges, check);
      for (std::size_t i = 0; i < check.children.size(); ++i) {
        if (!seen.insert(check.children[i].raw).second)
          check.problems.emplace_back("frame reached twice");
        todo.emplace_back(check.children[i], check.child_edges[i]);
      }
      ++facts.frames;
      facts.keys += check.keys;
      facts.bytes_live += check.bytes_live;
      facts.problems.insert(facts.problems.end(), check.problems.begin(), check.problems.end());
    }
    if (cache_.live_frames().size() != facts.frames) facts.problems.emplace_back("lost frames");
    return facts;
  }

 private:
  io::MemoryStore blobs_;
  frame::Cache cache_;
  FrameId root_;
  std::uint64_t version_ = 0;
};

}  // namespace artfs::test
