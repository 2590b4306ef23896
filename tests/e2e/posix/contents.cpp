// SPDX-License-Identifier: Apache-2.0
// Bytes of files: positions, holes, truncate, fallocate, copies, vectors, mappings.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

base::UniqueFd create(const std::string& path) {
  return base::UniqueFd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
}

off_t size_of(int fd) {
  struct stat status {};

  return ::fstat(fd, &status) == 0 ? status.st_size : -1;
}

constexpr std::array<off_t, 12> edges = {0,    1,    2047,  2048,  2049,  4095,
                                         4096, 4097, 65535, 65536, 65537, 200000};

// An address where nothing is.
void* unmapped() {
  void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(page, 4096);
  return page;
}

void positions(Suite& s) {
  const base::UniqueFd file = create(s.path("file"));
  const int fd = file.get();
  s.equal(::write(fd, "0123456789", 10), 10, "write");
  s.equal(::lseek(fd, 0, SEEK_CUR), 10, "position after a write");
  s.equal(::lseek(fd, 3, SEEK_SET), 3, "SEEK_SET");
  s.equal(::lseek(fd, 3, SEEK_CUR), 6, "SEEK_CUR");
  s.equal(::lseek(fd, -2, SEEK_CUR), 4, "SEEK_CUR back");
  s.equal(::lseek(fd, -1, SEEK_END), 9, "SEEK_END");
  s.equal(::lseek(fd, 100, SEEK_END), 110, "behind the end");
  s.equal(size_of(fd), 10, "lseek leaves the size");
  char byte = 'x';
  s.equal(::read(fd, &byte, 1), 0, "read behind the end");
  s.fails(EINVAL, ::lseek(fd, -1, SEEK_SET), "before the start");
  s.fails(EINVAL, ::lseek(fd, -11, SEEK_END), "before the start from the end");
  s.fails(EINVAL, ::lseek(fd, 0, 99), "an unknown whence");
  s.fails(EINVAL, ::pread(fd, &byte, 1, -1), "pread at a negative offset");
  s.fails(EINVAL, ::pwrite(fd, &byte, 1, -1), "pwrite at a negative offset");
  s.equal(::pread(fd, &byte, 1, 4), 1, "pread");
  s.equal(byte, '4', "its byte");
  s.equal(::lseek(fd, 0, SEEK_CUR), 110, "pread leaves the position");
  s.equal(::pwrite(fd, "x", 1, 4), 1, "pwrite");
  s.equal(::lseek(fd, 0, SEEK_CUR), 110, "pwrite leaves the position");
  s.equal(::write(fd, "e", 1), 1, "write behind the end");
  s.equal(size_of(fd), 111, "size");
  std::string all(111, 'x');
  s.equal(::pread(fd, all.data(), all.size(), 0), 111, "read of all");
  s.equal(all, "0123x56789" + std::string(100, '\0') + "e", "zeros between");
  s.fails(EFAULT, ::pread(fd, unmapped(), 5, 0), "pread to a wild pointer");
  s.fails(EFAULT, ::pwrite(fd, unmapped(), 5, 0), "pwrite from a wild pointer");
  s.equal(::pread(fd, nullptr, 0, 0), 0, "pread of nothing");
  s.equal(::pwrite(fd, nullptr, 0, 500), 0, "pwrite of nothing");
  s.equal(size_of(fd), 111, "which leaves the size");
  const int copy = ::dup(fd);
  s.equal(::lseek(copy, 7, SEEK_SET), 7, "lseek of a copy");
  s.equal(::lseek(fd, 0, SEEK_CUR), 7, "moves both");
  ::close(copy);
}

