// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/progress.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t step_bytes = 256 * kib;

bool write_out(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

// False: the standard output takes no more.
bool print(const std::string& shown, OpenFile& file, std::span<std::byte> buffer,
           Progress& progress) {
  for (std::uint64_t at = 0;;) {
    const Result<std::size_t> got = file.read(at, buffer);
    if (!got) {
      progress.fail(shown, got.error());
      return true;
    }
    if (*got == 0) return true;
    if (!write_out(buffer.first(*got))) {
      progress.fail("standard output", std::strerror(errno));
      return false;
    }
    at += *got;
  }
}

int run(const std::vector<std::string>& places) {
  Progress progress("cat");
  PlaceOpener opener(false);
  std::vector<std::byte> buffer(step_bytes);
  for (const std::string& shown : places) {
    const TextOr<FilePlace> place = opener.open(shown);
    if (!place) {
      progress.fail(shown, place.error());
      continue;
    }
    const Result<std::unique_ptr<OpenFile>> file = place->tree->open(place->path);
    if (!file && file.error().code == Errc::operation_not_permitted) {
      progress.fail(shown, "not a regular file: cat reads no other");
    } else if (!file) {
      progress.fail(shown, file.error());
    } else if (!print(shown, **file, buffer, progress)) {
      break;
    }
  }
  return progress.status();
}

}  // namespace

void add_cat(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("cat", "Print files of a mounted artfs or a store.");
  auto places = std::make_shared<std::vector<std::string>>();
  command->add_option("PLACE", *places, place_help)->required();
  command->footer("Example:\n  artfs cat /srv/store:/etc/hosts");
  command->callback([places, &status] { status = run(*places); });
}

}  // namespace artfs::tool
