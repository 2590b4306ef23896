// SPDX-License-Identifier: Apache-2.0
// top_view: what happened between two answers of a daemon to "top": rates, latencies, gauges; as text and as JSON.
//
// Contract:   top_figures() takes the difference of two answers (fuse/inside.hpp: top_json); counters that went back
//             (another daemon) count as nothing. Its names are documented in artfs-top(1). top_text() lays
//             them out for people: `rows` operations and directories at most, 0 for all.
// Threading:  pure functions.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace artfs::tool {

[[nodiscard]] nlohmann::json top_figures(const nlohmann::json& before, const nlohmann::json& after);

[[nodiscard]] std::string top_text(const nlohmann::json& figures, std::size_t rows);

}  // namespace artfs::tool
