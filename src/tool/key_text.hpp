// SPDX-License-Identifier: Apache-2.0
// Records as text a terminal can take: keys, values, and key prefixes back to bytes.
//
// Contract:   bytes outside printable ASCII, and the backslash, become \xHH; nothing is lost. Keys of
//             the volume show their numbers in decimal: d/1/name, e/42/7.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace artfs::tool {

[[nodiscard]] std::string escaped_text(std::string_view bytes);

// Back to the bytes; nullopt where a backslash is not followed by x and two hexadecimal digits.
[[nodiscard]] std::optional<std::string> unescaped_text(std::string_view text);

[[nodiscard]] std::string volume_key_text(std::string_view key);

// What a record of the volume says: "inode 42 file", "mode 100644 uid 0 ...". Escaped bytes for
// records that are shown as they are.
[[nodiscard]] std::string volume_value_text(std::string_view key, std::string_view value);

// The bytes that keys shown as starting with `text` start with: "d/1/a" as "d/" be64(1) "/a".
[[nodiscard]] std::string volume_key_prefix(std::string_view text);

}  // namespace artfs::tool