void truncating(Suite& s) {
  for (const off_t from : edges) {
    for (const off_t to : edges) {
      const std::string path = s.fresh();
      const base::UniqueFd file = create(path);
      const std::string bytes(static_cast<std::size_t>(from), 'd');
      s.equal(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(from),
              "write");
      const std::string what = fmt::format("from {} to {}", from, to);
      s.ok(::ftruncate(file.get(), to), "ftruncate " + what);
      s.equal(size_of(file.get()), to, "size " + what);
      std::string wanted(static_cast<std::size_t>(std::min(from, to)), 'd');
      wanted.resize(static_cast<std::size_t>(to), '\0');
      s.holds(read_file(path) == wanted, "contents " + what);
      s.ok(::ftruncate(file.get(), from), "and back " + what);
      wanted.resize(static_cast<std::size_t>(from), '\0');
      s.holds(read_file(path) == wanted, "what was cut off is zero " + what);
    }
  }
  const std::string path = s.path("file");
  const base::UniqueFd file = create(path);
  s.fails(EINVAL, ::truncate(path.c_str(), -1), "truncate to less than nothing");
  s.fails(EINVAL, ::ftruncate(file.get(), -1), "ftruncate to less than nothing");
  for (const Kind kind : {Kind::directory, Kind::fifo, Kind::socket, Kind::device}) {
    const std::string other = s.fresh();
    s.make(kind, other);
    s.fails(kind == Kind::directory ? EISDIR : EINVAL, ::truncate(other.c_str(), 0),
            fmt::format("truncate of {}", name_of(kind)));
  }
}

void holes(Suite& s) {
  for (const off_t at : edges) {
    const std::string path = s.fresh();
    const base::UniqueFd file = create(path);
    const off_t end = 1 << 20;
    s.equal(::pwrite(file.get(), "data", 4, end), 4, "write far away");
    s.equal(::pwrite(file.get(), "x", 1, at), 1, fmt::format("write at {}", at));
    std::string wanted(static_cast<std::size_t>(end), '\0');
    wanted[static_cast<std::size_t>(at)] = 'x';
    s.holds(read_file(path).substr(0, wanted.size()) == wanted, "zeros around");
    const off_t data = ::lseek(file.get(), 0, SEEK_DATA);
    s.holds(data >= 0 && data <= at, fmt::format("SEEK_DATA finds what is at {}", at));
    const off_t hole = ::lseek(file.get(), at, SEEK_HOLE);
    s.holds(hole > at && hole <= end, "SEEK_HOLE finds the end of it");
    const off_t next = ::lseek(file.get(), hole, SEEK_DATA);
    s.holds(next > hole && next <= end, "SEEK_DATA finds the next");
    s.equal(::lseek(file.get(), end + 1, SEEK_HOLE), end + 4, "a hole stands at the end");
    s.fails(ENXIO, ::lseek(file.get(), end + 4, SEEK_DATA), "no data behind the end");
    s.fails(ENXIO, ::lseek(file.get(), end + 4, SEEK_HOLE), "no hole behind the end");
    s.fails(ENXIO, ::lseek(file.get(), -1, SEEK_DATA), "no data before the start");
  }
}

