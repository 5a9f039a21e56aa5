"""Copies recordings of a real server into `recorded/`, without the parts that no comparison needs.

Run it as `python -m tests.serving.exchanges.copy_recordings FOLDER`. A file holds a hundred cases,
one per line; `servers.json` holds the servers, once for all cases that share one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
SERVER = ("flags", "model_config", "other_files")
DROPPED = {"server_log", "log", "log_since", "curl_timing", "protocol", "initial_metadata",
           "trailing_metadata", "reason", "t", "took_s", "took", *SERVER}  # fmt: skip
METRICS = re.compile(
    r"(# TYPE )?:tensorflow:(serving:re|serving:run|cc:saved_model:load)(?!.*stage)"
)


def main(source: Path) -> None:
    """Writes all of `recorded/` anew."""
    servers: list[Any] = []
    hundreds: dict[str, list[str]] = {}
    for file in sorted((source / "replies").glob("*.json")):
        record = json.loads(file.read_text("utf-8"))
        server = {key: record.get(key) for key in SERVER} if "flags" in record else None
        if server not in servers:
            servers.append(server)
        line = {"name": file.stem, "server": servers.index(server), **_compact(record)}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        hundreds.setdefault(file.stem[0], []).append(text)
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / "servers.json").write_text(json.dumps(servers, indent=1) + "\n", "utf-8")
    for hundred, lines in hundreds.items():
        (RECORDED / f"{hundred}00.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    page = (source / "721_metrics.txt").read_text("utf-8").splitlines()
    kept = "\n".join(line for line in page if METRICS.match(line))
    (RECORDED / "721_metrics.txt").write_text(kept + "\n", "utf-8")


def _compact(value: Any) -> Any:
    if isinstance(value, list):
        return [_compact(item) for item in value if not _is_date(item)]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key not in DROPPED and item is not None}
    if "log_tail" in kept:
        kept["log_tail"] = kept["log_tail"][-1:]
    return {key: _compact(item) for key, item in kept.items()}


def _is_date(item: Any) -> bool:
    return isinstance(item, list) and item[:1] == ["Date"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
