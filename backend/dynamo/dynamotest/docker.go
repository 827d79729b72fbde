package dynamotest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// image is what Docker runs unless the environment names another.
const image = "amazon/dynamodb-local:" + dynamolocal.Version

// docker starts DynamoDB Local in a container whose port is published on this machine's loopback only.
func docker(ctx context.Context, _ string, o Options) (*Server, error) {
	if o != (Options{}) {
		return nil, errNoVersion
	}
	if _, err := dockerCLI(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, err
	}
	name := os.Getenv(imageVariable)
	if name == "" {
		name = image
	}
	container := "zae-limiter-test-" + strings.ToLower(rand.Text())
	stop, err := removeAtEnd(container)
	if err != nil {
		return nil, err
	}
	// The entry point and the command are those of the image, except for the flags of Java and the database that all
	// credentials share.
	run := []string{"run", "--detach", "--rm", "--name", container, "--publish", "127.0.0.1::8000", "--entrypoint", "java", name}
	run = append(append(run, dynamolocal.Quick...),
		"-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry")
	_, err = dockerCLI(ctx, run...)
	if err == nil {
		var address string
		if address, err = dockerCLI(ctx, "port", container, "8000/tcp"); err == nil {
			endpoint := "http://" + address
			if err = dynamolocal.Await(ctx, endpoint, nil, ""); err == nil {
				return &Server{Endpoint: endpoint, stop: stop}, nil
			}
		}
	}
	return nil, errors.Join(err, stop())
}

// dockerCLI returns the first line that a docker command prints; its error has the last line of standard error.
func dockerCLI(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	first, _, _ := strings.Cut(string(out), "\n")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, lines[len(lines)-1])
	}
	return first, err
}
