// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstring>
#include <memory>

#include "base/unique_fd.hpp"
#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/tar_entry.hpp"
#include "tool/tree_reader.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t step_bytes = 256 * kib;
constexpr int tar_record_bytes = 10240;  // what tar(1) reads at once
constexpr std::size_t hole_step_bytes = gib;

struct ExportArguments {
  std::string place;
  std::string output;
  bool zstd = false;
  bool numeric_owner = false;
};

struct FreeArchive {
  void operator()(archive* freed) const noexcept { archive_write_free(freed); }
};

struct FreeEntry {
  void operator()(archive_entry* freed) const noexcept { archive_entry_free(freed); }
};

// Zeros that no memory stands behind: libarchive counts the bytes of a hole and does not look at them.
class Zeros {
 public:
  Zeros()
      : bytes_(::mmap(nullptr, hole_step_bytes, PROT_READ,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}

  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;

  ~Zeros() {
    if (is_good()) ::munmap(bytes_, hole_step_bytes);
  }

  [[nodiscard]] bool is_good() const noexcept { return bytes_ != MAP_FAILED; }

  [[nodiscard]] const void* data() const noexcept { return bytes_; }

 private:
  void* bytes_;
};

// libarchive takes a pair of surrogates in UTF-8 (CESU-8) for the character they mean, and writes that.
bool is_rewritten(std::string_view name) {
  for (std::size_t i = 0; i + 5 < name.size(); ++i) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(name[i + at]); };
    if (byte(0) == 0xed && byte(1) >= 0xa0 && byte(1) < 0xb0 && byte(3) == 0xed &&
        byte(4) >= 0xb0 && byte(4) < 0xc0) {
      return true;
    }
  }
  return false;
}

class Exporter {
 public:
  Exporter(const ExportArguments& arguments, Progress& progress)
      : arguments_(arguments),
        progress_(progress),
        archive_(archive_write_new()),
        entry_(archive_entry_new()) {}

  // False: told.
  bool open(int output) {
    archive* const out = archive_.get();
    if (!zeros_.is_good()) {
      progress_.fail("", "no room for addresses: see ulimit -v");
      return false;
    }
    archive_write_set_format_pax(out);
    // Of two keywords that say the same, GNU tar knows this one.
    int status = archive_write_set_format_option(out, "pax", "xattrheader", "SCHILY");
    if (arguments_.zstd) status = std::min(status, archive_write_add_filter_zstd(out));
    archive_write_set_bytes_per_block(out, static_cast<int>(step_bytes));
    archive_write_set_bytes_in_last_block(out, arguments_.zstd ? 1 : tar_record_bytes);
    status = std::min(status, archive_write_open_fd(out, output));
    return status >= ARCHIVE_WARN || fail_whole();
  }

  // False: there is no sense in going on.
  bool add(FileRecord& record, OpenFile* file) {
    const std::string path = record.path;
    if (S_ISSOCK(record.mode)) {
      progress_.remark(shown(path), "a socket: archives have none, left out");
      return true;
    }
    name_member(record);
    if (is_rewritten(record.path) || is_rewritten(record.target)) {
      progress_.fail(shown(path), "surrogates in its name: libarchive would change it, left out");
      return true;
    }
    std::vector<DataRange> ranges;
    if (file != nullptr) {
      Result<std::vector<DataRange>> found = data_ranges(*file, record);
      if (!found) {
        progress_.fail(shown(path), found.error());
        return true;
      }
      ranges = *std::move(found);
    }
    const bool has_holes = file != nullptr && record.size > 0 &&
                           (ranges.size() != 1 || ranges[0].length != record.size);
    fill_tar_entry(entry_.get(), record, has_holes ? &ranges : nullptr,
                   arguments_.numeric_owner ? nullptr : &owners_);
    const int status = archive_write_header(archive_.get(), entry_.get());
    if (status == ARCHIVE_FATAL) return fail_whole();
    // A warning: the name is not UTF-8; its bytes are written all the same.
    if (status < ARCHIVE_WARN) {
      progress_.fail(shown(path), archive_error_string(archive_.get()));
      return true;
    }
    return file == nullptr || write_ranges(shown(path), record.size, ranges, *file);
  }

  void close() {
    if (archive_write_close(archive_.get()) < ARCHIVE_WARN) fail_whole();
  }

 private:
  [[nodiscard]] std::string shown(const std::string& path) const {
    return path.empty() ? arguments_.place : arguments_.place + "/" + path;
  }

  bool fail_whole() {
    if (!has_failed_) progress_.fail(output_name(), archive_error_string(archive_.get()));
    has_failed_ = true;
    return false;
  }

  [[nodiscard]] std::string output_name() const {
    return arguments_.output.empty() ? "standard output" : arguments_.output;
  }

