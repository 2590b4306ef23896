// SPDX-License-Identifier: Apache-2.0
#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "engine/manifest.hpp"
#include "format/manifest.hpp"

namespace artfs::engine {
namespace {

using format::ManifestBody;
using format::ManifestFrame;
using format::ManifestSeal;
using format::ManifestTreeHead;

static_assert(manifest_counters == format::manifest_tree_counters);

template <typename Object>
void append_object(std::vector<std::byte>& out, const Object& object) {
  const auto bytes = base::object_bytes(object);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_frames(std::vector<std::byte>& out, const std::vector<frame::FrameLocation>& frames) {
  for (const frame::FrameLocation& frame : frames) {
    append_object(out, ManifestFrame{frame.id.raw, frame.slot.raw});
  }
}

void append_tree(std::vector<std::byte>& out, const ManifestTree& tree) {
  ARTFS_ASSERT(!tree.name.empty() && tree.name.size() <= format::tree_name_bytes_max);
  ManifestTreeHead head;
  head.id = tree.id.raw;
  head.name_bytes = static_cast<std::uint16_t>(tree.name.size());
  head.root = tree.root.raw;
  for (std::size_t i = 0; i < manifest_counters; ++i) {
    head.counters[i] = static_cast<std::uint64_t>(tree.counters[i]);
  }
  append_object(out, head);
  const auto name = base::as_bytes(tree.name);
  out.insert(out.end(), name.begin(), name.end());
}

// Reads forward through bytes that are not believed.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  template <typename Object>
  [[nodiscard]] Result<Object> object() {
    if (left() < sizeof(Object)) return fail(Errc::manifest_corrupt, at_);
    const auto object = base::copy_object<Object>(bytes_, at_);
    at_ += sizeof(Object);
    return object;
  }

  [[nodiscard]] Result<std::string> text(std::size_t bytes) {
    if (left() < bytes) return fail(Errc::manifest_corrupt, at_);
    std::string text(base::as_chars(bytes_.subspan(at_, bytes)));
    at_ += bytes;
    return text;
  }

  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }

  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

Result<std::vector<frame::FrameLocation>> take_frames(Cursor& cursor, std::uint64_t count) {
  // The count is checked against the bytes that are there before anything is allocated for it.
  if (count > cursor.left() / sizeof(ManifestFrame)) {
    return fail(Errc::manifest_corrupt, cursor.at());
  }
  std::vector<frame::FrameLocation> frames;
  frames.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const ManifestFrame frame = ARTFS_TRY(cursor.object<ManifestFrame>());
    if (frame.id == 0 || frame.slot == 0) return fail(Errc::manifest_corrupt, cursor.at());
    frames.push_back({FrameId{frame.id}, io::SlotId{frame.slot}, 0});
  }
  return frames;
}

Result<ManifestTree> take_tree(Cursor& cursor) {
  const std::size_t at = cursor.at();
  const ManifestTreeHead head = ARTFS_TRY(cursor.object<ManifestTreeHead>());
  if (head.id == 0 || head.root == 0 || head.reserved != 0 || head.name_bytes == 0 ||
      head.name_bytes > format::tree_name_bytes_max) {
    return fail(Errc::manifest_corrupt, at);
  }
  ManifestTree tree;
  tree.id = TreeId{head.id};
  tree.root = FrameId{head.root};
  for (std::size_t i = 0; i < manifest_counters; ++i) {
    tree.counters[i] = static_cast<std::int64_t>(head.counters[i].value());
  }
  tree.name = ARTFS_TRY(cursor.text(head.name_bytes));
  return tree;
}

}  // namespace

std::vector<std::byte> encode_delta(const ManifestDelta& delta) {
  std::vector<std::byte> out;
  out.reserve(sizeof(ManifestBody) +
              (delta.created.size() + delta.removed.size()) * sizeof(ManifestFrame) +
              delta.trees.size() * (sizeof(ManifestTreeHead) + format::tree_name_bytes_max) +
              delta.sealed.size() * sizeof(ManifestSeal));
  ManifestBody body;
  body.generation = delta.generation;
  body.cut = delta.cut.raw;
  body.next_frame_id = delta.next_frame_id.raw;
  body.next_tree_id = delta.next_tree_id.raw;
  body.trees = static_cast<std::uint32_t>(delta.trees.size());
  body.created = delta.created.size();
  body.removed = delta.removed.size();
  append_object(out, body);
  append_frames(out, delta.created);
  append_frames(out, delta.removed);
  for (const ManifestTree& tree : delta.trees) append_tree(out, tree);
  for (const FrameSeal& frame : delta.sealed) {
    append_object(out, ManifestSeal{frame.id.raw, frame.seal});
  }
  return out;
}

Result<ManifestDelta> decode_delta(std::span<const std::byte> bytes) {
  Cursor cursor(bytes);
  const ManifestBody body = ARTFS_TRY(cursor.object<ManifestBody>());
  ManifestDelta delta;
  delta.generation = body.generation;
  delta.cut = Lsn{body.cut};
  delta.next_frame_id = FrameId{body.next_frame_id};
  delta.next_tree_id = TreeId{body.next_tree_id};
  delta.created = ARTFS_TRY(take_frames(cursor, body.created));
  delta.removed = ARTFS_TRY(take_frames(cursor, body.removed));
  for (std::uint32_t i = 0; i < body.trees; ++i) {
    delta.trees.push_back(ARTFS_TRY(take_tree(cursor)));
  }
  while (cursor.left() != 0) {
    const ManifestSeal frame = ARTFS_TRY(cursor.object<ManifestSeal>());
    if (frame.id == 0 || frame.seal == 0) return fail(Errc::manifest_corrupt, cursor.at());
    delta.sealed.push_back({FrameId{frame.id}, frame.seal});
  }
  return delta;
}

}  // namespace artfs::engine
