// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

const char* any_attribute(const Side& side, const Step& step) {
  constexpr std::array<const char*, 16> names = {
      "user.a", "user.a", "user.a", "user.a", "user.a",    "user.b", "trusted.a", "security.a",
      "user.a", "user.a", "user.b", "user.",  "unknown.a", "",       "plain",     "system.a"};
  // The odd ones stand behind the first eight.
  const std::size_t count = side.has(Feature::xattr_names) ? names.size() : 8;
  return names[(step.choice >> 8) % count];
}

std::string any_value(const Step& step) {
  // Small enough for all of a file's to fit where ext4 keeps them.
  // Never what the file has already: ext4 alone takes that for no change.
  return step.length == 0 ? std::to_string(step.number)
                          : std::to_string(step.number) + bytes_of(step, step.length % 150);
}

int any_set_flags(const Side& side, const Step& step) {
  constexpr std::array<int, 6> flags = {
      0, 0, XATTR_CREATE, XATTR_REPLACE, XATTR_CREATE | XATTR_REPLACE, 16};
  const int drawn = flags[(step.choice >> 16) % flags.size()];
  const bool both = drawn == (XATTR_CREATE | XATTR_REPLACE);
  return both && !side.has(Feature::xattr_both_flags) ? 0 : drawn;
}

// Which of the three ways to name a file: by path, by path without following, by descriptor.
enum class Way : std::uint8_t { path, link, descriptor };

std::string set(Side& side, const Step& step, Way way) {
  if (!side.has(Feature::user_xattrs)) return "masked";
  const std::string path = side.one(step);
  const std::string value = any_value(step);
  const char* name = any_attribute(side, step);
  const int flags = any_set_flags(side, step);
  switch (way) {
    case Way::path:
      return result(::setxattr(path.c_str(), name, value.data(), value.size(), flags));
    case Way::link:
      return result(::lsetxattr(path.c_str(), name, value.data(), value.size(), flags));
    case Way::descriptor:
      break;
  }
  return result(::fsetxattr(side.fd(step.slot), name, value.data(), value.size(), flags));
}

std::string get(Side& side, const Step& step, Way way) {
  if (!side.has(Feature::user_xattrs)) return "masked";
  const std::string path = side.one(step);
  const char* name = any_attribute(side, step);
  std::array<char, 512> value{};
  const std::size_t room = step.choice % 4 == 0 ? step.length % 150 : value.size();
  ssize_t got = 0;
  if (way == Way::path) got = ::getxattr(path.c_str(), name, value.data(), room);
  if (way == Way::link) got = ::lgetxattr(path.c_str(), name, value.data(), room);
  if (way == Way::descriptor) got = ::fgetxattr(side.fd(step.slot), name, value.data(), room);
  const std::size_t filled = got < 0 || room == 0 ? 0 : static_cast<std::size_t>(got);
  return result(got, {value.data(), filled});
}

std::string list(Side& side, const Step& step, Way way) {
  if (!side.has(Feature::user_xattrs)) return "masked";
  const std::string path = side.one(step);
  std::array<char, 2048> names{};
  const std::size_t room = step.choice % 4 == 0 ? step.length % 50 : names.size();
  ssize_t got = 0;
  if (way == Way::path) got = ::listxattr(path.c_str(), names.data(), room);
  if (way == Way::link) got = ::llistxattr(path.c_str(), names.data(), room);
  if (way == Way::descriptor) got = ::flistxattr(side.fd(step.slot), names.data(), room);
  std::vector<std::string> found;
  for (ssize_t at = 0; room != 0 && at < got;) {
    found.emplace_back(names.data() + at);
    at += static_cast<ssize_t>(found.back().size()) + 1;
  }
  std::sort(found.begin(), found.end());
  return fmt::format("{} {}", result(got), fmt::join(found, ","));
}

std::string remove(Side& side, const Step& step, Way way) {
  if (!side.has(Feature::user_xattrs)) return "masked";
  const std::string path = side.one(step);
  const char* name = any_attribute(side, step);
  if (way == Way::path) return result(::removexattr(path.c_str(), name));
  if (way == Way::link) return result(::lremovexattr(path.c_str(), name));
  return result(::fremovexattr(side.fd(step.slot), name));
}

template <auto action, Way way>
std::string call(Side& side, const Step& step) {
  return action(side, step, way);
}

void append(std::string& bytes, std::uint32_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

// An access control list as the kernel takes it: owner, a named user and group, group, mask, others.
std::string any_list(const Step& step) {
  struct Entry {
    std::uint32_t tag, permissions, id;
  };

  const auto bits = static_cast<std::uint32_t>(step.data);
  constexpr std::uint32_t nobody = UINT32_MAX;
  std::vector<Entry> entries = {{0x01, (bits >> 0) & 7, nobody}};
  const bool named = (bits >> 20) % 3 != 0;
  if (named) entries.push_back({0x02, (bits >> 3) & 7, other_user});
  entries.push_back({0x04, (bits >> 6) & 7, nobody});
  if (named) entries.push_back({0x08, (bits >> 9) & 7, other_user + 1});
  if (named && (bits >> 24) % 8 != 0)
    entries.push_back({0x10, (bits >> 12) & 7, nobody});  // else invalid
  entries.push_back({0x20, (bits >> 15) & 7, nobody});
  std::string bytes;
  append(bytes, 2, 4);
  for (const Entry& entry : entries) {
    append(bytes, entry.tag, 2);
    append(bytes, entry.permissions, 2);
    append(bytes, entry.id, 4);
  }
  return bytes;
}

const char* which_list(const Step& step) {
  return step.choice % 2 == 0 ? "system.posix_acl_access" : "system.posix_acl_default";
}

std::string call_set_acl(Side& side, const Step& step) {
  if (!side.has(Feature::acl)) return "masked";
  const std::string acl = any_list(step);
  return result(::setxattr(side.one(step).c_str(), which_list(step), acl.data(), acl.size(), 0));
}

std::string call_get_acl(Side& side, const Step& step) {
  if (!side.has(Feature::acl)) return "masked";
  std::array<char, 512> value{};
  const ssize_t got =
      ::getxattr(side.one(step).c_str(), which_list(step), value.data(), value.size());
  return result(got, {value.data(), got < 0 ? 0 : static_cast<std::size_t>(got)});
}

std::string call_remove_acl(Side& side, const Step& step) {
  if (!side.has(Feature::acl)) return "masked";
  return result(::removexattr(side.one(step).c_str(), which_list(step)));
}

constexpr std::array xattr_table = {
    Call{"setxattr", 5, call<set, Way::path>},
    Call{"lsetxattr", 2, call<set, Way::link>},
    Call{"fsetxattr", 2, call<set, Way::descriptor>},
    Call{"getxattr", 2, call<get, Way::path>},
    Call{"lgetxattr", 1, call<get, Way::link>},
    Call{"fgetxattr", 1, call<get, Way::descriptor>},
    Call{"listxattr", 2, call<list, Way::path>},
    Call{"llistxattr", 1, call<list, Way::link>},
    Call{"flistxattr", 1, call<list, Way::descriptor>},
    Call{"removexattr", 2, call<remove, Way::path>},
    Call{"lremovexattr", 1, call<remove, Way::link>},
    Call{"fremovexattr", 1, call<remove, Way::descriptor>},
    Call{"acl_set", 3, call_set_acl},
    Call{"acl_get", 1, call_get_acl},
    Call{"acl_remove", 1, call_remove_acl},
};

}  // namespace

std::span<const Call> xattr_calls() noexcept {
  return xattr_table;
}

}  // namespace artfs::differential
