// SPDX-License-Identifier: Apache-2.0
#include "fuse/transport.hpp"

#include <fmt/format.h>

#include <cstring>
#include <fstream>

#include "fuse/uring_transport.hpp"

namespace artfs::fuse {

namespace {

constexpr const char* parameter_path = "/sys/module/fuse/parameters/enable_uring";

TransportFacts::Module read_parameter() {
  std::ifstream file(parameter_path);
  char value = 0;
  if (!(file >> value)) return TransportFacts::Module::absent;
  return value == 'Y' ? TransportFacts::Module::on : TransportFacts::Module::off;
}

// It allows all FUSE daemons what each still has to ask for.
void switch_parameter_on() {
  std::ofstream file(parameter_path);
  file << "Y\n";
}

std::string why_not(const TransportFacts& facts) {
  if (!facts.is_built) return "this artfs was built without liburing";
  switch (facts.module) {
    case TransportFacts::Module::absent:
      return "this kernel has no FUSE over io_uring: Linux 6.14 with CONFIG_FUSE_IO_URING has";
    case TransportFacts::Module::off:
      return fmt::format("{} is N: let root write Y to it", parameter_path);
    case TransportFacts::Module::on:
      break;
  }
  if (facts.ring_error != 0) {
    return fmt::format("io_uring: {}: see kernel.io_uring_disabled in sysctl(8)",
                       std::strerror(facts.ring_error));
  }
  return {};
}

}  // namespace

std::string_view to_text(Transport transport) noexcept {
  switch (transport) {
    case Transport::automatic:
      return "auto";
    case Transport::uring:
      return "uring";
    case Transport::dev:
      break;
  }
  return "dev";
}

TransportFacts look_at_transport() {
  TransportFacts facts;
  facts.is_built = UringTransport::is_built;
  if (!facts.is_built) return facts;
  facts.module = read_parameter();
  if (facts.module == TransportFacts::Module::off) {
    switch_parameter_on();
    facts.module = read_parameter();
  }
  facts.ring_error = UringTransport::try_ring();
  return facts;
}

TransportChoice choose_transport(Transport wanted, const TransportFacts& facts) {
  if (wanted == Transport::dev) return {};
  std::string problem = why_not(facts);
  if (problem.empty()) return {.runs = Transport::uring, .why_not_ring = {}};
  return {.runs = Transport::dev, .why_not_ring = std::move(problem)};
}

}  // namespace artfs::fuse
