// SPDX-License-Identifier: Apache-2.0
#include "bench/workload.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "base/bytes.hpp"
#include "base/endian.hpp"

namespace artfs::bench {
namespace {

constexpr std::string_view share = "/usr/local/share/";
constexpr std::uint64_t categories_count = 16;
constexpr std::uint64_t buckets_count = 32;
constexpr std::uint64_t files_per_directory = 12;
constexpr std::uint64_t directories_per_project = 4096;
constexpr std::uint64_t fan_out = 16;  // of the three levels below a project

// What a packed inode record of a small filesystem looks like: 32 bytes.
struct PackedInode {
  base::le64 size;
  base::le64 mtime;
  base::le32 mode;
  base::le32 uid;
  base::le32 gid;
  base::le32 nlink;
};

static_assert(sizeof(PackedInode) == 32);

constexpr std::array<std::string_view, 64> words = {
    "account",  "adapter",   "allocator", "assembly",   "backend",   "benchmark", "binding",
    "buffer",   "cache",     "channel",   "checksum",   "client",    "codec",     "cluster",
    "commit",   "compiler",  "config",    "connection", "container", "context",   "cursor",
    "decoder",  "device",    "document",  "driver",     "encoder",   "engine",    "event",
    "executor", "exporter",  "factory",   "fixture",    "format",    "gateway",   "generator",
    "handler",  "iterator",  "journal",   "kernel",     "listener",  "manager",   "manifest",
    "message",  "metadata",  "monitor",   "network",    "observer",  "parser",    "pipeline",
    "planner",  "platform",  "protocol",  "provider",   "registry",  "replica",   "resolver",
    "runtime",  "scheduler", "schema",    "segment",    "session",   "snapshot",  "storage",
    "transport"};

constexpr std::array<std::string_view, 16> plain_names = {
    "include", "internal", "src",  "main",  "java", "resources", "testing", "common",
    "api",     "impl",     "core", "utils", "lib",  "modules",   "v1",      "detail"};

constexpr std::array<std::string_view, 8> suffixes = {".cpp", ".hpp", "_test.cpp", ".java",
                                                      ".md",  ".py",  ".proto",    ".yaml"};

void append_number(std::string& out, std::uint64_t number, std::size_t width) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const auto size = static_cast<std::size_t>(end - digits.data());
  if (size < width) out.append(width - size, '0');
  out.append(digits.data(), size);
}

void append_hex(std::string& out, std::uint32_t number) {
  for (unsigned shift = 32; shift > 0; shift -= 4) {
    out.push_back("0123456789abcdef"[(number >> (shift - 4)) & 15U]);
  }
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return Random(a * 0x1000003 + b).next();
}

// One of 64 names for each choice below 64, different ones, in an order of the parent's own.
void append_name(std::string& out, std::uint64_t parent, std::uint64_t choice) {
  const std::uint64_t first = (parent + choice * 37) % words.size();
  const std::uint64_t second = mix(parent, choice) % words.size();
  out.append(words[first]);
  out.push_back('-');
  out.append(words[second]);
  out.push_back('/');
}

// `count` directories with one child each, as package names make them.
void append_plain(std::string& out, std::uint64_t parent, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    out.append(plain_names[(parent >> (4 * i)) % plain_names.size()]);
    out.push_back('/');
  }
}

struct DeepPath {
  std::uint64_t project;
  std::uint64_t upper;  // below fan_out, as the next two
  std::uint64_t lower;
  std::uint64_t directory;
  std::uint64_t file;

  explicit DeepPath(std::uint64_t index)
      : project(index / files_per_directory / directories_per_project),
        upper(index / files_per_directory / (fan_out * fan_out) % fan_out),
        lower(index / files_per_directory / fan_out % fan_out),
        directory(index / files_per_directory % fan_out),
        file(index % files_per_directory) {}

