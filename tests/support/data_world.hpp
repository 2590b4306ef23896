// SPDX-License-Identifier: Apache-2.0
// DataWorld: a store on the memory directory with file contents, and files with their expected bytes.
//
// Contract:   plays the volume's part: one DataFile is one inode, its record is kept in the volume tree
//             so that it survives reopening. check_world() compares everything with everything.
// Threading:  DataWorld as FileBytes; a DataFile: one thread at a time.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "artfs/store.hpp"

#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "data/file_bytes.hpp"
#include "engine/store_impl.hpp"
#include "format/key.hpp"
#include "io/memory_directory.hpp"

namespace artfs::test {

struct DataFile {
  Ino ino;
  data::Contents contents{};
  data::Buffer buffer{};
  std::string bytes{};  // what must be read
};

inline std::string encode_contents(const data::Contents& contents) {
  std::string out;
  base::append_be64(out, contents.size);
  base::append_be64(out, contents.units);
  out.push_back(contents.is_inline ? 'i' : 'b');
  return out + contents.inline_bytes;
}

inline data::Contents decode_contents(std::string_view value) {
  return {.size = base::load_be64(value.data()),
          .units = base::load_be64(value.data() + 8),
          .is_inline = value[16] == 'i',
          .inline_bytes = std::string(value.substr(17))};
}

struct DataWorld {
  data::Layout layout{.block_bytes = 16384, .inline_bytes_max = 2048};
  data::DataOptions options{.growth_step_bytes = mib, .headroom_bytes_max = 0};
  io::MemoryDirectory* disk = nullptr;  // owned by the store
  std::unique_ptr<Store> store;
  Tree volume;
  Tree space;
  Tree blocks;
  std::unique_ptr<data::FileBytes> bytes;
  // When set: adds to each transaction before it is committed, and sees the result.
  std::function<void(Txn&)> before_commit;
  std::function<void(const DataFile&, Version)> after_commit;

  DataWorld() : DataWorld(data::Layout{.block_bytes = 16384, .inline_bytes_max = 2048}) {}

  explicit DataWorld(const data::Layout& with) : layout(with) {
    auto directory = std::make_unique<io::MemoryDirectory>();
    REQUIRE(engine::StoreImpl::create(*directory, {}));
    open(std::move(directory));
  }

  // What is left of a store, as after a crash.
  DataWorld(const data::Layout& with, std::unique_ptr<io::MemoryDirectory> directory)
      : layout(with) {
    open(std::move(directory));
  }

  void open(std::unique_ptr<io::MemoryDirectory> directory) {
    disk = directory.get();
    auto impl = engine::StoreImpl::open(std::move(directory), {.path = "test", .options = {}});
    REQUIRE(impl);
    store = std::make_unique<Store>(*std::move(impl));
    volume = open_tree("volume");
    space = open_tree("space");
    blocks = open_tree("blocks");
    open_bytes();
  }

  Tree open_tree(std::string_view name) {
    auto tree = store->open_tree(name);
    if (!tree) tree = store->create_tree(name);
    REQUIRE(tree);
    return *tree;
  }

  void open_bytes() {
    auto opened = data::FileBytes::open({store.get(), volume, space, blocks}, layout, options);
    REQUIRE(opened);
    bytes = *std::move(opened);
  }

  // As after a restart: only what is in the trees and on the disk counts.
  void reopen_bytes(const std::vector<DataFile*>& files) {
    for (DataFile* file : files) file->buffer.discard();
    bytes.reset();
    open_bytes();
    for (DataFile* file : files) load(*file);
  }

  // The device takes this much more than the store has now.
  void leave_room(std::uint64_t bytes_left) {
    constexpr std::uint64_t plenty = std::uint64_t{1} << 40;
    disk->set_capacity(plenty);
    const auto free = disk->free_bytes();
    REQUIRE(free);
    disk->set_capacity(plenty - *free + bytes_left);
  }

  void load(DataFile& file) {
    const auto record = volume.get(format::inode_key(file.ino));
    file.contents = record ? decode_contents(record->value) : data::Contents{};
  }

  Result<void> write(DataFile& file, std::uint64_t offset, std::string_view data) {
    ARTFS_TRY(bytes->write(file.ino, file.contents, file.buffer, offset, base::as_bytes(data)));
    if (file.bytes.size() < offset + data.size()) file.bytes.resize(offset + data.size());
    file.bytes.replace(offset, data.size(), data);
    return {};
  }

