// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "capi/handles.hpp"

namespace artfs::capi {

namespace {

struct CodeName {
  int code;
  const char* name;
};

#define ARTFS_NAMED(code) \
  CodeName {              \
    code, #code           \
  }

constexpr std::array code_names{
    ARTFS_NAMED(ARTFS_OK),
    ARTFS_NAMED(ARTFS_END),
    ARTFS_NAMED(ARTFS_KEY_NOT_FOUND),
    ARTFS_NAMED(ARTFS_KEY_EXISTS),
    ARTFS_NAMED(ARTFS_KEY_TOO_LONG),
    ARTFS_NAMED(ARTFS_VALUE_TOO_LARGE),
    ARTFS_NAMED(ARTFS_VERSION_MISMATCH),
    ARTFS_NAMED(ARTFS_PREFIX_NOT_EMPTY),
    ARTFS_NAMED(ARTFS_TRANSACTION_TOO_LARGE),
    ARTFS_NAMED(ARTFS_TREE_NOT_FOUND),
    ARTFS_NAMED(ARTFS_TREE_EXISTS),
    ARTFS_NAMED(ARTFS_TREE_NAME_INVALID),
    ARTFS_NAMED(ARTFS_TREE_NOT_EMPTY),
    ARTFS_NAMED(ARTFS_KEYS_NOT_SORTED),
    ARTFS_NAMED(ARTFS_STORE_MISSING),
    ARTFS_NAMED(ARTFS_STORE_EXISTS),
    ARTFS_NAMED(ARTFS_STORE_FOREIGN),
    ARTFS_NAMED(ARTFS_STORE_NEWER),
    ARTFS_NAMED(ARTFS_STORE_LOCKED),
    ARTFS_NAMED(ARTFS_STORE_READ_ONLY),
    ARTFS_NAMED(ARTFS_STORE_STOPPED),
    ARTFS_NAMED(ARTFS_CORRUPT),
    ARTFS_NAMED(ARTFS_IO_FAILED),
    ARTFS_NAMED(ARTFS_NO_SPACE),
    ARTFS_NAMED(ARTFS_LOG_FULL),
    ARTFS_NAMED(ARTFS_PERMISSION_DENIED),
    ARTFS_NAMED(ARTFS_CACHE_EXHAUSTED),
    ARTFS_NAMED(ARTFS_BUFFER_TOO_SMALL),
    ARTFS_NAMED(ARTFS_INVALID_ARGUMENT),
    ARTFS_NAMED(ARTFS_OPTION_INVALID),
    ARTFS_NAMED(ARTFS_CALLER_STOPPED),
    ARTFS_NAMED(ARTFS_OTHER),
};
#undef ARTFS_NAMED

struct Mapping {
  Errc from;
  int to;
};

// Every error that a call of store.hpp can return.
constexpr std::array mappings{
    Mapping{Errc::key_not_found, ARTFS_KEY_NOT_FOUND},
    Mapping{Errc::key_exists, ARTFS_KEY_EXISTS},
    Mapping{Errc::key_too_long, ARTFS_KEY_TOO_LONG},
    Mapping{Errc::value_too_large, ARTFS_VALUE_TOO_LARGE},
    Mapping{Errc::version_mismatch, ARTFS_VERSION_MISMATCH},
    Mapping{Errc::prefix_not_empty, ARTFS_PREFIX_NOT_EMPTY},
    Mapping{Errc::transaction_too_large, ARTFS_TRANSACTION_TOO_LARGE},
    Mapping{Errc::tree_not_found, ARTFS_TREE_NOT_FOUND},
    Mapping{Errc::tree_exists, ARTFS_TREE_EXISTS},
    Mapping{Errc::tree_name_invalid, ARTFS_TREE_NAME_INVALID},
    Mapping{Errc::tree_not_empty, ARTFS_TREE_NOT_EMPTY},
    Mapping{Errc::keys_not_sorted, ARTFS_KEYS_NOT_SORTED},
    Mapping{Errc::store_missing, ARTFS_STORE_MISSING},
    Mapping{Errc::store_exists, ARTFS_STORE_EXISTS},
    Mapping{Errc::store_foreign, ARTFS_STORE_FOREIGN},
    Mapping{Errc::store_newer, ARTFS_STORE_NEWER},
    Mapping{Errc::store_locked, ARTFS_STORE_LOCKED},
    Mapping{Errc::store_read_only, ARTFS_STORE_READ_ONLY},
    Mapping{Errc::store_stopped, ARTFS_STORE_STOPPED},
    Mapping{Errc::superblock_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::manifest_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::frame_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::log_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::checkpoint_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::block_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::record_corrupt, ARTFS_CORRUPT},
    Mapping{Errc::log_full, ARTFS_LOG_FULL},
    Mapping{Errc::io_failed, ARTFS_IO_FAILED},
    Mapping{Errc::no_space, ARTFS_NO_SPACE},
    Mapping{Errc::permission_denied, ARTFS_PERMISSION_DENIED},
    Mapping{Errc::cache_exhausted, ARTFS_CACHE_EXHAUSTED},
    Mapping{Errc::option_invalid, ARTFS_OPTION_INVALID},
    Mapping{Errc::invalid_argument, ARTFS_INVALID_ARGUMENT},
};

int code_of(Errc code) noexcept {
  const auto* const found =
      std::find_if(mappings.begin(), mappings.end(),
                   [code](const Mapping& mapping) { return mapping.from == code; });
  return found == mappings.end() ? ARTFS_OTHER : found->to;
}

struct LastError {
  int code = ARTFS_OK;
  int errno_value = 0;
  std::uint64_t detail = 0;
  std::string text;
};

LastError& last_error() noexcept {
  thread_local LastError last;
  return last;
}

}  // namespace

int failed(Error error) noexcept {
  LastError& last = last_error();
  last.code = code_of(error.code);
  last.errno_value = to_errno(error);
  last.detail = error.detail;
  last.text = to_text(error);
  return last.code;
}

int failed(int code, int errno_value, std::string_view text) noexcept {
  LastError& last = last_error();
  last.code = code;
  last.errno_value = errno_value;
  last.detail = 0;
  last.text.assign(text);
  return code;
}

int null_argument() noexcept {
  return failed(ARTFS_INVALID_ARGUMENT, EINVAL, "a handle or an out-parameter is null");
}

int copy_out(std::string_view bytes, std::uint64_t version, artfs_value* value) noexcept {
  auto* const copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy == nullptr) return failed(ARTFS_OTHER, ENOMEM, "out of memory");
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  *value = {.data = copy, .size = bytes.size(), .version = version};
  return ARTFS_OK;
}

int changed(const Result<Version>& result, std::uint64_t* version) noexcept {
  if (!result) return failed(result.error());
  if (version != nullptr) *version = result->raw;
  return ARTFS_OK;
}

}  // namespace artfs::capi

using namespace artfs;

extern "C" {

uint32_t artfs_version(void) {
  return ARTFS_API_VERSION;
}

const char* artfs_version_text(void) {
  return ARTFS_VERSION;
}

const char* artfs_code_name(int code) {
  for (const capi::CodeName& known : capi::code_names) {
    if (known.code == code) return known.name;
  }
  return "ARTFS_UNKNOWN";
}

int artfs_last_error(void) {
  return capi::last_error().code;
}

int artfs_last_error_errno(void) {
  return capi::last_error().errno_value;
}

uint64_t artfs_last_error_detail(void) {
  return capi::last_error().detail;
}

const char* artfs_last_error_text(void) {
  return capi::last_error().text.c_str();
}

artfs_bytes artfs_text(const char* text) {
  return {text, text == nullptr ? 0 : std::strlen(text)};
}

void artfs_value_free(artfs_value* value) {
  if (value == nullptr) return;
  std::free(value->data);
  *value = {};
}

}  // extern "C"
