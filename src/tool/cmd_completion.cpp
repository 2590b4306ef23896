// SPDX-License-Identifier: Apache-2.0
// completion: what a shell offers behind `artfs`, made from the command line itself, so that it is never behind it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tool/command.hpp"

namespace artfs::tool {

namespace {

struct OptionWords {
  std::vector<std::string> names;  // "-o", "--output"
  std::string description;
  bool takes_value = false;
};

struct CommandWords {
  std::string name;
  std::string description;
  std::vector<OptionWords> options;
};

std::vector<OptionWords> options_of(const CLI::App& app) {
  std::vector<OptionWords> out;
  for (const CLI::Option* option : app.get_options()) {
    OptionWords words{.names = {},
                      .description = option->get_description(),
                      .takes_value = option->get_items_expected_max() > 0};
    for (const std::string& name : option->get_snames()) words.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) words.names.push_back("--" + name);
    if (!words.names.empty()) out.push_back(std::move(words));
  }
  return out;
}

std::vector<CommandWords> commands_of(const CLI::App& app) {
  std::vector<CommandWords> out;
  for (const CLI::App* command : app.get_subcommands({})) {
    out.push_back({.name = command->get_name(),
                   .description = command->get_description(),
                   .options = options_of(*command)});
  }
  std::sort(out.begin(), out.end(),
            [](const CommandWords& a, const CommandWords& b) { return a.name < b.name; });
  return out;
}

std::string names_of(const std::vector<OptionWords>& options, bool only_valued = false) {
  std::string out;
  for (const OptionWords& option : options) {
    if (only_valued && !option.takes_value) continue;
    for (const std::string& name : option.names) out += (out.empty() ? "" : " ") + name;
  }
  return out;
}

std::string bash_text(const CLI::App& app) {
  std::string commands = names_of(options_of(app));
  std::string cases;
  for (const CommandWords& command : commands_of(app)) {
    commands += " " + command.name;
    cases += fmt::format("    {})\n      options='{}'\n      valued=' {} '\n      ;;\n",
                         command.name, names_of(command.options), names_of(command.options, true));
  }
  return fmt::format(
      "# bash completion for artfs, made by: artfs completion bash\n"
      "_artfs() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local options='' valued=''\n"
      "  COMPREPLY=()\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n"
      "    return\n"
      "  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n"
      "{}"
      "  esac\n"
      "  # Nothing here: readline completes a file name.\n"
      "  [[ $current == -* && $valued != *\" $previous \"* ]] || return 0\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
      "}}\n"
      "complete -o bashdefault -o default -F _artfs artfs\n",
      commands, cases);
}

// Within single quotes, and within [] of _arguments.
std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out.push_back('\\');
      out.push_back(c == '\n' ? ' ' : c);
    }
  }
  return out;
}

std::string zsh_text(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CommandWords& command : commands_of(app)) {
    commands += fmt::format("    '{}:{}'\n", command.name, zsh_quoted(command.description));
    cases += fmt::format("    {})\n      _arguments -S", command.name);
    for (const OptionWords& option : command.options) {
      for (const std::string& name : option.names) {
        const std::string_view mark = !option.takes_value ? "" : name.starts_with("--") ? "=" : "+";
        cases +=
            fmt::format(" \\\n        '({}){}{}[{}]{}'", names_of({option}), name, mark,
                        zsh_quoted(option.description), option.takes_value ? ":value:_files" : "");
      }
    }
    cases += " \\\n        '*:file:_files'\n      ;;\n";
  }
  return fmt::format(
      "#compdef artfs\n"
      "# zsh completion for artfs, made by: artfs completion zsh\n"
      "_artfs() {{\n"
      "  local -a commands\n"
      "  commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe -t commands 'artfs command' commands\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $words[1] in\n"
      "{}"
      "    *) _files ;;\n"
      "  esac\n"
      "}}\n"
      "_artfs \"$@\"\n",
      commands, cases);
}

}  // namespace

void add_completion(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("completion", "Print what bash or zsh needs to complete artfs commands.");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash or zsh")->required();
  command->footer("Example:\n  source <(artfs completion bash)");
  command->callback([shell, &app, &status] {
    if (*shell == "bash") {
      fmt::print("{}", bash_text(app));
    } else if (*shell == "zsh") {
      fmt::print("{}", zsh_text(app));
    } else {
      status = complain("completion", "bash and zsh are the shells known here");
    }
  });
}

}  // namespace artfs::tool
