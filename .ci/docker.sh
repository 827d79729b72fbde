#!/usr/bin/env bash
# docker.sh COMMAND…: runs the command with a Docker engine and an image of DynamoDB Local for its tests. If no engine
# answers, it installs one from the system's packages (Debian, as root) and ends it with the command. If no registry answers,
# it builds an image of the files that Maven fetches, which is never published. Without an engine the command runs all the
# same, unless a DynamoDB is required.
set -euo pipefail
cd "$(dirname "$0")/.."

command=("$@")
image=${ZAE_LIMITER_TEST_DYNAMODB_IMAGE:-amazon/dynamodb-local:3.1.0} # as in backend/dynamo/dynamotest/docker.go
made=zae-limiter.test/dynamodb-local:made-here

works() { timeout 20 docker info >/dev/null 2>&1; }

packages() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "docker.sh: no Docker engine answers: the tests run without it: start one, or run this as root on Debian" >&2
		case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,dynamodb,*) exit 1 ;; esac
		exec "${command[@]}"
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
}

home='' engine='' bridge=''
start() {
	[ "$(id -u)" = 0 ] || packages docker.io # prints what is missing
	command -v dockerd >/dev/null || packages docker.io
	command -v docker >/dev/null || packages docker-cli
	[ -e /sys/class/net/docker0 ] || bridge=new
	home=$(mktemp -d)
	export DOCKER_HOST=unix://$home/docker.sock
	# It has folders of its own, and sets no rules in the packet filter: ports on the loopback need none.
	dockerd --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/pid" --host "$DOCKER_HOST" \
		--iptables=false --ip6tables=false --ip-masq=false >"$home/log" 2>&1 &
	engine=$!
	for _ in $(seq 100); do
		! works || return 0
		kill -0 "$engine" 2>/dev/null || break
		sleep 0.3
	done
	tail -n 20 "$home/log" >&2
	echo "docker.sh: the engine does not start; the end of its log is above" >&2
	exit 1
}

stop() {
	[ -n "$engine" ] || return 0
	kill "$engine" 2>/dev/null && wait "$engine" || true
	[ -z "$bridge" ] || ip link delete docker0 2>/dev/null || true
	# A failure to clean up is no failure of the tests.
	sed -n "s|^[^ ]* \($home[^ ]*\) .*|\1|p" /proc/mounts | sort -r | xargs -r umount -l || true
	rm -rf "$home" || true
}
trap stop EXIT

works || start
if ! docker image inspect "$image" >/dev/null 2>&1 && ! timeout 300 docker pull -q "$image" >/dev/null 2>&1; then
	echo "docker.sh: the image $image cannot be pulled; one is built here"
	go run ./internal/dynamolocal/image | docker import -c 'ENV PATH=/jre/bin' -c 'WORKDIR /home/dynamodblocal' \
		-c 'ENTRYPOINT ["/jre/bin/java"]' -c 'CMD ["-jar","DynamoDBLocal.jar","-inMemory"]' -c 'EXPOSE 8000' - "$made" >/dev/null
	image=$made
	# The reaper of testcontainers is an image too. Without it, containers of a test process that is killed would stay,
	# but not longer than the engine.
	export TESTCONTAINERS_RYUK_DISABLED=true
fi
echo "docker.sh: engine $(docker version --format '{{.Server.Version}}'), image $image"
export ZAE_LIMITER_TEST_DYNAMODB_IMAGE=$image
export ZAE_LIMITER_TEST_DYNAMODB_WAY=docker ZAE_LIMITER_TEST_REQUIRE=dynamodb
"$@"
