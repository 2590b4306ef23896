// SPDX-License-Identifier: Apache-2.0
// SelfTest: tries on this machine what artfs needs and promises, on a store of its own.
//
// Contract:   run() makes a store in a new directory below `parent`, writes files through the library, opens it again,
//             compares every byte and checks it; then mounts it with `program` and works on it through the
//             kernel. All of it is removed at the end, whatever happened, and nothing else is touched.
//             A step that this machine does not allow (no /dev/fuse) is skipped and says why; after a step
//             that failed the rest is skipped.
// Threading:  one thread.
// Cost:       some seconds, about 40 MiB of disk.
// Errors:     each is the detail of its step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace artfs::tool {

struct SelfTestStep {
  enum class State : std::uint8_t { ok, failed, skipped };

  std::string name;
  State state = State::ok;
  std::string detail;
};

[[nodiscard]] std::vector<SelfTestStep> run_self_test(const std::string& parent,
                                                      const std::string& program);

}  // namespace artfs::tool
