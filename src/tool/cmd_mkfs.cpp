// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <filesystem>
#include <memory>

#include "artfs/volume.hpp"

#include "fuse/mount_options.hpp"
#include "tool/command.hpp"

namespace artfs::tool {

namespace {

namespace fs = std::filesystem;

struct MkfsArguments {
  std::string store;
  std::string label;
  std::string block_size = "64K";
  std::string inline_limit = "2K";
  std::string dedup = "on";
  bool quiet = false;
};

constexpr std::size_t label_bytes_max = 63;
constexpr std::uint64_t inline_bytes_max = 4 * kib;

tl::expected<FormatOptions, std::string> to_options(const MkfsArguments& arguments) {
  FormatOptions options;
  if (arguments.label.size() > label_bytes_max) {
    return tl::unexpected(std::string("--label: at most 63 bytes: choose a shorter one"));
  }
  const auto block = fuse::parse_bytes(arguments.block_size);
  if (!block || !std::has_single_bit(*block) || *block < 4 * kib || *block > mib) {
    return tl::unexpected(
        fmt::format("--block-size {}: give a power of two from 4K to 1M", arguments.block_size));
  }
  const auto inline_limit = fuse::parse_bytes(arguments.inline_limit);
  if (!inline_limit || *inline_limit > inline_bytes_max) {
    return tl::unexpected(fmt::format("--inline-limit {}: give 0 to 4K", arguments.inline_limit));
  }
  if (arguments.dedup != "on" && arguments.dedup != "off") {
    return tl::unexpected(fmt::format("--dedup {}: give on or off", arguments.dedup));
  }
  options.dedup = arguments.dedup == "on";
  options.label = arguments.label;
  options.block_bytes = static_cast<std::uint32_t>(*block);
  options.inline_bytes_max = static_cast<std::uint32_t>(*inline_limit);
  options.root_uid = ::geteuid();
  options.root_gid = ::getegid();
  return options;
}

// What stood at the path before us, so that a failure leaves exactly that.
class Before {
 public:
  explicit Before(const fs::path& path) : path_(path) {
    std::error_code ignored;
    existed_ = fs::exists(fs::symlink_status(path, ignored));
    was_empty_ = existed_ && fs::is_directory(path, ignored) && fs::is_empty(path, ignored);
  }

  void restore() const {
    std::error_code ignored;
    if (!existed_) {
      fs::remove_all(path_, ignored);
    } else if (was_empty_) {
      for (const auto& entry : fs::directory_iterator(path_, ignored))
        fs::remove_all(entry.path(), ignored);
    }
  }

 private:
  fs::path path_;
  bool existed_ = false;
  bool was_empty_ = false;
};

int run(const MkfsArguments& arguments) {
  const auto options = to_options(arguments);
  if (!options) return complain("mkfs", options.error(), usage_status("mkfs"));
  const Before before(arguments.store);
  const Result<void> made = Volume::format(arguments.store, *options);
  if (!made) {
    before.restore();
    return complain("mkfs", fmt::format("{}: {}", arguments.store, to_text(made.error())));
  }
  if (!arguments.quiet) {
    fmt::print("{}: made; mount it with: artfs mount {} MOUNTPOINT\n", arguments.store,
               arguments.store);
  }
  return 0;
}

}  // namespace

void add_mkfs(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("mkfs", "Make a store with an empty filesystem in it.");
  auto arguments = std::make_shared<MkfsArguments>();
  command->add_option("STORE", arguments->store, "directory for the store: new, or empty")
      ->required();
  command->add_option("-L,--label", arguments->label, "name of the volume, at most 63 bytes");
  command
      ->add_option("-b,--block-size", arguments->block_size,
                   "block size of large files: a power of two from 4K to 1M")
      ->capture_default_str();
  command
      ->add_option("-i,--inline-limit", arguments->inline_limit,
                   "files up to this size live beside their attributes: 0 to 4K")
      ->capture_default_str();
  command
      ->add_option("--dedup", arguments->dedup,
                   "store equal blocks once: on or off (copies made by reference share either way)")
      ->capture_default_str();
  command->add_flag("-q,--quiet", arguments->quiet, "print nothing on success");
  command->footer("Example:\n  artfs mkfs --label data /srv/store");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
