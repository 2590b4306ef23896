/* SPDX-License-Identifier: Apache-2.0 */
/* ARTFS_EXPORT: what the shared library shows. Everything else of it is hidden. */
#ifndef ARTFS_EXPORT_H
#define ARTFS_EXPORT_H

#if defined(__GNUC__)
#define ARTFS_EXPORT __attribute__((visibility("default")))
#define ARTFS_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ARTFS_EXPORT
#define ARTFS_MUST_CHECK
#endif

#endif
