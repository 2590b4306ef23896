// SPDX-License-Identifier: Apache-2.0
// Hostile manifests: records whose checksums are right and whose bodies are the fuzzer's. What opens is a
// consistent state, and comes back the same from a manifest made of it.
#include "base/checksum.hpp"
#include "engine/manifest.hpp"
#include "format/manifest.hpp"
#include "fuzz/fuzz.hpp"

namespace artfs::fuzz {

namespace {

using engine::Manifest;
using engine::ManifestState;
using format::ManifestRecordHeader;

constexpr std::array<std::byte, 16> uuid{std::byte{7}};

// A body that decodes is the only one for its delta.
void decode(std::span<const std::byte> body) {
  const auto delta = engine::decode_delta(body);
  if (!delta) return;
  const std::vector<std::byte> again = engine::encode_delta(*delta);
  require(std::equal(again.begin(), again.end(), body.begin(), body.end()),
          "a delta is encoded otherwise than it was decoded from");
}

void append_record(std::vector<std::byte>& file, std::span<const std::byte> body,
                   std::uint16_t kind, std::uint16_t version) {
  ManifestRecordHeader header;
  const std::size_t at = file.size();
  const std::size_t padded = (body.size() + 7) / 8 * 8;
  file.resize(at + sizeof(header) + padded);
  std::copy(body.begin(), body.end(),
            file.begin() + static_cast<std::ptrdiff_t>(at + sizeof(header)));
  header.magic = format::manifest_magic;
  header.version = version;
  header.kind = kind;
  header.store_uuid = uuid;
  header.offset = at;
  header.body_bytes = body.size();
  header.body_checksum =
      base::xxh3_64(std::span<const std::byte>(file).subspan(at + sizeof(header)));
  header.header_checksum = base::xxh3_64(
      base::object_bytes(header).first(offsetof(ManifestRecordHeader, header_checksum)));
  std::memcpy(file.data() + at, &header, sizeof(header));
}

void check_state(const ManifestState& state) {
  for (const frame::FrameLocation& frame : state.locations()) {
    require(frame.id < state.next_frame_id && frame.slot, "a frame that cannot be");
  }
  for (const auto& [id, tree] : state.trees) {
    require(state.frames.contains(tree.root) && id < state.next_tree_id, "a tree without a root");
  }
  io::MemoryDirectory other;
  require(Manifest::create(other, uuid, state).has_value(), "a state cannot be written");
  const auto again = Manifest::open(other, uuid, false);
  require(again.has_value() && (*again)->state() == state, "a state does not come back");
}

}  // namespace

}  // namespace artfs::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  fuzz::Input input(data, size);
  std::vector<std::byte> file;
  while (!input.used_up() && file.size() < 64 * kib) {
    const auto form = input.number(1);
    const auto body = input.bytes(input.number(2));
    fuzz::decode(body);
    const bool is_first = file.empty() != (form % 16 == 15);
    fuzz::append_record(file, body, is_first ? 1 : 2,
                        static_cast<std::uint16_t>(2 - form / 16 % 2));
  }
  io::MemoryDirectory directory;
  fuzz::write_file(directory, "manifest", 0, file);
  const auto manifest = engine::Manifest::open(directory, fuzz::uuid, false);
  if (manifest) fuzz::check_state((*manifest)->state());
  return 0;
}
