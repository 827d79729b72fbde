package stack

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // requests and replies are garbage at once: a fifth of the processor time
	dynamotest.Main(m)
}

// Roles that operations need.
const (
	acquiring     = "acquire"
	reading       = "read"
	looking       = "look" // read what an acquire would use
	administering = "full"
)

// anOperation is an operation of the engine.
type anOperation struct {
	role, name string
	do         func(context.Context, *engine.Limiter) error
	everywhere bool // it uses more than one namespace: the registry, or the whole table
}

func of[T any](_ T, err error) error { return err }

// denied checks that an operation is denied.
func denied(err error) error {
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		return nil
	}
	return fmt.Errorf("not denied: %w", err)
}

// operations returns all operations of a limiter, in an order in which each finds what it needs.
func operations() []anOperation {
	rpm, page := []engine.Limit{engine.PerMinute("rpm", 10)}, engine.Page{Size: 10}
	one := func(entity string, n int64) engine.Request {
		return engine.Request{Entity: entity, Resource: "gpt", Consume: engine.Tokens{"rpm": n}}
	}
	w, r, a, k := administering, reading, acquiring, looking
	type ctx = context.Context
	type lim = *engine.Limiter
	return []anOperation{
		{w, "SetSystemDefaults", func(c ctx, l lim) error { return l.SetSystemDefaults(c, rpm, nil) }, false},
		{w, "SetResourceDefaults", func(c ctx, l lim) error { return l.SetResourceDefaults(c, "gpt", rpm) }, false},
		{w, "CreateEntity", func(c ctx, l lim) error { return l.CreateEntity(c, engine.Entity{ID: "parent"}, nil) }, false},
		{w, "CreateEntity child", func(c ctx, l lim) error {
			return l.CreateEntity(c, engine.Entity{ID: "child", Parent: "parent", Cascade: true}, nil)
		}, false},
		{w, "SetLimits", func(c ctx, l lim) error { return l.SetLimits(c, "child", "gpt", rpm) }, false},
		{a, "Acquire", func(c ctx, l lim) error {
			lease, err := l.Acquire(c, one("alone", 2))
			if err != nil {
				return err
			}
			return errors.Join(lease.Consume(c, engine.Tokens{"rpm": 1}), lease.Release(c, engine.Tokens{"rpm": 1}),
				lease.Adjust(engine.Tokens{"rpm": -1}), lease.Flush(c), lease.Commit(c))
		}, false},
		{a, "Acquire cascade", func(c ctx, l lim) error {
			lease, err := l.Acquire(c, one("child", 1))
			return errors.Join(err, lease.Rollback(c))
		}, false},
		{a, "Allow", func(c ctx, l lim) error { return of(l.Allow(c, one("child", 1))) }, false},
		{a, "Wait", func(c ctx, l lim) error { return of(l.Wait(c, one("child", 1))) }, false},
		{a, "Do", func(c ctx, l lim) error {
			return l.Do(c, one("child", 1), func(context.Context, *engine.Lease) error { return nil })
		}, false},
		{a, "Acquire with other limits", func(c ctx, l lim) error {
			q := one("child", 1)
			q.Override = []engine.Limit{engine.PerMinute("rpm", 12)}
			return of(l.Acquire(c, q))
		}, false},
		{a, "Acquire denied", func(c ctx, l lim) error { return denied(of(l.Acquire(c, one("child", 10)))) }, false},
		{k, "Available", func(c ctx, l lim) error { return of(l.Available(c, "child", "gpt")) }, false},
		{k, "TimeUntilAvailable", func(c ctx, l lim) error { return of(l.TimeUntilAvailable(c, one("child", 10))) }, false},
		{k, "Explain", func(c ctx, l lim) error { return of(l.Explain(c, "child", "gpt")) }, false},
		{r, "CascadeWarnings", func(c ctx, l lim) error { return of(l.CascadeWarnings(c, "child")) }, false},
		{k, "Refresh", func(c ctx, l lim) error { return l.Refresh(c) }, false},
		{k, "Ping", func(c ctx, l lim) error { return l.Ping(c) }, false},
		{r, "SystemDefaults", func(c ctx, l lim) error { return of(l.SystemDefaults(c)) }, false},
		{r, "ResourceDefaults", func(c ctx, l lim) error { return of(l.ResourceDefaults(c, "gpt")) }, false},
		{r, "Resources", func(c ctx, l lim) error { return of(l.Resources(c, page)) }, false},
		{r, "Limits", func(c ctx, l lim) error { return of(l.Limits(c, "child", "gpt")) }, false},
		{r, "EntitiesWithLimits", func(c ctx, l lim) error { return of(l.EntitiesWithLimits(c, "gpt", page)) }, false},
		{r, "ResourcesWithEntityLimits", func(c ctx, l lim) error { return of(l.ResourcesWithEntityLimits(c, page)) }, false},
		{r, "Entity", func(c ctx, l lim) error { return of(l.Entity(c, "child")) }, false},
		{r, "Entities", func(c ctx, l lim) error { return of(l.Entities(c, page)) }, false},
		{r, "Children", func(c ctx, l lim) error { return of(l.Children(c, "parent", page)) }, false},
		{r, "AuditEvents", func(c ctx, l lim) error { return of(l.AuditEvents(c, engine.AuditQuery{Page: page})) }, false},
		{r, "AuditEvents of one", func(c ctx, l lim) error { return of(l.AuditEvents(c, engine.AuditQuery{Entity: "child", Page: page})) }, false},
		{r, "Usage", func(c ctx, l lim) error {
			return of(l.Usage(c, engine.UsageQuery{Entity: "child", Window: engine.WindowHourly, Page: page}))
		}, false},
		{r, "UsageSummary", func(c ctx, l lim) error {
			return of(l.UsageSummary(c, engine.UsageQuery{Resource: "gpt", Window: engine.WindowHourly}))
		}, false},
		{r, "Status", func(c ctx, l lim) error { return of(l.Status(c)) }, false},
		{r, "Namespace", func(c ctx, l lim) error { return of(l.Namespace(c, "team")) }, false},
		{r, "ListNamespaces", func(c ctx, l lim) error { return of(l.ListNamespaces(c, page)) }, false},
		{r, "Buckets of one", func(c ctx, l lim) error { return of(l.Buckets(c, engine.BucketQuery{Entity: "child", Page: page})) }, false},
		{w, "ApplyManifest", func(c ctx, l lim) error {
			id := engine.SettingID{Kind: engine.SettingResource, Resource: "managed"}
			before, err := l.Settings(c, []engine.SettingID{id})
			if err != nil {
				return err
			}
			after := engine.Setting{ID: id, Exists: true, Limits: rpm}
			return l.ApplyManifest(c, "m", []engine.SettingChange{{Before: before[0], After: after}}, nil)
		}, false},
		{w, "RecordEvent", func(c ctx, l lim) error { return l.RecordEvent(c, engine.Recorded{Action: "stack_updated"}) }, false},
		{r, "Settings", func(c ctx, l lim) error {
			return of(l.Settings(c, []engine.SettingID{{Kind: engine.SettingSystem}}))
		}, false},
		{r, "ManagedSettings", func(c ctx, l lim) error { return of(l.ManagedSettings(c, "m")) }, false},
		{r, "AllSettings", func(c ctx, l lim) error { return of(l.AllSettings(c)) }, true},
		{r, "BucketStates", func(c ctx, l lim) error {
			return of(l.BucketStates(c, []engine.BucketName{{Entity: "child", Resource: "gpt"}}))
		}, false},
		{r, "Buckets", func(c ctx, l lim) error { return of(l.Buckets(c, engine.BucketQuery{Page: page})) }, true},
		{r, "Settings", func(c ctx, l lim) error { return of(l.Settings(c, []engine.SettingID{{Kind: engine.SettingSystem}})) }, false},
		{r, "ManagedSettings", func(c ctx, l lim) error { return of(l.ManagedSettings(c, "m")) }, false},
		{r, "AllSettings", func(c ctx, l lim) error { return of(l.AllSettings(c)) }, true},
		{w, "ApplyManifest", func(c ctx, l lim) error {
			id := engine.SettingID{Kind: engine.SettingLimits, Entity: "alone", Resource: "gpt"}
			return l.ApplyManifest(c, "m", []engine.SettingChange{{Before: engine.Setting{ID: id}, After: engine.Setting{ID: id, Exists: true, Limits: rpm}}}, nil)
		}, false},
		{w, "UpdateEntity", func(c ctx, l lim) error {
			return of(l.UpdateEntity(c, "child", engine.EntityUpdate{Parent: new(string)}, nil))
		}, false},
		{w, "ResetBucket", func(c ctx, l lim) error { return l.ResetBucket(c, "alone", "gpt") }, false},
		{w, "DeleteLimits", func(c ctx, l lim) error { return l.DeleteLimits(c, "child", "gpt") }, false},
		{w, "DeleteEntity", func(c ctx, l lim) error { return l.DeleteEntity(c, "child", nil) }, false},
		{w, "DeleteResourceDefaults", func(c ctx, l lim) error { return l.DeleteResourceDefaults(c, "gpt") }, false},
		{w, "DeleteSystemDefaults", func(c ctx, l lim) error { return l.DeleteSystemDefaults(c) }, false},
		{w, "RegisterNamespace", func(c ctx, l lim) error { return l.RegisterNamespace(c, "doomed") }, true},
		{w, "DeleteNamespace", func(c ctx, l lim) error { return l.DeleteNamespace(c, "doomed") }, true},
		{w, "RecoverNamespace", func(c ctx, l lim) error { return l.RecoverNamespace(c, "doomed") }, true},
		{w, "PurgeNamespace", func(c ctx, l lim) error {
			return errors.Join(l.DeleteNamespace(c, "doomed"), l.PurgeNamespace(c, "doomed"))
		}, true},
	}
}

