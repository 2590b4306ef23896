// SPDX-License-Identifier: Apache-2.0
#include "fuse/control.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "fuse/control_walk.hpp"

namespace artfs::fuse {

namespace {

constexpr const char* socket_name = "control";
constexpr std::size_t request_bytes_max = 16 * kib;  // a path in hex
constexpr std::size_t walks_max = 16;

tl::unexpected<Error> fail_errno() {
  return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
}

// A socket's address is at most 107 bytes; a path through /proc reaches any directory.
Result<sockaddr_un> address_in(const base::UniqueFd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), socket_name);
  if (path.size() >= sizeof address.sun_path) return fail(Errc::invalid_argument);
  path.copy(address.sun_path, path.size());
  return address;
}

Result<base::UniqueFd> open_directory(const std::string& path) {
  base::UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno();
  return directory;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

void limit_waiting(int socket, int seconds) {
  const timeval limit{.tv_sec = seconds, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool is_allowed(int client) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

std::string refusal(std::string_view name, std::string_view text) {
  return nlohmann::json{{"ok", false}, {"error", name}, {"text", text}}.dump();
}

// False: the other side is gone.
bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

nlohmann::json to_object(const ScrubProgress& progress) {
  return {{"bytes", progress.bytes},
          {"bytes_total", progress.bytes_total},
          {"frames", progress.frames},
          {"blocks", progress.blocks},
          {"problems", progress.problems}};
}

std::string one_line(const nlohmann::json& object) {
  return object.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// A scrub for one client, on a thread of its own.
class Scrub {
 public:
  Scrub(Volume& volume, base::UniqueFd client, std::uint64_t bytes_per_second)
      : volume_(volume),
        client_(std::move(client)),
        bytes_per_second_(bytes_per_second),
        thread_([this] { run(); }) {}

  Scrub(const Scrub&) = delete;
  Scrub& operator=(const Scrub&) = delete;

  ~Scrub() {
    is_cancelled_ = true;
    thread_.join();
  }

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }

 private:
  void run() {
    ScrubOptions options;
    options.bytes_per_second = bytes_per_second_;
    options.on_progress = [this](const ScrubProgress& progress) {
      const std::string line =
          one_line({{"progress", nlohmann::json::parse(scrub_progress_json(progress))}});
      return !is_cancelled_ && send_all(client_.get(), line + "\n");
    };
    send_all(client_.get(), scrub_reply_json(volume_.scrub(options)) + "\n");
    client_.reset();
    is_done_ = true;
  }

  Volume& volume_;
  base::UniqueFd client_;
  const std::uint64_t bytes_per_second_;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<bool> is_done_{false};
  std::thread thread_;  // last: starts when the rest is there
};

class Server final : public ControlServer {
 public:
  Server(base::UniqueFd directory, base::UniqueFd listener, ControlledMount mount, Volume& volume)
      : directory_(std::move(directory)),
        listener_(std::move(listener)),
        end_(::eventfd(0, EFD_CLOEXEC)),
        mount_(std::move(mount)),
        volume_(volume),
        thread_([this] { serve(); }) {}

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  ~Server() override {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(end_.get(), &one, sizeof one));
    thread_.join();
    scrub_.reset();
    walks_.clear();
    ::unlinkat(directory_.get(), socket_name, 0);
  }

 private:
  void serve() {
    while (true) {
      std::array<pollfd, 2> sources = {
          pollfd{.fd = listener_.get(), .events = POLLIN, .revents = 0},
          pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0}};
      if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
      if (sources[1].revents != 0) return;
      if (sources[0].revents == 0) continue;
      base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client && is_allowed(client.get())) answer(std::move(client));
    }
  }

  void answer(base::UniqueFd client) {
    limit_waiting(client.get(), 5);
    std::string request;
    std::array<char, 4096> chunk{};
    while (!request.ends_with('\n') && request.size() < request_bytes_max) {
      const ssize_t got = ::recv(client.get(), chunk.data(), chunk.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      request.append(chunk.data(), static_cast<std::size_t>(got));
    }
    if (const auto rate = scrub_rate(request)) {
      start_scrub(std::move(client), *rate);
    } else if (request.starts_with("walk ")) {
      start_walk(std::move(client), request);
    } else {
      send_all(client.get(), reply_to(request) + "\n");
    }
  }

  // Of "scrub N"; nothing when it is another request.
  static std::optional<std::uint64_t> scrub_rate(std::string_view request) {
    constexpr std::string_view word = "scrub ";
    if (!request.starts_with(word) || !request.ends_with('\n')) return std::nullopt;
    request.remove_prefix(word.size());
    request.remove_suffix(1);
    std::uint64_t rate = 0;
    const auto parsed = std::from_chars(request.data(), request.data() + request.size(), rate);
    if (parsed.ec != std::errc{} || parsed.ptr != request.data() + request.size()) {
      return std::nullopt;
    }
    return rate;
  }

  void start_scrub(base::UniqueFd client, std::uint64_t rate) {
    if (scrub_ && !scrub_->is_done()) {
      send_all(client.get(), refusal("busy", "a scrub is under way: wait for its end") + "\n");
      return;
    }
    scrub_.reset();
    scrub_ = std::make_unique<Scrub>(volume_, std::move(client), rate);
  }

  void start_walk(base::UniqueFd client, std::string_view request) {
    request.remove_suffix(request.ends_with('\n') ? 1 : 0);
    auto parsed = parse_walk_request(request);
    std::erase_if(walks_, [](const auto& walk) { return walk->is_done(); });
    if (!parsed) {
      send_all(client.get(), refusal("invalid_argument", "walk ROOT LEVELS PATH-IN-HEX") + "\n");
    } else if (walks_.size() == walks_max) {
      send_all(client.get(),
               refusal("busy", "too many find, du and ls are under way: wait for one") + "\n");
    } else {
      walks_.push_back(
          std::make_unique<ControlWalk>(volume_, std::move(client), *std::move(parsed)));
    }
  }

  std::string reply_to(const std::string& request) {
    if (request == "stats\n") {
      auto stats = nlohmann::json::parse(to_json(volume_.stats()), nullptr, false);
      return one_line({{"ok", true},
                       {"mount_point", mount_.mount_point},
                       {"mount", nlohmann::json::parse(mount_.facts(), nullptr, false)},
                       {"stats", std::move(stats)}});
    }
    if (request == "metrics\n") return one_line({{"ok", true}, {"text", mount_.metrics()}});
    if (request == "top\n") {
      auto answer = nlohmann::json::parse(mount_.top(), nullptr, false);
      answer["ok"] = true;
      return one_line(answer);
    }
    if (request == "sync\n") {
      const Result<void> synced = volume_.sync();
      if (synced) return R"({"ok":true})";
      return refusal(name_of(synced.error().code), to_text(synced.error()));
    }
    return refusal("invalid_argument", "requests are: stats, metrics, top, sync, scrub N, walk");
  }

  base::UniqueFd directory_;
  base::UniqueFd listener_;
  base::UniqueFd end_;
  const ControlledMount mount_;
  Volume& volume_;
  std::unique_ptr<Scrub> scrub_;                     // the thread's
  std::vector<std::unique_ptr<ControlWalk>> walks_;  // the thread's
  std::thread thread_;                               // last: starts when the rest is there
};

}  // namespace

