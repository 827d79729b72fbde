package zaelimiter_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/zeroae/zae-limiter-go"

// room is what one package of the module may import outside its tests. The standard library is free to all but for
// what a room's never names, and testing.
type room struct {
	what  string            // what the package is, which is why it may not import more
	ours  []string          // packages of the module, by folder
	third []string          // other modules, or folders of them
	never map[string]string // import, or folder of imports, and why not; beats the two above
	later bool              // not written yet
}

const anything = "*"

var awsSDK = []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"}

// rooms has a row for every package of the module.
var rooms = map[string]room{
	"": {what: "the root holds documents and tests"},

	"internal/alltests": {what: "it says which tests run, with the standard library"},
	"internal/pause":    {what: "pauses are timers and contexts"},
	"internal/quiet":    {what: "it counts lines of a log; the time goes in"},
	"internal/readable": {what: "texts for people are made of values and nothing else"},
	"internal/spin":     {what: "a lock for nanoseconds needs the processor and nothing else"},

	"backend/num": {what: "a number is arithmetic and nothing else"},
	"backend": {
		what: "the contract knows neither who calls it nor who keeps it",
		ours: []string{"backend/num"},
	},
	"internal/prices": {what: "prices are data"},
	"cmd/zae-limiter/internal/load": {
		what:  "load is sent to limiters that the caller has made, over a store that it does not know",
		ours:  []string{"backend", "engine", "engine/bucket", "engine/schema"},
		third: []string{"github.com/HdrHistogram/hdrhistogram-go"},
	},
	"engine/bucket": {
		what:  "bucket arithmetic is pure: numbers and the time go in, numbers come out",
		ours:  []string{"backend/num"},
		never: map[string]string{"context": "arithmetic does not wait; who calls it has the context"},
	},
	"engine/schema": {
		what: "the schema only translates between typed records and backend.Record",
		ours: []string{"backend", "backend/num", "engine/bucket"},
	},
	"engine/internal/store": {
		what:  "the calls of the store know records, and neither limits nor who is limited",
		ours:  []string{"backend", "engine/schema", "internal/pause", "internal/spin"},
		third: []string{"golang.org/x/sync"},
	},
	"engine/internal/follow": {
		what:  "it keeps stored configuration and follows its changes, over a store that it lists and reads, and knows no limits",
		ours:  []string{"backend", "engine/internal/store", "engine/schema", "internal/pause"},
		third: []string{"github.com/oklog/ulid/v2"},
	},
	"engine/internal/changes": {
		what:  "changes of settings are records and events; what they mean for a bucket is the engine's",
		ours:  []string{"backend", "engine/bucket", "engine/internal/follow", "engine/internal/store", "engine/schema"},
		third: []string{"golang.org/x/sync"},
	},
	"engine/internal/buckets": {
		what: "it reads buckets for people; who charges them is charge",
		ours: []string{"backend", "engine/bucket", "engine/internal/changes", "engine/internal/limitset", "engine/internal/store", "engine/schema"},
	},
	"engine/internal/usage": {
		what:  "it lists the records of usage; who computes them is the aggregator",
		ours:  []string{"backend", "engine/internal/store", "engine/schema"},
		third: []string{"golang.org/x/sync"},
	},
	"engine/internal/limitset": {
		what: "lists of limits are prepared, compared and converted; nobody is called for that",
		ours: []string{"backend", "engine/bucket", "engine/schema"},
	},
	"engine/internal/local": {
		what:  "it decides by what is in memory and keeps what that owes to the store; numbers and the time go in, and it calls nothing",
		ours:  []string{"backend/num", "engine/bucket", "engine/internal/limitset", "engine/schema"},
		never: map[string]string{"context": "a decision does not wait; who writes back has the contexts"},
	},
	"engine/internal/pocket": {
		what:  "it decides what to write and when; numbers and the time go in, and it calls nothing",
		ours:  []string{"backend/num", "engine/bucket"},
		never: map[string]string{"context": "a decision does not wait; who drives the buyer has the contexts", "sync": "the caller holds the lock of the bucket"},
	},
	"engine/internal/reserve": {
		what:  "it decides what waiters reserve and when; numbers and the time go in, and it calls nothing",
		ours:  []string{"backend/num", "engine/bucket"},
		never: map[string]string{"context": "a decision does not wait; who drives the line has the contexts", "sync": "the caller holds the lock of the line"},
	},
	"engine/internal/background": {what: "it counts what runs, with the standard library"},
	"engine/internal/names":      {what: "names are texts and nothing else"},
	"engine/internal/alarm":      {what: "it calls who waits for an instant, and knows nobody"},
	"engine/internal/charge": {
		what:  "it has one bucket's part in an acquire; paths of several buckets, and leases, are above it",
		ours:  []string{"backend", "engine/bucket", "engine/internal/alarm", "engine/internal/follow", "engine/internal/limitset", "engine/internal/pocket", "engine/internal/reserve", "engine/internal/store", "engine/schema", "internal/spin"},
		third: []string{"golang.org/x/sync"},
	},
	"engine/internal/settle": {
		what: "it writes what a lease owes to one bucket, or the bucket to it, over charges; who has the lease is above it",
		ours: []string{"backend", "engine/bucket", "engine/internal/charge", "engine/internal/limitset", "engine/internal/local", "engine/internal/pocket", "engine/internal/store", "engine/schema", "internal/pause"},
	},
	"engine/internal/cascade": {
		what: "it finds the buckets of a path, and charges all of them or none; what a policy says is above it",
		ours: []string{"backend", "engine/bucket", "engine/internal/changes", "engine/internal/charge", "engine/internal/local", "engine/internal/settle", "engine/internal/store"},
	},
	"engine/internal/queue": {
		what: "it has who waits, and drives the line that decides for them; what a request needs is told to it",
		ours: []string{"backend", "engine/bucket", "engine/internal/alarm", "engine/internal/charge", "engine/internal/limitset", "engine/internal/reserve", "engine/internal/settle", "engine/internal/store", "internal/pause"},
	},
	"engine": {
		what:  "the engine decides, over a store that it knows as backend.Backend, without other people's libraries",
		ours:  []string{"backend", "backend/num", "engine/bucket", "engine/internal/alarm", "engine/internal/background", "engine/internal/buckets", "engine/internal/cascade", "engine/internal/changes", "engine/internal/charge", "engine/internal/follow", "engine/internal/limitset", "engine/internal/local", "engine/internal/names", "engine/internal/pocket", "engine/internal/queue", "engine/internal/reserve", "engine/internal/settle", "engine/internal/store", "engine/internal/usage", "engine/schema", "internal/pause", "internal/quiet", "internal/readable"},
		never: map[string]string{"os": "the engine reads neither files nor the environment; what it needs is in Options"},
	},
	"backend/memory": {
		what: "the memory store is the reference for reading: the contract and the standard library",
		ours: []string{"backend", "internal/spin"},
	},
	"backend/bolt": {
		what:  "a driver knows the contract, the numbers in it and its own storage library",
		ours:  []string{"backend", "backend/num"},
		third: []string{"go.etcd.io/bbolt"},
	},
	"internal/awsconfig": {
		what:  "it loads the user's AWS configuration, and explains it",
		third: awsSDK,
	},
	"internal/awsconfig/awsconfigtest": {what: "it writes configurations for tests, with the standard library"},
	"backend/dynamo": {
		what:  "a driver knows the contract, the numbers in it and its own storage library",
		ours:  []string{"backend", "internal/awsconfig", "backend/num"},
		third: awsSDK,
	},
	"httplimit": {
		what: "what everybody who serves HTTP imports has the engine's libraries and no others",
		ours: []string{"engine", "internal/pause", "internal/quiet", "internal/readable"},
	},
	"limitertest": {
		what: "a test of a program needs the engine, the memory store and faults, and no library",
		ours: []string{"backend", "backend/memory", "engine", "internal/pause"},
	},
	"conformance": {
		what:  "the suite is for stores that it has never heard of",
		ours:  []string{"backend", "backend/num", "engine", "engine/bucket", "aggregator", "limitertest"},
		third: []string{"pgregory.net/rapid", "github.com/anishathalye/porcupine"},
	},
	"internal/dynamolocal": {what: "it gets and runs a Java program, for tests and for users, with the standard library"},
	"internal/dynamolocal/image": {
		what: "it makes an image for tests of what is on the machine",
		ours: []string{"internal/dynamolocal"},
	},
	"backend/dynamo/dynamotest": {
		what: "it gives tests a DynamoDB and faults, and does nothing else",
		ours: []string{"backend/dynamo", "internal/alltests", "internal/dynamolocal"},
		third: append([]string{
			"github.com/testcontainers/testcontainers-go", "github.com/moby/moby/api",
			"github.com/Shopify/toxiproxy/v2", "github.com/rs/zerolog",
		}, awsSDK...),
	},
	"stack/stacktest": {
		what:  "it gives tests an AWS account, and knows nothing of what is deployed in it",
		ours:  []string{"internal/alltests"},
		third: append([]string{"github.com/johannesboyne/gofakes3", "github.com/goccy/go-yaml"}, awsSDK...),
	},
	"stack": {
		what:  "the stack is infrastructure, of use without a limiter and without a command line",
		ours:  []string{"internal/awsconfig"},
		third: awsSDK,
	},
	"aggregator": {
		what: "the aggregator makes usage of changes over any store, so that all of it runs on memory in a test",
		ours: []string{"backend", "engine/bucket", "engine/schema", "internal/pause"},
	},
	"aggregator/lambda": {
		what:  "the Lambda decodes events, calls the aggregator and encodes failures",
		ours:  []string{"aggregator", "backend", "backend/dynamo"},
		third: append([]string{"github.com/aws/aws-lambda-go"}, awsSDK...),
	},
	"cmd/zae-limiter/internal/manifest": {
		what:  "a manifest is read, compared and written; the engine makes the changes, the command line prints",
		ours:  []string{"engine"},
		third: []string{"github.com/goccy/go-yaml"},
	},
	"aggregator/lambda/lambdatest": {
		what:  "it gives tests what AWS does around a Lambda function, and does nothing else",
		ours:  []string{"internal/alltests"},
		third: append([]string{"github.com/aws/aws-lambda-go"}, awsSDK...),
	},
	"cmd/zae-limiter": {
		what: "the command line gathers, calls and prints, with kong and its friends",
		ours: []string{anything},
		third: []string{
			"github.com/alecthomas/kong", "github.com/goccy/go-yaml",
			"charm.land/lipgloss/v2", "golang.org/x/term", "github.com/oklog/ulid/v2",
			"github.com/guptarohit/asciigraph",
		},
		never: map[string]string{
			module + "/conformance":                      "the suite would bring testing and its flags into the binary",
			module + "/limitertest":                      "it would bring testing and its flags into the binary",
			module + "/stack/stacktest":                  "it would bring testing and its flags into the binary",
			module + "/backend/dynamo/dynamotest":        "it would bring a container engine's client into the binary",
			module + "/aggregator/lambda/lambdatest":     "it would bring testing and its flags into the binary",
			module + "/internal/awsconfig/awsconfigtest": "it would bring testing and its flags into the binary",
			module + "/bench":                            "benchmarks measure the command's parts, and are none of them",
		},
	},
	"bench/sim": {what: "the simulation is tests, since virtual time needs a test"},
	"bench": {
		what:  "benchmarks may import whatever they compare",
		ours:  []string{anything},
		third: []string{anything},
	},
}

