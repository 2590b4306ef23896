// SPDX-License-Identifier: Apache-2.0
// TreeWriter: makes what records say in a FileTree.
//
// Contract:   an entry that is there is replaced, a directory is merged into: as tar(1) extracts. Directories on the
//             way are made. Everything but ctime and btime becomes as the record says; of directories at finish(),
//             since what is made in them changes them. Nothing outside of `base` is touched: no link is followed,
//             neither one that was there nor one that a record made.
// Threading:  one thread.
// Cost:       some hundred bytes for each directory until finish().
// Errors:     told to the Progress, entry by entry.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tool/file_record.hpp"
#include "tool/progress.hpp"

namespace artfs::tool {

struct WriteRules {
  // A file of the same type, size and time of change, a link with the same target, is left as it is.
  bool keeps_existing = false;
  bool sets_owner = false;
  bool replaces_special = true;  // false: devices, fifos and sockets that are there stay
};

// Writes the bytes of a new file.
using Fill = std::function<Result<void>(OpenFile&)>;

class TreeWriter {
 public:
  // `shown`: what messages say in front of a path.
  TreeWriter(FileTree& tree, std::string base, std::string shown, Progress& progress)
      : tree_(tree), base_(std::move(base)), shown_(std::move(shown)), progress_(progress) {}

  void set_rules(const WriteRules& rules) { rules_ = rules; }

  // The base is a directory afterwards. not_a_directory: it is something else.
  [[nodiscard]] Result<void> make_base();
  // False: there is no sense in going on.
  [[nodiscard]] bool add(const FileRecord& record, const Fill& fill);
  void finish();

 private:
  struct LaterDirectory {
    std::string path;
    SetAttr changes;
    std::vector<Xattr> xattrs;
  };

  [[nodiscard]] Result<void> place(const FileRecord& record, const Fill& fill);
  [[nodiscard]] Result<void> place_directory(const FileRecord& record, const std::string& path);
  [[nodiscard]] Result<void> place_link(const FileRecord& record, const std::string& path);
  [[nodiscard]] Result<void> place_file(const FileRecord& record, const std::string& path,
                                        const Fill& fill);
  [[nodiscard]] Result<void> make_way(const std::string& path,
                                      const std::function<Result<void>()>& make);
  [[nodiscard]] Result<void> make_parents(std::string_view path);
  [[nodiscard]] Result<void> clear_way(const std::string& path);
  [[nodiscard]] Result<bool> is_there(const FileRecord& record, const std::string& path);
  [[nodiscard]] Result<void> shed_inherited(const std::string& path, bool is_directory);
  [[nodiscard]] Result<void> dress(const std::string& path, SetAttr rest,
                                   const std::vector<Xattr>& xattrs);
  [[nodiscard]] std::string shown_path(std::string_view path) const;
  [[nodiscard]] SetAttr changes_of(const FileRecord& record) const;

  FileTree& tree_;
  const std::string base_;
  const std::string shown_;
  Progress& progress_;
  WriteRules rules_;
  std::vector<LaterDirectory> directories_;
  std::string parent_;               // whose default ACL is known
  bool parent_passes_acls_ = false;  // on to what is made in it
  bool is_parent_known_ = false;
};

// Everything at `from` to `to`.
struct CopyPlan {
  FileTree& from;
  std::string from_path;
  std::string from_shown;
  FileTree& to;
  std::string to_path;
  std::string to_shown;
  WriteRules rules;
};

void copy_tree(const CopyPlan& plan, Progress& progress);

}  // namespace artfs::tool
