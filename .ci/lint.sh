#!/usr/bin/env bash
# Every linter over the modules: tidy go.mod files, formatting, golangci-lint, which has go vet in it. All of them are run
# even if one finds something. The module of the tools has no code, and what is missing there shows when they are built.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tool() { go tool -modfile="$root/tools/go.mod" "$@"; }

verdict=0
complain() {
	printf 'lint: %s\n' "$*"
	verdict=1
}

for module in . bench/peers; do
	cd "$root/$module" || exit
	go mod tidy -diff || complain "$module/go.mod: go mod tidy cures it"
	tool golangci-lint run ./... || complain "$module: golangci-lint"
done

cd "$root"
loose=$(tool gofumpt -l .) || complain "gofumpt"
[ -z "$loose" ] || complain "not formatted, make fmt cures it:" $loose
for script in .ci/run .ci/*.sh; do
	bash -n "$script" || complain "$script"
done
exit "$verdict"
