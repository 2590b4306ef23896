// SPDX-License-Identifier: Apache-2.0
// damage_records: writes wrong records into a volume that is not mounted, for the tests of fsck.
//
// usage: damage_records STORE PATH KIND
//   links     the inode at PATH counts one link too many
//   nameless  its name goes, the inode stays
//   lost      its inode goes, the name stays
//   type      its name says that it is a fifo
//   record    its inode becomes nonsense
//   counter   one inode too many is counted (PATH: empty)
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "artfs/store.hpp"
#include "artfs/volume.hpp"

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/volume.hpp"

namespace {

using namespace artfs;

struct Found {
  Ino dir;
  std::string name;
  Ino ino;
};

Result<Found> find(Tree tree, std::string_view path) {
  Found found{.dir = root_ino, .name = "", .ino = root_ino};
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    found = {.dir = found.ino, .name = std::string(path.substr(0, end)), .ino = {}};
    const Record record = ARTFS_TRY(tree.get(format::dirent_key(found.dir, found.name)));
    found.ino = ARTFS_TRY(format::decode_dirent(found.dir, record.value)).ino;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return found;
}

Result<void> damage(Store& store, std::string_view path, std::string_view kind) {
  const Tree tree = ARTFS_TRY(store.open_tree(format::volume_tree_name));
  const Found found = ARTFS_TRY(find(tree, path));
  const format::Key inode_key = format::inode_key(found.ino);
  const format::Key name_key = format::dirent_key(found.dir, found.name);
  Txn txn;
  if (kind == "links") {
    const Record record = ARTFS_TRY(tree.get(inode_key));
    format::Inode inode = ARTFS_TRY(format::decode_inode(found.ino, record.value));
    ++inode.nlink;
    std::string value;
    format::encode(inode, value);
    txn.put(tree, inode_key, value);
  } else if (kind == "nameless") {
    txn.erase(tree, name_key);
  } else if (kind == "lost") {
    txn.erase(tree, inode_key);
  } else if (kind == "type") {
    const Record record = ARTFS_TRY(tree.get(name_key));
    format::Dirent entry = ARTFS_TRY(format::decode_dirent(found.dir, record.value));
    entry.type = format::mode_fifo;
    txn.put(tree, name_key, format::encode(entry));
  } else if (kind == "record") {
    txn.put(tree, inode_key, "nonsense");
  } else if (kind == "counter") {
    txn.add(tree, format::index_of(format::VolumeCounter::inodes), 1);
  } else {
    return fail(Errc::invalid_argument);
  }
  ARTFS_TRY(store.commit(txn));
  return store.close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: damage_records STORE PATH KIND\n");
    return 2;
  }
  const auto store = Store::open(argv[1], {});
  const Result<void> done = store ? damage(**store, argv[2], argv[3]) : fail(store.error());
  if (done) return 0;
  fmt::print(stderr, "damage_records: {}\n", to_text(done.error()));
  return 1;
}
