#!/usr/bin/env bash
# Every linter over every module: tidy go.mod files, formatting, go vet, golangci-lint. All of them are run even if
# one finds something.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tool() { go tool -modfile="$root/tools/go.mod" "$@"; }

verdict=0
complain() {
	printf 'lint: %s\n' "$*"
	verdict=1
}

for module in . tools bench/peers; do
	cd "$root/$module" || exit
	go mod tidy -diff || complain "$module/go.mod: go mod tidy cures it"
	[ "$module" != tools ] || continue
	go vet ./... || complain "$module: go vet"
	tool golangci-lint run ./... || complain "$module: golangci-lint"
done

cd "$root"
loose=$(tool gofumpt -l .) || complain "gofumpt"
[ -z "$loose" ] || complain "not formatted, make fmt cures it:" $loose
for script in .ci/run .ci/*.sh; do
	bash -n "$script" || complain "$script"
done
exit "$verdict"
