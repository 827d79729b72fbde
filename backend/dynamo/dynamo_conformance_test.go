package dynamo_test

import (
	"flag"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/conformance"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !given("rapid.checks") {
		_ = flag.Set("rapid.checks", "15") // a call takes milliseconds
	}
	if !given("test.parallel") {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // half of the time is the emulator's
	}
	dynamotest.Main(m)
}

// given reports whether a flag is on the command line.
func given(name string) (is bool) {
	flag.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

func fresh(t testing.TB) backend.Backend { return on(t, dynamotest.Table) }

// on opens a store on a table that is made for it.
func on(t testing.TB, tableFunc func(testing.TB) (string, *dynamo.Options)) backend.Backend {
	t.Helper()
	name, o := tableFunc(t)
	s, err := dynamo.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) { conformance.Run(t, several) }
func TestScan(t *testing.T)        { conformance.RunScan(t, fresh) }
func TestFeed(t *testing.T)        { conformance.RunFeed(t, streaming) }
func TestUsage(t *testing.T)       { conformance.RunUsage(t, streaming) }

// TestDurable is without a feed: what of the stream was taken is known only to the store that took it.
func TestDurable(t *testing.T) {
	conformance.RunDurable(t, func(t testing.TB) conformance.Open {
		name, o := dynamotest.Table(t)
		return func(t testing.TB) backend.Backend { return severalOn(t, name, o) }
	})
}

func streaming(t testing.TB) backend.Backend { return on(t, dynamotest.StreamTable) }

// What begins with TestSlow is run without the race detector in `make test`: it asks no more of the driver than the tests
// above, and hundreds of times more often.

func TestSlowModel(t *testing.T)  { conformance.RunModel(t, fresh) }
func TestSlowEngine(t *testing.T) { conformance.RunEngineBriefly(t, several) }

func TestSlowCompare(t *testing.T) {
	conformance.Compare(t, map[string]conformance.Open{
		"dynamo": fresh,
		"memory": func(testing.TB) backend.Backend { return memory.New(nil) },
		"bolt": func(t testing.TB) backend.Backend {
			s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), &bolt.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
}
