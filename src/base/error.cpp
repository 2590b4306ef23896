// SPDX-License-Identifier: Apache-2.0
#include "artfs/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace artfs {
namespace {

// What `detail` means to a human.
enum class DetailKind : std::uint8_t { errno_value, process, option, number };

DetailKind detail_kind(Errc code) noexcept {
  if (code == Errc::io_failed || code == Errc::no_space || code == Errc::permission_denied) {
    return DetailKind::errno_value;
  }
  if (code == Errc::option_invalid) return DetailKind::option;
  return code == Errc::store_locked ? DetailKind::process : DetailKind::number;
}

}  // namespace

int to_errno(Error error) noexcept {
  switch (error.code) {
#define ARTFS_CASE(name, errno_value, remedy) \
  case Errc::name:                            \
    return errno_value;
    ARTFS_ERRORS(ARTFS_CASE)
#undef ARTFS_CASE
  }
  return EIO;
}

std::string_view name_of(Errc code) noexcept {
  switch (code) {
#define ARTFS_CASE(name, errno_value, remedy) \
  case Errc::name:                            \
    return #name;
    ARTFS_ERRORS(ARTFS_CASE)
#undef ARTFS_CASE
  }
  return "unknown";
}

std::string_view remedy_of(Errc code) noexcept {
  switch (code) {
#define ARTFS_CASE(name, errno_value, remedy) \
  case Errc::name:                            \
    return remedy;
    ARTFS_ERRORS(ARTFS_CASE)
#undef ARTFS_CASE
  }
  return "report this";
}

std::string_view range_of(OptionName option) noexcept {
  switch (option) {
    case OptionName::none:
      break;
#define ARTFS_CASE(name, range) \
  case OptionName::name:        \
    return #name ": " range;
      ARTFS_OPTIONS(ARTFS_CASE)
#undef ARTFS_CASE
  }
  return "";
}

std::string to_text(Error error) {
  const std::string_view name = name_of(error.code);
  const std::string_view remedy = remedy_of(error.code);
  if (error.detail == 0) return fmt::format("{}: {}", name, remedy);
  switch (detail_kind(error.code)) {
    case DetailKind::errno_value: {
      const auto reason = std::generic_category().message(static_cast<int>(error.detail));
      return fmt::format("{} ({}): {}", name, reason, remedy);
    }
    case DetailKind::process:
      return fmt::format("{} (process {}): {}", name, error.detail, remedy);
    case DetailKind::option:
      return fmt::format("{} ({}): {}", name, range_of(OptionName{error.detail}), remedy);
    case DetailKind::number:
      return fmt::format("{} ({}): {}", name, error.detail, remedy);
  }
  return fmt::format("{}: {}", name, remedy);
}

}  // namespace artfs