  Result<void> truncate(DataFile& file, std::uint64_t size) {
    ARTFS_TRY(bytes->truncate(file.ino, file.contents, file.buffer, size));
    file.bytes.resize(size);
    return {};
  }

  Result<void> fallocate(DataFile& file, const data::FileBytes::Range& range) {
    ARTFS_TRY(bytes->fallocate(file.ino, file.contents, file.buffer, range));
    const std::uint64_t end = range.offset + range.length;
    if (!range.keep_size && end > file.bytes.size()) file.bytes.resize(end);
    return {};
  }

  Result<void> clear(DataFile& file, const data::FileBytes::Range& range,
                     data::FileBytes::Clear how) {
    ARTFS_TRY(bytes->clear(file.ino, file.contents, file.buffer, range, how));
    const std::uint64_t end = range.offset + range.length;
    const bool grows = how == data::FileBytes::Clear::zero && !range.keep_size;
    if (grows && end > file.bytes.size()) file.bytes.resize(end);
    const std::uint64_t from = std::min<std::uint64_t>(range.offset, file.bytes.size());
    const std::uint64_t to = std::min<std::uint64_t>(end, file.bytes.size());
    std::fill(file.bytes.begin() + static_cast<std::ptrdiff_t>(from),
              file.bytes.begin() + static_cast<std::ptrdiff_t>(to), '\0');
    return {};
  }

  // Every hole reads as zeros, data and holes alternate, and the last one ends at the end.
  void check_map(const DataFile& file) {
    const auto seek = [&](std::uint64_t offset, bool hole) {
      return bytes->seek(file.ino, file.contents, &file.buffer, {.offset = offset, .hole = hole});
    };
    std::uint64_t at = 0;
    while (at < file.bytes.size()) {
      const auto data = seek(at, false);
      if (!data) REQUIRE(data.error().code == Errc::no_more_data);
      const std::uint64_t hole_end = data ? *data : file.bytes.size();
      REQUIRE(hole_end >= at);
      REQUIRE(file.bytes.find_first_not_of('\0', at) >= hole_end);
      if (hole_end > at) REQUIRE(seek(at, true) == Result<std::uint64_t>(at));
      if (!data) break;
      const auto hole = seek(*data, true);
      REQUIRE(hole);
      REQUIRE(*hole > *data);
      at = *hole;
    }
    REQUIRE(seek(file.bytes.size(), false).error().code == Errc::no_more_data);
    REQUIRE(seek(file.bytes.size(), true).error().code == Errc::no_more_data);
  }

  std::string read(const DataFile& file, std::uint64_t offset, std::size_t count) {
    std::string out(count, '?');
    const auto got = bytes->read(file.ino, file.contents, &file.buffer, offset,
                                 std::as_writable_bytes(std::span(out.data(), out.size())));
    REQUIRE(got);
    out.resize(*got);
    return out;
  }

  Result<void> commit(DataFile& file, data::Change& change, const data::Contents& contents) {
    if (before_commit) before_commit(change.txn);
    const auto version = bytes->commit(change);
    if (!version) return fail(version.error());
    file.contents = contents;
    if (after_commit) after_commit(file, *version);
    return {};
  }

  Result<void> finish(DataFile& file, data::Flush&& flush) {
    data::Contents contents = file.contents;
    data::Change change;
    auto result = bytes->finish_flush(flush, contents, change);
    if (result) {
      change.txn.put(volume, format::inode_key(file.ino), encode_contents(contents));
      result = commit(file, change, contents);
    }
    if (!result) {
      bytes->aborted(std::move(flush));
      return result;
    }
    bytes->committed(std::move(flush));
    return {};
  }

  // As many of the blocks as one transaction takes; nothing of either file may be pending.
  Result<std::uint64_t> clone(const DataFile& from, DataFile& to,
                              const data::FileBytes::Clone& range) {
    data::Contents contents = to.contents;
    data::Change change;
    const std::uint64_t done = ARTFS_TRY(bytes->clone(range, contents, to.buffer, change));
    if (done == 0) return done;
    change.txn.put(volume, format::inode_key(to.ino), encode_contents(contents));
    ARTFS_TRY(commit(to, change, contents));
    const std::uint64_t size = layout.block_bytes;
    std::string piece = from.bytes.substr(range.source_block * size, done * size);
    piece.resize(std::min(done * size, range.target_size - range.target_block * size));
    const std::uint64_t at = range.target_block * size;
    if (to.bytes.size() < at + piece.size()) to.bytes.resize(at + piece.size());
    to.bytes.replace(at, piece.size(), piece);
    return done;
  }

