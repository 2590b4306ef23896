// SPDX-License-Identifier: Apache-2.0
#include "bench/operations.hpp"

#include <array>
#include <cstddef>

namespace artfs::bench {
namespace {

constexpr std::size_t list_entries = 100;
constexpr std::size_t first_directories = 8;

std::uint64_t any_index(Worker& worker) {
  return worker.random.below(worker.workload.keys());
}

// Of the keys only this thread changes.
std::uint64_t own_index(Worker& worker) {
  const std::uint64_t own_keys = worker.workload.keys() / worker.threads;
  return worker.random.below(own_keys) * worker.threads + worker.thread;
}

void get(Worker& worker, std::uint64_t index) {
  worker.workload.key(index, worker.key);
  require(worker.session.get(worker.key, worker.value), "get of a key that was put", worker.key);
  keep(worker.value);
}

void get_hit(Worker& worker) {
  get(worker, any_index(worker));
}

// Differs from a key in its last byte only.
void get_miss(Worker& worker) {
  worker.workload.key(any_index(worker), worker.key);
  worker.key.push_back('x');
  require(!worker.session.get(worker.key, worker.value), "get of an absent key", worker.key);
}

void put(Worker& worker) {
  const std::uint64_t index = own_index(worker);
  worker.workload.key(index, worker.key);
  worker.workload.value(index, worker.round, worker.value);
  worker.session.put(worker.key, worker.value);
}

void create_delete(Worker& worker) {
  const std::uint64_t index = own_index(worker);
  worker.workload.key(index, worker.key);
  worker.key.append(".created");
  worker.workload.value(index, worker.round, worker.value);
  worker.session.create(worker.key, worker.value);
  worker.session.erase(worker.key);
}

// There and back: two operations.
void rename(Worker& worker) {
  worker.workload.key(own_index(worker), worker.key);
  worker.other.assign(worker.key).append(".renamed");
  worker.session.rename(worker.key, worker.other);
  worker.session.rename(worker.other, worker.key);
}

void list_100(Worker& worker) {
  const std::uint64_t index = any_index(worker);
  worker.workload.key(index, worker.key);
  worker.workload.directory(index, worker.other);
  keep(worker.session.list(worker.other, worker.key, list_entries));
}

void list_dir(Worker& worker, std::size_t limit) {
  require(worker.session.list_dir(worker.rollups, limit) > 0, "list_dir", "found nothing");
}

void list_dir_8(Worker& worker) {
  list_dir(worker, first_directories);
}

void list_dir_all(Worker& worker) {
  list_dir(worker, 0);
}

void list_dir_naive(Worker& worker) {
  require(worker.session.list_dir_naive(worker.rollups) > 0, "list_dir_naive", "found nothing");
}

void mixed(Worker& worker) {
  if (worker.round % 2 == 0) {
    get(worker, own_index(worker));
  } else {
    put(worker);
  }
}

void metadata_mix(Worker& worker) {
  const std::uint64_t choice = worker.random.below(100);
  if (choice < 45) {
    get(worker, own_index(worker));
  } else if (choice < 65) {
    put(worker);
  } else if (choice < 75) {
    list_100(worker);
  } else if (choice < 85) {
    list_dir_8(worker);
  } else if (choice < 95) {
    create_delete(worker);
  } else {
    rename(worker);
  }
}

// Reads first: what they find is what was loaded, without the litter of the changes.
constexpr std::array all_operations = {
    Operation{"get_hit", get_hit, 1'000'000, false, true},
    Operation{"get_miss", get_miss, 1'000'000, false, true},
    Operation{"list_100", list_100, 20'000, false, false},
    Operation{"list_dir_8", list_dir_8, 100'000, false, false},
    Operation{"list_dir_all", list_dir_all, 50'000, false, false},
    Operation{"list_dir_naive", list_dir_naive, 4, false, false},
    Operation{"put", put, 500'000, true, true},
    Operation{"mixed", mixed, 500'000, true, true},
    Operation{"create_delete", create_delete, 200'000, true, false},
    Operation{"rename", rename, 100'000, true, false, 2},
    Operation{"metadata_mix", metadata_mix, 100'000, true, true},
};

}  // namespace

std::span<const Operation> operations() {
  return all_operations;
}

}  // namespace artfs::bench
