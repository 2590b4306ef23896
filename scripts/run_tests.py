#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test programs of a build directory, two at a time, and counts their test cases.

usage: run_tests.py BUILD [--suite NAME]... [--skip PROGRAM]... [--jobs N]

A Catch2 program counts with its cases, any other with one. One line per program; the output of a
failing one is printed whole. The last line is "N passed, N failed". Exits with 1 if any failed.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ALL_PASSED = re.compile(r"^All tests passed \(.* in (\d+) test cases?\)", re.M)
CASES = re.compile(r"^test cases:\s*(\d+)((?:\s*\|\s*\d+ [a-z ]+)*)", re.M)


def count(output, exit_code):
    """(passed, failed) of one program."""
    match = ALL_PASSED.search(output)
    if match and exit_code == 0:
        return int(match.group(1)), 0
    match = CASES.search(output)
    if match:
        passed = re.search(r"(\d+) passed", match.group(2))
        passed = int(passed.group(1)) if passed else 0
        failed = int(match.group(1)) - passed
        return passed, max(failed, 1 if exit_code != 0 else 0)
    return (1, 0) if exit_code == 0 else (0, 1)


def end(process):
    """Ends a program that hangs; its output. Catch2 answers SIGABRT with the test case it was in."""
    for number, patience_s in ((signal.SIGABRT, 20), (signal.SIGKILL, None)):
        os.killpg(process.pid, number)
        try:
            output, _ = process.communicate(timeout=patience_s)
            return output
        except subprocess.TimeoutExpired:
            continue
    return b""


def run(test, build):
    environment = {**os.environ, **test.get("env", {})}
    start = time.monotonic()
    if not pathlib.Path(test["cmd"][0]).exists():
        return test["name"], 0, 1, 0.0, "", ", not built"
    process = subprocess.Popen(test["cmd"], cwd=test.get("workdir") or build, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    note = ""
    try:
        output, _ = process.communicate(timeout=test["timeout"])
    except subprocess.TimeoutExpired:
        output = end(process)
        note = f", stopped after {test['timeout']} s"
    text = output.decode("utf-8", errors="replace")
    passed, failed = count(text, process.returncode)
    if process.returncode != 0 and not note:
        note = f", exit {process.returncode}"
    return test["name"], passed, failed, time.monotonic() - start, text, note


def selected(build, options):
    listing = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True)
    for test in json.loads(listing.stdout):
        suites = {suite.split(":")[-1] for suite in test["suite"]}
        if options.suite and not suites & set(options.suite):
            continue
        if test["name"] not in options.skip:
            yield test


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--suite", action="append", default=[])
    parser.add_argument("--skip", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slower", type=int, default=1, help="factor on every time limit")
    options = parser.parse_args()
    passed_total = failed_total = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        tests = [{**test, "timeout": test["timeout"] * options.slower}
                 for test in selected(str(options.build), options)]
        for future in concurrent.futures.as_completed(
                [pool.submit(run, test, str(options.build)) for test in tests]):
            name, passed, failed, seconds, text, note = future.result()
            if failed:
                print(text, end="" if text.endswith("\n") else "\n")
            state = "FAILED" if failed else "ok"
            print(f"{state:6} {name}: {passed} passed, {failed} failed, {seconds:.1f} s{note}", flush=True)
            passed_total += passed
            failed_total += failed
    print(f"{passed_total} passed, {failed_total} failed")
    return 1 if failed_total else 0


if __name__ == "__main__":
    sys.exit(main())