// testers are the packages that are made for tests, and so may import testing.
var testers = []string{"conformance", "limitertest", "stack/stacktest", "backend/dynamo/dynamotest", "aggregator/lambda/lambdatest", "internal/alltests", "internal/awsconfig/awsconfigtest"}

// refusals explain imports that a room's lists leave out.
var refusals = map[string]string{
	module + "/backend/memory": "the caller chooses the store; speak to backend.Backend",
	module + "/backend/bolt":   "the caller chooses the store; speak to backend.Backend",
	module + "/backend/dynamo": "the caller chooses the store; speak to backend.Backend",
	module + "/engine":         "what the engine stands on must not lean on it",
	module + "/engine/schema":  "only the engine and the aggregator know what is in a record",
	module + "/engine/bucket":  "only the engine, the aggregator and the suite know what a limit is",
	module + "/conformance":    "the suite is for tests",
	module + "/limitertest":    "it is for tests",
	module + "/stack":          "only the command line deploys",
	module + "/internal/spin":  "take a sync.Mutex: the spin lock is for critical sections of nanoseconds",
	"github.com/aws":           "AWS ends at backend/dynamo, stack and aggregator/lambda",
	"go.etcd.io/bbolt":         "bbolt ends at backend/bolt",
	"github.com/alecthomas":    "the command line's libraries end at cmd/zae-limiter",
}

