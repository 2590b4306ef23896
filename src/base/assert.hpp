// SPDX-License-Identifier: Apache-2.0
// ARTFS_ASSERT and ARTFS_AUDIT: a broken invariant ends the process before it reaches the disk.
//
// Contract:   ARTFS_ASSERT is O(1), on in release builds, off only with -Dassertions=off.
//             ARTFS_AUDIT may walk structures; it is on with -Dassertions=all. A condition that is
//             off is compiled but never evaluated: it must not have effects.
// Errors:     prints the expression and its place to stderr, then abort().
#pragma once

#ifndef ARTFS_ASSERTIONS
#define ARTFS_ASSERTIONS 1
#endif

namespace artfs::base {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace artfs::base

#define ARTFS_CHECK_ON(condition)                      \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::artfs::base::assertion_failed(#condition, __FILE__, __LINE__))
#define ARTFS_CHECK_OFF(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))

#if ARTFS_ASSERTIONS >= 1
#define ARTFS_ASSERT(condition) ARTFS_CHECK_ON(condition)
#else
#define ARTFS_ASSERT(condition) ARTFS_CHECK_OFF(condition)
#endif

#if ARTFS_ASSERTIONS >= 2
#define ARTFS_AUDIT(condition) ARTFS_CHECK_ON(condition)
#else
#define ARTFS_AUDIT(condition) ARTFS_CHECK_OFF(condition)
#endif