  // By number of the block: how many patches it has.
  std::map<std::uint64_t, std::uint64_t> patches(const DataFile& file) {
    std::map<std::uint64_t, std::uint64_t> counts;
    REQUIRE(bytes->for_each_block(file.ino, [&counts](const data::BlockInfo& info) {
      if (info.patches > 0) counts[info.index] = info.patches;
    }));
    return counts;
  }

  Result<void> flush_once(DataFile& file) {
    data::Flush flush = bytes->begin_flush(file.ino, file.contents, file.buffer);
    if (!flush) return {};
    Result<void> result = bytes->write_out(flush);
    if (result && flush.needs_sync()) result = bytes->sync_data();
    if (!result) {
      bytes->aborted(std::move(flush));
      return result;
    }
    return finish(file, std::move(flush));
  }

  Result<void> flush(DataFile& file) {
    while (file.buffer.dirty()) ARTFS_TRY(flush_once(file));
    return {};
  }

  Result<void> remove(DataFile& file, std::size_t blocks_max = 1024) {
    file.buffer.discard();
    for (bool more = true; more;) {
      data::Contents contents = file.contents;
      data::Change change;
      more = ARTFS_TRY(bytes->reclaim(file.ino, contents, change, blocks_max));
      if (more) {
        change.txn.put(volume, format::inode_key(file.ino), encode_contents(contents));
      } else {
        change.txn.erase(volume, format::inode_key(file.ino));
      }
      ARTFS_TRY(commit(file, change, contents));
    }
    file.bytes.clear();
    return {};
  }
};

inline std::string random_bytes(std::mt19937_64& random, std::size_t count) {
  std::string out(count, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

// Every unit belongs to one block or is free, the block index counts what the extents name, and the
// counters agree.
inline void check_space(DataWorld& world, const std::vector<DataFile*>& files) {
  std::vector<bool> seen(world.bytes->units_total(), false);
  const auto claim = [&seen](data::UnitRun run) {
    REQUIRE(run.first + run.count <= seen.size());
    for (std::uint64_t unit = run.first; unit < run.first + run.count; ++unit) {
      REQUIRE_FALSE(seen[unit]);
      seen[unit] = true;
    }
  };

  struct Named {
    data::StoredBlock block;
    std::uint64_t references = 0;
    std::uint64_t recorded = 1;
  };

  std::map<std::uint64_t, Named> named;  // by first unit
  std::uint64_t used = 0;
  std::uint64_t all = 0;
  for (const DataFile* file : files) {
    std::uint64_t units = 0;
    REQUIRE(world.bytes->for_each_block(file->ino, [&](const data::BlockInfo& info) {
      units += info.place.count + info.patch_places.size();
      for (const data::UnitRun& place : info.patch_places) {
        claim(place);
        used += place.count;
      }
      if (info.place.count == 0) return;
      const data::StoredBlock block{
          .hash = info.hash, .place = info.place, .stored_bytes = info.stored_bytes};
      Named& known = named[info.place.first];
      if (known.references++ == 0) {
        known.block = block;
        claim(info.place);
        used += info.place.count;
      }
      REQUIRE(known.block == block);
      REQUIRE((known.references == 1 || !info.unwritten));
    }));
    REQUIRE(units == file->contents.units);
    all += units;
  }
  std::uint64_t entries = 0;
  REQUIRE(
      world.bytes->for_each_entry([&](const data::StoredBlock& block, std::uint64_t references) {
        ++entries;
        REQUIRE(named.contains(block.place.first));
        REQUIRE(named[block.place.first].block == block);
        named[block.place.first].recorded = references;
      }));
  std::uint64_t shared = 0;
  for (const auto& [unit, block] : named) {
    REQUIRE(block.references == block.recorded);
    shared += block.references > 1 ? 1U : 0U;
  }
  const data::SpaceFigures figures = world.bytes->space();
  REQUIRE(figures.units_used == used);
  REQUIRE(figures.units_saved == all - used);
  REQUIRE(figures.blocks_indexed == entries);
  REQUIRE(figures.blocks_shared == shared);
  REQUIRE(world.bytes->for_each_free_run(claim));
  REQUIRE(std::find(seen.begin(), seen.end(), false) == seen.end());
}

}  // namespace artfs::test
