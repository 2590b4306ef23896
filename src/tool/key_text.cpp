// SPDX-License-Identifier: Apache-2.0
#include "tool/key_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace artfs::tool {

namespace {

constexpr std::size_t number_bytes = 8;

bool is_class(char letter) {
  return std::string_view("dieox").find(letter) != std::string_view::npos;
}

std::string number_text(std::string_view& rest) {
  std::uint64_t number = 0;
  for (const char c : rest.substr(0, number_bytes))
    number = number << 8 | static_cast<unsigned char>(c);
  rest.remove_prefix(number_bytes);
  return std::to_string(number);
}

// A decimal number at the front of `rest`, if one stands there whole (up to '/' or the end).
bool take_number(std::string_view& rest, std::string& out) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const auto length = static_cast<std::size_t>(end - rest.data());
  if (error != std::errc() || (length < rest.size() && rest[length] != '/')) return false;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
  rest.remove_prefix(length);
  return true;
}

}  // namespace

std::string escaped_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code < 0x7f && c != '\\') {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", code);
    }
  }
  return out;
}

std::string volume_key_text(std::string_view key) {
  const bool is_known = key.size() >= 2 + number_bytes && key[1] == '/' && is_class(key[0]);
  if (!is_known) return escaped_text(key);
  std::string_view rest = key.substr(2);
  std::string out = std::string(key.substr(0, 2)) + number_text(rest);
  if (key[0] == 'e' && rest.size() == 1 + number_bytes && rest[0] == '/') {
    rest.remove_prefix(1);
    return out + "/" + number_text(rest);
  }
  return out + escaped_text(rest);
}

std::string volume_key_prefix(std::string_view text) {
  const bool is_known = text.size() > 2 && text[1] == '/' && is_class(text[0]);
  if (!is_known) return std::string(text);
  std::string out(text.substr(0, 2));
  std::string_view rest = text.substr(2);
  if (!take_number(rest, out)) return std::string(text);
  if (text[0] == 'e' && rest.starts_with('/') && rest.size() > 1) {
    out.push_back('/');
    rest.remove_prefix(1);
    if (!take_number(rest, out)) out.append(rest);
    return out;
  }
  return out.append(rest);
}

}  // namespace artfs::tool
