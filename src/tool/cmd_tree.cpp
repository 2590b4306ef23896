// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/error.hpp"
#include "artfs/store.hpp"

#include "format/volume.hpp"
#include "tool/command.hpp"
#include "tool/key_text.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

struct TreeArguments {
  std::string action;
  std::string store;
  std::vector<std::string> words;  // what stands behind STORE
  std::string prefix;
  std::string start_after;
  std::string delimiter;
  std::string file;
  std::size_t limit = 0;
  bool escapes = false;
  bool values = false;
  bool json = false;
  bool null = false;
  bool is_prefix = false;
};

// What went wrong, for the user; nullopt: nothing.
using Problem = std::optional<std::string>;

constexpr std::array volume_trees = {format::volume_tree_name, format::space_tree_name,
                                     format::blocks_tree_name};
// Of a transaction: well below its limit of 4 MiB, with what each record takes beside its bytes.
constexpr std::size_t batch_bytes = 1 * mib;
constexpr std::size_t record_overhead_bytes = 16;
constexpr std::size_t value_bytes_max = 64 * kib;

bool is_of_volume(std::string_view name) {
  return std::find(volume_trees.begin(), volume_trees.end(), name) != volume_trees.end();
}

class TreeCommand {
 public:
  explicit TreeCommand(const TreeArguments& arguments) : arguments_(arguments) {}

  [[nodiscard]] Problem run() {
    for (const Action& action : actions) {
      if (action.name != arguments_.action) continue;
      if (arguments_.words.size() < action.words_min ||
          arguments_.words.size() > action.words_max) {
        return fmt::format("{}: give STORE {}: see artfs tree --help", action.name, action.usage);
      }
      if (const Problem problem = read_words(); problem) return problem;
      if (action.changes && is_of_volume(name())) {
        return fmt::format("{}: a tree of the volume, changed through a mount alone",
                           escaped_text(name()));
      }
      if (const Problem problem = open(action.changes); problem) return problem;
      if (const Problem problem = (this->*action.run)(); problem) return problem;
      if (!action.changes) return std::nullopt;
      return problem_of(store_->close(), arguments_.store);
    }
    return fmt::format("{}: no such action: see artfs tree --help", arguments_.action);
  }

 private:
  struct Action {
    std::string_view name;
    std::string_view usage;
    std::size_t words_min;
    std::size_t words_max;
    bool changes;
    Problem (TreeCommand::*run)();
  };

  static const std::array<Action, 9> actions;

  [[nodiscard]] std::string name() const { return words_.empty() ? std::string() : words_[0]; }

  template <typename T>
  [[nodiscard]] static Problem problem_of(const Result<T>& result, std::string_view what) {
    if (result) return std::nullopt;
    return fmt::format("{}: {}", escaped_text(what), to_text(result.error()));
  }

  // Names, keys and values as given, or with \xHH for bytes.
  [[nodiscard]] Problem read_words() {
    words_ = arguments_.words;
    prefix_ = arguments_.prefix;
    start_after_ = arguments_.start_after;
    if (!arguments_.escapes) return std::nullopt;
    std::vector<std::string*> all = {&prefix_, &start_after_};
    for (std::string& word : words_) all.push_back(&word);
    for (std::string* word : all) {
      const std::optional<std::string> bytes = unescaped_text(*word);
      if (!bytes) {
        return fmt::format("{}: a backslash goes before x and two hexadecimal digits",
                           printable(*word));
      }
      *word = *bytes;
    }
    return std::nullopt;
  }

  [[nodiscard]] Problem open(bool changes) {
    const Place place = resolve_place(arguments_.store);
    if (place.mount_point) {
      return fmt::format("{}: mounted at {}: artfs umount it first", printable(arguments_.store),
                         printable(*place.mount_point));
    }
    StoreOptions options;
    options.read_only = !changes;
    auto opened = Store::open(place.store, options);
    if (!opened) return problem_of(opened, arguments_.store);
    store_ = *std::move(opened);
    if (arguments_.action == "create" || arguments_.action == "list") return std::nullopt;
    const Result<Tree> tree = store_->open_tree(name());
    if (!tree) return problem_of(tree, name());
    tree_ = *tree;
    return std::nullopt;
  }