  // "./a", as `tar -C PLACE .` has it; a PLACE that is no directory by its own name.
  void name_member(FileRecord& record) {
    if (record.path.empty() && !S_ISDIR(record.mode)) {
      const TextOr<PlaceName> name = find_place(arguments_.place);
      record.path = name ? name->name() : arguments_.place;
      return;
    }
    record.path.insert(0, record.path.empty() ? "." : "./");
    if (record.hard_link) record.hard_link->insert(0, "./");
  }

  bool write(const void* bytes, std::size_t size) {
    const auto* at = static_cast<const char*>(bytes);
    while (size > 0) {
      const la_ssize_t written = archive_write_data(archive_.get(), at, size);
      if (written <= 0) return fail_whole();
      at += written;
      size -= static_cast<std::size_t>(written);
    }
    return true;
  }

  bool write_hole(std::uint64_t bytes) {
    while (bytes > 0) {
      const std::size_t step = std::min<std::uint64_t>(bytes, hole_step_bytes);
      if (!write(zeros_.data(), step)) return false;
      bytes -= step;
    }
    return true;
  }

  bool write_ranges(const std::string& path, std::uint64_t size,
                    const std::vector<DataRange>& ranges, OpenFile& file) {
    std::uint64_t at = 0;
    for (const DataRange& range : ranges) {
      if (!write_hole(range.offset - at)) return false;
      for (at = range.offset; at < range.offset + range.length;) {
        const std::size_t wanted =
            std::min<std::uint64_t>(buffer_.size(), range.offset + range.length - at);
        const Result<std::size_t> got = file.read(at, std::span(buffer_).first(wanted));
        if (!got || *got < wanted) {
          // The header has said how much comes.
          progress_.fail(path, !got ? error_text(got.error()) + ": zeros instead"
                                    : "became shorter meanwhile: zeros instead");
          if (!write_hole(range.offset + range.length - at)) return false;
          at = range.offset + range.length;
          continue;
        }
        if (!write(buffer_.data(), *got)) return false;
        progress_.count(0, *got);
        at += *got;
      }
    }
    return write_hole(size - at);
  }

  const ExportArguments& arguments_;
  Progress& progress_;
  const std::unique_ptr<archive, FreeArchive> archive_;
  const std::unique_ptr<archive_entry, FreeEntry> entry_;
  const Zeros zeros_;
  OwnerNames owners_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(step_bytes);
  bool has_failed_ = false;
};

void export_to(int output, const FilePlace& place, const ExportArguments& arguments,
               Progress& progress) {
  struct stat info {};

  Exporter exporter(arguments, progress);
  TreeReader reader(*place.tree, place.path, arguments.place, progress);
  if (::fstat(output, &info) == 0 && S_ISREG(info.st_mode)) {
    reader.leave_out(info.st_dev, Ino{info.st_ino});
  }
  if (!exporter.open(output)) return;
  const Result<void> read = reader.run(
      [&exporter](FileRecord& record, OpenFile* file) { return exporter.add(record, file); });
  if (!read) progress.fail(arguments.place, read.error());
  exporter.close();
}

int run(const ExportArguments& arguments) {
  const bool is_standard = arguments.output.empty() || arguments.output == "-";
  if (is_standard && ::isatty(STDOUT_FILENO) != 0) {
    return complain("export", "an archive is nothing for a terminal: give -o FILE, or a pipe");
  }
  raise_descriptor_limit();
  // In which libarchive takes names for UTF-8 wherever they are.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  Progress progress("export");
  PlaceOpener opener(false);
  const TextOr<FilePlace> place = opener.open(arguments.place);
  if (!place) {
    progress.fail(arguments.place, place.error());
    return progress.status();
  }
  if (const Result<Attr> found = place->tree->find(place->path); !found) {
    progress.fail(arguments.place, found.error());
    return progress.status();
  }
  base::UniqueFd file;
  if (!is_standard) {
    file.reset(::open(arguments.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) {
      progress.fail(arguments.output, std::strerror(errno));
      return progress.status();
    }
  }
  export_to(is_standard ? STDOUT_FILENO : file.get(), *place, arguments, progress);
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
  return progress.status();
}

}  // namespace

void add_export(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "export", "Write a tree as a tar archive: every attribute, hard link and hole.");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("PLACE", arguments->place, place_help)->required();
  command->add_option("-o,--output", arguments->output, "to FILE, not to the standard output")
      ->type_name("FILE");
  command->add_flag("--zstd", arguments->zstd, "compress with zstd");
  command->add_flag("--numeric-owner", arguments->numeric_owner,
                    "no names of users and groups, numbers alone");
  command->footer("Example:\n  artfs export /srv/store:/home --zstd -o home.tar.zst");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
