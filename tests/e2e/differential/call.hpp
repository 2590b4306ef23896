// SPDX-License-Identifier: Apache-2.0
// Call: a kind of system call: its name, how often it is drawn, and how it is done on a side.
//
// Contract:   run() makes the call once and returns its answer as text without anything that differs
//             between filesystems (Side). It may ask first whether the slot is in use.
// Threading:  in the side's process.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "differential/side.hpp"
#include "differential/step.hpp"

namespace artfs::differential {

struct Call {
  const char* name;
  unsigned weight;
  std::string (*run)(Side& side, const Step& step);
};

std::span<const Call> open_calls() noexcept;
std::span<const Call> byte_calls() noexcept;
std::span<const Call> copy_calls() noexcept;
std::span<const Call> name_calls() noexcept;
std::span<const Call> attribute_calls() noexcept;
std::span<const Call> xattr_calls() noexcept;
std::span<const Call> other_calls() noexcept;

// All of them, in an order that seeds depend on.
const std::vector<Call>& all_calls();

}  // namespace artfs::differential
