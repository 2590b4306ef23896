// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "base/unique_fd.hpp"
#include "tool/command.hpp"
#include "tool/file_place.hpp"
#include "tool/tar_entry.hpp"
#include "tool/tree_writer.hpp"

namespace artfs::tool {

namespace {

constexpr std::size_t read_bytes = 256 * kib;

struct ImportArguments {
  std::string source;
  std::string place;
  bool keep_existing = false;
  bool numeric_owner = false;
  bool no_same_owner = false;
};

struct FreeArchive {
  void operator()(archive* freed) const noexcept { archive_read_free(freed); }
};

class Importer {
 public:
  Importer(const ImportArguments& arguments, TreeWriter& writer, Progress& progress)
      : writer_(writer),
        progress_(progress),
        source_(arguments.source == "-" ? "standard input" : arguments.source),
        owners_(arguments.numeric_owner),
        archive_(archive_read_new()) {}

  void run(int input) {
    archive* const in = archive_.get();
    archive_read_support_filter_all(in);
    archive_read_support_format_tar(in);
    if (archive_read_open_fd(in, input, read_bytes) < ARCHIVE_WARN) return fail_whole();
    while (!is_broken_) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(in, &entry);
      if (status == ARCHIVE_EOF) break;
      if (status == ARCHIVE_RETRY) continue;
      if (status < ARCHIVE_WARN) return fail_whole();
      if (!add(entry, status == ARCHIVE_WARN)) break;
    }
  }

 private:
  void fail_whole() {
    is_broken_ = true;
    const char* const what = archive_error_string(archive_.get());
    progress_.fail(source_, what == nullptr ? "no tar archive" : what);
  }

  // False: there is no sense in going on.
  bool add(archive_entry* entry, bool is_warned) {
    const char* const name = archive_entry_pathname(entry);
    const std::string path = name == nullptr ? "" : name;
    if (is_warned) {
      // In our locale no name but plain ASCII can be converted: its bytes are taken.
      const std::string what = archive_error_string(archive_.get());
      if (what.find("can't be converted") == what.npos) progress_.remark(path, what);
    }
    const Result<TarRecord> read = read_tar_entry(entry, owners_);
    if (!read) {
      progress_.fail(path, "'..' in its name, or in that of its hard link: left out");
      return true;
    }
    if (read->was_cut && !has_told_cut_) {
      progress_.remark("", "'/' in front of names is left out");
      has_told_cut_ = true;
    }
    progress_.count(1, 0);
    return writer_.add(read->record, [&](OpenFile& file) { return fill(file, read->record.size); });
  }

  Result<void> fill(OpenFile& file, std::uint64_t size) {
    std::uint64_t end = 0;
    for (;;) {
      const void* bytes = nullptr;
      std::size_t count = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(archive_.get(), &bytes, &count, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status < ARCHIVE_WARN) {
        fail_whole();
        return fail(Errc::io_failed, EIO);
      }
      const auto at = static_cast<std::uint64_t>(offset);
      if (count == 0) continue;
      ARTFS_TRY(file.write(at, std::as_bytes(std::span(static_cast<const char*>(bytes), count))));
      end = at + count;
      progress_.count(0, count);
    }
    if (end == size) return {};
    return file.resize(size);
  }

  TreeWriter& writer_;
  Progress& progress_;
  const std::string source_;
  OwnerIds owners_;
  const std::unique_ptr<archive, FreeArchive> archive_;
  bool is_broken_ = false;
  bool has_told_cut_ = false;
};

void import_directory(const ImportArguments& arguments, const FilePlace& place,
                      const WriteRules& rules, Progress& progress) {
  const TextOr<HostPlace> source = open_host_place(arguments.source + "/.");
  if (!source) return progress.fail(arguments.source, source.error());
  copy_tree({.from = *source->tree,
             .from_path = source->path,
             .from_shown = arguments.source,
             .to = *place.tree,
             .to_path = place.path,
             .to_shown = arguments.place,
             .rules = rules},
            progress);
}

void import_from(int input, bool is_directory, const ImportArguments& arguments,
                 Progress& progress) {
  PlaceOpener opener(true);
  const TextOr<FilePlace> place = opener.open(arguments.place);
  if (!place) return progress.fail(arguments.place, place.error());
  const WriteRules rules{.keeps_existing = arguments.keep_existing,
                         .sets_owner = ::geteuid() == 0 && !arguments.no_same_owner};
  TreeWriter writer(*place->tree, place->path, arguments.place, progress);
  writer.set_rules(rules);
  if (const Result<void> made = writer.make_base(); !made) {
    return progress.fail(arguments.place, made.error());
  }
  if (is_directory) {
    import_directory(arguments, *place, rules, progress);
  } else {
    Importer(arguments, writer, progress).run(input);
    writer.finish();
  }
  if (const TextOr<void> closed = opener.close(); !closed) progress.fail("", closed.error());
}

int run(const ImportArguments& arguments) {
  raise_descriptor_limit();
  Progress progress("import");

  struct stat info {};

  if (arguments.source == "-") {
    import_from(STDIN_FILENO, false, arguments, progress);
    return progress.status();
  }
  const base::UniqueFd input(::open(arguments.source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!input || ::fstat(input.get(), &info) != 0) {
    progress.fail(arguments.source, std::strerror(errno));
    return progress.status();
  }
  const bool is_directory = S_ISDIR(info.st_mode);
  if (is_directory && is_inside(arguments.place, arguments.source)) {
    progress.fail(arguments.place, "is inside of " + printable(arguments.source));
    return progress.status();
  }
  import_from(input.get(), is_directory, arguments, progress);
  return progress.status();
}

}  // namespace

void add_import(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "import", "Make the files of a tar archive, or of a directory, in a store or a mount.");
  auto arguments = std::make_shared<ImportArguments>();
  command
      ->add_option("SOURCE", arguments->source,
                   "a tar archive, compressed or not; - for the standard input; or a directory")
      ->required();
  command->add_option("PLACE", arguments->place, place_help)->required();
  command->add_flag("--keep-existing", arguments->keep_existing,
                    "leave what is there with the same type, size and time of change");
  command->add_flag("--numeric-owner", arguments->numeric_owner,
                    "owners by number, whatever their names are");
  command->add_flag("--no-same-owner", arguments->no_same_owner,
                    "everything belongs to who imports, as it does unless that is root");
  command->footer("Example:\n  artfs import linux.tar.xz /srv/store:/src");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace artfs::tool