void allocating(Suite& s) {
  constexpr int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  for (const off_t from : edges) {
    for (const off_t length : {1, 100, 4096, 65536, 70000}) {
      const std::string path = s.fresh();
      const base::UniqueFd file = create(path);
      const std::string bytes(150000, 'a');
      s.equal(::pwrite(file.get(), bytes.data(), bytes.size(), 0), 150000, "write");
      const std::string what = fmt::format(" {}+{}", from, length);
      const auto zeroed = [&](off_t size) {
        std::string wanted = bytes;
        for (off_t i = from; i < from + length && i < 150000; ++i)
          wanted[static_cast<std::size_t>(i)] = '\0';
        wanted.resize(static_cast<std::size_t>(size), '\0');
        return wanted;
      };
      s.ok(::fallocate(file.get(), punch, from, length), "punch" + what);
      s.equal(size_of(file.get()), 150000, "size after punch" + what);
      s.holds(read_file(path) == zeroed(150000), "contents after punch" + what);
      s.equal(::pwrite(file.get(), bytes.data(), bytes.size(), 0), 150000, "write");
      s.ok(::fallocate(file.get(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, from, length),
           "zero, keep size" + what);
      s.equal(size_of(file.get()), 150000, "size after it" + what);
      s.holds(read_file(path) == zeroed(150000), "contents after it" + what);
      const off_t grown = std::max<off_t>(150000, from + length);
      s.ok(::fallocate(file.get(), FALLOC_FL_ZERO_RANGE, from, length), "zero" + what);
      s.equal(size_of(file.get()), grown, "size after zero" + what);
      s.ok(::fallocate(file.get(), 0, from, length), "allocate" + what);
      s.equal(size_of(file.get()), grown, "size after allocate" + what);
      s.ok(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, from + 100000, length),
           "allocate, keep size" + what);
      s.equal(size_of(file.get()), grown, "size after it" + what);
      s.holds(read_file(path) == zeroed(grown), "contents after all" + what);
    }
  }
  const base::UniqueFd file = create(s.path("file"));
  const int fd = file.get();
  s.fails(EINVAL, ::fallocate(fd, 0, 0, 0), "a length of nothing");
  s.fails(EINVAL, ::fallocate(fd, 0, -1, 10), "a negative offset");
  s.fails(EINVAL, ::fallocate(fd, 0, 0, -1), "a negative length");
  s.fails(EFBIG, ::fallocate(fd, 0, INT64_MAX - 1, 10), "beyond what an offset can say");
  s.fails(EOPNOTSUPP, ::fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), "punch without keep size");
  s.fails(EOPNOTSUPP, ::fallocate(fd, 1 << 20, 0, 10), "an unknown mode");
  if (s.where_artfs()) {
    s.fails(EOPNOTSUPP, ::fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 65536),
            "collapse is not offered");
    s.fails(EOPNOTSUPP, ::fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 65536), "insert is not offered");
  } else {
    s.fails(EINVAL, ::fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 65536),
            "collapse of an empty file");
    s.fails(EINVAL, ::fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 65536), "insert in an empty file");
  }
  const std::string fifo = s.path("fifo");
  s.make(Kind::fifo, fifo);
  const base::UniqueFd pipe(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  s.fails(ESPIPE, ::fallocate(pipe.get(), 0, 0, 10), "fallocate of a fifo");
  s.fails(ESPIPE, ::lseek(pipe.get(), 0, SEEK_SET), "lseek of a fifo");
  s.fails(EINVAL, ::fsync(pipe.get()), "fsync of a fifo");
}

void copying(Suite& s) {
  const std::string from_path = s.path("from");
  std::string bytes(300000, 'c');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i / 1000 % 26);
  write_file(from_path, bytes);
  const base::UniqueFd from(::open(from_path.c_str(), O_RDWR | O_CLOEXEC));
  for (const off_t in : edges) {
    for (const off_t out : {off_t{0}, off_t{1}, off_t{65536}, off_t{100000}}) {
      for (const std::size_t length : {std::size_t{1}, std::size_t{65536}, std::size_t{150000}}) {
        const std::string path = s.fresh();
        const base::UniqueFd to = create(path);
        loff_t in_at = in;
        loff_t out_at = out;
        const auto expected =
            std::min<std::size_t>(length, bytes.size() - static_cast<std::size_t>(in));
        const std::string what = fmt::format(" {} bytes from {} to {}", length, in, out);
        std::size_t done = 0;
        while (done < expected) {
          const ssize_t copied =
              ::copy_file_range(from.get(), &in_at, to.get(), &out_at, length - done, 0);
          if (copied <= 0) break;
          done += static_cast<std::size_t>(copied);
        }
        s.equal(done, expected, "copy_file_range" + what);
        s.equal(in_at, in + static_cast<off_t>(expected), "position it read to" + what);
        s.equal(out_at, out + static_cast<off_t>(expected), "position it wrote to" + what);
        s.holds(read_file(path) == std::string(static_cast<std::size_t>(out), '\0') +
                                       bytes.substr(static_cast<std::size_t>(in), expected),
                "contents" + what);
      }
    }
  }
  loff_t zero = 0;
  loff_t inside = 10;
  s.fails(EINVAL, ::copy_file_range(from.get(), &zero, from.get(), &inside, 100, 0),
          "ranges of one file that overlap");
  s.fails(EINVAL, ::copy_file_range(from.get(), nullptr, from.get(), nullptr, 1, 1),
          "an unknown flag");
  const base::UniqueFd directory(::open(s.path("").c_str(), O_RDONLY | O_CLOEXEC));
  const base::UniqueFd to = create(s.path("to"));
  s.fails(EISDIR, ::copy_file_range(directory.get(), nullptr, to.get(), nullptr, 1, 0),
          "from a directory");
  loff_t end = static_cast<loff_t>(bytes.size());
  s.equal(::copy_file_range(from.get(), &end, to.get(), nullptr, 100, 0), 0, "from the end");
  off_t at = 5;
  s.equal(::sendfile(to.get(), from.get(), &at, 1000), 1000, "sendfile");
  s.equal(at, 1005, "its position");
  s.holds(read_file(s.path("to")) == bytes.substr(5, 1000), "its bytes");
}

