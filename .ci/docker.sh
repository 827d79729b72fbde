#!/usr/bin/env bash
# docker.sh COMMAND…: runs the command where tests have a Docker engine and an image of DynamoDB Local: those that are
# there, else an engine from the system's packages (Debian, as root), which ends with the command, and an image that is
# made here of Maven's files and never published. Without an engine it is run all the same, unless a DynamoDB is required.
set -euo pipefail
cd "$(dirname "$0")/.."

command=("$@")
image=${ZAE_LIMITER_TEST_DYNAMODB_IMAGE:-amazon/dynamodb-local:3.1.0} # as in backend/dynamo/dynamotest/docker.go
made=zae-limiter.test/dynamodb-local:made-here

works() { timeout 20 docker info >/dev/null 2>&1; }

packages() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "docker.sh: not on Docker: no engine answers; start one, or run this as root on Debian" >&2
		case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,dynamodb,*) exit 1 ;; esac
		exec "${command[@]}"
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
}

home='' engine='' bridge=''
start() {
	[ "$(id -u)" = 0 ] || packages docker.io # which tells what is missing
	command -v dockerd >/dev/null || packages docker.io
	command -v docker >/dev/null || packages docker-cli
	[ -e /sys/class/net/docker0 ] || bridge=new
	home=$(mktemp -d)
	export DOCKER_HOST=unix://$home/docker.sock
	# Its own folders, and no rule in the machine's packet filter: ports on the loopback need none.
	dockerd --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/pid" --host "$DOCKER_HOST" \
		--iptables=false --ip6tables=false --ip-masq=false >"$home/log" 2>&1 &
	engine=$!
	for _ in $(seq 100); do
		! works || return 0
		kill -0 "$engine" 2>/dev/null || break
		sleep 0.3
	done
	tail -n 20 "$home/log" >&2
	echo "docker.sh: the engine does not start" >&2
	exit 1
}

stop() {
	[ -n "$engine" ] || return 0
	kill "$engine" 2>/dev/null && wait "$engine" || true
	[ -z "$bridge" ] || ip link delete docker0 2>/dev/null || true
	# A failure to clean up is not one of the tests.
	sed -n "s|^[^ ]* \($home[^ ]*\) .*|\1|p" /proc/mounts | sort -r | xargs -r umount -l || true
	rm -rf "$home" || true
}
trap stop EXIT

works || start
if ! docker image inspect "$image" >/dev/null 2>&1 && ! timeout 300 docker pull -q "$image" >/dev/null 2>&1; then
	echo "docker.sh: $image cannot be had, an image is made here"
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
