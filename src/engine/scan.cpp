// SPDX-License-Identifier: Apache-2.0
// Scan: batches copied out without latches; between them only the last key is kept.
#include <algorithm>

#include "engine/store_impl.hpp"

namespace artfs {

namespace engine {

class ScanImpl {
 public:
  ScanImpl(StoreImpl* store, TreeId id, const ScanOptions& options)
      : store_(store),
        id_(id),
        after_valid_(!options.start_after.empty()),
        delimiter_(options.delimiter),
        left_(options.limit == 0 ? ~std::size_t{0} : options.limit),
        keys_only_(options.keys_only),
        batch_items_(options.limit == 0 ? batch_items_first : batch_items_limited) {
    std::swap(memory_, spare_memory());
    memory_.prefix.assign(options.prefix);
    memory_.after.assign(options.start_after);
    memory_.batch.items.clear();
    memory_.batch.at_end = false;
  }

  ScanImpl(const ScanImpl&) = delete;
  ScanImpl& operator=(const ScanImpl&) = delete;

  ~ScanImpl() {
    if (memory_.batch.bytes.capacity() <= spare_bytes_max) std::swap(memory_, spare_memory());
  }

  [[nodiscard]] Result<bool> next() {
    if (left_ == 0) return false;
    const art::ScanBatch& batch = memory_.batch;
    if (index_ == batch.items.size()) {
      if (batch.at_end) return false;
      ARTFS_TRY(fill());
      if (batch.items.empty()) return false;
    }
    const art::ScanItem& item = batch.items[index_++];
    const std::string_view bytes = batch.bytes;
    entry_.key = bytes.substr(item.key_off, item.key_bytes);
    entry_.value = bytes.substr(item.value_off, item.value_bytes);
    entry_.version = item.version;
    entry_.is_rollup = item.is_rollup;
    --left_;
    return true;
  }

  [[nodiscard]] const ScanEntry& entry() const noexcept { return entry_; }

 private:
  // Short scans are the common ones (the first entries of a directory): start small, then grow. Who sets a
  // limit means to get there.
  static constexpr std::size_t batch_items_first = 16;
  static constexpr std::size_t batch_items_limited = 128;
  static constexpr std::size_t batch_items_max = 1024;

  // What a scan allocates. The thread keeps one, so that short scans allocate nothing.
  struct Memory {
    std::string prefix;
    std::string after;
    art::ScanBatch batch;
  };

  static constexpr std::size_t spare_bytes_max = 64 * kib;

  static Memory& spare_memory() {
    thread_local Memory spare;
    return spare;
  }

  [[nodiscard]] Result<void> fill() {
    if (store_ == nullptr) return fail(Errc::tree_not_found);
    if (index_ > 0) {
      memory_.after.assign(entry_.key);
      after_valid_ = true;
    }
    index_ = 0;
    memory_.batch.items.clear();
    if (memory_.prefix.size() > key_bytes_max) {
      memory_.batch.at_end = true;
      return {};
    }
    const art::ScanRequest request{.prefix = memory_.prefix,
                                   .after = memory_.after,
                                   .after_valid = after_valid_,
                                   .delimiter = delimiter_,
                                   .keys_only = keys_only_};
    ARTFS_TRY(store_->scan(id_, request, std::min(left_, batch_items_), memory_.batch));
    batch_items_ = std::min(batch_items_ * 2, batch_items_max);
    return {};
  }

  StoreImpl* store_;
  TreeId id_;
  bool after_valid_;
  const std::optional<char> delimiter_;
  std::size_t left_;
  const bool keys_only_;
  std::size_t batch_items_;
  Memory memory_;
  std::size_t index_ = 0;
  ScanEntry entry_;
};

}  // namespace engine

Scan::Scan(std::unique_ptr<engine::ScanImpl> impl) noexcept : impl_(std::move(impl)) {}

Scan::Scan(Scan&&) noexcept = default;
Scan& Scan::operator=(Scan&&) noexcept = default;
Scan::~Scan() = default;

Result<bool> Scan::next() {
  return impl_->next();
}

const ScanEntry& Scan::entry() const noexcept {
  return impl_->entry();
}

Scan Tree::scan(const ScanOptions& options) const {
  return Scan(std::make_unique<engine::ScanImpl>(store_, id_, options));
}

}  // namespace artfs
