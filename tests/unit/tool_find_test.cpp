// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tool/find_expression.hpp"

namespace artfs::tool {
namespace {

constexpr Timestamp now{1'000'000'000, 500'000'000};

class Actor final : public FindActor {
 public:
  void act(FindAction action, const FindCandidate&) override { actions.push_back(action); }

  void prune(const FindCandidate&) override { is_pruned = true; }

  void quit() override { has_quit = true; }

  std::vector<FindAction> actions;
  bool is_pruned = false;
  bool has_quit = false;
};

WalkEntry file_of(std::uint64_t size = 0, std::uint32_t mode = 0100644) {
  WalkEntry entry;
  entry.depth = 2;
  entry.attr.ino = Ino{70};
  entry.attr.mode = mode;
  entry.attr.nlink = 1;
  entry.attr.uid = 1000;
  entry.attr.gid = 100;
  entry.attr.size = size;
  entry.attr.mtime = now;
  return entry;
}

FindExpression parse(const std::vector<std::string>& words) {
  const auto parsed = FindExpression::parse(words, now);
  if (!parsed) FAIL(parsed.error());
  return *parsed;
}

bool holds(const std::vector<std::string>& words, const WalkEntry& entry,
           std::string_view path = "/mnt/dir/file.txt") {
  Actor actor;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  static_cast<void>(parse(words).matches({.entry = entry, .path = path, .name = name}, actor));
  return !actor.actions.empty();
}

WalkEntry aged(double seconds) {
  WalkEntry entry = file_of();
  const auto ns = static_cast<std::int64_t>(seconds * 1e9);
  const std::int64_t at = now.seconds * 1'000'000'000 + now.nanoseconds - ns;
  entry.attr.mtime = {at / 1'000'000'000, static_cast<std::uint32_t>(at % 1'000'000'000)};
  return entry;
}

TEST_CASE("find: names and paths match as patterns of bytes", "[unit][tool]") {
  const WalkEntry file = file_of();
  CHECK(holds({}, file));
  CHECK(holds({"-name", "*.txt"}, file));
  CHECK_FALSE(holds({"-name", "*.TXT"}, file));
  CHECK(holds({"-iname", "*.TXT"}, file));
  CHECK_FALSE(holds({"-name", "*/file*"}, file));
  CHECK(holds({"-path", "/mnt/*.txt"}, file));  // a slash is matched by *
  CHECK(holds({"-name", "*"}, file, "/mnt/.hidden"));
  CHECK(holds({"-name", "a?b"}, file, "/mnt/a\nb"));
  CHECK(holds({"-name", "a?"}, file, "/mnt/a\xff"));
}

TEST_CASE("find: -size rounds up to its unit", "[unit][tool]") {
  CHECK(holds({"-size", "0"}, file_of(0)));
  CHECK(holds({"-size", "1"}, file_of(1)));
  CHECK(holds({"-size", "1"}, file_of(512)));
  CHECK(holds({"-size", "2"}, file_of(513)));
  CHECK(holds({"-size", "1M"}, file_of(1)));
  CHECK_FALSE(holds({"-size", "-1M"}, file_of(1)));
  CHECK(holds({"-size", "-1M"}, file_of(0)));
  CHECK(holds({"-size", "+1k"}, file_of(1025)));
  CHECK_FALSE(holds({"-size", "+1k"}, file_of(1024)));
  CHECK(holds({"-size", "1025c"}, file_of(1025)));
  CHECK(holds({"-size", "513w"}, file_of(1025)));
  CHECK(holds({"-size", "9007199254740992k"}, file_of((std::uint64_t{1} << 63) - 1)));
}

TEST_CASE("find: days are cut, minutes are not", "[unit][tool]") {
  constexpr double day = 86400;
  CHECK(holds({"-mtime", "0"}, aged(0)));
  CHECK(holds({"-mtime", "0"}, aged(day - 0.5)));
  CHECK_FALSE(holds({"-mtime", "0"}, aged(day)));
  CHECK(holds({"-mtime", "1"}, aged(day)));
  CHECK(holds({"-mtime", "1"}, aged(2 * day - 1)));
  CHECK_FALSE(holds({"-mtime", "+0"}, aged(day - 1)));
  CHECK(holds({"-mtime", "+0"}, aged(day + 1)));
  CHECK_FALSE(holds({"-mtime", "+1"}, aged(2 * day - 1)));
  CHECK(holds({"-mtime", "+1"}, aged(2 * day + 1)));
  CHECK(holds({"-mtime", "-1"}, aged(day - 1)));
  CHECK(holds({"-mtime", "-1"}, aged(day + 0.5)));  // findutils' second of grace
  CHECK_FALSE(holds({"-mtime", "-1"}, aged(day + 1.5)));
  CHECK_FALSE(holds({"-mtime", "0"}, aged(-1)));  // tomorrow
  CHECK(holds({"-mtime", "-1"}, aged(-1)));
  CHECK(holds({"-mtime", "+0.5"}, aged(1.6 * day)));
  CHECK_FALSE(holds({"-mtime", "+0.5"}, aged(1.4 * day)));
  CHECK(holds({"-mmin", "1"}, aged(30)));
  CHECK(holds({"-mmin", "2"}, aged(60)));
  CHECK(holds({"-mmin", "-1"}, aged(59)));
  CHECK_FALSE(holds({"-mmin", "-1"}, aged(61)));
  CHECK(holds({"-mmin", "+1"}, aged(61)));
}

TEST_CASE("find: permissions exactly, all, any; octal and symbolic", "[unit][tool]") {
  const WalkEntry file = file_of(0, 0104640);
  CHECK(holds({"-perm", "4640"}, file));
  CHECK_FALSE(holds({"-perm", "640"}, file));
  CHECK(holds({"-perm", "-640"}, file));
  CHECK_FALSE(holds({"-perm", "-644"}, file));
  CHECK(holds({"-perm", "/022"}, file_of(0, 0100620)));
  CHECK_FALSE(holds({"-perm", "/022"}, file));
  CHECK(holds({"-perm", "/000"}, file));
  CHECK(holds({"-perm", "u=rws,g=r"}, file) == (*parse_mode("u=rws,g=r") == 04640));
  CHECK(*parse_mode("u+rw,go=r") == 0644);
  CHECK(*parse_mode("a+x") == 0111);
  CHECK(*parse_mode("u+s,+t") == 05000);
  CHECK(*parse_mode("g=rwx,g-w") == 050);
  for (const char* text : {"", "u", "u+z", "8", "10000", "u+r,", "rwx"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_mode(text).has_value());
  }
}

TEST_CASE("find: types, links, numbers, owners, emptiness", "[unit][tool]") {
  WalkEntry dir = file_of(4096, 0040755);
  CHECK(holds({"-type", "d"}, dir));
  CHECK(holds({"-type", "f,d"}, dir));
  CHECK_FALSE(holds({"-type", "f"}, dir));
  CHECK(holds({"-empty"}, dir));
  dir.entries = 1;
  CHECK_FALSE(holds({"-empty"}, dir));
  CHECK(holds({"-empty"}, file_of(0)));
  CHECK_FALSE(holds({"-empty"}, file_of(1)));
  CHECK(holds({"-links", "-2"}, dir));
  CHECK(holds({"-inum", "70"}, dir));
  CHECK(holds({"-user", "1000"}, dir));
  CHECK(holds({"-group", "100"}, dir));
  CHECK_FALSE(holds({"-user", "root"}, dir));
}

TEST_CASE("find: and binds before or, negation before both", "[unit][tool]") {
  const WalkEntry file = file_of(5);
  CHECK(holds({"-false", "-true", "-o", "-true"}, file));
  CHECK_FALSE(holds({"-false", "(", "-true", "-o", "-true", ")"}, file));
  CHECK(holds({"!", "-false", "-a", "-not", "!", "-true"}, file));
  CHECK_FALSE(holds({"!", "(", "-type", "f", "-o", "-type", "d", ")"}, file));
}

TEST_CASE("find: actions run where they are reached, and print when there is none",
          "[unit][tool]") {
  const WalkEntry file = file_of(5);
  const auto actions = [&](const std::vector<std::string>& words) {
    Actor actor;
    static_cast<void>(parse(words).matches({.entry = file, .path = "a", .name = "a"}, actor));
    return actor;
  };
  CHECK(actions({"-print", "-print0"}).actions ==
        std::vector{FindAction::print, FindAction::print0});
  CHECK(actions({"-false", "-print"}).actions.empty());
  CHECK(actions({"-true", "-o", "-print"}).actions.empty());
  const Actor pruned = actions({"-name", "a", "-prune", "-o", "-print"});
  CHECK((pruned.is_pruned && pruned.actions.empty()));
  CHECK(actions({"-prune"}).actions == std::vector{FindAction::print});
  const Actor quits = actions({"-quit"});
  CHECK((quits.has_quit && quits.actions.empty()));
  CHECK(actions({"--json"}).actions == std::vector{FindAction::json});
}

TEST_CASE("find: depths stand anywhere and are no tests", "[unit][tool]") {
  const FindExpression expression = parse({"-name", "x", "-maxdepth", "3", "-mindepth", "1"});
  CHECK(expression.depth_max == 3);
  CHECK(expression.depth_min == 1);
}

TEST_CASE("find: what makes no sense is said", "[unit][tool]") {
  const std::vector<std::vector<std::string>> wrong = {
      {"-nonsense"},    {"-name"},          {"-type", "x"},  {"-type", "f,"},
      {"-size", "1x"},  {"-size", ""},      {"-size", "k"},  {"-mtime", "soon"},
      {"-mtime", "1d"}, {"-perm", "9"},     {"-links", "x"}, {"-user", "no such user"},
      {"(", "-true"},   {"-true", ")"},     {"-o"},          {"!"},
      {"-maxdepth"},    {"-maxdepth", "x"}, {"x"},           {"-newer", "/no/such/file"},
      {"-true", "-a"},  {"(", ")"}};
  for (const auto& words : wrong) {
    const auto parsed = FindExpression::parse(words, now);
    CAPTURE(words);
    CHECK_FALSE(parsed.has_value());
    if (!parsed) CHECK_FALSE(parsed.error().empty());
  }
  const std::vector<std::string> deep(100'000, "(");
  CHECK_FALSE(FindExpression::parse(deep, now).has_value());
}

}  // namespace
}  // namespace artfs::tool
