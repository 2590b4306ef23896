// SPDX-License-Identifier: Apache-2.0
// Names for clang's thread-safety attributes: which mutex guards what, checked when clang compiles.
//
// Contract:   without clang they expand to nothing.
// Source:     LevelDB `port/thread_annotations.h`; clang, "Thread Safety Analysis".
#pragma once

#if defined(__clang__)
#define ARTFS_ATTRIBUTE(x) __attribute__((x))
#else
#define ARTFS_ATTRIBUTE(x)
#endif

#define ARTFS_CAPABILITY(name) ARTFS_ATTRIBUTE(capability(name))
#define ARTFS_SCOPED_CAPABILITY ARTFS_ATTRIBUTE(scoped_lockable)
#define ARTFS_GUARDED_BY(mutex) ARTFS_ATTRIBUTE(guarded_by(mutex))
#define ARTFS_PT_GUARDED_BY(mutex) ARTFS_ATTRIBUTE(pt_guarded_by(mutex))
#define ARTFS_REQUIRES(...) ARTFS_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ARTFS_EXCLUDES(...) ARTFS_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ARTFS_ACQUIRE(...) ARTFS_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ARTFS_TRY_ACQUIRE(...) ARTFS_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define ARTFS_RELEASE(...) ARTFS_ATTRIBUTE(release_capability(__VA_ARGS__))
#define ARTFS_ASSERT_CAPABILITY(mutex) ARTFS_ATTRIBUTE(assert_capability(mutex))
#define ARTFS_RETURN_CAPABILITY(mutex) ARTFS_ATTRIBUTE(lock_returned(mutex))
#define ARTFS_NO_THREAD_SAFETY_ANALYSIS ARTFS_ATTRIBUTE(no_thread_safety_analysis)
