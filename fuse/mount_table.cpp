// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount_table.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>

namespace artfs::fuse {

namespace {

// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
std::string unescape(std::string_view field) {
  std::string out;
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escaped = field[i] == '\\' && i + 3 < field.size() && is_octal(field[i + 1]) &&
                         is_octal(field[i + 2]) && is_octal(field[i + 3]);
    if (!escaped) {
      out.push_back(field[i]);
      continue;
    }
    const int code = (field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0');
    out.push_back(static_cast<char>(code));
    i += 3;
  }
  return out;
}

// id parent major:minor root mount_point options [tags...] - type source super_options
std::optional<MountEntry> parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string id, parent, device, root, mount_point, options, word, type, source, super_options;
  if (!(words >> id >> parent >> device >> root >> mount_point >> options)) return std::nullopt;
  while (words >> word && word != "-") continue;
  if (!(words >> type >> source)) return std::nullopt;
  words >> super_options;
  return MountEntry{.mount_point = unescape(mount_point),
                    .type = type,
                    .source = unescape(source),
                    .options = super_options,
                    .flags = options,
                    .device = device};
}

Result<std::string> resolve(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> resolved(::realpath(path.c_str(), nullptr),
                                                          &::free);
  if (resolved == nullptr) return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
  return std::string(resolved.get());
}

}  // namespace

std::vector<MountEntry> parse_mount_table(std::string_view text) {
  std::vector<MountEntry> table;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (std::optional<MountEntry> entry = parse_line(line)) table.push_back(*std::move(entry));
  }
  return table;
}

Result<std::vector<MountEntry>> read_mount_table() {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return parse_mount_table(text.str());
}

std::optional<MountEntry> mount_at(const std::vector<MountEntry>& table, std::string_view path) {
  const auto found = std::find_if(table.rbegin(), table.rend(), [path](const MountEntry& entry) {
    return entry.mount_point == path;
  });
  return found == table.rend() ? std::nullopt : std::optional(*found);
}

std::optional<MountEntry> mount_of_store(const std::vector<MountEntry>& table,
                                         std::string_view store_path) {
  const auto found = std::find_if(table.rbegin(), table.rend(), [store_path](const auto& entry) {
    return entry.type == filesystem_type && entry.source == store_path;
  });
  return found == table.rend() ? std::nullopt : std::optional(*found);
}

Result<std::string> canonical_path(const std::string& path) {
  Result<std::string> whole = resolve(path);
  // ENOENT and ENOTDIR say that it is not there; anything else may be a mount that does not answer.
  if (whole || whole.error().detail == ENOENT || whole.error().detail == ENOTDIR) return whole;
  std::string_view trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.remove_suffix(1);
  const std::size_t slash = trimmed.rfind('/');
  const std::string_view name =
      slash == std::string_view::npos ? trimmed : trimmed.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return whole;
  std::string above = ".";
  if (slash != std::string_view::npos)
    above = slash == 0 ? "/" : std::string(trimmed.substr(0, slash));
  std::string parent = ARTFS_TRY(resolve(above));
  if (parent != "/") parent.push_back('/');
  return parent.append(name);
}

}  // namespace artfs::fuse