  Problem create() { return problem_of(store_->create_tree(name()), name()); }

  Problem list() {
    for (const std::string& tree_name : store_->tree_names()) {
      const Result<Tree> tree = store_->open_tree(tree_name);
      if (!tree) return problem_of(tree, tree_name);
      const Result<std::uint64_t> keys = tree->count({});
      if (!keys) return problem_of(keys, tree_name);
      if (arguments_.json) {
        const nlohmann::json line = {{"name", escaped_text(tree_name)},
                                     {"keys", *keys},
                                     {"volume", is_of_volume(tree_name)}};
        fmt::print("{}\n", line.dump());
      } else {
        fmt::print("{}\t{}{}\n", escaped_text(tree_name), *keys,
                   is_of_volume(tree_name) ? "\tof the volume" : "");
      }
    }
    return std::nullopt;
  }

  Problem put() {
    if (arguments_.file.empty() == (words_.size() < 3)) {
      return std::string("put: give the value, or --file FILE: see artfs tree --help");
    }
    std::string value;
    if (arguments_.file.empty()) {
      value = words_[2];
    } else {
      std::ifstream file;
      if (arguments_.file != "-") file.open(arguments_.file, std::ios::binary);
      std::istream& input = arguments_.file == "-" ? std::cin : file;
      // One byte more than a value may have: the store says that it is too large.
      value.resize(value_bytes_max + 1);
      input.read(value.data(), static_cast<std::streamsize>(value.size()));
      if (input.bad() || (input.fail() && !input.eof())) {
        return printable(arguments_.file) + ": cannot be read: see whether it is there";
      }
      value.resize(static_cast<std::size_t>(input.gcount()));
    }
    return problem_of(tree_.put(words_[1], value), words_[1]);
  }

  Problem get() {
    const Result<Record> record = tree_.get(words_[1]);
    if (!record) return problem_of(record, words_[1]);
    const std::string value = arguments_.values ? escaped_text(record->value) : record->value;
    std::fwrite(value.data(), 1, value.size(), stdout);
    if (arguments_.values) std::putchar('\n');
    return std::nullopt;
  }

  Problem erase() { return problem_of(tree_.erase(words_[1]), words_[1]); }

  Problem rename() {
    return problem_of(arguments_.is_prefix
                          ? tree_.rename_prefix(words_[1], words_[2])
                          : tree_.rename(words_[1], words_[2], RenameMode::no_replace),
                      words_[1]);
  }

  Problem count() {
    const Result<std::uint64_t> keys = tree_.count(prefix_);
    if (!keys) return problem_of(keys, name());
    fmt::print("{}\n", *keys);
    return std::nullopt;
  }

  void print_entry(const ScanEntry& entry) const {
    if (arguments_.json) {
      nlohmann::json line = {{"key", escaped_text(entry.key)}, {"prefix", entry.is_rollup}};
      if (!entry.is_rollup) {
        line["version"] = entry.version.raw;
        line["value"] = escaped_text(entry.value);
      }
      fmt::print("{}\n", line.dump());
    } else if (arguments_.null) {
      std::fwrite(entry.key.data(), 1, entry.key.size(), stdout);
      std::putchar('\0');
    } else if (arguments_.values && !entry.is_rollup) {
      fmt::print("{}\t{}\n", escaped_text(entry.key), escaped_text(entry.value));
    } else {
      fmt::print("{}\n", escaped_text(entry.key));
    }
  }

  Problem scan() {
    if (arguments_.delimiter.size() > 1) return std::string("--delimiter: one byte, such as /");
    ScanOptions options;
    options.prefix = prefix_;
    options.start_after = start_after_;
    if (!arguments_.delimiter.empty()) options.delimiter = arguments_.delimiter.front();
    options.limit = arguments_.limit;
    options.keys_only = !arguments_.values && !arguments_.json;
    return problem_of(
        tree_.for_each(options, [this](const ScanEntry& entry) { print_entry(entry); }), name());
  }

