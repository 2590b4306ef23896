# SPDX-License-Identifier: Apache-2.0
"""For mount tests in Python: a private store, mount and log, and their end in every exit path.

As lib.sh: the test starts in an empty directory of its own and finds the program in $ARTFS.
"""
import atexit
import contextlib
import errno
import os
import pathlib
import signal
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ARTFS = os.environ.get("ARTFS") or str(HERE.parent.parent / "build/fuse/artfs")
_own_work = None
if os.listdir("."):
    _own_work = tempfile.mkdtemp(prefix="artfs-e2e.")
    os.chdir(_own_work)
WORK = pathlib.Path.cwd()
STORE = WORK / "store"
MNT = WORK / "mnt"
LOG = WORK / "daemon.log"


# An interpreter that other users may run as well.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


def skip(why):
    print(why)
    sys.exit(77)


if not os.access("/dev/fuse", os.W_OK):
    skip("no access to /dev/fuse")
MNT.mkdir()


def fail(text):
    print("FAIL:", text, flush=True)
    if LOG.exists():
        print(LOG.read_text(errors="replace")[-2000:])
    sys.exit(1)


def check(condition, text):
    if not condition:
        fail(text)


def same(got, wanted, what="value"):
    if got != wanted:
        fail(f"{what}: expected {wanted!r}, got {got!r}")


@contextlib.contextmanager
def raises(code, what=""):
    """The block must fail with this errno."""
    try:
        yield
    except OSError as error:
        same(errno.errorcode.get(error.errno), errno.errorcode[code], what or "errno")
        return
    fail(f"{what}: expected {errno.errorcode[code]}, it succeeded")


def artfs(*words, status=0):
    done = subprocess.run([ARTFS, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != status:
        fail(f"artfs {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def make_store(*options):
    artfs("mkfs", "--quiet", *options, STORE)


def start(options=""):
    words = [f"log={LOG}"]
    if os.environ.get("ARTFS_E2E_TRANSPORT"):  # dev or uring; otherwise as artfs chooses
        words.append("transport=" + os.environ["ARTFS_E2E_TRANSPORT"])
    artfs("mount", "-o", ",".join(words + ([options] if options else [])), STORE, MNT)


def stop():
    artfs("umount", MNT)


def restart(options=""):
    stop()
    start(options)


def fsck_clean():
    report = artfs("fsck", STORE)
    check(": clean" in report, f"fsck says {report}")


def daemons():
    """Live processes of the program that name this test's directory."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "exe") != os.path.realpath(ARTFS):
                continue
            if f"{WORK}/".encode() not in (entry / "cmdline").read_bytes():
                continue
            if (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


def is_mounted(path=MNT):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split()[1] == str(path) for line in lines)


def close_dead(*descriptors):
    """Closes what was open on a mount whose daemon is gone."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def detach():
    if is_mounted() and subprocess.run(["fusermount3", "-u", "-z", MNT], stderr=subprocess.DEVNULL).returncode:
        subprocess.run(["umount", "-l", MNT], check=False)


def figure(what, value, seed=0):
    """One JSON line for scripts/crash.sh, in the file that it names."""
    if os.environ.get("ARTFS_CRASH_FIGURES"):
        with open(os.environ["ARTFS_CRASH_FIGURES"], "a", encoding="utf-8") as out:
            out.write(f'{{"suite":"crash","op":"{what}","value":{value},"seed":{seed}}}\n')


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def kill_daemon(number=signal.SIGKILL):
    for pid in daemons():
        os.kill(pid, number)
    check(wait_until(lambda: not daemons()), "the daemon survived the signal")
    detach()


def _clean_up():
    os.chdir("/")
    detach()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in daemons():
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        if wait_until(lambda: not daemons()):
            break
    if _own_work:
        shutil.rmtree(_own_work, ignore_errors=True)


atexit.register(_clean_up)
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, lambda number, _frame: sys.exit(128 + number))
