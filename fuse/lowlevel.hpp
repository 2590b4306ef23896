// SPDX-License-Identifier: Apache-2.0
// libfuse's low-level API, at the version we write against: the only place that includes it.
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
