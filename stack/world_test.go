package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/internal/awstest"
)

// app is the name of the stack in most tests.
const app = "app"

// world is an AWS account, and what a caller has seen of it.
type world struct {
	*awstest.AWS
	t      *testing.T
	tables *tablesByName
	events []Event
}

func newWorld(t *testing.T, o *awstest.Options) *world {
	t.Helper()
	a := awstest.Start(t, o)
	return &world{AWS: a, t: t, tables: &tablesByName{tables: tablesOf(dynamodb.NewFromConfig(a.Config())), records: map[string]map[string]types.AttributeValue{}}}
}

// tablesByName has records for the tables that the account has by their names only.
type tablesByName struct {
	tables
	keys    []string // of tables. Default: PK and SK
	lock    sync.Mutex
	records map[string]map[string]types.AttributeValue
}

func (f *tablesByName) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	out, err := f.tables.DescribeTable(ctx, in, o...)
	if err == nil && out.Table.KeySchema == nil {
		keys := f.keys
		if keys == nil {
			keys = []string{"PK", "SK"}
		}
		for _, key := range keys {
			out.Table.KeySchema = append(out.Table.KeySchema, types.KeySchemaElement{AttributeName: &key})
		}
	}
	return out, err
}

func (f *tablesByName) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if _, err := f.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: in.TableName}); err != nil {
		return nil, err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	return &dynamodb.GetItemOutput{Item: f.records[*in.TableName]}, nil
}

func (f *tablesByName) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if _, err := f.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: in.TableName}); err != nil {
		return nil, err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.records[*in.TableName] != nil {
		return nil, &types.ConditionalCheckFailedException{}
	}
	f.records[*in.TableName] = in.Item
	return &dynamodb.PutItemOutput{}, nil
}

func (f *tablesByName) DeleteTable(ctx context.Context, in *dynamodb.DeleteTableInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error) {
	out, err := f.tables.DeleteTable(ctx, in, o...)
	if err == nil {
		delete(f.records, *in.TableName)
	}
	return out, err
}

// all are its calls.
func (f *tablesByName) all() tables {
	return tables{DeleteTable: f.DeleteTable, DescribeTable: f.DescribeTable, GetItem: f.GetItem, PutItem: f.PutItem, UpdateTable: f.UpdateTable}
}

// session is one of a caller whose time is the account's.
func (w *world) session(o Options) *session {
	w.t.Helper()
	config := w.Config()
	o.Config, o.Now, o.Sleep = &config, w.Clock.Now, w.Clock.Sleep
	if progress := o.Progress; progress == nil {
		o.Progress = func(e Event) { w.events = append(w.events, e) }
	}
	s, err := start(w.t.Context(), app, &o)
	if err != nil {
		w.t.Fatal(err)
	}
	s.tables, s.jitter = w.tables.all(), func() float64 { return 0.5 }
	return s
}

// code is what some tests deploy.
func codeFor(architecture string) *Code {
	return (&Code{Architecture: architecture, Version: "v1.2.3"}).seal([]byte("PK code for " + architecture))
}

// with has code, so that none is looked for.
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

// story is what a caller has been told, a line an event.
func (w *world) story() string {
	var lines []string
	for _, e := range w.events {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Resource, e.Status, e.Reason)))
	}
	return strings.Join(lines, "\n")
}

// has tells whether a caller has been told of something.
func (w *world) has(resource, status string) bool {
	return slices.ContainsFunc(w.events, func(e Event) bool {
		return e.Resource == resource && (e.Status == status || strings.Contains(e.Reason, status))
	})
}

// changed are the changes as ACTION RESOURCE.
func changed(changes []Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, c.Action+" "+c.Resource)
	}
	return all
}
