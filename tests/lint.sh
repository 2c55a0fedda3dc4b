#!/bin/sh
# Everything that is checked without running the product. Says which check failed; runs them all first.
cd "$(dirname "$0")/.." || exit 1
PY=${PY:-.venv/bin/python}
failed=

check() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    echo "lint: $name is clean"
  else
    echo "$output"
    echo "lint: $name FAILED"
    failed="$failed $name"
  fi
}

# What a deployment sets, so that the deployment checks speak of the settings and not of this machine.
deployed() {
  SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP DEBUG=false HTTPS=true ALLOWED_HOSTS=evenhand.example.org \
    DATA_DIR="$scratch" "$@"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check ruff "$PY" -m ruff check .
check format "$PY" -m ruff format --check .
check mypy env DATA_DIR="$scratch" "$PY" -m mypy
check imports "$(dirname "$PY")/lint-imports" --no-cache
check migrations env DATA_DIR="$scratch" "$PY" manage.py makemigrations --check --dry-run
check deployment deployed "$PY" manage.py check --deploy --fail-level WARNING

[ -z "$failed" ] || { echo "lint:$failed to be mended" >&2; exit 1; }
