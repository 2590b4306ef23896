// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error; ARTFS_TRY: the value, or return the error to the caller.
//
// Contract:   ARTFS_TRY evaluates its argument once; use it once per statement (nesting shadows).
// Source:     std::expected (C++23); Debian's libexpected-dev until the floor is Debian 13.
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "artfs/error.hpp"

namespace artfs {

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::uint64_t detail = 0) {
  return tl::unexpected<Error>(Error{code, detail});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(error);
}

namespace detail {

template <typename T>
T take(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace detail

#define ARTFS_TRY(expression)                                              \
  __extension__({                                                          \
    auto artfs_try_result = (expression);                                  \
    if (!artfs_try_result) return ::artfs::fail(artfs_try_result.error()); \
    ::artfs::detail::take(std::move(artfs_try_result));                    \
  })

}  // namespace artfs
