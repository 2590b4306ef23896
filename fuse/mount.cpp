// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "artfs/volume.hpp"

#include "base/log.hpp"
#include "fuse/access_times.hpp"
#include "fuse/control.hpp"
#include "fuse/daemon.hpp"
#include "fuse/exit_status.hpp"
#include "fuse/inside.hpp"
#include "fuse/mount_point.hpp"
#include "fuse/mount_table.hpp"
#include "fuse/session.hpp"
#include "fuse/stop_signals.hpp"

namespace artfs::fuse {

namespace {

struct Plan {
  std::string store;        // absolute
  std::string mount_point;  // absolute
  bool foreground = false;
  MountOptions options;
  std::string why_not_ring;  // for the log, when nobody insists on it
};

int complain(const std::string& what, int status = exit_mount) {
  fmt::print(stderr, "artfs mount: {}\n", what);
  return status;
}

bool is_inside(const std::string& inner, const std::string& outer) {
  return inner == outer || inner.starts_with(outer.ends_with('/') ? outer : outer + "/");
}

// Why the store cannot be opened; a locked one is usually mounted, and then we know where.
std::string open_problem(const std::string& store, Error error) {
  if (error.code == Errc::store_locked) {
    const Result<std::vector<MountEntry>> table = read_mount_table();
    const auto elsewhere = table ? mount_of_store(*table, store) : std::nullopt;
    if (elsewhere) {
      return fmt::format("{}: {}: it is mounted on {}", store, to_text(error),
                         elsewhere->mount_point);
    }
  }
  return fmt::format("{}: {}", store, to_text(error));
}

// What stands against transport=uring; empty: nothing, or nobody insists on it.
std::string settle_transport(Plan& plan) {
  Transport& transport = plan.options.transport;
  if (transport == Transport::dev) return {};
  const TransportChoice choice = choose_transport(transport, look_at_transport());
  if (choice.runs == Transport::uring) return {};
  if (transport == Transport::uring) {
    return fmt::format("transport=uring is not possible: {}", choice.why_not_ring);
  }
  transport = Transport::dev;
  plan.why_not_ring = choice.why_not_ring;
  return {};
}

tl::expected<Plan, std::string> make_plan(const MountRequest& request) {
  Plan plan;
  plan.foreground = request.foreground;
  plan.options = request.options;
  const Result<std::string> store = canonical_path(request.store);
  if (!store) return tl::unexpected(open_problem(request.store, {Errc::store_missing, 0}));
  plan.store = *store;
  auto place = prepare_mount_point(request.mount_point);
  if (!place) return tl::unexpected("mount point " + place.error());
  plan.mount_point = *std::move(place);
  if (is_inside(plan.store, plan.mount_point) || is_inside(plan.mount_point, plan.store)) {
    return tl::unexpected(
        fmt::format("mount point {} would hide the store {}: choose another place",
                    plan.mount_point, plan.store));
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return tl::unexpected(fmt::format("/dev/fuse: {}: {}", std::strerror(errno),
                                      errno == EACCES
                                          ? "mount as root, or let root open the device to users"
                                          : "load the kernel module with: modprobe fuse"));
  }
  if (const std::string problem = settle_transport(plan); !problem.empty()) {
    return tl::unexpected(problem);
  }
  if (!plan.options.log_file.empty()) {
    plan.options.log_file = std::filesystem::absolute(plan.options.log_file).string();
  }
  return plan;
}

bool open_log(const Plan& plan) {
  base::set_log_level(base::LogLevel::info);
  if (!plan.options.log_file.empty()) return base::set_log_file(plan.options.log_file);
  if (!plan.foreground) base::set_log_syslog("artfs");
  return true;
}

std::string one_line(const nlohmann::json& object) {
  return object.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::unique_ptr<ControlServer> start_control(const Plan& plan, Volume& volume,
                                             const Inside& inside) {
  if (plan.options.volume.store.read_only) return nullptr;  // changes nothing, so nothing to sync
  Result<std::unique_ptr<ControlServer>> control =
      ControlServer::start({.store_path = plan.store,
                            .mount_point = plan.mount_point,
                            .facts = [&inside] { return one_line(to_json(inside.report())); },
                            .metrics = [&inside] { return inside.metrics(); },
                            .top = [&inside] { return one_line(inside.top_json()); }},
                           volume);
  if (control) return *std::move(control);
  base::log_warning("no control socket in {}: {}", plan.store,
                    std::strerror(static_cast<int>(control.error().detail)));
  return nullptr;
}

Serving serving_of(const Plan& plan, Volume& volume, Inside& inside, Background& background) {
  return {.volume = volume,
          .fsync_waits = plan.options.volume.store.durability != Durability::relaxed,
          .keeps_acls = plan.options.acl,
          .on_ready = [](void* context) { static_cast<Background*>(context)->ready(); },
          .ready_context = &background,
          .mount_point = plan.mount_point,
          .inside = plan.options.inside ? &inside : nullptr};
}

SessionOptions session_options(const Plan& plan) {
  return {.mount_point = plan.mount_point,
          .source = plan.store,
          .kernel = plan.options.kernel,
          .allow_other = plan.options.allow_other,
          .threads_max = plan.options.threads_max,
          .transport = plan.options.transport};
}

int close_volume(const Plan& plan, Volume& volume) {
  const Result<void> closed = volume.close();
  if (closed) {
    base::log_info("{} unmounted", plan.mount_point);
    return exit_ok;
  }
  base::log_error("{}: closing failed: {}", plan.store, to_text(closed.error()));
  return exit_mount;
}

int serve(const Plan& plan, Background& background) {
  StopSignals signals;
  if (!open_log(plan))
    return complain(plan.options.log_file + ": the log cannot be written", exit_usage);
  Result<std::unique_ptr<Volume>> opened = Volume::open(plan.store, plan.options.volume);
  if (!opened) return complain(open_problem(plan.store, opened.error()));
  Volume& volume = **opened;
  if (signals.is_stopping()) return exit_interrupted;
  Watchdog watchdog(plan.options.watchdog);
  auto inside =
      std::make_unique<Inside>(volume, plan.mount_point, watchdog,
                               plan.options.volume.store.durability == Durability::strict);
  Session session(serving_of(plan, volume, *inside, background), session_options(plan));
  inside->show_transport([&session] { return session.transport(); });
  if (!session.mount()) {
    return complain(fmt::format("{}: {}: see mount(8) and fusermount3(1)", plan.mount_point,
                                Session::last_message()));
  }
  show_access_times(plan.mount_point, plan.options.volume.access_times);
  const std::unique_ptr<AccessTimeWatch> watch = AccessTimeWatch::start(plan.mount_point, volume);
  std::unique_ptr<ControlServer> control = start_control(plan, volume, *inside);
  signals.on_stop([&session] { session.stop(); });
  signals.on_report([&inside] { inside->log_state(); });
  base::log_info("{} mounted on {}", plan.store, plan.mount_point);
  if (!plan.why_not_ring.empty()) base::log_info("no io_uring transport: {}", plan.why_not_ring);
  const int error = session.serve();
  signals.retire();
  if (error != 0) {
    base::log_error("{}: the session ended: {}", plan.mount_point, std::strerror(error));
    if (session.transport() == Transport::automatic) {  // before it had begun: the caller waits
      static_cast<void>(complain(fmt::format("{}: the kernel refuses the session: {}",
                                             plan.mount_point, std::strerror(error))));
    }
  }
  control.reset();
  inside.reset();  // nobody asks the volume for its figures while it is closed
  const int closed = close_volume(plan, volume);
  return error != 0 ? exit_mount : closed;
}

}  // namespace

int run_mount(const MountRequest& request) {
  const auto plan = make_plan(request);
  if (!plan) return complain(plan.error());
  Background background;
  if (!request.foreground) {
    if (const std::optional<int> status = background.start()) return *status;
  }
  const int status = serve(*plan, background);
  background.failed(status);
  return status;
}

}  // namespace artfs::fuse
