// SPDX-License-Identifier: Apache-2.0
// Hostile frames: the fuzzer's bytes in header and objects, with checksums that are right. Every call of the
// store ends, with an answer or frame_corrupt, and none leaves the frame.
#include "engine/manifest.hpp"
#include "format/frame.hpp"
#include "fuzz/fuzz.hpp"
#include "support/engine_store.hpp"

namespace artfs::fuzz {

namespace {

const char* const names[] = {"t", "u"};

std::vector<std::string> keys() {
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) all.push_back("dir/" + std::string(1, static_cast<char>(i)) + "x");
  for (int i = 0; i < 40; ++i) all.push_back("forty/" + std::string(1, static_cast<char>(i)));
  for (int i = 0; i < 12; ++i) all.push_back("twelve/" + std::to_string(i) + "/end");
  for (int i = 0; i < 3; ++i)
    all.push_back(std::string("own") + std::string(static_cast<std::size_t>(i), 'n'));
  return all;
}

// Two trees of one frame each, so that a crossing has somewhere to go; the manifest knows no seals.
const io::MemoryDirectory& base_store() {
  static const std::unique_ptr<io::MemoryDirectory> disk = [] {
    test::silence_log();
    io::MemoryDirectory made;
    test::must_create_small(made);
    const auto store = test::must_open(made, test::small_options());
    for (const char* name : names) {
      const Tree tree = *store->create_tree(name);
      for (const std::string& key : keys()) {
        require(tree.put(key, key.substr(0, 5)).has_value(), "put");
      }
    }
    require(store->close().has_value(), "close");
    auto after = made.clone_current();
    const auto uuid = engine::read_superblock(*after, true)->uuid;
    engine::ManifestState state = engine::Manifest::open(*after, uuid, true).value()->state();
    state.seals.clear();
    require(after->remove("manifest").has_value(), "remove");
    require(engine::Manifest::create(*after, uuid, state).has_value(), "manifest");
    return after;
  }();
  return *disk;
}

// The used pages of the first frame, sealed with the checksums of the others too: a bump that says more is
// believed.
const std::vector<std::byte>& base_frame() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> frame(format::frame_bytes);
    const auto disk = base_store().clone_current();
    const auto file = disk->open("frames.dat", {.read_only = true});
    require(file && (*file)->read_at(0, frame).has_value(), "read");
    std::vector<format::PageChecksum> checksums;
    for (std::uint32_t page = 1; page < format::pages_per_frame; ++page) {
      const std::span<const std::byte> image(frame.data() + page * format::page_bytes,
                                             format::page_bytes);
      checksums.push_back({page, format::page_checksum(image)});
    }
    format::seal_header(std::span(frame).first(format::page_bytes), checksums);
    frame.resize(format::pages_used(frame) * format::page_bytes);
    return frame;
  }();
  return bytes;
}

void patch(std::vector<std::byte>& frame, Input& input) {
  const std::size_t used = format::pages_used(std::span<const std::byte>(frame));
  // Objects mostly; what the header says of them now and then. Magic, id and uuid are left alone.
  constexpr std::size_t header_begin = 0x20;
  constexpr std::size_t header_end = 0xe4;
  while (!input.used_up()) {
    const auto where = input.number(2);
    const auto bytes = input.bytes(1 + input.number(1) % 32);
    std::size_t at = format::page_bytes + where * 2 % ((used - 1) * format::page_bytes);
    if (where % 16 == 15) at = header_begin + where / 16 % (header_end - header_begin);
    const std::size_t room = frame.size() - at;
    std::copy_n(bytes.begin(), std::min(bytes.size(), room),
                frame.begin() + static_cast<std::ptrdiff_t>(at));
  }
  std::vector<format::PageChecksum> checksums;
  for (std::uint32_t page = 1; page < frame.size() / format::page_bytes; ++page) {
    const std::span<const std::byte> bytes(frame.data() + page * format::page_bytes,
                                           format::page_bytes);
    checksums.push_back({page, format::page_checksum(bytes)});
  }
  format::seal_header(std::span(frame).first(format::page_bytes), checksums);
}

bool is_expected(Error error) {
  return error.code == Errc::frame_corrupt || error.code == Errc::key_not_found;
}

template <typename T>
void accept(const Result<T>& result) {
  if (!result && !is_expected(result.error())) {
    require(false, to_text(result.error()).c_str());
  }
}

void read(Tree tree) {
  for (const char* key : {"", "dir/ax", "forty/\x05", "twelve/7/end", "ownnn", "zzz"}) {
    accept(tree.get(key));
    accept(tree.prefix_empty(key));
    accept(tree.longest_prefix(std::string(key) + "/more"));
  }
  for (const bool has_delimiter : {false, true}) {
    ScanOptions options;
    if (has_delimiter) options.delimiter = '/';
    options.limit = 5000;
    Scan scan = tree.scan(options);
    for (;;) {
      const Result<bool> more = scan.next();
      accept(more);
      if (!more || !*more) break;
      require(scan.entry().key.size() <= key_bytes_max + 1, "a key that is too long");
    }
  }
}

void write(Tree tree) {
  for (const char* key : {"dir/axy", "forty/\x05", "twelve/7/end", "own"}) {
    accept(tree.put(key, std::string(300, 'n')));
    accept(tree.erase(key));
  }
}

}  // namespace

}  // namespace artfs::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace artfs;
  fuzz::Input input(data, size);
  const auto form = input.number(1);
  const auto disk = fuzz::base_store().clone_current();
  std::vector<std::byte> frame = fuzz::base_frame();
  fuzz::patch(frame, input);
  fuzz::write_file(*disk, "frames.dat", 0, frame);
  StoreOptions options = test::small_options();
  options.read_only = form % 4 != 0;
  const auto store = test::open_on(*disk, options);
  fuzz::require(store.has_value(), "the store does not open");
  for (const char* name : fuzz::names) {
    const Tree tree = *(*store)->open_tree(name);
    fuzz::read(tree);
    if (!options.read_only) {
      fuzz::write(tree);
      fuzz::read(tree);
    }
  }
  fuzz::accept((*store)->verify());
  return 0;
}
