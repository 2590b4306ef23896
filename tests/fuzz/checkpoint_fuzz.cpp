// SPDX-License-Identifier: Apache-2.0
// Hostile checkpoint logs: a commit page whose checksum is right over counts and contents of the fuzzer's.
// What is found has as many images as its pages say.
#include "base/checksum.hpp"
#include "engine/checkpoint/log.hpp"
#include "format/checkpoint.hpp"
#include "fuzz/fuzz.hpp"

namespace artfs::fuzz {

namespace {

using format::CheckpointCommit;

constexpr std::array<std::byte, 16> uuid{std::byte{7}};
constexpr std::uint64_t generation = 5;

void find(io::Directory& directory, bool read_only) {
  const auto found = engine::checkpoint::LogReader::find(directory, uuid, generation, read_only);
  if (!found || *found == nullptr) return;
  require((*found)->delta().generation == generation, "another generation was found");
  std::uint64_t sum = 0;
  const auto visit = [&](const engine::checkpoint::FramePages& frame) -> Result<void> {
    require(frame.images.size() == frame.pages.count() * io::page_bytes, "images do not fit pages");
    for (const std::byte byte : frame.images) sum += std::to_integer<std::uint64_t>(byte);
    return {};
  };
  const auto visited = (*found)->for_each(visit);
  require(visited || visited.error().code == Errc::checkpoint_corrupt, "another error");
  if (sum == ~std::uint64_t{0}) std::puts("read");  // so that the reads stay
}

}  // namespace

}  // namespace artfs::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  constexpr std::size_t page = format::checkpoint_page_bytes;
  fuzz::Input input(data, size);
  const auto form = input.number(1);
  const std::uint64_t pages = input.number(1) % 8;
  const std::uint64_t frames = input.number(1) % 8;
  format::CheckpointCommit commit;
  commit.magic = format::checkpoint_magic;
  commit.version = form % 2 == 0 ? format::checkpoint_version : format::checkpoint_version_min;
  commit.store_uuid = fuzz::uuid;
  commit.generation = fuzz::generation;
  commit.cut = input.number(2);
  const auto tail = input.rest();
  // The counts say the truth about the bytes there are, or anything.
  const std::uint64_t entries = frames * sizeof(format::CheckpointFrame);
  commit.pages = form % 4 < 2 ? pages : pages << (form % 61);
  commit.frames = form % 8 < 6 ? frames : frames << (form % 61);
  commit.delta_bytes = tail.size() > entries ? tail.size() - entries : form << (form % 57);
  std::vector<std::byte> file(page * (1 + pages));
  for (std::size_t at = page; at < file.size(); ++at) file[at] = std::byte(at * 31 / page);
  file.insert(file.end(), tail.begin(), tail.end());
  commit.content_checksum = base::xxh3_64(std::span<const std::byte>(file).subspan(page));
  file.resize((file.size() + page - 1) / page * page);
  commit.checksum =
      base::xxh3_64(base::object_bytes(commit).first(offsetof(format::CheckpointCommit, checksum)));
  std::memcpy(file.data(), &commit, sizeof(commit));
  io::MemoryDirectory directory;
  fuzz::write_file(directory, "checkpoint.log", 0, file);
  fuzz::find(directory, false);
  fuzz::find(directory, true);
  return 0;
}
