#!/usr/bin/env bash
# release-check.sh: checks what release.sh promises, on the last commit, for this machine and for one system with a zip:
# two clones give the same bytes, the checksums are right, the unpacked program knows its version, and a modified tree
# is refused.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! git rev-parse --git-dir >/dev/null 2>&1; then
	echo "release-check.sh: not run: a release is built in a git checkout only"
	exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
complain() {
	echo "release-check.sh: $*" >&2
	exit 1
}

# Windows on 32 bits, which no release has: `make portable` has compiled it.
for clone in one two; do
	git clone -q . "$folder/$clone"
	"$folder/$clone/.ci/release.sh" "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" windows/386 >"$folder/$clone.out"
done
diff -r "$folder/one/dist" "$folder/two/dist" || complain "two clones of one commit give different bytes"

cd "$folder/one"
touch README.new
! .ci/release.sh >/dev/null 2>"$folder/refused" || complain "a modified tree is released"
grep -q 'the tree is modified: commit first' "$folder/refused" || complain "the refusal says: $(cat "$folder/refused")"

cd dist
files=(*)
[ ${#files[@]} -eq 3 ] && [ -s "$(ls zae-limiter_v*_windows_386.zip)" ] || complain "dist has ${files[*]}"
if command -v sha256sum >/dev/null; then sha256sum -c ./*_checksums.txt; else shasum -a 256 -c ./*_checksums.txt; fi
tar xzf ./*.tar.gz
cd zae-limiter_*/
files=(*)
[ "${files[*]}" = 'LICENSE README.md zae-limiter' ] || complain "the archive has ${files[*]}"
said=$(./zae-limiter version)
grep -q 'version  *v' <<<"$said" && grep -q 'modified  *no' <<<"$said" || complain "the version is: $said"
