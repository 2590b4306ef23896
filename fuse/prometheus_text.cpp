// SPDX-License-Identifier: Apache-2.0
#include "fuse/prometheus_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace artfs::fuse {

namespace {

constexpr unsigned first_bound_bit = 9;
constexpr unsigned last_bound_bit = 35;
static_assert(first_bound_bit >= latency_first_bit && last_bound_bit <= latency_last_bit);

constexpr double ns_per_s = 1e9;

std::string utf8_of(std::string_view text) {
  using nlohmann::json;
  const std::string quoted =
      json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(quoted).get<std::string>();
}

// In help only backslash and newline are escaped, in label values the quote as well.
std::string escaped(std::string_view text, bool with_quotes) {
  std::string out;
  for (const char c : utf8_of(text)) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && with_quotes) {
      out += "\\\"";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::string prometheus_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void PrometheusText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
}

void PrometheusText::sample(std::uint64_t value, Labels labels) {
  line("", labels, fmt::format("{}", value));
}

void PrometheusText::sample(double value, Labels labels) {
  line("", labels, prometheus_number(value));
}

void PrometheusText::histogram(const LatencyCounts& counts,
                               std::pair<std::string_view, std::string_view> label) {
  for (unsigned bit = first_bound_bit; bit <= last_bound_bit; ++bit) {
    const std::uint64_t bound_ns = std::uint64_t{1} << bit;
    const std::string bound = prometheus_number(static_cast<double>(bound_ns) / ns_per_s);
    line("_bucket", {label, {"le", bound}}, fmt::format("{}", counts.count_up_to(bound_ns)));
  }
  const std::string all = fmt::format("{}", counts.count());
  line("_bucket", {label, {"le", "+Inf"}}, all);
  line("_sum", {label}, prometheus_number(static_cast<double>(counts.sum_ns) / ns_per_s));
  line("_count", {label}, all);
}

void PrometheusText::line(std::string_view suffix, Labels labels, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  char before = '{';
  for (const auto& [name, content] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, name, escaped(content, true));
    before = ',';
  }
  if (before == ',') text_.push_back('}');
  text_ += fmt::format(" {}\n", value);
}

}  // namespace artfs::fuse