// refuse says why the package in folder, with room r, may not import path; "" if it may.
func refuse(folder string, r room, path string) string {
	if why := reason(r.never, path); why != "" {
		return why
	}
	host, _, _ := strings.Cut(path, "/")
	ours, isOurs := strings.CutPrefix(path, module+"/")
	var allowed bool
	switch {
	case path == "testing" || strings.HasPrefix(path, "testing/"):
		if slices.Contains(testers, folder) {
			return ""
		}
		return "testing is for _test.go files and " + strings.Join(testers, ", ") + "; its flags would be in every user's binary"
	case isOurs:
		allowed = slices.Contains(r.ours, ours) || slices.Contains(r.ours, anything)
	case !strings.Contains(host, "."):
		allowed = true // the standard library
	default:
		allowed = slices.ContainsFunc(r.third, func(p string) bool { return p == anything || within(p, path) })
	}
	if allowed {
		return ""
	}
	if why := reason(refusals, path); why != "" {
		return why + " (" + r.what + ")"
	}
	return r.what
}

func within(folder, path string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// reason finds the longest folder in reasons that path is within; the packages of the module must match exactly.
func reason(reasons map[string]string, path string) string {
	var best string
	for folder := range reasons {
		if len(folder) > len(best) && (path == folder || !strings.HasPrefix(folder, module) && within(folder, path)) {
			best = folder
		}
	}
	return reasons[best]
}

// TestDeps holds the imports of every package to the table of rooms, for all systems that the module is built for.
func TestDeps(t *testing.T) {
	imports := map[string][]string{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		for folder, paths := range listImports(t, system) {
			imports[folder] = append(imports[folder], paths...)
		}
	}
	for folder, paths := range imports {
		r, known := rooms[folder]
		if !known {
			t.Errorf("package %q has no row in rooms: write down, in deps_test.go, what it may import", folder)
			continue
		}
		if r.later {
			t.Errorf("package %q is there now: take `later` from its row in rooms", folder)
		}
		slices.Sort(paths)
		for _, path := range slices.Compact(paths) {
			if why := refuse(folder, r, path); why != "" {
				t.Errorf("package %q imports %s: %s", folder, path, why)
			}
		}
	}
	for folder, r := range rooms {
		if _, found := imports[folder]; !found && !r.later {
			t.Errorf("package %q has a row in rooms but vanished: a rule without a package holds nothing", folder)
		}
	}
}

// listImports returns, for every package of the module by its folder, what its files for system import, tests aside.
func listImports(t *testing.T, system string) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	imports := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatalf("%v: %v", list, err)
		}
		imports[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p.Imports
	}
	return imports
}

