// SPDX-License-Identifier: Apache-2.0
// repair() puts right what can be told: each kind of damage is made by hand in the trees. After it the
// volume is clean, and a second run finds nothing.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <string>

#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "format/content.hpp"
#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/volume.hpp"
#include "support/volume_on_disk.hpp"
#include "vol/repair.hpp"

namespace artfs {
namespace {

using format::Inode;
using format::VolumeCounter;
using Records = std::map<std::string, std::string>;

// root: dir (file, sub (big)), other
class Patient {
 public:
  Patient() {
    test::must_format(disk_);
    const auto volume = test::must_open_volume(disk_, test::small_volume_options());
    dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
    sub = volume->mkdir(dir, "sub", 0755, {})->ino;
    other = volume->mkdir(root_ino, "other", 0755, {})->ino;
    file = volume->mknod(dir, "file", 0100644, 0, {})->ino;
    big = volume->mknod(sub, "big", 0100644, 0, {})->ino;
    REQUIRE(test::write_at(*volume, big, 0, std::string(200000, 'x')).has_value());
    REQUIRE(volume->set_xattr(file, "user.large", std::string(5000, 'y'), {}).has_value());
    test::require_clean(*volume);
    REQUIRE(volume->close().has_value());
    open();
    healthy_ = records();
  }

  // The store alone, as a repair finds it.
  void open() {
    store_ = test::must_open(disk_, test::small_options());
    tree = *store_->open_tree(format::volume_tree_name);
    space = *store_->open_tree(format::space_tree_name);
  }

  void change(Ino ino, const std::function<void(Inode&)>& change) {
    Inode inode = this->inode(ino);
    change(inode);
    std::string record;
    format::encode(inode, record);
    put(format::inode_key(ino), record);
  }

  [[nodiscard]] Inode inode(Ino ino) const {
    return *format::decode_inode(ino, tree.get(format::inode_key(ino))->value);
  }

  void put(std::string_view key, std::string_view value) {
    REQUIRE(tree.put(key, value).has_value());
  }

  void name(Ino directory, std::string_view name, Ino ino, std::uint32_t type) {
    put(format::dirent_key(directory, name), format::encode(format::first_entry(ino, type)));
  }

  void erase(std::string_view key) { REQUIRE(tree.erase(key).has_value()); }

  void count(Tree counted, std::size_t index, std::int64_t delta) {
    Txn txn;
    txn.add(counted, index, delta);
    REQUIRE(store_->commit(txn).has_value());
  }

  // Repairs, and says whether a line with each text was among what was done.
  void repairs(std::initializer_list<std::string_view> texts) {
    const Result<RepairReport> report = vol::repair(*store_);
    REQUIRE(report.has_value());
    for (const std::string& line : report->done) UNSCOPED_INFO(line);
    CHECK(report->problems.empty());
    CHECK(report->repairs >= texts.size());
    for (const std::string_view text : texts) {
      INFO(text);
      CHECK(std::any_of(report->done.begin(), report->done.end(),
                        [&](const std::string& line) { return line.find(text) != line.npos; }));
    }
    finds_nothing();
  }

  void finds_nothing() {
    const Result<RepairReport> again = vol::repair(*store_);
    REQUIRE(again.has_value());
    for (const std::string& line : again->done) UNSCOPED_INFO("second run: " << line);
    CHECK(again->repairs == 0);
    CHECK(again->orphans == 0);
  }

  // As it was before the damage, record by record and counter by counter.
  void is_as_before() {
    CHECK(records() == healthy_);
    is_clean();
  }

  std::unique_ptr<Volume> mount() {
    auto volume = mount_damaged();
    test::require_clean(*volume);
    return volume;
  }

  std::unique_ptr<Volume> mount_damaged() {
    REQUIRE(store_->close().has_value());
    store_.reset();
    return test::must_open_volume(disk_, test::small_volume_options());
  }

  [[nodiscard]] Store* store() const noexcept { return store_.get(); }

  void is_clean() { REQUIRE(mount()->close().has_value()); }

