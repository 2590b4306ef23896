#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# in_scratch.sh PROGRAM [ARGUMENTS...]: runs it with a path, last, where it may make a store.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$@" "$scratch/store"
