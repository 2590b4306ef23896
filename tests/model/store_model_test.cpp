// SPDX-License-Identifier: Apache-2.0
// A store against std::map: the same random operations on both, every result compared, with
// checkpoints, clean reopens and kills in between, on the smallest cache.
#include "support/store_model.hpp"

#include <catch2/catch.hpp>

#include "support/scale.hpp"

namespace artfs {

namespace {

struct Shape {
  std::uint64_t paths = 12000;
  std::uint64_t value_bytes = 0;
  Durability durability = Durability::fsync;
};

void run_model(std::uint64_t seed, const Shape& shape) {
  test::silence_log();
  test::RandomKeys keys(seed, shape.paths);
  if (shape.value_bytes > 0) keys.make_values_large(shape.value_bytes);
  StoreOptions options = test::small_options();
  options.durability = shape.durability;
  test::StoreModel model(std::move(keys), options);
  const std::uint64_t steps = test::scaled(20000);
  for (std::uint64_t step = 0; step < steps; ++step) model.step();
  model.compare_all();
}

TEST_CASE("store model: random operations agree with std::map across checkpoints and reopens",
          "[model][engine]") {
  const std::uint64_t seed =
      test::first_seed() + GENERATE(range(std::uint64_t{0}, std::uint64_t{4}));
  CAPTURE(seed);
  run_model(seed, {});
}

TEST_CASE("store model: a store of several times its cache agrees too", "[model][engine]") {
  const std::uint64_t seed =
      test::first_seed() + 50 + GENERATE(range(std::uint64_t{0}, std::uint64_t{4}));
  CAPTURE(seed);
  run_model(seed, {.value_bytes = 8 * kib});
}

TEST_CASE("store model: few keys, changed again and again", "[model][engine]") {
  const std::uint64_t seed =
      test::first_seed() + 70 + GENERATE(range(std::uint64_t{0}, std::uint64_t{2}));
  CAPTURE(seed);
  run_model(seed, {.paths = 60, .value_bytes = 60 * kib});
}

TEST_CASE("store model: strict durability gives the same answers", "[model][engine]") {
  const std::uint64_t seed =
      test::first_seed() + 100 + GENERATE(range(std::uint64_t{0}, std::uint64_t{2}));
  CAPTURE(seed);
  run_model(seed, {.durability = Durability::strict});
}

}  // namespace

}  // namespace artfs
