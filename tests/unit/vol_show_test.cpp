// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/volume_on_disk.hpp"
#include "vol/show.hpp"

namespace artfs::vol {
namespace {

using test::volume_in_memory;
using test::write_at;

TEST_CASE("show: many inodes at once, in any order, repeated, far apart, absent, open",
          "[unit][vol]") {
  auto store = Store::open_in_memory(test::small_options());
  REQUIRE(store.has_value());
  REQUIRE(VolumeImpl::format_store(**store, {}).has_value());
  auto impl = VolumeImpl::open_store(*std::move(store), test::small_volume_options());
  REQUIRE(impl.has_value());
  Core& core = (*impl)->core();
  Volume volume(*std::move(impl));
  std::mt19937_64 random(11);
  std::vector<Ino> inos;
  for (int d = 0; d < 5; ++d) {
    const Ino dir = volume.mkdir(root_ino, std::to_string(d), 0755, {})->ino;
    for (int f = 0; f < 150; ++f) {
      const Ino ino = volume.create(dir, std::to_string(f), 0644, {})->ino;
      REQUIRE(write_at(volume, ino, 0, std::string(random() % 5000, 'x')).has_value());
      if (random() % 10 != 0) volume.release(ino);
      inos.push_back(ino);
    }
  }
  for (int f = 0; f < 150; f += 4) REQUIRE(volume.unlink(Ino{64}, std::to_string(f)).has_value());
  inos.push_back(Ino{~std::uint64_t{0}});
  inos.push_back(Ino{2});
  ShowReader reader(core);
  for (std::size_t count = 0; count <= 240; count += 20) {
    std::vector<ShownInode> shown(count);
    for (ShownInode& inode : shown) inode.attr.ino = inos[random() % inos.size()];
    if (count % 40 == 0) {
      std::sort(shown.begin(), shown.end(), [](const ShownInode& left, const ShownInode& right) {
        return left.attr.ino < right.attr.ino;
      });
    }
    const std::vector<ShownInode> asked = shown;
    reader.read(shown);
    for (std::size_t at = 0; at < count; ++at) {
      const Ino ino = asked[at].attr.ino;
      const Result<Attr> wanted = volume.getattr(ino);
      CHECK(shown[at].attr.ino == ino);
      REQUIRE(shown[at].error.has_value() == !wanted.has_value());
      if (!wanted) {
        CHECK(shown[at].error->code == Errc::inode_not_found);
        continue;
      }
      CHECK(shown[at].attr.size == wanted->size);
      CHECK(shown[at].attr.mtime == wanted->mtime);
      CHECK(shown[at].attr.nlink == wanted->nlink);
    }
  }
}

TEST_CASE("attributes come with the entries, newer than the last time they were forgotten",
          "[unit][vol]") {
  for (std::size_t batch = 1; batch < 60; batch += 4) {
    CAPTURE(batch);
    const auto opened = volume_in_memory();
    Volume& volume = *opened;
    std::map<std::string, std::uint64_t> sizes;
    for (int i = 0; i < 100; ++i) {
      const std::string name = "file" + std::to_string(i);
      REQUIRE(volume.mknod(root_ino, name, 0100644, 0, {}).has_value());
      sizes[name] = 0;
    }
    std::mt19937_64 rng(batch);
    const auto write_some = [&] {
      for (auto& [name, size] : sizes) {
        if (rng() % 3 != 0) continue;
        const Ino ino = volume.lookup(root_ino, name)->ino;
        REQUIRE(write_at(volume, ino, size, "more").has_value());
        size += 4;
        if (rng() % 2 == 0) REQUIRE(volume.flush(ino).has_value());
      }
    };
    const auto open = volume.open_dir(root_ino);
    REQUIRE(open.has_value());
    DirStream& stream = **open;
    std::size_t seen = 0;
    std::int64_t offset = 0;
    for (bool more = true; more;) {
      write_some();
      REQUIRE(stream.seek(offset).has_value());
      stream.forget_attributes();
      for (std::size_t i = 0; i < batch; ++i) {
        const auto entry = stream.next_with_attributes();
        REQUIRE(entry.has_value());
        more = *entry != nullptr;
        if (!more) break;
        const std::string name((*entry)->name);
        if (name.starts_with('.')) {
          CHECK(stream.attributes() == nullptr);
        } else {
          REQUIRE(stream.attributes() != nullptr);
          CHECK(stream.attributes()->size == sizes[name]);
          CHECK(stream.attributes()->ino == (*entry)->ino);
        }
        if (i + 1 == batch && rng() % 2 == 0 && batch > 1) {
          stream.unread();
          break;
        }
        offset = (*entry)->offset;
        ++seen;
      }
    }
    CHECK(seen == sizes.size() + 2);
  }
}

}  // namespace
}  // namespace artfs::vol
