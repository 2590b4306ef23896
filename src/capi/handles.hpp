// SPDX-License-Identifier: Apache-2.0
// What stands behind the handles of artfs.h, and how an Error becomes a code.
//
// Contract:   every extern "C" function is noexcept and ends in failed() or ARTFS_OK. This layer sees
//             the public headers only: what C can do, a C++ program can do in the same words.
// Threading:  the last error belongs to the thread.
// Errors:     the table in error.cpp; what is not in it is ARTFS_OTHER, with its text.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "artfs/artfs.h"
#include "artfs/store.hpp"

struct artfs_store {
  std::unique_ptr<artfs::Store> store;
};

struct artfs_scan {
  artfs::Scan scan;
};

struct artfs_load {
  artfs::SortedLoad load;
};

struct artfs_view {
  artfs::ReadView* view;
};

struct artfs_txn {
  artfs_store* store;
  artfs::Txn txn;
};

namespace artfs::capi {

// Notes the error for the thread and returns its code.
int failed(Error error) noexcept;
// The same for what only this layer can find wrong.
int failed(int code, int errno_value, std::string_view text) noexcept;
// A handle that is null, or an out-parameter that is.
int null_argument() noexcept;

inline std::string_view view_of(artfs_bytes bytes) noexcept {
  return {static_cast<const char*>(bytes.data), bytes.data == nullptr ? 0 : bytes.size};
}

inline artfs_bytes bytes_of(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

inline Tree tree_of(artfs_tree tree) noexcept {
  return Tree(tree.store->store->impl(), TreeId{tree.id});
}

// The members that a caller's struct has; false when it is larger than ours, whose meaning we cannot know.
template <typename Options>
[[nodiscard]] bool copy_known(Options* known, const Options* given) noexcept {
  if (given->struct_size > sizeof *known || given->struct_size < sizeof given->struct_size) {
    return false;
  }
  std::memcpy(known, given, given->struct_size);
  return true;
}

// A copy that the caller of the C function owns.
int copy_out(std::string_view bytes, std::uint64_t version, artfs_value* value) noexcept;

// The end of every change: its version, when somebody asked for it.
int changed(const Result<Version>& result, std::uint64_t* version) noexcept;

inline int done(const Result<void>& result) noexcept {
  return result ? ARTFS_OK : failed(result.error());
}

}  // namespace artfs::capi