  // project/upper/
  std::uint64_t append_top(std::string& out) const {
    const std::uint64_t hash = mix(0, project);
    out.append(words[project % words.size()]);
    append_number(out, project, 3);
    out.push_back('/');
    append_name(out, hash, upper);
    return mix(hash, upper);
  }

  // project/upper/[plain/..]lower/[plain/..]directory/file: 5 components and 1 to 5 plain ones.
  void append(std::string& out) const {
    const std::uint64_t at_upper = append_top(out);
    append_plain(out, at_upper, 1 + (at_upper >> 60U) % 2);
    append_name(out, at_upper, lower);
    const std::uint64_t at_lower = mix(at_upper, lower);
    append_plain(out, at_lower, (at_lower >> 60U) % 4);
    append_name(out, at_lower, directory);
    const std::uint64_t at_directory = mix(at_lower, directory);
    const std::uint64_t name = mix(at_directory, file);
    out.append(words[(at_directory + file * 37) % words.size()]);
    out.push_back('_');
    out.append(words[name % words.size()]);
    out.push_back('_');
    out.append(words[(name >> 8U) % words.size()]);
    out.append(suffixes[(name >> 16U) % suffixes.size()]);
  }
};

void append_category(std::string& out, std::uint64_t index) {
  out.append(share).append("category-");
  append_number(out, index % categories_count, 1);
  out.push_back('/');
}

void append_bucket(std::string& out, std::uint64_t index) {
  out.append("bucket-");
  append_number(out, index % buckets_count, 2);
  out.append("/path/sub/");
}

}  // namespace

std::optional<WorkloadKind> workload_named(std::string_view name) {
  for (const WorkloadKind kind : {WorkloadKind::fs, WorkloadKind::objstore, WorkloadKind::deep}) {
    if (Workload(kind, 0).name() == name) return kind;
  }
  return std::nullopt;
}

std::string_view Workload::name() const noexcept {
  switch (kind_) {
    case WorkloadKind::fs:
      return "fs";
    case WorkloadKind::objstore:
      return "objstore";
    case WorkloadKind::deep:
      return "deep";
  }
  return {};
}

void Workload::key(std::uint64_t index, std::string& out) const {
  out.clear();
  switch (kind_) {
    case WorkloadKind::fs:
      append_category(out, index);
      out.append("file-");
      append_number(out, index / categories_count, 6);
      break;
    case WorkloadKind::objstore:
      append_bucket(out, index);
      out.append("file-");
      append_number(out, index / buckets_count, 6);
      out.append(".bin");
      break;
    case WorkloadKind::deep:
      DeepPath(index).append(out);
      break;
  }
}

void Workload::value(std::uint64_t index, std::uint64_t round, std::string& out) const {
  out.clear();
  if (kind_ == WorkloadKind::objstore) {
    out.append(R"({"size":)");
    append_number(out, (index * 1000 + round) % 100'000'000, 8);
    out.append(R"(,"etag":")");
    append_hex(out, static_cast<std::uint32_t>(mix(index, round)));
    out.append(R"(","class":"STD"})");
    return;
  }
  PackedInode inode;
  inode.size = index * 4096;
  inode.mtime = 1'700'000'000 + round;
  inode.mode = 0100644;
  inode.uid = 1000;
  inode.gid = 1000;
  inode.nlink = 1;
  out.append(base::as_chars(base::object_bytes(inode)));
}

void Workload::directory(std::uint64_t index, std::string& out) const {
  out.clear();
  switch (kind_) {
    case WorkloadKind::fs:
      append_category(out, index);
      break;
    case WorkloadKind::objstore:
      append_bucket(out, index);
      break;
    case WorkloadKind::deep:
      DeepPath(index).append_top(out);
      break;
  }
}

std::string Workload::rollup_prefix() const {
  switch (kind_) {
    case WorkloadKind::fs:
      return std::string(share);
    case WorkloadKind::objstore:
      return "";
    case WorkloadKind::deep:
      break;
  }
  std::string key;
  DeepPath(0).append(key);
  return key.substr(0, key.find('/') + 1);
}

}  // namespace artfs::bench