void vectors(Suite& s) {
  const std::string path = s.path("file");
  const base::UniqueFd file = create(path);
  const int fd = file.get();
  std::string a = "one";
  std::string b = "three";
  const std::array<iovec, 3> pieces = {iovec{a.data(), 3}, iovec{nullptr, 0}, iovec{b.data(), 5}};
  s.equal(::writev(fd, pieces.data(), 3), 8, "writev");
  s.equal(::pwritev(fd, pieces.data(), 3, 20), 8, "pwritev");
  s.equal(::pwritev2(fd, pieces.data(), 3, 0, RWF_APPEND), 8, "pwritev2 that appends");
  s.equal(::pwritev2(fd, pieces.data(), 3, 0, RWF_DSYNC), 8, "pwritev2 that syncs");
  s.equal(read_file(path), "onethree" + std::string(12, '\0') + "onethreeonethree", "contents");
  s.equal(::writev(fd, pieces.data(), 0), 0, "writev of nothing");
  const auto count_max = static_cast<int>(::sysconf(_SC_IOV_MAX));
  s.fails(EINVAL, ::writev(fd, pieces.data(), -count_max), "a negative count");
  s.fails(EINVAL, ::writev(fd, pieces.data(), count_max + 1), "too many pieces");
  a.assign(3, 'x');
  b.assign(5, 'x');
  s.equal(::preadv(fd, pieces.data(), 3, 0), 8, "preadv");
  s.equal(a + b, std::string("onethree"), "its bytes");
  s.equal(::preadv(fd, pieces.data(), 3, 35), 1, "preadv at the end");
  s.fails(EOPNOTSUPP, ::preadv2(fd, pieces.data(), 3, 0, 1 << 20), "an unknown flag");
}

void mappings(Suite& s) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{4096}, std::size_t{5000}, std::size_t{200000}}) {
    const std::string path = s.fresh();
    write_file(path, std::string(size, 'f'));
    const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    void* mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (!s.ok(mapping == MAP_FAILED ? -1 : 0, "a shared mapping to write")) continue;
    auto* bytes = static_cast<char*>(mapping);
    s.equal(bytes[size - 1], 'f', "it shows the file");
    s.equal(::pwrite(file.get(), "w", 1, 0), 1, "write");
    s.equal(bytes[0], 'w', "the mapping shows it");
    bytes[size - 1] = 'm';
    char byte = 0;
    s.equal(::pread(file.get(), &byte, 1, static_cast<off_t>(size) - 1), 1, "read");
    s.equal(byte, 'm', "what was stored through the mapping");
    s.ok(::msync(mapping, size, MS_SYNC), "msync");
    s.ok(::fsync(file.get()), "fsync");
    s.ok(::munmap(mapping, size), "munmap");
    s.equal(size_of(file.get()), static_cast<off_t>(size), "size");
    std::string wanted(size, 'f');
    wanted[0] = 'w';
    wanted[size - 1] = 'm';
    s.holds(read_file(path) == wanted, "contents");
    void* private_mapping =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
    static_cast<char*>(private_mapping)[0] = 'p';
    ::munmap(private_mapping, size);
    s.holds(read_file(path) == wanted, "a private mapping changes nothing");
  }
}

}  // namespace

void byte_groups(std::vector<Group>& groups) {
  groups.push_back({"positions", positions});
  groups.push_back({"truncating", truncating});
  groups.push_back({"holes", holes});
  groups.push_back({"allocating", allocating});
  groups.push_back({"copying", copying});
  groups.push_back({"vectors", vectors});
  groups.push_back({"mappings", mappings});
}

}  // namespace artfs::posix
