"""``./run.sh fuzz [--seconds N] [TARGET ...]``: coverage-guided fuzzing (atheris, on libFuzzer) of every parser, bounded in time,
memory and size of input, each in a process of its own. Code 1 where one of them let an input escape (it is kept in a folder), 69
where atheris cannot be had, so that nobody takes "nothing escaped" from a run that did not happen."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = ("weibo", "x", "mastodon", "mail", "words", "address", "cases", "photo_record")
"""As in bot/fuzz/targets.py, which is imported by the fuzzed processes alone: only what is imported there is instrumented."""
UNAVAILABLE = 69
"""As sysexits.h has it (EX_UNAVAILABLE)."""
MAX_INPUT_BYTES = 65_536
SLOW_S = 20
MEMORY_MB = 2048
_EXAMPLES = Path(__file__).resolve().parents[2] / "tests" / "examples"


def main() -> int:
    """Fuzz each target for its share of the time. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="./run.sh fuzz", description="Coverage-guided fuzzing of every parser.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"by default all: {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=120, help="for all of them together (default: 120)")
    parser.add_argument("--corpus", type=Path, default=Path("var/fuzz"), help="where inputs are kept (default: var/fuzz)")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in NAMES]:
        parser.error(f"unknown: {', '.join(unknown)}")
    try:
        import atheris  # noqa: F401
    except ImportError:
        words = "fuzz: not available: atheris (requirements-fuzz.txt) has no wheel for this Python or machine; nothing was fuzzed"
        print(f"{words}. The tests' corpus and Hypothesis remain.", file=sys.stderr)
        return UNAVAILABLE
    if options.only:
        _fuzz(options.only, options.seconds, options.corpus)
    names = options.targets or list(NAMES)
    share = max(1, options.seconds // len(names))
    failed = [name for name in names if not _in_a_process(name, share, options.corpus)]
    print(f"fuzz: {len(names)} parsers, {share} s each: " + (f"ESCAPED: {', '.join(failed)}" if failed else "nothing escaped"))
    return 1 if failed else 0


def _in_a_process(name: str, seconds: int, corpus: Path) -> bool:
    own = [sys.executable, "-m", "bot.fuzz", "--only", name, "--seconds", str(seconds), "--corpus", str(corpus)]
    done = subprocess.run(own, capture_output=True, text=True, errors="replace", timeout=seconds * 5 + 120)
    lines = done.stderr.splitlines()
    ran = next((line for line in reversed(lines) if line.startswith("Done ")), "did not end by itself")
    print(f"  {name}: {ran}", flush=True)
    if done.returncode:
        print("\n".join(lines[-40:]), file=sys.stderr)
    return done.returncode == 0


def _fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one target in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["bot.platforms", "bot.casefiles", "bot.officials_replies", "ingest", "email"]):
        from bot.fuzz.targets import survives

    def one(data: bytes) -> None:
        survives(name, data)

    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    words = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}"]
    seeds = [str(folder)] + ([str(_EXAMPLES / name)] if (_EXAMPLES / name).is_dir() else [])
    atheris.Setup(["fuzz", *words, f"-artifact_prefix={folder}/escaped-", *seeds], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
