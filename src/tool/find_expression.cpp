// SPDX-License-Identifier: Apache-2.0
#include "tool/find_expression.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

namespace artfs::tool {

namespace {

using Count = FindExpression::Count;
using Kind = FindExpression::Kind;
using Node = FindExpression::Node;

constexpr std::int64_t day_s = 86400;
constexpr std::int64_t minute_s = 60;
constexpr int depth_of_parentheses_max = 200;
constexpr double age_max = 1e12;  // in days or minutes: no clock goes so far

template <typename Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

char take_sign(std::string_view& text) {
  if (!text.starts_with('+') && !text.starts_with('-')) return 0;
  const char sign = text.front();
  text.remove_prefix(1);
  return sign;
}

std::optional<Count> parse_count(std::string_view text) {
  const char sign = take_sign(text);
  const auto number = parse_whole<std::uint64_t>(text);
  if (!number) return std::nullopt;
  return Count{.sign = sign, .value = *number};
}

bool parse_size(std::string_view text, Node& node) {
  constexpr std::string_view letters = "cwbkMG";
  constexpr std::array<std::uint64_t, 6> units = {1, 2, 512, kib, mib, gib};
  node.unit = 512;
  if (!text.empty()) {
    if (const std::size_t at = letters.find(text.back()); at != letters.npos) {
      node.unit = units[at];
      text.remove_suffix(1);
    }
  }
  const auto count = parse_count(text);
  if (count) node.count = *count;
  return count.has_value();
}

bool parse_types(std::string_view text, Node& node) {
  constexpr std::string_view letters = "fdlpscb";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 2 == 1) {
      if (text[i] != ',') return false;
    } else if (letters.find(text[i]) != letters.npos) {
      node.mask |= 1U << (text[i] - 'a');
    } else {
      return false;
    }
  }
  return text.size() % 2 == 1;
}

bool parse_permissions(std::string_view text, Node& node) {
  if (text.starts_with('-') || text.starts_with('/')) {
    node.count.sign = text.front();
    text.remove_prefix(1);
  }
  const auto mask = parse_mode(text);
  node.mask = mask.value_or(0);
  return mask.has_value();
}

bool parse_owner(const std::string& text, bool is_group, Node& node) {
  const passwd* const user = is_group ? nullptr : ::getpwnam(text.c_str());
  const ::group* const group = is_group ? ::getgrnam(text.c_str()) : nullptr;
  const auto number = parse_whole<std::uint32_t>(text);
  if (user == nullptr && group == nullptr && !number) return false;
  node.count.value = user != nullptr ? user->pw_uid : group != nullptr ? group->gr_gid : *number;
  return true;
}

// `unit_s` a day or a minute.
bool parse_age(std::string_view text, std::int64_t unit_s, Timestamp now, Node& node) {
  node.count.sign = take_sign(text);
  double units = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), units);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  if (!(units >= 0 && units < age_max)) return false;
  double seconds = 0;
  const double fraction = std::modf(units * static_cast<double>(unit_s), &seconds);
  auto nanoseconds = static_cast<std::int64_t>(fraction * 1e9);
  node.reference.seconds = now.seconds - static_cast<std::int64_t>(seconds);
  // Days are cut: a file is one day old until it is two. Minutes are not.
  if (unit_s == day_s) node.reference.seconds -= node.count.sign == '-' ? 1 : day_s;
  if (now.nanoseconds < nanoseconds) {
    --node.reference.seconds;
    nanoseconds -= 1'000'000'000;
  }
  node.reference.nanoseconds = static_cast<std::uint32_t>(now.nanoseconds - nanoseconds);
  node.window_s = unit_s;
  return true;
}

bool take_time_of(const std::string& path, Node& node) {
  struct stat info {};

  if (::lstat(path.c_str(), &info) != 0) return false;
  node.reference = {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)};
  return true;
}

struct Word {
  std::string_view name;
  Kind kind;
  int flags = 0;                          // of fnmatch
  Timestamp Attr::*which = &Attr::mtime;  // of times
  std::int64_t unit_s = 0;                // of times
  FindAction action = FindAction::print;
  bool value = true;
};

