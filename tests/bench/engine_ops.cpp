// SPDX-License-Identifier: Apache-2.0
#include "bench/engine_ops.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/workload.hpp"

namespace artfs::bench {
namespace {

constexpr std::string_view share = "/usr/local/share/";
constexpr std::size_t list_entries = 100;
constexpr std::size_t first_directories = 8;

// The result of a read is used, so that the compiler cannot leave the read out.
template <typename T>
void keep(const T& value) {
  __asm__ __volatile__("" : : "r"(&value) : "memory");
}

// One thread's stream of indices.
class Stream {
 public:
  explicit Stream(const Job& job)
      : random_(job.seed * 0x10001 + job.thread + 1),
        own_count_(job.keys / job.threads),
        job_(&job) {}

  [[nodiscard]] std::uint64_t any() noexcept { return random_.below(job_->keys); }

  // Of the keys only this thread changes.
  [[nodiscard]] std::uint64_t own() noexcept {
    return random_.below(own_count_) * job_->threads + job_->thread;
  }

  [[nodiscard]] std::uint64_t percent() noexcept { return random_.below(100); }

 private:
  Random random_;
  std::uint64_t own_count_;
  const Job* job_;
};

Result<void> list(const Tree& tree, const ScanOptions& options) {
  Scan scan = tree.scan(options);
  while (ARTFS_TRY(scan.next())) keep(scan.entry());
  return {};
}

Result<void> list_dir(const Tree& tree, std::size_t limit) {
  return list(tree, {.prefix = share, .start_after = {}, .delimiter = '/', .limit = limit});
}

Result<void> list_run(const Tree& tree, std::uint64_t index) {
  const std::string directory = directory_of(index);
  const std::string after = key_of(index);
  return list(tree,
              {.prefix = directory, .start_after = after, .delimiter = {}, .limit = list_entries});
}

Result<void> create_delete(const Job& job, std::uint64_t index, std::uint64_t round) {
  const std::string key = fmt::format("{}new-{}-{:08}", directory_of(index), job.thread, index);
  const PackedInode inode = value_of(index, round);
  ARTFS_TRY(job.tree.put_if_absent(key, chars_of(inode)));
  ARTFS_TRY(job.tree.erase(key));
  return {};
}

Result<void> rename_and_back(const Job& job, std::uint64_t index) {
  const std::string from = key_of(index);
  const std::string to = from + ".renamed";
  ARTFS_TRY(job.tree.rename(from, to, RenameMode::no_replace));
  ARTFS_TRY(job.tree.rename(to, from, RenameMode::no_replace));
  return {};
}

Result<void> put_own(const Job& job, std::uint64_t index, std::uint64_t round) {
  const PackedInode inode = value_of(index, round);
  ARTFS_TRY(job.tree.put(key_of(index), chars_of(inode)));
  return {};
}

Result<void> run_get_hit(const Job& job) {
  Stream stream(job);
  std::string value;
  for (std::uint64_t i = 0; i < job.count; ++i) {
    ARTFS_TRY(job.tree.get_into(key_of(stream.any()), value));
    keep(value);
  }
  return {};
}

Result<void> run_get_miss(const Job& job) {
  Stream stream(job);
  for (std::uint64_t i = 0; i < job.count; ++i) {
    const bool found = ARTFS_TRY(job.tree.contains(key_of(stream.any()) + "x"));
    keep(found);
  }
  return {};
}

Result<void> run_put(const Job& job) {
  Stream stream(job);
  for (std::uint64_t i = 0; i < job.count; ++i) ARTFS_TRY(put_own(job, stream.own(), i));
  return {};
}

Result<void> run_create_delete(const Job& job) {
  Stream stream(job);
  for (std::uint64_t i = 0; i < job.count; ++i) ARTFS_TRY(create_delete(job, stream.any(), i));
  return {};
}

// There and back are two operations.
Result<void> run_rename(const Job& job) {
  Stream stream(job);
  for (std::uint64_t i = 0; i < job.count; i += 2) ARTFS_TRY(rename_and_back(job, stream.own()));
  return {};
}

Result<void> run_list_100(const Job& job) {
  Stream stream(job);
  for (std::uint64_t i = 0; i < job.count; ++i) ARTFS_TRY(list_run(job.tree, stream.any()));
  return {};
}

Result<void> run_list_dir_8(const Job& job) {
  for (std::uint64_t i = 0; i < job.count; ++i) ARTFS_TRY(list_dir(job.tree, first_directories));
  return {};
}

Result<void> run_list_dir_all(const Job& job) {
  for (std::uint64_t i = 0; i < job.count; ++i) ARTFS_TRY(list_dir(job.tree, 0));
  return {};
}

Result<void> run_mixed(const Job& job) {
  Stream stream(job);
  std::string value;
  for (std::uint64_t i = 0; i < job.count; ++i) {
    if (i % 2 == 0) {
      ARTFS_TRY(job.tree.get_into(key_of(stream.own()), value));
    } else {
      ARTFS_TRY(put_own(job, stream.own(), i));
    }
  }
  return {};
}

Result<void> run_metadata_mix(const Job& job) {
  Stream stream(job);
  std::string value;
  for (std::uint64_t i = 0; i < job.count; ++i) {
    const std::uint64_t choice = stream.percent();
    if (choice < 45) {
      ARTFS_TRY(job.tree.get_into(key_of(stream.own()), value));
    } else if (choice < 65) {
      ARTFS_TRY(put_own(job, stream.own(), i));
    } else if (choice < 75) {
      ARTFS_TRY(list_run(job.tree, stream.any()));
    } else if (choice < 85) {
      ARTFS_TRY(list_dir(job.tree, first_directories));
    } else if (choice < 95) {
      ARTFS_TRY(create_delete(job, stream.any(), i));
    } else {
      ARTFS_TRY(rename_and_back(job, stream.own()));
    }
  }
  return {};
}

constexpr std::array all_operations = {
    Operation{"get_hit", run_get_hit, false, 1'000'000},
    Operation{"get_miss", run_get_miss, false, 1'000'000},
    Operation{"put", run_put, true, 500'000},
    Operation{"create_delete", run_create_delete, true, 200'000},
    Operation{"rename", run_rename, true, 200'000},
    Operation{"list_100", run_list_100, false, 20'000},
    Operation{"list_dir_8", run_list_dir_8, false, 100'000},
    Operation{"list_dir_all", run_list_dir_all, false, 50'000},
    Operation{"mixed", run_mixed, true, 500'000},
    Operation{"metadata_mix", run_metadata_mix, true, 100'000},
};

}  // namespace

std::span<const Operation> operations() {
  return all_operations;
}

Result<void> load(const Job& job) {
  std::vector<std::uint64_t> order(job.keys);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  Random random(job.seed);
  for (std::uint64_t i = job.keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  for (const std::uint64_t index : order) ARTFS_TRY(put_own(job, index, 0));
  return {};
}

}  // namespace artfs::bench
