// SPDX-License-Identifier: Apache-2.0
#include "tool/tree_source.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "fuse/control.hpp"
#include "fuse/mount_table.hpp"

namespace artfs::tool {

namespace {

using nlohmann::json;

constexpr std::size_t receive_bytes = 256 * kib;
constexpr std::size_t line_bytes_max = 64 * kib;

// The store of the artfs that the device number belongs to.
std::optional<std::string> store_on(dev_t device) {
  const auto table = fuse::read_mount_table();
  if (!table) return std::nullopt;
  const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
  for (const fuse::MountEntry& entry : *table) {
    if (entry.device == wanted && entry.type == fuse::filesystem_type) return entry.source;
  }
  return std::nullopt;
}

bool is_store(const std::string& path) {
  return ::access((path + "/superblock").c_str(), F_OK) == 0;
}

TextOr<std::string> absolute(const std::string& path) {
  const Result<std::string> found = fuse::canonical_path(path);
  if (found) return *found;
  return tl::unexpected(std::string(std::strerror(static_cast<int>(found.error().detail))));
}

std::string stat_text(int error) {
  if (error == ENOTCONN) return "its daemon is dead: artfs umount it and mount it again";
  return std::strerror(error);
}

std::string connect_text(Error error) {
  if (error.code != Errc::io_failed) return to_text(error);
  if (error.detail == EACCES || error.detail == EPERM) {
    return "only root and who mounted it may ask its daemon: use find(1), du(1), ls(1)";
  }
  return fmt::format("{}: see whether its daemon is alive",
                     std::strerror(static_cast<int>(error.detail)));
}

// The next whole line of the reply, or of what stands in `bytes`.
TextOr<json> take_reply(int socket, std::string& bytes) {
  for (std::size_t end = bytes.find('\n'); end == bytes.npos; end = bytes.find('\n')) {
    std::array<char, 4096> chunk{};
    const ssize_t got = ::recv(socket, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || bytes.size() > line_bytes_max) {
      return tl::unexpected(std::string("no answer from its daemon: unmounted, or not allowed?"));
    }
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
  }
  const std::size_t end = bytes.find('\n');
  json reply = json::parse(bytes.substr(0, end), nullptr, false);
  bytes.erase(0, end + 1);
  if (!reply.is_object()) return tl::unexpected(std::string("its daemon talks nonsense"));
  if (reply.value("ok", false)) return reply;
  return tl::unexpected(reply.value("text", std::string("its daemon refuses")));
}

}  // namespace

TextOr<std::unique_ptr<TreeSource>> TreeSource::open(const std::string& place, bool follows_link) {
  auto source = std::make_unique<TreeSource>();
  if (const TextOr<void> found = source->find(place, follows_link); !found) {
    return tl::unexpected(found.error());
  }
  return source;
}

TextOr<void> TreeSource::find(const std::string& place, bool follows_link) {
  struct stat info {};

  const int failed = follows_link ? ::stat(place.c_str(), &info) : ::lstat(place.c_str(), &info);
  const int error = failed == 0 ? 0 : errno;
  if (failed == 0) {
    if (auto store = store_on(info.st_dev)) {
      store_ = *std::move(store);
      start_.root = Ino{info.st_ino};
      return {};
    }
  }
  std::string directory = place;
  if (const std::size_t colon = place.find(":/"); error == ENOENT && colon != place.npos) {
    directory = place.substr(0, colon);
    start_.path = place.substr(colon + 2);
  } else if (error != 0) {
    return tl::unexpected(stat_text(error));
  }
  if (!is_store(directory)) {
    return tl::unexpected(std::string(
        directory == place ? "not on a mounted artfs, and no store: give either, or STORE:/PATH"
                           : "no such file, and no store in front of ':/'"));
  }
  TextOr<std::string> found = absolute(directory);
  if (!found) return tl::unexpected(found.error());
  store_ = *std::move(found);
  return {};
}

TextOr<bool> TreeSource::walk(std::uint64_t levels_max, const WalkVisit& visit) {
  fuse::WalkRequest request = start_;
  request.levels_max = levels_max;
  return run(request, visit);
}

TextOr<bool> TreeSource::walk_from(Ino root, std::uint64_t levels_max, const WalkVisit& visit) {
  return run({.root = root, .path = {}, .levels_max = levels_max}, visit);
}

TextOr<bool> TreeSource::run(const fuse::WalkRequest& request, const WalkVisit& visit) {
  if (!volume_) {
    const auto socket = fuse::control_connect(store_, fuse::walk_request_text(request));
    if (socket) return ask_daemon(socket->get(), visit);
    const Error error = socket.error();
    if (error.code != Errc::io_failed || (error.detail != ENOENT && error.detail != ECONNREFUSED)) {
      return tl::unexpected(connect_text(error));
    }
    VolumeOptions options;
    options.store.read_only = true;
    Result<std::unique_ptr<Volume>> volume = Volume::open(store_, options);
    if (!volume) return tl::unexpected(to_text(volume.error()));
    volume_ = *std::move(volume);
  }
  const Result<Ino> root = fuse::find_walk_root(*volume_, request);
  if (!root) return tl::unexpected(to_text(root.error()));
  const Result<bool> walked = volume_->walk(*root, {.levels_max = request.levels_max}, visit);
  if (!walked) return tl::unexpected(to_text(walked.error()));
  return *walked;
}

TextOr<bool> TreeSource::ask_daemon(int socket, const WalkVisit& visit) {
  std::string bytes;
  const TextOr<json> begun = take_reply(socket, bytes);
  if (!begun) return tl::unexpected(begun.error());
  if (begun->value("walk", std::string()) != fuse::walk_stream_format()) {
    return tl::unexpected(
        std::string("its daemon is of another version: unmount and mount it again"));
  }
  fuse::WalkReader reader;
  bool is_read = reader.add(bytes, visit);
  std::vector<char> chunk(receive_bytes);
  while (is_read && !reader.is_at_end()) {
    const ssize_t got = ::recv(socket, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    is_read = reader.add({chunk.data(), static_cast<std::size_t>(got)}, visit);
  }
  if (reader.was_ended()) return false;
  if (!is_read) return tl::unexpected(std::string("its daemon talks nonsense"));
  std::string rest(reader.rest());
  const TextOr<json> ended = take_reply(socket, rest);
  if (!ended) return tl::unexpected(ended.error());
  if (!ended->value("complete", false)) {
    return tl::unexpected(std::string("ended before it was through: unmounted?"));
  }
  return true;
}

}  // namespace artfs::tool
