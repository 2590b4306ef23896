// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "artfs/store.hpp"

#include "art/tree.hpp"
#include "engine/store_impl.hpp"
#include "format/volume.hpp"
#include "tool/command.hpp"
#include "tool/key_text.hpp"
#include "tool/place.hpp"

namespace artfs::tool {

namespace {

struct DumpArguments {
  std::string path;
  std::string prefix;
  std::string tree;
  bool records = false;
  bool frames = false;
  bool values = false;
};

std::string record_line(const ScanEntry& entry, bool is_volume, bool with_values) {
  const std::string key = is_volume ? volume_key_text(entry.key) : escaped_text(entry.key);
  std::string line = fmt::format("{} {} {}", key, entry.version.raw, entry.value.size());
  if (!with_values) return line;
  return line + " " +
         (is_volume ? volume_value_text(entry.key, entry.value) : escaped_text(entry.value));
}

Result<void> dump_tree(const Store& store, const std::string& name,
                       const DumpArguments& arguments) {
  const Tree tree = ARTFS_TRY(store.open_tree(name));
  const bool is_volume = name == format::volume_tree_name;
  const std::string prefix = is_volume ? volume_key_prefix(arguments.prefix) : arguments.prefix;
  fmt::print("tree {}\n", escaped_text(name));
  ScanOptions options;
  options.prefix = prefix;
  Scan scan = tree.scan(options);
  while (ARTFS_TRY(scan.next())) {
    fmt::print("  {}\n", record_line(scan.entry(), is_volume, arguments.values));
  }
  return {};
}

Result<void> dump_records(const Store& store, const DumpArguments& arguments) {
  for (const std::string& name : store.tree_names()) {
    if (arguments.tree.empty() || arguments.tree == name) {
      ARTFS_TRY(dump_tree(store, name, arguments));
    }
  }
  return {};
}

Result<void> dump_frames(Store& store, const DumpArguments& arguments) {
  frame::Cache& cache = store.impl().cache();
  for (const frame::FrameLocation& location : cache.live_frames()) {
    const frame::Pin pin = ARTFS_TRY(cache.load(location.id));
    fmt::print("frame {} slot {}\n{}\n", location.id.raw, location.slot.raw,
               art::frame_to_text(pin.bytes(), arguments.values));
  }
  return {};
}

Result<void> dump(const DumpArguments& arguments) {
  StoreOptions options;
  options.read_only = true;
  const std::unique_ptr<Store> store =
      ARTFS_TRY(Store::open(resolve_place(arguments.path).store, options));
  if (arguments.frames) ARTFS_TRY(dump_frames(*store, arguments));
  if (arguments.records || !arguments.frames) ARTFS_TRY(dump_records(*store, arguments));
  return {};
}

int run(const DumpArguments& arguments) {
  const Result<void> dumped = dump(arguments);
  if (dumped) return 0;
  return complain("dump", fmt::format("{}: {}", arguments.path, to_text(dumped.error())));
}

}  // namespace

void add_dump(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("dump", "Print what a store holds, as text.");
  auto arguments = std::make_shared<DumpArguments>();
  command->add_option("STORE", arguments->path, "directory of the store; must not be mounted")
      ->required();
  command->add_flag("--records", arguments->records,
                    "print keys with version and value size (the default)");
  command->add_flag("--frames", arguments->frames,
                    "print frames: nodes, labels, leaves, crossings");
  command->add_option("--key", arguments->prefix, "only keys that start with this, such as d/1/");
  command->add_option("--tree", arguments->tree, "only this tree");
  command->add_flag("--values", arguments->values, "print values too");
  command->footer("Example:\n  artfs dump --values --key d/1/ /srv/store");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