// recorded is the result of record, which runs once per process.
var recorded struct {
	lock sync.Mutex
	all  map[string][]request
}

// asked returns the requests to DynamoDB of each operation in the namespace team.
func asked(t *testing.T) map[string][]request {
	t.Helper()
	recorded.lock.Lock()
	defer recorded.lock.Unlock()
	if recorded.all == nil {
		all := record(t, "team")
		if t.Failed() {
			t.FailNow()
		}
		recorded.all = all
	}
	return recorded.all
}

// record runs all operations in a namespace and records their requests to DynamoDB.
func record(t *testing.T, namespace string) map[string][]request {
	t.Helper()
	name, o := dynamotest.Table(t)
	r := &recorder{t: t, table: tableARN}
	store, err := dynamo.Open(t.Context(), name, r.options(o))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var now atomic.Int64 // parents are charged concurrently
	now.Store(time.Now().UnixNano())
	with := &engine.Options{Namespace: namespace, DenialTTL: -1, Timeout: 30 * time.Second, Now: func() time.Time { return time.Unix(0, now.Add(int64(time.Millisecond))) }}
	setUp, err := engine.New(store, &engine.Options{Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := setUp.RegisterNamespace(t.Context(), "team"); err != nil {
		t.Fatal(err)
	}
	r.take()
	all := map[string][]request{}
	for _, op := range operations() {
		l, err := engine.New(store, with) // with an empty cache
		if err != nil {
			t.Fatal(err)
		}
		r.do(op.name, func() error { return op.do(t.Context(), l) })
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		all[op.name] = r.take()
		if len(all[op.name]) == 0 {
			t.Errorf("%s asked nothing", op.name)
		}
	}
	return all
}

// rights maps the role that an operation needs to the roles whose policies allow it.
var rights = map[string][]string{
	acquiring: {acquiring, administering}, reading: {reading, administering}, administering: {administering},
	looking: {acquiring, reading, administering},
}

// tableARN is the ARN of the table in policies.
const tableARN = "arn:aws:dynamodb:" + stacktest.Region + ":" + stacktest.Account + ":table/" + app

// Each policy allows all requests of its operations, denies at least one request of every other operation, and allows no action
// that no operation needs.
func TestPolicies(t *testing.T) {
	t.Parallel()
	resources := rendered(t, allOn())
	asked := asked(t)
	for role, name := range map[string]string{acquiring: "AcquirePolicy", reading: "ReadPolicy", administering: "FullPolicy"} {
		p, used := policyOf(t, resources, name), map[string]bool{}
		for _, op := range operations() {
			mine := slices.Contains(rights[op.role], role)
			refused := mayNot(t, p, asked[op.name], "")
			if mine && refused != nil {
				t.Errorf("%s refuses %v", name, refused)
			}
			if (role != administering && op.role == administering || role == reading && op.role == acquiring) && refused == nil {
				t.Errorf("%s allows %s", name, op.name)
			}
			for _, q := range asked[op.name] {
				used[q.Action] = used[q.Action] || mine
				used[q.Resource] = used[q.Resource] || mine
			}
		}
		for _, s := range p.Statement {
			if s.Sid == "Key" {
				continue // TestKeyPermissions
			}
			for _, what := range append(slices.Clone(s.Action), s.Resource...) {
				if !used[what] {
					t.Errorf("%s allows %s, which nothing needs", name, what)
				}
			}
		}
	}
}

// In their namespace, the policies for a namespace allow what the others allow, except operations on more than a namespace.
// Elsewhere they only allow reading the registry.
func TestNamespacePolicies(t *testing.T) {
	t.Parallel()
	resources := rendered(t, allOn())
	asked := asked(t)
	for role, name := range map[string]string{acquiring: "NamespaceAcquirePolicy", reading: "NamespaceReadPolicy", administering: "NamespaceFullPolicy"} {
		p := policyOf(t, resources, name)
		for _, s := range p.Statement {
			if null := s.Condition["Null"][leadingKeys]; s.Sid != "Key" && (len(null) != 1 || null[0] != "false") {
				t.Errorf("%s: %v passes without a leading key", name, s.Action)
			}
		}
		for _, op := range operations() {
			if refused := mayNot(t, p, asked[op.name], "team"); slices.Contains(rights[op.role], role) && !op.everywhere && refused != nil {
				t.Errorf("%s refuses %v", name, refused)
			} else if op.everywhere && refused == nil {
				t.Errorf("%s allows %s", name, op.name)
			}
			for _, q := range asked[op.name] {
				checkForeign(t, name, p, q)
			}
		}
	}
}

// checkForeign checks that callers of other namespaces may only read the registry.
func checkForeign(t *testing.T, name string, p policy, q request) {
	t.Helper()
	keys := q.Context[leadingKeys]
	for _, tag := range []string{"other", "tea", "team2", ""} {
		registry := strings.HasSuffix(q.Action, "GetItem") || strings.HasSuffix(q.Action, "Query")
		registry = registry && !slices.ContainsFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "_/") })
		if p.Allows(t, asCallerOf(tag, q)) && !registry {
			t.Errorf("%s allows a caller of %q: %v", name, tag, q)
		}
	}
	if write := q.Action == "dynamodb:UpdateItem" || q.Action == "dynamodb:DeleteItem"; write && strings.HasPrefix(keys[0], "_/") {
		for _, tag := range []string{"team", "_"} {
			if p.Allows(t, asCallerOf(tag, q)) {
				t.Errorf("%s allows a caller of %q to write the registry: %v", name, tag, q)
			}
		}
	}
}

// The operations include every method of the limiter, so that its policy is checked.
func TestOperationsComplete(t *testing.T) {
	for m := range reflect.TypeFor[*engine.Limiter]().Methods() {
		if m.Name != "Close" && !slices.ContainsFunc(operations(), func(o anOperation) bool { return strings.Fields(o.name)[0] == m.Name }) {
			t.Errorf("%s is not among the operations whose permissions are checked", m.Name)
		}
	}
}
