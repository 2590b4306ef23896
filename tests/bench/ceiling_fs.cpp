// SPDX-License-Identifier: Apache-2.0
// ceiling_fs: the least that a FUSE filesystem can do, to measure what the transport itself costs.
//
// usage: ceiling_fs MOUNTPOINT [dev|uring]      (in the foreground, until it is unmounted; through /dev/fuse unless told)
// Names and bytes in memory, nothing persistent, one mutex for names and one per file; the kernel options
// and threads of artfs, but for READDIRPLUS and HANDLE_KILLPRIV_V2 (getxattr answers ENOSYS instead). Files, directories, what meta_bench and fio need, and nothing else.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fuse/caps.hpp"
#include "fuse/kernel_shim.hpp"
#include "fuse/lowlevel.hpp"
#include "fuse/transport.hpp"
#include "fuse/uring_transport.hpp"

namespace artfs::bench {
namespace {

// Of one file or directory. Fields of the file's bytes under `bytes_mutex`, all others under names_mutex.
struct Node {
  fuse_ino_t ino = 0;
  mode_t mode = 0;
  fuse_ino_t parent = 0;
  bool is_unlinked = false;
  std::unordered_map<std::string, std::shared_ptr<Node>> children;

  std::shared_mutex bytes_mutex;
  std::vector<char> bytes;
};

using NodePtr = std::shared_ptr<Node>;
using Listing = std::vector<std::pair<std::string, fuse_ino_t>>;
constexpr double forever_s = 86400;

std::mutex names_mutex;
std::unordered_map<fuse_ino_t, NodePtr> nodes;
fuse_ino_t next_ino = FUSE_ROOT_ID + 1;

NodePtr find(fuse_ino_t ino) {
  const std::lock_guard lock(names_mutex);
  const auto found = nodes.find(ino);
  return found == nodes.end() ? nullptr : found->second;
}

struct stat attr_of(Node& node) {
  struct stat out {};

  out.st_ino = node.ino;
  out.st_mode = node.mode;
  out.st_nlink = S_ISDIR(node.mode) ? 2 : 1;
  const std::shared_lock lock(node.bytes_mutex);
  out.st_size = static_cast<off_t>(node.bytes.size());
  out.st_blocks = (out.st_size + 511) / 512;
  return out;
}

fuse_entry_param entry_of(Node& node) {
  fuse_entry_param entry{};
  entry.ino = node.ino;
  entry.attr = attr_of(node);
  entry.attr_timeout = forever_s;
  entry.entry_timeout = forever_s;
  return entry;
}

void op_init(void* /*userdata*/, fuse_conn_info* connection) {
  fuse::negotiate(*connection, false);
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
}

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  NodePtr found;
  {
    const std::lock_guard lock(names_mutex);
    const auto directory = nodes.find(parent);
    if (directory != nodes.end()) {
      const auto child = directory->second->children.find(name);
      if (child != directory->second->children.end()) found = child->second;
    }
  }
  fuse_entry_param entry{};
  entry.entry_timeout = forever_s;  // with number 0: the name is known to be absent
  if (found != nullptr) entry = entry_of(*found);
  fuse_reply_entry(request, &entry);
}

// Null: the directory is gone or the name is taken.
NodePtr add(fuse_ino_t parent, const char* name, mode_t mode) {
  const std::lock_guard lock(names_mutex);
  const auto directory = nodes.find(parent);
  if (directory == nodes.end()) return nullptr;
  auto node = std::make_shared<Node>();
  node->mode = mode;
  node->parent = parent;
  if (!directory->second->children.emplace(name, node).second) return nullptr;
  node->ino = next_ino++;
  nodes.emplace(node->ino, node);
  return node;
}

void op_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  const NodePtr node = add(parent, name, S_IFDIR | mode);
  if (node == nullptr) {
    fuse_reply_err(request, EEXIST);
    return;
  }
  const fuse_entry_param entry = entry_of(*node);
  fuse_reply_entry(request, &entry);
}

void fill_open_file(fuse_file_info& file) {
  file.keep_cache = 1;
  file.noflush = 1;
}

