// SPDX-License-Identifier: Apache-2.0
// Hostile logs: records whose checksums are right and whose payloads, sizes and kinds are the fuzzer's, with
// damage on top. The store opens or says why not; what opens is sound.
#include "engine/superblock.hpp"
#include "fuzz/fuzz.hpp"
#include "support/engine_store.hpp"
#include "wal/record.hpp"
#include "wal/record_codec.hpp"
#include "wal/segment.hpp"

namespace artfs::fuzz {

namespace {

constexpr std::uint64_t segment_bytes = 64 * kib;

// A store that was made and never opened, with one small segment.
const io::MemoryDirectory& fresh_store() {
  static const std::unique_ptr<io::MemoryDirectory> disk = [] {
    test::silence_log();
    auto made = std::make_unique<io::MemoryDirectory>();
    require(engine::StoreImpl::create(*made, {.label = "fuzz"}).has_value(), "create");
    const auto superblock = engine::read_superblock(*made, true);
    require(made->remove(wal::segment_name(Lsn{0})).has_value(), "remove");
    require(wal::Log::create(*made, superblock->uuid, Lsn{0}, segment_bytes).has_value(), "log");
    return made;
  }();
  return *disk;
}

void decode(std::span<const std::byte> payload) {
  wal::OpReader reader(base::as_chars(payload));
  std::string again;
  while (!reader.done()) {
    const Result<wal::Op> op = reader.next();
    if (!op) return;
    wal::append_op(again, *op);
  }
  require(again == base::as_chars(payload), "operations are encoded otherwise");
}

void use(io::MemoryDirectory& disk, bool read_only) {
  StoreOptions options = test::small_options();
  options.read_only = read_only;
  options.commit_interval = std::chrono::milliseconds(60000);
  const auto store = test::open_on(disk, options);
  if (!store) return;
  for (const std::string& name : (*store)->tree_names()) {
    const auto tree = (*store)->open_tree(name);
    require(tree.has_value(), "a tree that is named does not open");
    Scan scan = tree->scan({});
    for (;;) {
      const Result<bool> more = scan.next();
      require(more.has_value(), "a scan failed");
      if (!*more) break;
    }
    if (!read_only) require(tree->put("key", "value").has_value(), "a put failed");
  }
  const Result<VerifyReport> report = (*store)->verify();
  require(report && report->problems.empty(), "what was replayed is not sound");
}

}  // namespace

}  // namespace artfs::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  fuzz::Input input(data, size);
  const auto form = input.number(1);
  const auto damage = input.number(2);
  std::uint64_t at = format::log_segment_header_bytes;
  std::vector<std::byte> bytes;
  while (!input.used_up() && bytes.size() < 50 * kib) {
    const auto kind = input.number(1);
    const auto payload = input.bytes(input.number(2));
    if (payload.empty() && kind % 4 == 0) break;
    fuzz::decode(payload);
    const auto place = at + bytes.size();
    if (place + wal::record_bytes(payload.size()) > fuzz::segment_bytes) break;
    auto header = wal::prepare_header(
        static_cast<format::LogRecordKind>(kind % 4 == 3 ? kind / 4 : 2), payload);
    const Lsn durable{kind % 4 == 2 ? place : 0};
    wal::seal_header(header, {Lsn{place}, durable});
    const std::size_t from = bytes.size();
    bytes.resize(from + wal::record_bytes(payload.size()));
    std::memcpy(bytes.data() + from, &header, sizeof(header));
    std::copy(payload.begin(), payload.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(from + sizeof(header)));
  }
  if (form % 4 == 1 && !bytes.empty()) bytes[damage % bytes.size()] ^= std::byte{1};
  const auto disk = fuzz::fresh_store().clone_current();
  fuzz::write_file(*disk, wal::segment_name(Lsn{0}), at, bytes);
  fuzz::use(*disk, form / 4 % 4 != 0);
  return 0;
}
