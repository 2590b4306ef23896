// SPDX-License-Identifier: Apache-2.0
// TreeSource: the tree that a PLACE on the command line of find, du and ls names, to be walked.
//
// Contract:   PLACE is a path on a mounted artfs (the mount point or anything below it, through any bind
//             mount), a STORE (its whole tree), or STORE:/PATH where no such file exists. A symbolic link at
//             its end is not followed unless asked. Whoever serves the store is asked through its control
//             socket; a store that nobody serves is opened read-only, which changes nothing. Other
//             filesystems mounted below are not entered: they are not part of the store.
// Threading:  one thread.
// Errors:     text for a human, with the remedy, without the PLACE.
#pragma once

#include <memory>
#include <string>

#include "artfs/volume.hpp"

#include "fuse/walk_stream.hpp"

namespace artfs::tool {

template <typename T>
using TextOr = tl::expected<T, std::string>;

class TreeSource {
 public:
  [[nodiscard]] static TextOr<std::unique_ptr<TreeSource>> open(const std::string& place,
                                                                bool follows_link = false);

  [[nodiscard]] const std::string& store() const noexcept { return store_; }

  // False when `visit` ended it.
  [[nodiscard]] TextOr<bool> walk(std::uint64_t levels_max, const WalkVisit& visit);
  // From another inode of the same tree.
  [[nodiscard]] TextOr<bool> walk_from(Ino root, std::uint64_t levels_max, const WalkVisit& visit);

 private:
  [[nodiscard]] TextOr<void> find(const std::string& place, bool follows_link);
  [[nodiscard]] TextOr<bool> run(const fuse::WalkRequest& request, const WalkVisit& visit);
  [[nodiscard]] TextOr<bool> ask_daemon(int socket, const WalkVisit& visit);

  std::string store_;
  fuse::WalkRequest start_;
  std::unique_ptr<Volume> volume_;  // of a store that nobody serves
};

}  // namespace artfs::tool
