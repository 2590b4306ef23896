// SPDX-License-Identifier: Apache-2.0
// Extended attributes: namespaces, flags, sizes, kinds of files, who may.
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

std::set<std::string> names_of(const std::string& path) {
  std::string list(70000, '\0');
  const ssize_t got = ::llistxattr(path.c_str(), list.data(), list.size());
  std::set<std::string> names;
  for (std::size_t at = 0; got > 0 && at < static_cast<std::size_t>(got);) {
    names.insert(list.c_str() + at);
    at += std::string_view(list.c_str() + at).size() + 1;
  }
  return names;
}

void flags(Suite& s) {
  for (const Kind kind : {Kind::file, Kind::directory}) {
    for (const std::string space : {"user.", "trusted.", "security."}) {
      const std::string path = s.fresh();
      s.make(kind, path);
      const char* p = path.c_str();
      const std::string name = space + "name";
      const char* n = name.c_str();
      const std::string what = fmt::format(" of {} for {}", name, name_of(kind));
      std::array<char, 100> value{};
      s.fails(ENODATA, ::getxattr(p, n, value.data(), value.size()), "getxattr before" + what);
      s.fails(ENODATA, ::removexattr(p, n), "removexattr before" + what);
      s.fails(ENODATA, ::setxattr(p, n, "one", 3, XATTR_REPLACE), "REPLACE before" + what);
      s.ok(::setxattr(p, n, "one", 3, XATTR_CREATE), "CREATE" + what);
      s.fails(EEXIST, ::setxattr(p, n, "two", 3, XATTR_CREATE), "CREATE again" + what);
      s.equal(::getxattr(p, n, value.data(), value.size()), 3, "getxattr" + what);
      s.equal(std::string(value.data(), 3), std::string("one"), "value" + what);
      s.ok(::setxattr(p, n, "three", 5, XATTR_REPLACE), "REPLACE" + what);
      s.equal(::getxattr(p, n, nullptr, 0), 5, "size" + what);
      s.fails(ERANGE, ::getxattr(p, n, value.data(), 4), "a buffer too small" + what);
      s.ok(::setxattr(p, n, "", 0, 0), "an empty value" + what);
      s.equal(::getxattr(p, n, value.data(), value.size()), 0, "its size" + what);
      s.equal(::listxattr(p, nullptr, 0), static_cast<ssize_t>(name.size() + 1),
              "size of the list" + what);
      s.fails(ERANGE, ::listxattr(p, value.data(), 3), "a list too small" + what);
      s.holds(names_of(path).contains(name), "listed" + what);
      s.fails(EINVAL, ::setxattr(p, n, "", 0, 64), "an unknown flag" + what);
      s.ok(::removexattr(p, n), "removexattr" + what);
      s.equal(::listxattr(p, nullptr, 0), 0, "nothing left" + what);
    }
  }
}

void sizes(Suite& s) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{100}, std::size_t{255}, std::size_t{256}, std::size_t{1000},
        std::size_t{4096}, std::size_t{10000}, std::size_t{65535}, std::size_t{65536}}) {
    const std::string path = s.fresh();
    s.make(Kind::file, path);
    std::string value(size, 'v');
    value[size / 2] = '\0';
    s.ok(::setxattr(path.c_str(), "user.big", value.data(), size, 0),
         fmt::format("a value of {} bytes", size));
    std::string got(70000, '\0');
    s.equal(::getxattr(path.c_str(), "user.big", got.data(), got.size()),
            static_cast<ssize_t>(size), "its size");
    s.holds(got.substr(0, size) == value, "its bytes");
    s.ok(::setxattr(path.c_str(), "user.big", "small", 5, 0), "a small one in its place");
    s.equal(::getxattr(path.c_str(), "user.big", got.data(), got.size()), 5, "its size");
    s.ok(::removexattr(path.c_str(), "user.big"), "removexattr");
    s.holds(names_of(path).empty(), "nothing left");
  }
  const std::string path = s.fresh();
  s.make(Kind::file, path);
  const std::string value(65537, 'v');
  s.fails(E2BIG, ::setxattr(path.c_str(), "user.big", value.data(), value.size(), 0),
          "a value of 65,537 bytes");
  s.ok(::setxattr(path.c_str(), ("user." + std::string(250, 'n')).c_str(), "", 0, 0),
       "a name of 255 bytes");
  s.fails(ERANGE, ::setxattr(path.c_str(), ("user." + std::string(251, 'n')).c_str(), "", 0, 0),
          "a name of 256 bytes");
  for (int i = 0; i < 30; ++i) {
    const std::string name = fmt::format("user.number-{}", i);
    s.ok(::setxattr(path.c_str(), name.c_str(), name.data(), name.size(), 0), "one of many");
  }
  s.equal(names_of(path).size(), std::size_t{31}, "all are listed");
}

