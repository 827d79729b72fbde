#!/usr/bin/env bash
# setup.sh: installs what the tests want and this machine lacks: Java and Maven for the DynamoDB store, zsh and fish for
# completion, Python for moto and cfn-lint, Node for the second opinion on policies, with the system's own package client; what
# it cannot install it says, and the tests say then what they skip.
set -euo pipefail

java_works() { [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] || java -version >/dev/null 2>&1; }

# as_root COMMAND…: as this user if that is root, else with sudo if it asks for no password.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# install PACKAGE…: by Debian's names.
install() {
	if command -v apt-get >/dev/null; then
		as_root apt-get update -qq &&
			as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
	elif command -v dnf >/dev/null; then
		as_root dnf install -q -y "${@/default-jre-headless/java-latest-openjdk-headless}"
	elif command -v brew >/dev/null; then
		brew install -q "${@/default-jre-headless/openjdk}"
	else
		return 1
	fi
}

# The shells whose completion is tested. Those that are missing are left out of the tests.
shells=()
for shell in zsh fish; do
	command -v $shell >/dev/null || shells+=("$shell")
done
if [ ${#shells[@]} -gt 0 ]; then
	echo "setup.sh: installing ${shells[*]}"
	install "${shells[@]}" || echo "setup.sh: ${shells[*]} could not be installed: their completion is not tested" >&2
fi

python_works() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
python_works || install python3 python3-venv || true # python.sh tells
"$(dirname "$0")/python.sh"
"$(dirname "$0")/npm.sh"

command -v node >/dev/null && command -v npm >/dev/null || install nodejs npm || true # node.sh tells
"$(dirname "$0")/node.sh"

missing=()
java_works || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
[ ${#missing[@]} -gt 0 ] || exit 0
echo "setup.sh: installing ${missing[*]}"
if install "${missing[@]}" && java_works && command -v mvn >/dev/null; then
	exit 0
fi
echo "setup.sh: ${missing[*]} could not be installed: do it by hand, else the DynamoDB tests run on Docker or are skipped" >&2
case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,dynamodb,*) exit 1 ;; esac
