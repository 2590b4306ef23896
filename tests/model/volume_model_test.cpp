// SPDX-License-Identifier: Apache-2.0
// The volume against a directory of the host: random operations, the same results.
#include "model/volume_world.hpp"
#include "support/scale.hpp"

namespace artfs::test {
TEST_CASE("volume model: a volume on disk does what a tmpfs directory does", "[model][vol]") {
  const std::uint64_t seed = first_seed() + GENERATE(range(std::uint64_t{0}, std::uint64_t{5}));
  WARN("seed " << seed);
  VolumeWorld world(seed, VolumeWorld::Kind::on_disk);
  world.run(scaled(16000));
}

TEST_CASE("volume model: a volume in memory does what a tmpfs directory does", "[model][vol]") {
  const std::uint64_t seed = first_seed() + GENERATE(range(std::uint64_t{100}, std::uint64_t{103}));
  WARN("seed " << seed);
  VolumeWorld world(seed, VolumeWorld::Kind::in_memory);
  world.run(scaled(10000));
}

}  // namespace artfs::test