constexpr std::array known_words = {
    Word{.name = "name", .kind = Kind::name},
    Word{.name = "iname", .kind = Kind::name, .flags = FNM_CASEFOLD},
    Word{.name = "path", .kind = Kind::path},
    Word{.name = "wholename", .kind = Kind::path},
    Word{.name = "ipath", .kind = Kind::path, .flags = FNM_CASEFOLD},
    Word{.name = "type", .kind = Kind::type},
    Word{.name = "size", .kind = Kind::size},
    Word{.name = "mtime", .kind = Kind::time, .which = &Attr::mtime, .unit_s = day_s},
    Word{.name = "atime", .kind = Kind::time, .which = &Attr::atime, .unit_s = day_s},
    Word{.name = "ctime", .kind = Kind::time, .which = &Attr::ctime, .unit_s = day_s},
    Word{.name = "mmin", .kind = Kind::time, .which = &Attr::mtime, .unit_s = minute_s},
    Word{.name = "amin", .kind = Kind::time, .which = &Attr::atime, .unit_s = minute_s},
    Word{.name = "cmin", .kind = Kind::time, .which = &Attr::ctime, .unit_s = minute_s},
    Word{.name = "newer", .kind = Kind::newer, .which = &Attr::mtime},
    Word{.name = "anewer", .kind = Kind::newer, .which = &Attr::atime},
    Word{.name = "cnewer", .kind = Kind::newer, .which = &Attr::ctime},
    Word{.name = "user", .kind = Kind::user},
    Word{.name = "group", .kind = Kind::group},
    Word{.name = "perm", .kind = Kind::perm},
    Word{.name = "links", .kind = Kind::links},
    Word{.name = "inum", .kind = Kind::inum},
    Word{.name = "empty", .kind = Kind::empty},
    Word{.name = "true", .kind = Kind::constant, .value = true},
    Word{.name = "false", .kind = Kind::constant, .value = false},
    Word{.name = "prune", .kind = Kind::prune},
    Word{.name = "quit", .kind = Kind::quit},
    Word{.name = "print", .kind = Kind::action, .action = FindAction::print},
    Word{.name = "print0", .kind = Kind::action, .action = FindAction::print0},
    Word{.name = "ls", .kind = Kind::action, .action = FindAction::ls},
    Word{.name = "json", .kind = Kind::action, .action = FindAction::json},
};

bool takes_argument(Kind kind) {
  return kind != Kind::empty && kind != Kind::constant && kind != Kind::prune &&
         kind != Kind::quit && kind != Kind::action;
}

}  // namespace

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  std::uint32_t octal = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), octal, 8);
  if (error == std::errc{} && end == text.data() + text.size()) {
    return octal <= 07777 ? std::optional(octal) : std::nullopt;
  }
  std::uint32_t mode = 0;
  while (true) {
    std::uint32_t who = 0;
    for (; !text.empty() && std::strchr("ugoa", text.front()) != nullptr; text.remove_prefix(1)) {
      const char c = text.front();
      who |= c == 'u' ? 04700U : c == 'g' ? 02070U : c == 'o' ? 01007U : 07777U;
    }
    if (who == 0) who = 07777;
    if (text.empty() || std::strchr("+-=", text.front()) == nullptr) return std::nullopt;
    while (!text.empty() && std::strchr("+-=", text.front()) != nullptr) {
      const char operation = text.front();
      text.remove_prefix(1);
      std::uint32_t bits = 0;
      for (; !text.empty() && text.front() != '\0' && std::strchr("rwxst", text.front()) != nullptr;
           text.remove_prefix(1)) {
        const char c = text.front();
        bits |= c == 'r' ? 0444U : c == 'w' ? 0222U : c == 'x' ? 0111U : c == 's' ? 06000U : 01000U;
      }
      bits &= who | (who == 07777 ? 0U : 01000U);
      if (operation == '=') mode &= ~who;
      mode = operation == '-' ? mode & ~bits : mode | bits;
    }
    if (text.empty()) return mode;
    if (text.front() != ',') return std::nullopt;
    text.remove_prefix(1);
  }
}

// or: and { -o and }; and: not { [-a] not }; not: { ! } word.
class FindParser {
 public:
  FindParser(std::span<const std::string> words_left, Timestamp now)
      : left_(words_left), now_(now) {}

  tl::expected<FindExpression, std::string> parse() {
    std::size_t root = add({});
    if (!left_.empty()) {
      root = parse_or();
      if (problem_.empty() && !left_.empty()) fail("{}: not expected here", left_.front());
    }
    if (!problem_.empty()) return tl::unexpected(problem_);
    if (!has_action_) root = join(Kind::both, root, add({.kind = Kind::action}));
    out_.root_ = root;
    return std::move(out_);
  }

 private:
  template <typename... Args>
  std::size_t fail(fmt::format_string<Args...> text, Args&&... args) {
    if (problem_.empty()) problem_ = fmt::format(text, std::forward<Args>(args)...);
    left_ = {};
    return 0;
  }

  std::size_t add(Node node) {
    out_.nodes_.push_back(std::move(node));
    return out_.nodes_.size() - 1;
  }

