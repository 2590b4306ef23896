// SPDX-License-Identifier: Apache-2.0
// PrometheusText: metrics in Prometheus's text exposition format 0.0.4.
//
// Contract:   family() begins a metric with its HELP and TYPE, sample() and histogram() add to the one begun last.
//             Each family is begun once. Label values and help are escaped; what is not UTF-8 becomes
//             U+FFFD.
// Threading:  one thread.
// Source:     prometheus.io/docs/instrumenting/exposition_formats
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "fuse/latency_histogram.hpp"

namespace artfs::fuse {

class PrometheusText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // `type`: counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});
  // In seconds, with a bucket for each doubling from 512 ns to 34 s.
  void histogram(const LatencyCounts& counts, std::pair<std::string_view, std::string_view> label);

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view value);

  std::string text_;
  std::string name_;
};

// "2.048e-06": the shortest form that is read back as the same number; +Inf, -Inf, NaN as Prometheus writes them.
[[nodiscard]] std::string prometheus_number(double value);

}  // namespace artfs::fuse