  [[nodiscard]] Records records() const {
    Records all;
    for (const auto& [name, from] : {std::pair{"volume:", tree}, std::pair{"space:", space}}) {
      Scan scan = from.scan({});
      for (const Entry& entry : scan) all[name + std::string(entry.key)] = std::string(entry.value);
      REQUIRE(scan.status().has_value());
      for (std::size_t i = 0; i < tree_counters_max; ++i) {
        all[name + std::to_string(i)] = std::to_string(from.counter(i));
      }
    }
    return all;
  }

  Ino dir, sub, other, file, big;
  Tree tree, space;

 private:
  io::MemoryDirectory disk_;
  std::unique_ptr<Store> store_;
  Records healthy_;
};

TEST_CASE("repair: a healthy volume is left alone", "[unit][vol]") {
  Patient patient;
  patient.finds_nothing();
  patient.is_as_before();
}

TEST_CASE("repair: link counts, entry counts and parents come from the names", "[unit][vol]") {
  Patient patient;
  patient.change(patient.file, [](Inode& inode) { inode.nlink = 7; });
  patient.change(patient.dir, [](Inode& inode) {
    inode.nlink = 9;
    inode.size = 12;
  });
  patient.change(patient.sub, [&](Inode& inode) { inode.parent = patient.other; });
  patient.change(patient.big, [](Inode& inode) { inode.units += 3; });
  patient.change(patient.file, [](Inode& inode) { inode.large_xattrs = 4; });
  patient.repairs({"links: 7, now 1", "links: 9, now 3", "entries: 12, now 2",
                   "parent: ", "units of 4 KiB: ", "large attributes: 4, now 1"});
  patient.is_as_before();
}

TEST_CASE("repair: a wrong type in a name is corrected from the inode", "[unit][vol]") {
  Patient patient;
  patient.name(patient.dir, "file", patient.file, format::mode_directory);
  patient.name(root_ino, "other", patient.other, format::mode_fifo);
  patient.repairs({"entry file gives another type", "entry other gives another type"});
  patient.is_as_before();
}

TEST_CASE("repair: what listings miss comes from the names, and what they make up goes",
          "[unit][vol]") {
  Patient patient;
  patient.erase(format::number_key(patient.dir, patient.file.raw));
  patient.erase(format::number_key(root_ino, patient.other.raw));
  const std::string ghost = format::encode_by_number(
      {.dirent = format::first_entry(Ino{70}, format::mode_regular), .name = "ghost"});
  patient.put(format::number_key(patient.sub, 70), ghost);
  patient.put(format::number_key(patient.sub, patient.big.raw), "?");
  patient.put(format::number_key(patient.dir, patient.file.raw + 1), "?");
  patient.repairs({"entry file is not listed: listed", "entry other is not listed: listed",
                   "number 70 lists no entry: removed", "entry big is not listed: listed"});
  patient.is_as_before();
}

TEST_CASE("repair: of two entries with one number one gets a new one, and both are listed",
          "[unit][vol]") {
  for (const bool listed : {true, false}) {
    CAPTURE(listed);
    Patient patient;
    patient.name(patient.dir, "also file", patient.file, format::mode_regular);
    patient.change(patient.file, [](Inode& inode) { inode.nlink = 2; });
    if (!listed) patient.erase(format::number_key(patient.dir, patient.file.raw));
    patient.repairs({"given a new one"});
    const auto volume = patient.mount();
    const auto stream = *volume->open_dir(patient.dir);
    std::string names;
    while (const DirEntry* entry = *stream->next()) names += std::string(entry->name) + " ";
    CHECK(names.find(" file ") != names.npos);
    CHECK(names.find(" also file ") != names.npos);
  }
}

TEST_CASE("repair: counters and numbers given out come from the walk", "[unit][vol]") {
  Patient patient;
  patient.count(patient.tree, format::index_of(VolumeCounter::inodes), 5);
  patient.count(patient.tree, format::index_of(VolumeCounter::directories), -1);
  patient.count(patient.tree, format::index_of(VolumeCounter::orphans), 2);
  patient.count(patient.space, format::space_counter_used, -3);
  patient.repairs({"counter of inodes: 11, now 6", "counter of directories: 3, now 4",
                   "counter of orphans: 2, now 0", "counter of used units"});
  patient.is_as_before();

  Patient reset;
  const std::size_t given = format::index_of(VolumeCounter::inos_reserved);
  reset.count(reset.tree, given, -reset.tree.counter(given));
  reset.repairs({"inode numbers given out"});
  const auto volume = reset.mount();
  const Result<Attr> made = volume->mknod(root_ino, "new", 0100644, 0, {});
  REQUIRE(made.has_value());
  for (const Ino ino : {reset.dir, reset.sub, reset.other, reset.file, reset.big}) {
    CHECK(made->ino != ino);
  }
}

TEST_CASE("repair: names of nothing, of the root, and impossible ones go", "[unit][vol]") {
  Patient patient;
  patient.name(patient.dir, "ghost", Ino{99999}, format::mode_regular);
  patient.name(patient.dir, "up", root_ino, format::mode_directory);
  patient.name(patient.other, "a/b", patient.file, format::mode_regular);
  patient.name(patient.file, "below a file", patient.big, format::mode_regular);
  patient.put(format::dirent_key(patient.dir, "garbage"), "?");
  patient.put(std::string("d/\0\0", 4), "");
  patient.repairs({"entry ghost names an inode that does not exist: removed", "names the root",
                   "is no possible name", "stands in what is no directory",
                   "entry garbage is damaged", "cannot be understood"});
  patient.is_as_before();
}

TEST_CASE("repair: what lost its name is in lost+found, with all it has", "[unit][vol]") {
  Patient patient;
  patient.erase(format::dirent_key(patient.dir, "file"));
  patient.erase(format::dirent_key(patient.dir, "sub"));
  patient.repairs({"has no name: now lost+found/#"});
  const auto volume = patient.mount();
  const Result<Attr> found = volume->lookup(root_ino, "lost+found");
  REQUIRE(found.has_value());
  CHECK(found->mode == 040700);
  CHECK(found->nlink == 3);
  const auto name = [](Ino ino) { return "#" + std::to_string(ino.raw); };
  CHECK(volume->lookup(found->ino, name(patient.file))->ino == patient.file);
  CHECK(volume->get_xattr(patient.file, "user.large")->size() == 5000);
  CHECK(volume->lookup(found->ino, name(patient.sub))->ino == patient.sub);
  CHECK(volume->lookup(patient.sub, "..")->ino == found->ino);
  CHECK(test::read_all(*volume, volume->lookup(patient.sub, "big")->ino) ==
        std::string(200000, 'x'));
  REQUIRE(volume->close().has_value());

  patient.open();  // lost+found is there now: the next one joins it, beside a name of the same kind
  patient.name(found->ino, name(patient.other), patient.file, format::mode_regular);
  patient.change(patient.file, [](Inode& inode) { inode.nlink = 2; });
  patient.change(found->ino, [](Inode& inode) { ++inode.size; });
  patient.erase(format::dirent_key(root_ino, "other"));
  patient.repairs({".1"});
  patient.is_clean();
}

TEST_CASE("repair: a file called lost+found stays, the directory gets a number", "[unit][vol]") {
  Patient patient;
  patient.erase(format::dirent_key(patient.dir, "file"));
  patient.name(root_ino, "lost+found", patient.big, format::mode_regular);
  patient.repairs({"has no name"});
  const auto volume = patient.mount();
  CHECK(volume->lookup(root_ino, "lost+found")->ino == patient.big);
  CHECK(volume->getattr(patient.big)->nlink == 2);
  CHECK(volume
            ->lookup(volume->lookup(root_ino, "lost+found.1")->ino,
                     "#" + std::to_string(patient.file.raw))
            .has_value());
}

TEST_CASE("repair: a directory whose record is lost is made anew around its entries",
          "[unit][vol]") {
  Patient patient;
  patient.erase(format::inode_key(patient.dir));
  patient.repairs({"has entries but no record: made anew"});
  {
    const auto volume = patient.mount();
    CHECK(volume->lookup(root_ino, "dir")->mode == 040700);
    CHECK(volume->lookup(patient.dir, "sub")->ino == patient.sub);
    CHECK(volume->lookup(patient.dir, "file")->ino == patient.file);
  }
  Patient rootless;
  rootless.erase(format::inode_key(root_ino));
  rootless.repairs({"there is no root directory"});
  CHECK(rootless.mount()->lookup(rootless.sub, "big")->ino == rootless.big);
}

TEST_CASE("repair: a directory keeps one name, circles are opened", "[unit][vol]") {
  Patient twice;
  twice.name(root_ino, "again", twice.sub, format::mode_directory);
  twice.name(twice.other, "again", twice.sub, format::mode_directory);
  twice.repairs({"entry again is another name of directory"});
  twice.is_as_before();

  Patient circle;
  circle.erase(format::dirent_key(root_ino, "dir"));
  circle.name(circle.sub, "dir", circle.dir, format::mode_directory);
  circle.change(circle.dir, [&](Inode& inode) { inode.parent = circle.sub; });
  circle.repairs({"taken out of the circle", "has no name"});
  const auto volume = circle.mount();
  const Ino found = volume->lookup(root_ino, "lost+found")->ino;
  CHECK(volume->lookup(found, "#" + std::to_string(std::min(circle.dir, circle.sub).raw))
            .has_value());

  Patient own;
  own.erase(format::dirent_key(root_ino, "other"));
  own.name(own.other, "self", own.other, format::mode_directory);
  own.repairs({"names the directory it stands in", "has no name"});
  own.is_clean();
}

TEST_CASE("repair: orphans are reclaimed, marks in the wrong place go", "[unit][vol]") {
  Patient patient;
  patient.erase(format::dirent_key(patient.sub, "big"));
  patient.erase(format::number_key(patient.sub, patient.big.raw));
  patient.change(patient.big, [](Inode& inode) { inode.nlink = 0; });
  patient.change(patient.sub, [](Inode& inode) { inode.size = 0; });
  patient.put(format::orphan_key(patient.big), {});
  patient.count(patient.tree, format::index_of(VolumeCounter::orphans), 1);
  const Result<RepairReport> report = vol::repair(*patient.store());
  REQUIRE(report.has_value());
  for (const std::string& line : report->done) UNSCOPED_INFO(line);
  CHECK(report->repairs == 0);  // as a crash leaves it: nothing was wrong
  CHECK(report->orphans == 1);
  patient.finds_nothing();
  const auto volume = patient.mount();
  CHECK(volume->stats().content_bytes_used == 0);
  CHECK(volume->stats().inodes == 5);
  REQUIRE(volume->close().has_value());

  Patient marked;
  marked.put(format::orphan_key(marked.file), {});
  marked.put(format::orphan_key(Ino{77777}), {});
  marked.count(marked.tree, format::index_of(VolumeCounter::orphans), 2);
  marked.repairs({"marked as unlinked, but it is in use", "orphan mark of inode 77777"});
  marked.is_as_before();

  // No mark, or entries below it: one of two records is wrong. Nothing is thrown away.
  Patient unmarked;
  unmarked.erase(format::dirent_key(unmarked.sub, "big"));
  unmarked.change(unmarked.big, [](Inode& inode) { inode.nlink = 0; });
  unmarked.repairs({"has no name"});
  CHECK(test::read_all(*unmarked.mount(), unmarked.big) == std::string(200000, 'x'));
  Patient full;
  full.erase(format::dirent_key(full.dir, "sub"));
  full.change(full.sub, [](Inode& inode) { inode.nlink = 0; });
  full.put(format::orphan_key(full.sub), {});
  full.repairs({"has no name", "marked as unlinked"});
  CHECK(full.mount()->lookup(full.sub, "big")->ino == full.big);
}

TEST_CASE("repair: attributes and extents of nobody go, their space is free", "[unit][vol]") {
  Patient patient;
  patient.put(format::xattr_key(Ino{88888}, "user.x"), "v");
  patient.put(format::extent_key(patient.dir, 0),
              patient.tree.get(format::extent_key(patient.big, 0))->value);
  patient.repairs({"attribute user.x belongs to inode 88888", "which is no file"});
  patient.is_as_before();

  Patient lost;
  lost.erase(format::inode_key(lost.big));
  lost.repairs({"entry big names an inode that does not exist", "an extent belongs to inode",
                "free space", "counter of inodes"});
  CHECK(lost.mount()->stats().content_bytes_used == 0);
}

TEST_CASE("repair: free space is what no extent names", "[unit][vol]") {
  const auto write_run = [](Patient& patient, std::uint64_t first, std::uint64_t count) {
    const auto key = base::be64_chars(first);
    format::FreeRun record{};
    record.units = count;
    REQUIRE(patient.space.put({key.data(), key.size()}, base::as_chars(base::object_bytes(record)))
                .has_value());
  };
  Patient both;
  write_run(both, 0, both.space.counter(format::space_counter_total) > 0 ? 2 : 1);
  write_run(both, 1, 5);  // overlaps the first
  REQUIRE(both.space.put("garbage", "x").has_value());
  both.repairs({"free space: a record is damaged", "units were not free"});
  both.is_as_before();

  Patient neither;
  Scan scan = neither.space.scan({.keys_only = true});
  REQUIRE(scan.next().value());
  REQUIRE(neither.space.erase(scan.entry().key).has_value());
  neither.repairs({"neither used nor free"});
  neither.is_as_before();
}

TEST_CASE("repair: what nobody can tell is left, and nothing else suffers", "[unit][vol]") {
  Patient patient;
  patient.put(format::inode_key(patient.file), "nonsense");
  patient.put(format::extent_key(patient.big, 16), "nonsense");
  patient.put(format::extent_key(patient.other, 0), "nonsense");
  patient.change(patient.dir, [](Inode& inode) { ++inode.nlink; });
  patient.repairs({"links: 4, now 3", "which is no file"});
  const auto volume = patient.mount_damaged();
  const Result<CheckReport> left = volume->check();
  REQUIRE(left.has_value());
  const auto says = [&](std::string_view text) {
    return std::any_of(left->problems.begin(), left->problems.end(),
                       [&](const std::string& line) { return line.find(text) != line.npos; });
  };
  CHECK(says("inode " + std::to_string(patient.file.raw) + ": the record is damaged"));
  CHECK(says("inode " + std::to_string(patient.big.raw) + ": extents: "));
  std::string head(65536, '?');
  CHECK(volume->read(patient.big, 0, std::as_writable_bytes(std::span(head.data(), head.size())))
            .value() == head.size());
  CHECK(head == std::string(65536, 'x'));
}

TEST_CASE("repair: with an unreadable frame or without settings nothing is done", "[unit][vol]") {
  Patient patient;
  patient.put(format::volume_settings_key, "nonsense");
  const Records before = patient.records();
  const Result<RepairReport> report = vol::repair(*patient.store());
  REQUIRE(report.has_value());
  CHECK(report->problems == std::vector<std::string>{"the volume's settings are damaged"});
  CHECK(patient.records() == before);

  io::MemoryDirectory disk;
  test::must_format(disk);
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    for (int i = 0; i < 5000; ++i) {
      REQUIRE(volume->mknod(root_ino, "file " + std::to_string(i), 0100644, 0, {}).has_value());
    }
    REQUIRE(volume->close().has_value());
  }
  const auto store = test::must_open(disk, test::small_options());
  for (std::uint64_t byte = 9000; byte < 3 * mib; byte += 16384) {
    static_cast<void>(disk.flip_bit("frames.dat", byte * 8));
  }
  const Result<RepairReport> refused = vol::repair(*store);
  REQUIRE(refused.has_value());
  CHECK_FALSE(refused->problems.empty());
  CHECK(refused->done.empty());
}

}  // namespace
}  // namespace artfs
