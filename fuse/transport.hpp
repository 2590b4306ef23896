// SPDX-License-Identifier: Apache-2.0
// Transport: how requests travel between kernel and daemon, and which way a mount takes.
//
// Contract:   look_at_transport() asks the system once, before mounting: the kernel makes its offer at mount(2). Root
//             switches the kernel module's parameter on if it is off; a refusal is a fact like the
//             others. choose_transport() is a function of the wish and the facts.
// Errors:     none; why the ring is not possible is a sentence for the user.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace artfs::fuse {

enum class Transport : std::uint8_t {
  automatic,  // the ring where it is possible
  uring,
  dev,
};

[[nodiscard]] std::string_view to_text(Transport transport) noexcept;

struct TransportFacts {
  // fuse.enable_uring: absent before Linux 6.14 and where the kernel was built without it.
  enum class Module : std::uint8_t { absent, off, on };

  bool is_built = false;  // with liburing
  Module module = Module::absent;
  int ring_error = 0;  // errno of making such a ring, 0: it works
};

[[nodiscard]] TransportFacts look_at_transport();

struct TransportChoice {
  Transport runs = Transport::dev;
  std::string why_not_ring;  // empty when the ring was chosen, or nobody wanted it
};

[[nodiscard]] TransportChoice choose_transport(Transport wanted, const TransportFacts& facts);

}  // namespace artfs::fuse
