package dynamotest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// image is what Docker runs unless the environment names another.
const image = "amazon/dynamodb-local:" + dynamolocal.Version

const port = "8000/tcp"

// docker starts DynamoDB Local in a container whose port is published on this machine's loopback only.
func docker(ctx context.Context, _ string, o Options) (*Server, error) {
	if o != (Options{}) {
		return nil, errNoVersion
	}
	log.SetDefault(log.NewNoopLogger()) // else each start is a page, on whatever go test -v prints
	name := os.Getenv(imageVariable)
	if name == "" {
		name = image
	}
	// The entry point and the command are those of the image, but for the flags of Java and the database that all credentials share. Nothing
	// is waited for: what testcontainers calls the host is another address wherever it takes this for a container.
	c, err := testcontainers.Run(ctx, name,
		testcontainers.WithEntrypoint("java"),
		testcontainers.WithCmd(append(slices.Clone(dynamolocal.Quick), "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar",
			"-inMemory", "-sharedDb", "-disableTelemetry")...),
		testcontainers.WithExposedPorts(port),
		testcontainers.WithHostConfigModifier(func(hc *container.HostConfig) {
			hc.PortBindings = network.PortMap{network.MustParsePort(port): {{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1})}}}
		}))
	stop := func() error {
		if err := testcontainers.TerminateContainer(c); err != nil {
			return fmt.Errorf("dynamotest: %w", err)
		}
		return nil
	}
	if err == nil {
		var mapped network.Port
		if mapped, err = c.MappedPort(ctx, port); err == nil {
			endpoint := "http://127.0.0.1:" + mapped.Port()
			if err = dynamolocal.Await(ctx, endpoint, nil, ""); err == nil {
				return &Server{Endpoint: endpoint, stop: stop}, nil
			}
		}
	}
	_ = stop() // the first error tells more
	return nil, err
}