void op_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* file) {
  const NodePtr node = add(parent, name, S_IFREG | mode);
  if (node == nullptr) {
    fuse_reply_err(request, EEXIST);
    return;
  }
  const fuse_entry_param entry = entry_of(*node);
  fill_open_file(*file);
  fuse_reply_create(request, &entry, file);
}

void op_remove(fuse_req_t request, fuse_ino_t parent, const char* name) {
  int error = ENOENT;
  {
    const std::lock_guard lock(names_mutex);
    const auto directory = nodes.find(parent);
    if (directory != nodes.end()) {
      const auto child = directory->second->children.find(name);
      if (child != directory->second->children.end()) {
        error = child->second->children.empty() ? 0 : ENOTEMPTY;
        if (error == 0) {
          child->second->is_unlinked = true;
          directory->second->children.erase(child);
        }
      }
    }
  }
  fuse_reply_err(request, error);
}

void forget(fuse_ino_t ino) {
  const std::lock_guard lock(names_mutex);
  const auto found = nodes.find(ino);
  if (found != nodes.end() && found->second->is_unlinked) nodes.erase(found);
}

void op_forget(fuse_req_t request, fuse_ino_t ino, std::uint64_t /*lookups*/) {
  forget(ino);
  fuse_reply_none(request);
}

void op_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  for (std::size_t i = 0; i < count; ++i) forget(forgets[i].ino);
  fuse_reply_none(request);
}

