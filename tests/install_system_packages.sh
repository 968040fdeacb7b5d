#!/usr/bin/env bash
# What the tests use beside Python packages: a browser, a voice, fonts and a database.
# Installs what is missing where it may (Debian and Ubuntu, as root or with sudo), else says
# what to install; tests that lack something then skip and say so.
set -euo pipefail

missing=()
need() { # PACKAGE PROBE…: the package is missing where the probe fails
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
found_postgres() { command -v postgres || compgen -G "/usr/lib/postgresql/*/bin/postgres"; }
found_font_for() { fc-list ":lang=$1" family | grep -q .; }

need chromium command -v chromium
need espeak-ng command -v espeak-ng
need postgresql found_postgres
need fontconfig command -v fc-list
need fonts-noto-core found_font_for ar
need fonts-noto-core found_font_for hi

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  echo "installing for the tests: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  install=("${as_root[@]}" apt-get install --yes --quiet --no-install-recommends -o Dpkg::Use-Pty=0)
  # Package lists may be old or empty; they are fetched anew only when that is why it fails.
  "${install[@]}" "${missing[@]}" >/dev/null 2>&1 || {
    "${as_root[@]}" apt-get update --quiet >/dev/null
    "${install[@]}" "${missing[@]}" >/dev/null
  }
  exit 0
fi

echo "some tests need these packages, please install them: ${missing[*]}" >&2
if [ "${CI:-}" = true ]; then
  exit 1
fi
