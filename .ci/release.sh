#!/usr/bin/env bash
# release.sh [OS/ARCH…]: builds the archives of a release, and their checksums, into dist: the command line for each
# system, with LICENSE and README.md. The version is that of the build information, from the tag of the commit. The same
# commit gives the same bytes with the same versions of Go and git, wherever and whenever it is built. Publishes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
if [ -n "$(git status --porcelain)" ]; then
	echo "release.sh: the tree is modified: commit first" >&2
	exit 1
fi
sums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir -p dist
archives=()
for target in "$@"; do
	system=${target%/*} arch=${target#*/} suffix= format=tar.gz
	[ "$system" != windows ] || suffix=.exe format=zip
	binary=$build/zae-limiter$suffix
	GOOS=$system GOARCH=$arch CGO_ENABLED=0 GOFLAGS='' GOAMD64=v1 GOARM64=v8.0 \
		go build -trimpath -buildvcs=true -tags=lambda.norpc -ldflags='-s -w' -o "$binary" ./cmd/zae-limiter
	version=$(go version -m "$binary" | awk '$1 == "mod" {print $3}')
	if [ -z "$version" ] || [ "$version" = '(devel)' ]; then
		echo "release.sh: the build has no version: build in a git clone, not in a worktree" >&2
		exit 1
	fi
	name=zae-limiter_${version}_${system}_$arch
	# git stamps every entry with the time of the commit; zip has no time zone, so it is set.
	TZ=UTC git -c tar.umask=022 archive -9 --format=$format --prefix="$name/" --add-file="$binary" \
		--output="dist/$name.$format" HEAD LICENSE README.md
	archives+=("$name.$format")
done
cd dist
sums "${archives[@]}" | tee "zae-limiter_${version}_checksums.txt"
