# SPDX-License-Identifier: Apache-2.0
"""A strict reader of Prometheus's text exposition format 0.0.4, for tests: whatever is not exactly right raises ValueError.

Beyond the grammar: HELP and TYPE before a family's samples, each family once and in one piece, no sample twice, counters
named _total and never negative, histograms cumulative with +Inf last and equal to _count, and _sum beside them.
"""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\Z)')
UNESCAPED = {r"\\": "\\", r"\n": "\n", r'\"': '"'}


def number(text):
    special = {"+Inf": math.inf, "-Inf": -math.inf, "NaN": math.nan}
    if text in special:
        return special[text]
    if not re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text):
        raise ValueError(f"not a number: {text}")
    return float(text)


def labels(text):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            raise ValueError(f"labels: {text}")
        if match[1] in found:
            raise ValueError(f"label twice: {text}")
        found[match[1]] = re.sub(r'\\[\\n"]', lambda escape: UNESCAPED[escape[0]], match[2])
        at = match.end()
    return found


def check_histogram(name, samples):
    series = {}
    for sample, where, value in samples:
        rest = tuple(sorted((key, text) for key, text in where.items() if key != "le"))
        kind = sample[len(name):]
        if (kind == "_bucket") != ("le" in where):
            raise ValueError(f"{sample}{where}: le")
        if kind == "_bucket":
            series.setdefault(rest, {}).setdefault("buckets", []).append((number(where["le"]), value))
        else:
            series.setdefault(rest, {})[kind] = value
    for rest, parts in series.items():
        bounds = [bound for bound, _ in parts["buckets"]]
        counts = [count for _, count in parts["buckets"]]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf:
            raise ValueError(f"{name}{rest}: bounds {bounds}")
        if counts != sorted(counts) or counts[-1] != parts["_count"]:
            raise ValueError(f"{name}{rest}: counts {counts}, _count {parts['_count']}")
        if parts["_sum"] < 0 or (parts["_count"] == 0) != (parts["_sum"] == 0):
            raise ValueError(f"{name}{rest}: _sum {parts['_sum']}")


def check_family(name, kind, samples):
    suffixes = {"_bucket", "_sum", "_count"} if kind == "histogram" else {""}
    seen = set()
    for sample, where, value in samples:
        if sample[len(name):] not in suffixes or not sample.startswith(name):
            raise ValueError(f"{sample} below the TYPE of {name}")
        key = (sample, tuple(sorted(where.items())))
        if key in seen:
            raise ValueError(f"twice: {key}")
        seen.add(key)
        if kind != "gauge" and not value >= 0:
            raise ValueError(f"{sample}: {value}")
    if (kind == "counter") != name.endswith("_total"):
        raise ValueError(f"{name} is a {kind}")
    if kind == "histogram":
        check_histogram(name, samples)


def parse(text):
    """{family: {"type", "help", "samples": [(name, labels, value)]}}"""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    families, current, described = {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, about = line[7:].partition(" ")
            if name in families or not re.fullmatch(NAME, name) or not about:
                raise ValueError(line)
            if re.search(r"\\(?![\\n])", re.sub(r"\\\\", "", about)):
                raise ValueError(f"escape: {line}")
            described = (name, about)
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            if described is None or described[0] != name or kind not in ("counter", "gauge", "histogram"):
                raise ValueError(line)
            families[name] = {"type": kind, "help": described[1], "samples": []}
            current, described = name, None
        else:
            match = SAMPLE.match(line)
            if not match or current is None or described is not None:
                raise ValueError(line)
            families[current]["samples"].append((match[1], labels(match[2] or ""), number(match[3])))
    for name, family in families.items():
        check_family(name, family["type"], family["samples"])
    return families


def value(families, name, **where):
    """The one sample with these labels."""
    found = [sample for sample in families[name]["samples"] if sample[1] == where]
    if len(found) != 1:
        raise ValueError(f"{name}{where}: {len(found)} samples")
    return found[0][2]