void op_getattr(fuse_req_t request, fuse_ino_t ino, fuse_file_info* /*file*/) {
  const NodePtr node = find(ino);
  if (node == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  const struct stat attr = attr_of(*node);
  fuse_reply_attr(request, &attr, forever_s);
}

void op_setattr(fuse_req_t request, fuse_ino_t ino, struct stat* wanted, int valid,
                fuse_file_info* file) {
  const NodePtr node = find(ino);
  if (node != nullptr && (valid & FUSE_SET_ATTR_SIZE) != 0) {
    const std::unique_lock lock(node->bytes_mutex);
    node->bytes.resize(static_cast<std::size_t>(wanted->st_size));
  }
  op_getattr(request, ino, file);
}

void op_open(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) {
  const NodePtr node = find(ino);
  if (node != nullptr && (file->flags & O_TRUNC) != 0) {
    const std::unique_lock lock(node->bytes_mutex);
    node->bytes.clear();
  }
  fill_open_file(*file);
  fuse_reply_open(request, file);
}

void op_read(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t offset,
             fuse_file_info* /*file*/) {
  const NodePtr node = find(ino);
  if (node == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  const std::shared_lock lock(node->bytes_mutex);
  const std::size_t from = std::min(static_cast<std::size_t>(offset), node->bytes.size());
  fuse_reply_buf(request, node->bytes.data() + from, std::min(size, node->bytes.size() - from));
}

void op_write(fuse_req_t request, fuse_ino_t ino, const char* data, std::size_t size, off_t offset,
              fuse_file_info* /*file*/) {
  const NodePtr node = find(ino);
  if (node == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  {
    const std::unique_lock lock(node->bytes_mutex);
    const std::size_t end = static_cast<std::size_t>(offset) + size;
    if (node->bytes.size() < end) node->bytes.resize(end);
    std::memcpy(node->bytes.data() + offset, data, size);
  }
  fuse_reply_write(request, size);
}

void op_done(fuse_req_t request, fuse_ino_t /*ino*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, 0);
}

void op_fsync(fuse_req_t request, fuse_ino_t /*ino*/, int /*data_only*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, 0);
}

// The names as they were at opendir: nothing that is measured lists a directory that changes.
void op_opendir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) {
  auto names = std::make_unique<Listing>();
  {
    const std::lock_guard lock(names_mutex);
    const auto directory = nodes.find(ino);
    if (directory != nodes.end()) {
      for (const auto& [name, child] : directory->second->children)
        names->emplace_back(name, child->ino);
    }
  }
  file->fh = reinterpret_cast<std::uintptr_t>(names.release());
  fuse_reply_open(request, file);
}

void op_releasedir(fuse_req_t request, fuse_ino_t /*ino*/, fuse_file_info* file) {
  const std::unique_ptr<Listing> names(reinterpret_cast<Listing*>(file->fh));
  fuse_reply_err(request, 0);
}

void op_readdir(fuse_req_t request, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
                fuse_file_info* file) {
  const auto& names = *reinterpret_cast<Listing*>(file->fh);
  std::vector<char> out(size);
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(offset); i < names.size(); ++i) {
    struct stat attr {};

    attr.st_ino = names[i].second;
    const std::size_t need =
        fuse_add_direntry(request, out.data() + used, size - used, names[i].first.c_str(), &attr,
                          static_cast<off_t>(i + 1));
    if (need > size - used) break;
    used += need;
  }
  fuse_reply_buf(request, out.data(), used);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.mkdir = op_mkdir;
  ops.unlink = op_remove;
  ops.rmdir = op_remove;
  ops.create = op_create;
  ops.open = op_open;
  ops.read = op_read;
  ops.write = op_write;
  ops.release = op_done;
  ops.fsync = op_fsync;
  ops.opendir = op_opendir;
  ops.readdir = op_readdir;
  ops.releasedir = op_releasedir;
  return ops;
}

int serve_dev(fuse_session* session) {
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(config, 16);
  fuse_loop_cfg_set_idle_threads(config, 16);
  const int result = fuse_session_loop_mt(session, config);
  fuse_loop_cfg_destroy(config);
  return result;
}

// INIT comes over /dev/fuse; the ring takes over from there.
int serve_ring(fuse_session* session, fuse::UringTransport& ring) {
  fuse_buf buffer{};
  while (fuse::init_state() == fuse::InitState::awaited) {
    if (fuse_session_receive_buf(session, &buffer) <= 0) return -1;
    fuse_session_process_buf(session, &buffer);
  }
  std::free(buffer.mem);
  if (fuse::init_state() != fuse::InitState::answered_with_ring || ring.start() != 0) return -1;
  return -ring.serve();
}

int serve(const char* mount_point, bool with_ring) {
  auto root = std::make_shared<Node>();
  root->ino = FUSE_ROOT_ID;
  root->mode = S_IFDIR | 0755;
  nodes.emplace(root->ino, root);

  std::string program = "ceiling_fs";
  std::string flag = "-o";
  std::string list = "default_permissions,subtype=ceiling,fsname=ceiling";
  std::array<char*, 4> words = {program.data(), flag.data(), list.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, words.data());
  const fuse_lowlevel_ops ops = operations();
  // A volume only because the transport's own answers (STATX) want one.
  const auto volume = Volume::open_in_memory({}, {});
  if (!volume) return 1;
  fuse::Serving serving{.volume = **volume, .mount_point = mount_point};
  fuse_session* session = fuse_session_new(&arguments, &ops, sizeof ops, &serving);
  fuse_opt_free_args(&arguments);
  if (session == nullptr) return 1;
  std::unique_ptr<fuse::UringTransport> ring;
  if (with_ring) {
    static_cast<void>(fuse::look_at_transport());  // switches the kernel's parameter on
    auto made = fuse::UringTransport::make(serving, session, 0);
    if (!made) return 1;
    ring = *std::move(made);
  }
  if (fuse_session_mount(session, mount_point) != 0) return 1;
  fuse_set_signal_handlers(session);
  if (ring != nullptr && !fuse::install_kernel_shim(session, true)) return 1;
  const int result = ring != nullptr ? serve_ring(session, *ring) : serve_dev(session);
  ring.reset();
  fuse_session_unmount(session);
  fuse_remove_signal_handlers(session);
  fuse_session_destroy(session);
  return result < 0 ? 1 : 0;
}

}  // namespace
}  // namespace artfs::bench

int main(int argc, char** argv) {
  const std::string_view transport = argc == 3 ? argv[2] : "dev";
  if (argc < 2 || argc > 3 || (transport != "dev" && transport != "uring")) {
    fmt::print(stderr, "usage: ceiling_fs MOUNTPOINT [dev|uring]\n");
    return 2;
  }
  return artfs::bench::serve(argv[1], transport == "uring");
}
