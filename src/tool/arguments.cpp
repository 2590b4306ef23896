// SPDX-License-Identifier: Apache-2.0
#include "tool/arguments.hpp"

#include <string_view>

namespace artfs::tool {

namespace {

// mount(8) calls: mount.artfs SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
std::vector<std::string> from_mount_helper(std::span<char* const> words) {
  std::vector<std::string> out = {"mount"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool is_flags = word.size() > 1 && word[0] == '-' && word[1] != '-' && word[1] != 'h';
    if (!is_flags) {
      out.emplace_back(word);
    } else if (word == "-o" && i + 1 < words.size()) {
      out.insert(out.end(), {"-o", words[++i]});
    } else if (word == "-N" || word == "-t") {
      ++i;
    } else {
      for (const char flag : word.substr(1)) {
        if (flag == 's') out.emplace_back("--sloppy");
        if (flag == 'f') out.emplace_back("--fake");
        if (flag != 's' && flag != 'f' && flag != 'n' && flag != 'v') out.push_back({'-', flag});
      }
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> arguments_of(std::span<char* const> argv) {
  if (argv.empty()) return {};
  std::string_view program = argv[0];
  if (const std::size_t slash = program.rfind('/'); slash != std::string_view::npos) {
    program.remove_prefix(slash + 1);
  }
  const std::span<char* const> words = argv.subspan(1);
  if (program == "mount.artfs" || program == "mount.fuse.artfs") return from_mount_helper(words);
  std::vector<std::string> out;
  if (program == "mkfs.artfs") out.emplace_back("mkfs");
  if (program == "fsck.artfs") out.emplace_back("fsck");
  for (const char* word : words) out.emplace_back(word);
  // Words such as -name are no options for CLI11 to take apart.
  const bool is_find = out.size() > 1 && out[0] == "find" && out[1] != "--help" && out[1] != "-h";
  if (is_find) out.insert(out.begin() + 1, "--");
  return out;
}

}  // namespace artfs::tool