// TestDepsTable keeps the table itself from going stale: whatever of ours it names has a row, and every row says why.
func TestDepsTable(t *testing.T) {
	named := slices.Collect(maps.Keys(refusals))
	for folder, r := range rooms {
		if r.what == "" {
			t.Errorf("row %q does not say what the package is", folder)
		}
		for _, ours := range r.ours {
			named = append(named, module+"/"+ours)
		}
		named = slices.AppendSeq(named, maps.Keys(r.never))
	}
	for _, path := range named {
		ours, isOurs := strings.CutPrefix(path, module+"/")
		if _, known := rooms[ours]; isOurs && ours != anything && !known {
			t.Errorf("%s is named in the table and has no row", path)
		}
	}
}

// TestDepsRefuses proves that the rule can fail, with the reason that belongs to the import.
func TestDepsRefuses(t *testing.T) {
	for _, c := range []struct{ folder, path, want string }{
		{"engine", "testing", "testing is for _test.go"},
		{"engine", "testing/synctest", "testing is for _test.go"},
		{"engine", "os", "neither files nor the environment"},
		{"engine", module + "/backend/memory", "speak to backend.Backend"},
		{"engine", "go.etcd.io/bbolt", "bbolt ends at"},
		{"engine", "github.com/oklog/ulid", "the engine decides"},
		{"engine/bucket", "context", "arithmetic does not wait"},
		{"backend", module + "/engine", "must not lean on it"},
		{"backend/bolt", module + "/backend/memory", "speak to backend.Backend"},
		{"backend/memory", module + "/engine/bucket", "know what a limit is"},
		{"conformance", "github.com/aws/smithy-go", "AWS ends at"},
		{"cmd/zae-limiter", module + "/conformance", "into the binary"},
		{"cmd/zae-limiter", "github.com/spf13/cobra", "kong and its friends"},
		{"", "golang.org/x/sync/errgroup", "documents and tests"},

		{"conformance", "testing", ""},
		{"engine", "sync", ""},
		{"engine/internal/charge", "golang.org/x/sync/singleflight", ""},
		{"cmd/zae-limiter", module + "/backend/bolt", ""},
		{"bench", module + "/engine", ""},
		{"bench", "golang.org/x/time/rate", ""},
	} {
		got := refuse(c.folder, rooms[c.folder], c.path)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q importing %s: refused with %q, want %q", c.folder, c.path, got, c.want)
		}
	}
}
