#!/usr/bin/env bash
# setup.sh: installs what the tests need and this machine lacks, with the system's package manager: Java and Maven for DynamoDB
# Local, zsh and fish for completion, Prometheus for metrics and alert rules, Python for moto and cfn-lint, Node for iam-simulate. It
# says what it cannot install, and the tests say what they skip. If nothing is missing it prints nothing.
set -euo pipefail

java_works() { [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] || java -version >/dev/null 2>&1; }

# as_root COMMAND…: runs the command as root: directly, or with sudo if that asks for no password.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# install PACKAGE…: installs packages by the names that Debian has for them.
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

# promtool checks the alert rules, and prometheus scrapes a gateway. They are taken out of Debian's package, whose installation
# would start a server.
get_prometheus() (
	cd "$(mktemp -d)"
	as_root apt-get update -qq && apt-get download -qq prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb . &&
		as_root cp usr/bin/promtool usr/bin/prometheus /usr/local/bin/
)
if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
	echo "setup.sh: installing prometheus"
	get_prometheus || echo "setup.sh: prometheus could not be installed: the alert rules are not checked, and no gateway is scraped: install Debian's package prometheus" >&2
fi

# The shells whose completion is tested.
shells=()
for shell in zsh fish; do
	command -v $shell >/dev/null || shells+=("$shell")
done
if [ ${#shells[@]} -gt 0 ]; then
	echo "setup.sh: installing ${shells[*]}"
	install "${shells[@]}" || echo "setup.sh: ${shells[*]} could not be installed: their completion is not tested: install them by hand" >&2
fi

python_works() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
python_works || install python3 python3-venv || true # python.sh says what is missing
"$(dirname "$0")/python.sh"
"$(dirname "$0")/npm.sh"

command -v node >/dev/null && command -v npm >/dev/null || install nodejs npm || true # node.sh says what is missing
"$(dirname "$0")/node.sh"

missing=()
java_works || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
[ ${#missing[@]} -gt 0 ] || exit 0
echo "setup.sh: installing ${missing[*]}"
if install "${missing[@]}" && java_works && command -v mvn >/dev/null; then
	exit 0
fi
echo "setup.sh: ${missing[*]} could not be installed: without them, and without Docker, the tests on DynamoDB are skipped: install them by hand" >&2
case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,dynamodb,*) exit 1 ;; esac
