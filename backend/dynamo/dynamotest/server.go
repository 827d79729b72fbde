package dynamotest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

const (
	endpointVariable = "ZAE_LIMITER_TEST_DYNAMODB"
	imageVariable    = "ZAE_LIMITER_TEST_DYNAMODB_IMAGE"
	wayVariable      = "ZAE_LIMITER_TEST_DYNAMODB_WAY"
)

// asked reports whether tests on a DynamoDB are asked for. They take minutes, so a plain `go test ./...` leaves them out.
func asked() bool {
	return alltests.Asked() || os.Getenv(endpointVariable) != "" || os.Getenv(wayVariable) != "" || required()
}

// required reports whether a test fails, and is not skipped, if there is no DynamoDB.
func required() bool {
	return alltests.Requires("dynamodb")
}

// starting bounds the time of one way, with the download of images and programs.
const starting = 3 * time.Minute

// Server is a DynamoDB for tests. It is safe for concurrent use, except for Kill and Restart.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT
	Way      string // "endpoint", "docker" or "java"
	Version  string // of DynamoDB Local; "" if it is not known

	java *process // nil unless it is a Java process
	stop func() error
}

// Options of [Start]; nil is fine.
type Options struct {
	Version string // of DynamoDB Local. Default: dynamolocal.Version
	OnDisk  bool   // keep the tables in a folder of the test, so that they outlive Kill. Default: in memory
}

// way is one way to get a DynamoDB.
type way struct {
	name  string
	start func(ctx context.Context, folder string, o Options) (*Server, error)
}

var ways = []way{{"endpoint", given}, {"docker", docker}, {"java", java}}

// shared is the emulator of this test process, started by the first test that wants it.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared returns the emulator of the test process, and starts it if this is the first test that wants it. If tests on a
// DynamoDB are not asked for, or there is none, the test is skipped; it fails if one is required. The package's tests must
// be run by [Main].
func Shared(t testing.TB) *Server {
	t.Helper()
	mustBeRun(t)
	mustBeAsked(t)
	shared.once.Do(func() {
		shared.server, shared.err = open(context.Background(), ways, os.Getenv(wayVariable), Options{})
	})
	if shared.err != nil {
		missed(t, shared.err)
	}
	return shared.server
}

// Start starts an emulator for this test alone, as a Java process that ends with the test. The test is skipped or fails as
// with [Shared].
func Start(t testing.TB, o *Options) *Server {
	t.Helper()
	mustBeRun(t)
	mustBeAsked(t)
	if o == nil {
		o = &Options{}
	}
	s, err := open(t.Context(), []way{{"java", java}}, "", *o)
	if err != nil {
		missed(t, err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// open tries one way after the other, or only that one.
func open(ctx context.Context, ways []way, only string, o Options) (*Server, error) {
	var failures errNone
	for _, w := range ways {
		if only != "" && only != w.name {
			failures = append(failures, failure{w.name, fmt.Errorf("%w by %s=%s", errRuledOut, wayVariable, only)})
			continue
		}
		folder, err := os.MkdirTemp("", "dynamotest-")
		if err != nil {
			return nil, fmt.Errorf("dynamotest: %w", err)
		}
		limited, cancel := context.WithTimeout(ctx, starting)
		s, err := w.start(limited, folder, o)
		cancel()
		if err == nil {
			s.Way = w.name
			end := s.stop
			s.stop = sync.OnceValue(func() error {
				defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
				return end()
			})
			return s, nil
		}
		_ = os.RemoveAll(folder) // a temporary folder
		failures = append(failures, failure{w.name, err})
	}
	return nil, failures
}

// given returns the emulator at the endpoint that the environment names.
func given(ctx context.Context, _ string, _ Options) (*Server, error) {
	endpoint := strings.TrimSuffix(os.Getenv(endpointVariable), "/")
	if endpoint == "" {
		return nil, fmt.Errorf("%s is %w", endpointVariable, errNotSet)
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := dynamolocal.Await(limited, endpoint, nil, ""); err != nil {
		return nil, err
	}
	return &Server{Endpoint: endpoint, stop: func() error { return nil }}, nil
}

// Config returns the configuration of an SDK client for the emulator. The credentials are invented.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}
