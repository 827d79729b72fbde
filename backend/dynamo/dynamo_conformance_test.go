package dynamo_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/conformance"
)

var tables atomic.Int64

func fresh(t testing.TB) backend.Backend {
	t.Helper()
	if os.Getenv("ZAE_LIMITER_TEST_DYNAMODB") == "" {
		t.Skip("no DynamoDB: set ZAE_LIMITER_TEST_DYNAMODB to the URL of one")
	}
	o := &dynamo.Options{Endpoint: os.Getenv("ZAE_LIMITER_TEST_DYNAMODB")}
	name := fmt.Sprintf("t-%d-%d", os.Getpid(), tables.Add(1))
	if err := dynamo.CreateTable(t.Context(), name, o); err != nil {
		t.Fatal(err)
	}
	s, err := dynamo.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) { conformance.Run(t, fresh) }
func TestFeed(t *testing.T)        { conformance.RunFeed(t, fresh) }
func TestScan(t *testing.T)        { conformance.RunScan(t, fresh) }
func TestModel(t *testing.T)       { conformance.RunModel(t, fresh) }
func TestEngine(t *testing.T)      { conformance.RunEngine(t, fresh) }
