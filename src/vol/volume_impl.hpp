// SPDX-License-Identifier: Apache-2.0
// VolumeImpl: an open volume: Core with its flusher, from open to close.
//
// Contract:   format_store makes a volume in an open, empty store; open_store opens the volume of an
//             open store and owns the store from then on. Tests use both on stores of their own.
// Threading:  open and close by one thread, while no other call runs.
// Errors:     store_foreign when the store holds no volume.
#pragma once

#include <memory>
#include <optional>

#include "artfs/volume.hpp"

#include "vol/core.hpp"
#include "vol/flusher.hpp"

namespace artfs::vol {

class VolumeImpl {
 public:
  [[nodiscard]] static Result<void> format_store(Store& store, const FormatOptions& options);
  [[nodiscard]] static Result<std::unique_ptr<VolumeImpl>> open_store(std::unique_ptr<Store> store,
                                                                      const VolumeOptions& options);

  VolumeImpl() : flusher_(core_) { core_.flusher = &flusher_; }

  VolumeImpl(const VolumeImpl&) = delete;
  VolumeImpl& operator=(const VolumeImpl&) = delete;
  ~VolumeImpl();

  [[nodiscard]] Core& core() noexcept { return core_; }

  [[nodiscard]] Result<void> sync();
  [[nodiscard]] Result<void> fsync(Ino ino);
  // What is accepted goes to the records first, so that the flusher does not change them meanwhile.
  [[nodiscard]] Result<CheckReport> check(const CheckOptions& options);
  [[nodiscard]] Result<void> close();

 private:
  Result<void> load_settings();
  Result<void> upgrade_settings();
  Result<std::optional<Tree>> open_blocks();
  Result<void> open_contents();

  Core core_;
  Flusher flusher_;
  bool closed_ = false;
};

}  // namespace artfs::vol