void names(Suite& s) {
  const std::string path = s.fresh();
  s.make(Kind::file, path);

  if (s.where_artfs() && ::setxattr(path.c_str(), "unknown.x", "", 0, 0) == 0)
    return s.mask("names of extended attributes");

  struct Name {
    const char* name;
    int set;
    int get;
  };

  for (const Name& name :
       {Name{"user.", EINVAL, EINVAL}, Name{"trusted.", EINVAL, EINVAL}, Name{"", ERANGE, ERANGE},
        Name{"plain", EOPNOTSUPP, EOPNOTSUPP}, Name{"unknown.x", EOPNOTSUPP, EOPNOTSUPP},
        Name{"user", EOPNOTSUPP, EOPNOTSUPP}, Name{"system.unknown", EOPNOTSUPP, EOPNOTSUPP},
        Name{"USER.x", EOPNOTSUPP, EOPNOTSUPP}, Name{"user..", 0, 0}, Name{"user.a b", 0, 0},
        Name{"user.\xff", 0, 0}}) {
    s.answers(name.set, ::setxattr(path.c_str(), name.name, "", 0, 0),
              fmt::format("setxattr of '{}'", name.name));
    s.answers(name.get, ::getxattr(path.c_str(), name.name, nullptr, 0),
              fmt::format("getxattr of '{}'", name.name));
    s.answers(name.get, ::removexattr(path.c_str(), name.name),
              fmt::format("removexattr of '{}'", name.name));
  }
}

// user. belongs to files and directories; trusted. to root; all others have at most security.
void kinds_and_rights(Suite& s) {
  for (const Kind kind : {Kind::fifo, Kind::socket, Kind::device, Kind::dangling}) {
    const std::string path = s.fresh();
    s.make(kind, path);
    const char* p = path.c_str();
    const std::string what = fmt::format(" of {}", name_of(kind));
    s.fails(EPERM, ::lsetxattr(p, "user.x", "", 0, 0), "user." + what);
    s.fails(ENODATA, ::lgetxattr(p, "user.x", nullptr, 0), "getxattr of user." + what);
    s.ok(::lsetxattr(p, "trusted.x", "1", 1, 0), "trusted." + what);
    s.ok(::lsetxattr(p, "security.x", "1", 1, 0), "security." + what);
    s.holds(names_of(path) == std::set<std::string>{"trusted.x", "security.x"}, "list" + what);
    s.ok(::lremovexattr(p, "trusted.x"), "removal" + what);
  }
  const std::string path = s.fresh();
  s.make(Kind::file, path);
  s.ok(::chown(path.c_str(), user_id, user_group), "chown");
  const char* p = path.c_str();
  s.ok(::setxattr(p, "trusted.x", "1", 1, 0), "trusted. by root");
  s.ok(::setxattr(p, "security.x", "1", 1, 0), "security. by root");
  s.as_user([&] {
    s.ok(::setxattr(p, "user.x", "1", 1, 0), "user. by the owner");
    s.fails(EPERM, ::setxattr(p, "trusted.y", "1", 1, 0), "trusted. by the owner");
    s.fails(EPERM, ::setxattr(p, "security.y", "1", 1, 0), "security. by the owner");
    s.fails(ENODATA, ::getxattr(p, "trusted.x", nullptr, 0), "getxattr of trusted. by the owner");
    s.ok(::getxattr(p, "security.x", nullptr, 0), "getxattr of security. by the owner");
    s.holds(names_of(path) == std::set<std::string>{"user.x", "security.x"},
            "trusted. is not shown");
  });
  const std::string sticky = s.fresh();
  s.make(Kind::directory, sticky);
  s.ok(::chmod(sticky.c_str(), 01777), "chmod");
  s.as_user([&] {
    s.fails(EPERM, ::setxattr(sticky.c_str(), "user.x", "", 0, 0),
            "user. of another's sticky directory");
  });
}

}  // namespace

void xattr_groups(std::vector<Group>& groups) {
  groups.push_back({"xattr_flags", flags});
  groups.push_back({"xattr_sizes", sizes});
  groups.push_back({"xattr_names", names});
  groups.push_back({"xattr_rights", kinds_and_rights});
}

}  // namespace artfs::posix
