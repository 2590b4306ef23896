// SPDX-License-Identifier: Apache-2.0
// Operation sequences of the fuzzer's against a store and a std::map, with checkpoints, reopens and kills.
#include "fuzz/fuzz.hpp"
#include "support/store_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  test::silence_log();
  constexpr int steps_max = 400;
  StoreOptions options = test::small_options();
  options.commit_interval = std::chrono::milliseconds(60000);
  test::StoreModel model(test::RandomKeys(std::span(data, size), 400), options);
  for (int step = 0; step < steps_max && !model.keys().used_up(); ++step) model.step();
  model.compare_all();
  return 0;
}