  std::size_t join(Kind kind, std::size_t left, std::size_t right = 0) {
    return add({.kind = kind, .left = left, .right = right});
  }

  bool take(std::string_view word, std::string_view other) {
    if (left_.empty() || (left_.front() != word && left_.front() != other)) return false;
    left_ = left_.subspan(1);
    return true;
  }

  std::size_t parse_or() {
    std::size_t node = parse_and();
    while (take("-o", "-or")) node = join(Kind::either, node, parse_and());
    return node;
  }

  std::size_t parse_and() {
    std::size_t node = parse_not();
    while (!left_.empty() && left_.front() != "-o" && left_.front() != "-or" &&
           left_.front() != ")") {
      take("-a", "-and");
      node = join(Kind::both, node, parse_not());
    }
    return node;
  }

  std::size_t parse_not() {
    bool is_negated = false;
    while (take("!", "-not")) is_negated = !is_negated;
    const std::size_t node = parse_primary();
    return is_negated ? join(Kind::negated, node) : node;
  }

  std::size_t parse_primary() {
    if (take("(", "(")) {
      if (++parentheses_ > depth_of_parentheses_max) return fail("too many parentheses");
      const std::size_t node = parse_or();
      --parentheses_;
      return take(")", ")") ? node : fail("a closing parenthesis is missing");
    }
    if (left_.empty()) return fail("the expression ends too early");
    const std::string& text = left_.front();
    std::string_view name = text;
    if (!name.starts_with('-')) return fail("{}: PLACEs come before the expression", text);
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    left_ = left_.subspan(1);
    if (name == "maxdepth" || name == "mindepth") return parse_depth(text, name == "maxdepth");
    for (const Word& word : known_words) {
      if (word.name == name) return parse_word(text, word);
    }
    return fail("{}: unknown test: see artfs find --help", text);
  }

  std::size_t parse_depth(const std::string& word, bool is_max) {
    const auto depth = left_.empty() ? std::nullopt : parse_whole<std::uint64_t>(left_.front());
    if (!depth) return fail("{}: give a number", word);
    (is_max ? out_.depth_max : out_.depth_min) = *depth;
    left_ = left_.subspan(1);
    return add({});
  }

  std::size_t parse_word(const std::string& text, const Word& word) {
    Node node;
    node.kind = word.kind;
    node.flags = word.flags;
    node.which = word.which;
    node.action = word.action;
    node.value = word.value;
    if (word.kind == Kind::action || word.kind == Kind::quit) has_action_ = true;
    if (!takes_argument(word.kind)) return add(std::move(node));
    if (left_.empty()) return fail("{}: an argument is missing", text);
    const std::string& argument = left_.front();
    left_ = left_.subspan(1);
    if (!parse_argument(argument, word, node)) {
      return fail("{} {}: {}", text, argument, wanted(word.kind));
    }
    return add(std::move(node));
  }

  bool parse_argument(const std::string& text, const Word& word, Node& node) const {
    const Kind kind = word.kind;
    if (kind == Kind::type) return parse_types(text, node);
    if (kind == Kind::size) return parse_size(text, node);
    if (kind == Kind::time) return parse_age(text, word.unit_s, now_, node);
    if (kind == Kind::newer) return take_time_of(text, node);
    if (kind == Kind::user || kind == Kind::group) {
      return parse_owner(text, kind == Kind::group, node);
    }
    if (kind == Kind::perm) return parse_permissions(text, node);
    if (kind == Kind::name || kind == Kind::path) {
      node.pattern = text;
      return true;
    }
    const auto count = parse_count(text);
    node.count = count.value_or(Count{});
    return count.has_value();
  }

  static std::string_view wanted(Kind kind) {
    if (kind == Kind::type) return "give letters of f, d, l, p, s, c, b, with commas between";
    if (kind == Kind::size) {
      return "give a number, with + or - in front, with c, w, b, k, M or G behind";
    }
    if (kind == Kind::newer) return "the file cannot be looked at";
    if (kind == Kind::user || kind == Kind::group) return "no such name; give a name or a number";
    if (kind == Kind::perm) return "give an octal or symbolic mode, with - or / in front";
    return "give a number, with + or - in front";
  }

  std::span<const std::string> left_;
  const Timestamp now_;
  FindExpression out_;
  std::string problem_;
  int parentheses_ = 0;
  bool has_action_ = false;
};

tl::expected<FindExpression, std::string> FindExpression::parse(std::span<const std::string> words,
                                                                Timestamp now) {
  return FindParser(words, now).parse();
}

}  // namespace artfs::tool