  [[nodiscard]] Problem commit(Txn& batch) {
    const Result<Version> done = store_->commit(batch);
    batch = Txn();
    return problem_of(done, name());
  }

  // Lines as `scan --values` prints them.
  Problem load() {
    Txn batch;
    std::size_t bytes = 0;
    std::uint64_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
      ++number;
      const std::size_t tab = line.find('\t');
      const auto key = unescaped_text(std::string_view(line).substr(0, tab));
      const auto value =
          tab == line.npos ? std::nullopt : unescaped_text(std::string_view(line).substr(tab + 1));
      if (!key || !value) {
        return fmt::format("line {}: not KEY, a tab, VALUE as scan --values prints them; {}",
                           number, "the lines before it may be in");
      }
      batch.put(tree_, *key, *value);
      bytes += key->size() + value->size() + record_overhead_bytes;
      if (bytes < batch_bytes) continue;
      bytes = 0;
      if (const Problem problem = commit(batch); problem) return problem;
    }
    if (std::cin.bad()) return std::string("standard input cannot be read");
    return bytes > 0 ? commit(batch) : std::nullopt;
  }

  const TreeArguments& arguments_;
  std::vector<std::string> words_;
  std::string prefix_;
  std::string start_after_;
  std::unique_ptr<Store> store_;
  Tree tree_;
};

const std::array<TreeCommand::Action, 9> TreeCommand::actions = {{
    {"create", "NAME", 1, 1, true, &TreeCommand::create},
    {"list", "", 0, 0, false, &TreeCommand::list},
    {"put", "NAME KEY [VALUE]", 2, 3, true, &TreeCommand::put},
    {"get", "NAME KEY", 2, 2, false, &TreeCommand::get},
    {"erase", "NAME KEY", 2, 2, true, &TreeCommand::erase},
    {"rename", "NAME FROM TO", 3, 3, true, &TreeCommand::rename},
    {"count", "NAME", 1, 1, false, &TreeCommand::count},
    {"scan", "NAME", 1, 1, false, &TreeCommand::scan},
    {"load", "NAME", 1, 1, true, &TreeCommand::load},
}};

}  // namespace

void add_tree(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "tree", "Read and change raw trees: keys and values of a store beside its files.");
  auto arguments = std::make_shared<TreeArguments>();
  command
      ->add_option("ACTION", arguments->action,
                   "create, list, put, get, erase, rename, count, scan or load")
      ->required();
  command->add_option("STORE", arguments->store, "directory of the store; must not be mounted")
      ->required();
  command->add_option("NAME", arguments->words, "the tree, then what the action takes");
  command->add_flag("-e,--escapes", arguments->escapes,
                    "keys and values given have \\xHH for bytes");
  command->add_option("-f,--file", arguments->file, "put: the value is in this file; -: stdin");
  command->add_option("--prefix", arguments->prefix, "scan, count: only keys that start with this");
  command->add_option("--start-after", arguments->start_after, "scan: only what comes after this");
  command->add_option("--delimiter", arguments->delimiter,
                      "scan: one line for all keys up to this byte, such as /");
  command->add_option("--limit", arguments->limit, "scan: so many lines at most");
  command->add_flag("--values", arguments->values,
                    "scan: values too, behind a tab; get: escaped, with a newline");
  command->add_flag("--all", arguments->is_prefix,
                    "rename: every key that starts with FROM, at the cost of one");
  command->add_flag("--json", arguments->json, "scan, list: one JSON object per line");
  command->add_flag("-0,--null", arguments->null,
                    "scan: keys as they are, a zero byte behind each");
  command->footer(
      "Example:\n"
      "  artfs tree create /srv/store objects\n"
      "  artfs tree put /srv/store objects bucket-07/a.bin '{\"size\":4096}'\n"
      "  artfs tree scan /srv/store objects --prefix bucket-07/ --delimiter /");
  command->callback([arguments, &status] {
    const Problem problem = TreeCommand(*arguments).run();
    status = problem ? complain("tree", *problem) : 0;
  });
}

}  // namespace artfs::tool
