#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes and words: files, functions, parameters, banned calls, file heads.

Works on clang-formatted text without a compiler, so it runs in a second; clang-tidy (check.sh --full)
is the second opinion. Exits with 1 and one line per violation.
"""
import pathlib
import re
import sys

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
SPDX = "// SPDX-License-Identifier: Apache-2.0"

# (pattern, folders or files where it is right, what to do instead)
BANNED = [
    (r"\bthrow\b", (), "return an Error"),
    (r"(?<!operator )\bnew\b(?!\s*\()", (), "use std::make_unique or a container"),
    (r"\bdelete\b(?!;)(?!\s*,)", (), "let an owner destroy it"),
    (r"\bstd::(recursive_|shared_|timed_)?mutex\b", ("src/base/mutex.hpp",), "use base::Mutex with a Rank"),
    (r"\bstd::(lock_guard|scoped_lock)\b", (), "use base::MutexLock"),
    (r"\bvolatile\b", (), "use std::atomic or sync::Racy"),
    (r"\b(TODO|FIXME|XXX)\b", (), "finish it or open an issue"),
    (r"\bmemcpy\(&", ("src/base/", "src/format/", "src/wal/"), "use base::copy_object"),
    (r"\bstd::(shared_ptr|make_shared)\b", ("fuse/", "src/tool/", "src/base/log.cpp", "src/io/memory_", "tests/"), "own it in one place"),
    (r"\b(strcpy|strcat|sprintf|gets|atoi|strtok)\s*\(", (), "use the bounded form"),
    (r"\brand\(\)", (), "use a seeded std::mt19937_64"),
]
# Loaning a mutex of the standard library is right where a test needs one without a rank.
BANNED_NOT_IN_TESTS = {r"\bstd::(lock_guard|scoped_lock)\b", r"\bstd::(recursive_|shared_|timed_)?mutex\b"}
SCOPE = re.compile(r"^(inline\s+)?(namespace|extern)\b|^(template\s*<.*>\s*)?(typedef\s+)?(class|struct|union|enum)\b(?!.*\)\s*(const|noexcept|\{|$))",
                   re.S)


def blank_out(text):
    """Comments, strings and preprocessor lines become spaces; line breaks stay."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    # A raw string, a comment, a string, a character (not a digit separator).
    text = re.sub(r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
                  spaces, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.M)


def parameters_of(head):
    start = head.find("(")
    # operator()(...) has its parameters in the second pair.
    if head[:start].rstrip().endswith("operator"):
        start = head.find("(", head.find(")", start))
    depth = 0
    count = 0
    seen = False
    for char in head[start:]:
        if char in "(<[{":
            depth += 1
        elif char in ")>]}":
            depth -= 1
            if depth == 0:
                break
        elif char == "," and depth == 1:
            count += 1
        elif depth >= 1 and not char.isspace():
            seen = True
    return count + 1 if seen else 0


def functions_in(code):
    """Yields (line, lines, parameters, head) of each function defined at namespace or class scope."""
    stack = []
    head_start = 0
    position = 0
    while position < len(code):
        char = code[position]
        if char == "{":
            head = code[head_start:position].strip()
            head = re.sub(r"^((public|private|protected)\s*:\s*)+", "", head)
            container = not stack or stack[-1][0] == "scope"
            initialiser = position > 0 and (code[position - 1].isalnum() or code[position - 1] in "_>")
            if container and SCOPE.search(head):
                kind = "scope"
            elif container and not initialiser and "(" in head and not re.search(r"=\s*$", head):
                kind = "function"
            else:
                kind = "block"
            stack.append((kind, position, head, head_start))
            if kind != "block" or not container:
                head_start = position + 1
        elif char == "}" and stack:
            kind, _, head, start = stack.pop()
            if kind == "function":
                lead = len(code[start:]) - len(code[start:].lstrip())
                first = code.count("\n", 0, start + lead) + 1
                last = code.count("\n", 0, position) + 1
                yield first, last - first + 1, parameters_of(head), head
            container = not stack or stack[-1][0] == "scope"
            if kind != "block" or not container:
                head_start = position + 1
        elif char == ";" and (not stack or stack[-1][0] == "scope"):
            head_start = position + 1
        position += 1


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    name = path.as_posix()
    if not lines or lines[0] != SPDX:
        yield f"{name}:1: the first line is not the licence line"
    if path.suffix == ".hpp" and (len(lines) < 2 or not lines[1].startswith("// ")):
        yield f"{name}:2: a header says first what it is"
    if len(lines) > FILE_LINES_MAX:
        yield f"{name}:{FILE_LINES_MAX}: {len(lines)} lines, at most {FILE_LINES_MAX}"
    code = blank_out(text)
    for first, count, parameters, head in functions_in(code):
        if count > FUNCTION_LINES_MAX:
            yield f"{name}:{first}: function of {count} lines, at most {FUNCTION_LINES_MAX}"
        # libfuse sets the signature of its handlers.
        handler = "(fuse_req_t" in head
        if parameters > PARAMETERS_MAX and not handler and not re.match(r"[A-Z_]+\(", head):
            yield f"{name}:{first}: {parameters} parameters, at most {PARAMETERS_MAX}"
    # Banned words are looked for in code; open work also in comments.
    for pattern, allowed, instead in BANNED:
        if name.startswith(tuple(allowed)) if allowed else False:
            continue
        if name.startswith("tests/") and pattern in BANNED_NOT_IN_TESTS:
            continue
        searched = text if "TODO" in pattern else code
        for match in re.finditer(pattern, searched):
            if re.search(r"=\s*$", searched[max(0, match.start() - 4):match.start()]) and match.group(0) == "delete":
                continue
            line = searched.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {match.group(0)}: {instead}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = []
    files = 0
    for top in ("include", "src", "fuse", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp") and path.is_file():
                files += 1
                found += list(check_file(root, path.relative_to(root)))
    for line in found:
        print(line)
    print(f"sizes: {files} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
