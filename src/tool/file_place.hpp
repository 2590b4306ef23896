// SPDX-License-Identifier: Apache-2.0
// FilePlace: the file that a PLACE on the command line names, in a FileTree.
//
// Contract:   PLACE as of TreeSource: a path on a mounted artfs, a STORE, or STORE:/PATH; it need not exist.
//             A mounted store is reached through its mount, whichever of the three names it; one that nobody serves
//             is opened. A link at the end is not followed, nor is any behind STORE:. Places of one store share
//             a tree: of a store that nobody serves there can be one only.
// Threading:  one thread.
// Errors:     text for a human, with the remedy, without the PLACE.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tool/file_tree.hpp"
#include "tool/tree_source.hpp"

namespace artfs::tool {

// For --help.
inline constexpr const char* place_help = "a path on a mounted artfs, a STORE, or STORE:/PATH";

struct PlaceName {
  std::string store;        // absolute
  std::string mount_point;  // of the mount that the path is on; empty: nobody serves the store
  std::string path;         // in it

  // "/name" of what is at the path; empty: of a root.
  [[nodiscard]] std::string name() const;
};

[[nodiscard]] TextOr<PlaceName> find_place(const std::string& place);

struct FilePlace {
  FileTree* tree = nullptr;  // of the PlaceOpener
  std::string path;
};

// Opens trees and keeps them.
class PlaceOpener {
 public:
  explicit PlaceOpener(bool is_writable) : is_writable_(is_writable) {}

  [[nodiscard]] TextOr<FilePlace> open(const std::string& place);
  // Closes all; the text of the first that could not.
  [[nodiscard]] TextOr<void> close();

 private:
  const bool is_writable_;
  std::map<std::string, std::unique_ptr<FileTree>> trees_;  // by mount point or store
};

// A path of the host: its directory must exist. Errors as find_place.
struct HostPlace {
  std::unique_ptr<FileTree> tree;
  std::string path;
};

[[nodiscard]] TextOr<HostPlace> open_host_place(const std::string& path);

// The place is the host's directory `path`, or below it, or in a store that is: a copy would copy itself.
[[nodiscard]] bool is_inside(const std::string& place, const std::string& path);

// One descriptor for each level of a directory tree: as many as we may have.
void raise_descriptor_limit() noexcept;

}  // namespace artfs::tool
