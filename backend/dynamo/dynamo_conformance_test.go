package dynamo_test

import (
	"os"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/internal/dynamotest"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

func fresh(t testing.TB) backend.Backend {
	t.Helper()
	name, o := dynamotest.Table(t)
	s, err := dynamo.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) { conformance.Run(t, fresh) }
func TestFeed(t *testing.T)        { conformance.RunFeed(t, fresh) }
func TestScan(t *testing.T)        { conformance.RunScan(t, fresh) }

// TestModel and TestEngine run where an endpoint is given.
func TestModel(t *testing.T)  { given(t); conformance.RunModel(t, fresh) }
func TestEngine(t *testing.T) { given(t); conformance.RunEngine(t, fresh) }

func given(t *testing.T) {
	t.Helper()
	if os.Getenv("ZAE_LIMITER_TEST_DYNAMODB") == "" {
		t.Skip("set ZAE_LIMITER_TEST_DYNAMODB to the URL of a DynamoDB")
	}
}
