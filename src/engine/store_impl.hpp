// SPDX-License-Identifier: Apache-2.0
// StoreImpl: one open store: what joins the trees, the frame cache, the log and the checkpointer.
//
// Contract:   the layers above use Store and Tree; what only they need besides stands here: the
//             store's directory, the hook before each log sync, stopping the store after a failure of
//             their own device writes.
// Threading:  any thread, unless a call says otherwise.
// Errors:     as include/artfs/store.hpp.
// Invariants: W2D, I2, I3 (see frame/cache.hpp and wal/log.hpp) meet here.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "artfs/store.hpp"
#include "io/device.hpp"

namespace artfs::engine {

using StoreUuid = std::array<std::byte, 16>;

class StoreImpl {
 public:
  // The store's directory: for blocks.dat. Lives as long as the store; in memory mode a directory in
  // memory. A read-only store's files must be opened read-only.
  [[nodiscard]] io::Directory& directory() noexcept;
  [[nodiscard]] const StoreUuid& uuid() const noexcept;
  [[nodiscard]] bool is_read_only() const noexcept;
  [[nodiscard]] const StoreOptions& options() const noexcept;

  // `hook` runs, without locks, before each device sync of the log (commit interval, sync_to,
  // checkpoint), on the thread that syncs: it makes durable what log records refer to. When it fails
  // the log stops. An empty function removes it; on return no call of the old hook is running. In
  // memory mode there is no log: only Store::sync() calls it.
  void set_before_log_sync(std::function<Result<void>()> hook);

  // Fail-stop (DESIGN 10): reads go on, every change returns store_stopped. The first reason stays.
  void stop(Error reason) noexcept;
  [[nodiscard]] bool stopped() const noexcept;
};

}  // namespace artfs::engine
