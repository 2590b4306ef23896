// SPDX-License-Identifier: Apache-2.0
// The subcommands of artfs: how each adds itself to the command line.
//
// Contract:   add_x registers subcommand x: options, help with an example, and what runs when it is
//             chosen, which leaves its exit status in `status`.
// Errors:     a failure is one line on stderr: "artfs x: what is wrong: what to do".
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace artfs::tool {

void add_mkfs(CLI::App& app, int& status);
void add_mount(CLI::App& app, int& status);
void add_umount(CLI::App& app, int& status);
void add_fsck(CLI::App& app, int& status);
void add_find(CLI::App& app, int& status);
void add_du(CLI::App& app, int& status);
void add_ls(CLI::App& app, int& status);
void add_scrub(CLI::App& app, int& status);
void add_stats(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);
void add_sync(CLI::App& app, int& status);
void add_dump(CLI::App& app, int& status);
void add_selftest(CLI::App& app, int& status);
void add_tree(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);
void add_export(CLI::App& app, int& status);
void add_import(CLI::App& app, int& status);
void add_cat(CLI::App& app, int& status);
void add_get(CLI::App& app, int& status);
void add_put(CLI::App& app, int& status);
void add_stat(CLI::App& app, int& status);
void add_mkdir(CLI::App& app, int& status);
void add_rm(CLI::App& app, int& status);
void add_mv(CLI::App& app, int& status);
void add_completion(CLI::App& app, int& status);

inline constexpr int exit_failure = 1;  // of subcommands without a convention of their own

// Prints "artfs COMMAND: TEXT" on stderr; returns `status`.
int complain(std::string_view command, std::string_view text, int status = exit_failure);

// Names in a message may hold anything; a terminal gets no control characters from them.
[[nodiscard]] std::string printable(std::string_view line);

// The exit status of a wrong command line, by the convention of the subcommand.
[[nodiscard]] int usage_status(std::string_view command) noexcept;

}  // namespace artfs::tool
