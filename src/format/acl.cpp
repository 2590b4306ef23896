// SPDX-License-Identifier: Apache-2.0
#include "format/acl.hpp"

#include <array>
#include <cstring>

namespace artfs::format {
namespace {

constexpr std::uint32_t no_id = ~0U;
constexpr std::uint16_t permissions_all = 7;

bool is_named(AclTag tag) {
  return tag == AclTag::user || tag == AclTag::group;
}

bool may_repeat(AclTag tag) {
  return is_named(tag);
}

bool known(std::uint16_t tag) {
  switch (static_cast<AclTag>(tag)) {
    case AclTag::owner:
    case AclTag::user:
    case AclTag::group_owner:
    case AclTag::group:
    case AclTag::mask:
    case AclTag::other:
      return true;
  }
  return false;
}

// The tags' numbers rise in the order that entries must have.
bool in_order(const Acl& acl) {
  for (std::size_t i = 1; i < acl.size(); ++i) {
    const AclTag before = acl[i - 1].tag;
    const AclTag tag = acl[i].tag;
    if (tag < before || (tag == before && !may_repeat(tag))) return false;
  }
  return true;
}

bool valid(const Acl& acl) {
  if (acl.empty()) return true;
  std::uint16_t seen = 0;
  for (const AclEntry& entry : acl) {
    if (entry.permissions > permissions_all) return false;
    if (is_named(entry.tag) && entry.id == no_id) return false;
    seen = static_cast<std::uint16_t>(seen | static_cast<std::uint16_t>(entry.tag));
  }
  const auto has = [seen](AclTag tag) { return (seen & static_cast<std::uint16_t>(tag)) != 0; };
  if (!has(AclTag::owner) || !has(AclTag::group_owner) || !has(AclTag::other)) return false;
  if ((has(AclTag::user) || has(AclTag::group)) && !has(AclTag::mask)) return false;
  return in_order(acl);
}

template <typename T>
void append(std::string& out, const T& object) {
  std::array<char, sizeof(T)> raw{};
  std::memcpy(raw.data(), &object, sizeof(T));
  out.append(raw.data(), raw.size());
}

template <typename T>
T take(std::string_view& rest) {
  T object{};
  std::memcpy(&object, rest.data(), sizeof(T));
  rest.remove_prefix(sizeof(T));
  return object;
}

}  // namespace

Result<Acl> decode_acl(std::string_view value) {
  if (value.size() < sizeof(AclHeader)) return fail(Errc::invalid_argument);
  std::string_view rest = value;
  if (take<AclHeader>(rest).version != acl_version) return fail(Errc::operation_not_supported);
  const std::size_t count = rest.size() / sizeof(AclEntryRecord);
  if (rest.size() % sizeof(AclEntryRecord) != 0 || count > acl_entries_max) {
    return fail(Errc::invalid_argument);
  }
  Acl acl;
  for (std::size_t i = 0; i < count; ++i) {
    const auto record = take<AclEntryRecord>(rest);
    if (!known(record.tag)) return fail(Errc::invalid_argument);
    const auto tag = static_cast<AclTag>(static_cast<std::uint16_t>(record.tag));
    acl.push_back({.tag = tag,
                   .permissions = record.permissions,
                   .id = is_named(tag) ? static_cast<std::uint32_t>(record.id) : no_id});
  }
  if (!valid(acl)) return fail(Errc::invalid_argument);
  return acl;
}

std::string encode(const Acl& acl) {
  std::string out;
  AclHeader header{};
  header.version = acl_version;
  append(out, header);
  for (const AclEntry& entry : acl) {
    AclEntryRecord record{};
    record.tag = static_cast<std::uint16_t>(entry.tag);
    record.permissions = entry.permissions;
    record.id = entry.id;
    append(out, record);
  }
  return out;
}

}  // namespace artfs::format
