package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// app is the name of the stack in most tests.
const app = "app"

// world is a scripted AWS account, with the events that a caller has received.
type world struct {
	*stacktest.AWS
	t      *testing.T
	events []Event
}

func newWorld(t *testing.T, o *stacktest.Options) *world {
	t.Helper()
	return &world{AWS: stacktest.Start(t, o), t: t}
}

// session returns a session with the account's clock.
func (w *world) session(o Options) *session {
	w.t.Helper()
	config := w.Config()
	o.Config, o.Now, o.Sleep = &config, w.Clock.Now, w.Clock.Sleep
	if progress := o.Progress; progress == nil {
		o.Progress = func(e Event) { w.events = append(w.events, e) }
	}
	s, err := openNamed(w.t.Context(), app, &o)
	if err != nil {
		w.t.Fatal(err)
	}
	s.jitter = func() float64 { return 0.5 }
	return s
}

// record writes a schema record into a table, without the name of a stack if stack is empty.
func (w *world) record(table, version, stack string) {
	w.t.Helper()
	item := schemaKey()
	item[attributeVersion] = &types.AttributeValueMemberN{Value: version}
	if stack != "" {
		item[attributeStack] = textValue(stack)
	}
	_, err := dynamodb.NewFromConfig(w.Config()).PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item})
	if err != nil {
		w.t.Fatal(err)
	}
}

// schema returns the schema record of a table.
func (w *world) schema(table string) schemaRecord {
	w.t.Helper()
	s := w.session(Options{})
	s.name = table
	found, err := s.readRecord(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// code is the function's code in tests.
func codeFor(architecture string) *Code {
	return (&Code{Architecture: architecture, Version: "v1.2.3"}).withZip([]byte("PK code for " + architecture))
}

// with returns options with code, so that none is searched for.
func with(change ...func(*Options)) Options {
	o := Options{Code: codeFor("arm64")}
	for _, f := range change {
		f(&o)
	}
	return o
}

func (w *world) ensure(o Options) (Result, error) { return w.session(o).ensure(w.t.Context()) }

func (w *world) mustEnsure(o Options) Result {
	w.t.Helper()
	r, err := w.ensure(o)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.story())
	}
	return r
}

func (w *world) delete(o DeleteOptions) error { return w.session(Options{}).delete(w.t.Context(), o) }

func (w *world) mustDelete(o DeleteOptions) {
	w.t.Helper()
	if err := w.delete(o); err != nil {
		w.t.Fatalf("%v\n%s", err, w.story())
	}
}

// dropTable deletes the table, as somebody else would.
func (w *world) dropTable() {
	w.t.Helper()
	table := app
	if _, err := dynamodb.NewFromConfig(w.Config()).DeleteTable(w.t.Context(), &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
		w.t.Error(err)
	}
}

// story returns the events that a caller has received, one a line.
func (w *world) story() string {
	var lines []string
	for _, e := range w.events {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Resource, e.Status, e.Reason)))
	}
	return strings.Join(lines, "\n")
}

// has reports whether a caller has received an event.
func (w *world) has(resource, status string) bool {
	return slices.ContainsFunc(w.events, func(e Event) bool {
		return e.Resource == resource && (e.Status == status || strings.Contains(e.Reason, status))
	})
}

// changed returns the changes as ACTION RESOURCE.
func changed(changes []Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, c.Action+" "+c.Resource)
	}
	return all
}