std::string scrub_progress_json(const ScrubProgress& progress) {
  return one_line(to_object(progress));
}

std::string scrub_reply_json(const Result<ScrubReport>& report) {
  if (!report) return refusal(name_of(report.error().code), to_text(report.error()));
  nlohmann::json object = to_object(report->done);
  object["clean"] = report->problems.empty() && report->is_complete;
  object["complete"] = report->is_complete;
  object["problems"] = report->problems;
  return one_line({{"ok", true}, {"report", std::move(object)}});
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(ControlledMount mount, Volume& volume) {
  base::UniqueFd directory = ARTFS_TRY(open_directory(mount.store_path));
  const sockaddr_un address = ARTFS_TRY(address_in(directory));
  ::unlinkat(directory.get(), socket_name, 0);
  base::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener) return fail_errno();
  if (::bind(listener.get(), as_sockaddr(address), sizeof address) != 0) return fail_errno();
  // Whoever may connect is checked again by credentials.
  if (::fchmodat(directory.get(), socket_name, 0600, 0) != 0) return fail_errno();
  if (::listen(listener.get(), 16) != 0) return fail_errno();
  return std::unique_ptr<ControlServer>(std::make_unique<Server>(
      std::move(directory), std::move(listener), std::move(mount), volume));
}

Result<base::UniqueFd> control_connect(const std::string& store_path, const std::string& request) {
  const base::UniqueFd directory = ARTFS_TRY(open_directory(store_path));
  const sockaddr_un address = ARTFS_TRY(address_in(directory));
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno();
  if (::connect(socket.get(), as_sockaddr(address), sizeof address) != 0) return fail_errno();
  send_all(socket.get(), request + "\n");
  return socket;
}

Result<std::string> control_request(const std::string& store_path, const std::string& request,
                                    const std::function<void(const std::string&)>& on_line) {
  const base::UniqueFd socket = ARTFS_TRY(control_connect(store_path, request));
  std::string rest;  // read, but not a whole line yet
  std::string last;
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno();
    if (got == 0) break;
    rest.append(chunk.data(), static_cast<std::size_t>(got));
    for (std::size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
      if (!last.empty() && on_line) on_line(last);
      last = rest.substr(0, end);
      rest.erase(0, end + 1);
    }
  }
  if (last.empty() || !rest.empty()) return fail(Errc::io_failed, ECONNRESET);
  return last;
}

}  // namespace artfs::fuse
