package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// injected is a store on a fresh table some of whose requests are answered with errors.
func injected(t *testing.T, inject Inject) *dynamo.Store {
	t.Helper()
	name, o := Table(t)
	return mustOpen(t, name, NewInjector(t, inject).Options(o))
}

func mustOpen(t testing.TB, name string, o *dynamo.Options) *dynamo.Store {
	t.Helper()
	s, err := dynamo.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// openOver opens a new table whose requests go through client.
func openOver(t *testing.T, client aws.HTTPClient) *dynamo.Store {
	t.Helper()
	name, o := Table(t)
	config := o.Config.Copy()
	config.HTTPClient = client
	o.Config = &config
	return mustOpen(t, name, o)
}

var (
	layout = backend.NewLayout("test", backend.Field{Name: "n"}, backend.Field{Name: "ttl"}, backend.Field{Name: "s", Kind: backend.Text})
	slotN  = layout.MustSlot("n")
)

func add(sort string) []backend.Write {
	return []backend.Write{{
		Key: backend.Key{Namespace: "ns", Partition: "p", Sort: sort}, Layout: layout,
		Effects: []backend.Effect{{Slot: slotN, Op: backend.Add, Num: backend.Int(1)}},
	}}
}

var classes = []error{
	backend.ErrInvalid, backend.ErrTooLarge, backend.ErrClosed, backend.ErrUnavailable, backend.ErrOutcomeUnknown,
	backend.ErrRejected, backend.ErrContention, backend.ErrConflict,
}

// TestErrors has each answer of DynamoDB to a write, a commit and a read, in the words of the contract. The SDK's own
// error stays reachable.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer              *Answer
		write, commit, read error // nil: not asked
		says                string
		plain               bool // it is no error of the API
	}{
		"500":                    {answer: InternalServerError, write: backend.ErrOutcomeUnknown, commit: backend.ErrOutcomeUnknown, read: backend.ErrUnavailable},
		"503 in HTML":            {answer: Unavailable, write: backend.ErrOutcomeUnknown, commit: backend.ErrOutcomeUnknown, read: backend.ErrUnavailable, plain: true},
		"transaction under way":  {answer: TransactionConflict, write: backend.ErrContention, read: backend.ErrContention},
		"same token under way":   {answer: TransactionInProgress, commit: backend.ErrOutcomeUnknown},
		"another region's write": {answer: ReplicatedWriteConflict, write: backend.ErrContention},
		"hot key":                {answer: ProvisionedThroughputExceeded(KeyRange), write: backend.ErrThrottled, read: backend.ErrUnavailable, says: "bucket is too hot"},
		"throttled table":        {answer: Throttling(OnDemandLimit), write: backend.ErrUnavailable, commit: backend.ErrUnavailable, says: OnDemandLimit},
		"throttled account":      {answer: RequestLimitExceeded(AccountLimit), write: backend.ErrUnavailable, says: AccountLimit},
		"expired credentials":    {answer: ExpiredToken, write: backend.ErrRejected, commit: backend.ErrRejected, read: backend.ErrRejected},
		"unknown credentials":    {answer: UnrecognizedClient, write: backend.ErrRejected, read: backend.ErrRejected},
		"missing permission":     {answer: AccessDenied, write: backend.ErrRejected, commit: backend.ErrRejected, read: backend.ErrRejected, says: "not authorized"},
		"too many tables":        {answer: LimitExceeded, write: backend.ErrUnavailable},
		"full partition":         {answer: ItemCollectionSizeLimitExceeded, write: backend.ErrTooLarge},
		"canceled by another":    {answer: TransactionCanceled("TransactionConflict", "None"), commit: backend.ErrContention},
		"canceled and throttled": {answer: TransactionCanceled("ThrottlingError", "TransactionConflict"), commit: backend.ErrUnavailable},
		"canceled as invalid":    {answer: TransactionCanceled("TransactionConflict", "ValidationError"), commit: backend.ErrInvalid},
		"canceled for no reason": {answer: TransactionCanceled("None"), commit: backend.ErrRejected},
	} {
		on := false
		s := injected(t, func(int, string) *Answer {
			if on {
				return c.answer
			}
			return nil
		})
		on = true
		out, r := make([]backend.Outcome, 1), make([]backend.Record, 1)
		r[0].Reset(layout)
		errs := map[error]error{}
		if c.write != nil {
			errs[s.Apply(t.Context(), add("k"), out)] = c.write
		}
		if c.commit != nil {
			errs[s.Commit(t.Context(), [16]byte{1}, append(add("k"), add("l")...))] = c.commit
		}
		if c.read != nil {
			errs[s.Read(t.Context(), []backend.Key{add("k")[0].Key}, r)] = c.read
		}
		for err, want := range errs {
			for _, class := range classes {
				if errors.Is(err, class) != errors.Is(want, class) {
					t.Errorf("%s: %v, is %v: %v", name, err, class, errors.Is(err, class))
				}
			}
			var api smithy.APIError
			if err == nil || !strings.Contains(err.Error(), c.says) || !c.plain && !errors.As(err, &api) {
				t.Errorf("%s: %v, which should say %q and carry the SDK's error", name, err, c.says)
			}
		}
	}
}

// TestAddFrom is refused, alone and beside others, before anything is sent, and the error says what to do instead.
func TestAddFrom(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	counter := NewInjector(t, nil)
	s := mustOpen(t, name, counter.Options(o))
	if s.Capabilities().Max {
		t.Error("the store says that it knows AddFrom")
	}
	both := append(add("beside"), add("k")...)
	both[1].Effects[0].Op = backend.AddFrom
	counter.Reset()
	out := make([]backend.Outcome, 2)
	for what, err := range map[string]error{
		"Apply": s.Apply(t.Context(), both[1:], out[:1]), "Apply beside another": s.Apply(t.Context(), both, out),
		"Commit": s.Commit(t.Context(), [16]byte{1}, both), "the outcome": out[0].Err, "the other outcome": out[1].Err,
	} {
		if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "AddFrom on n") || !strings.Contains(err.Error(), "Set or Add") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := counter.Count(""); n != 0 {
		t.Errorf("%d requests were sent: %v", n, counter.Counts())
	}
	r := make([]backend.Record, 2)
	r[0].Reset(layout)
	r[1].Reset(layout)
	if err := s.Read(t.Context(), []backend.Key{both[0].Key, both[1].Key}, r); err != nil || r[0].Present() || r[1].Present() {
		t.Errorf("what was refused is there: %v, %v, %v", r[0].Present(), r[1].Present(), err)
	}
}

// TestNobodyThere has no server at all: certainly not applied.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s, err := dynamo.Open(t.Context(), "table", &dynamo.Options{Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatalf("Open where nobody listens: %v; it is no failure yet", err)
	}
	err = s.Apply(t.Context(), add("k"), make([]backend.Outcome, 1))
	if !errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) {
		t.Errorf("a write: %v", err)
	}
	r := make([]backend.Record, 1)
	r[0].Reset(layout)
	if err := s.Read(t.Context(), []backend.Key{add("k")[0].Key}, r); !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("a read: %v", err)
	}
}

// TestOpen refuses what cannot be right, and says how to go on.
func TestOpen(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	for what, c := range map[string]struct {
		name string
		o    *dynamo.Options
		want error
		says string
	}{
		"a short name":        {"ab", o, backend.ErrInvalid, "3 to 255"},
		"a name with a slash": {"my/app", o, backend.ErrInvalid, "3 to 255"},
		"no table":            {name + "-not", o, dynamo.ErrNotDeployed, "zae-limiter deploy --name " + name + "-not"},
		"no URL":              {name, &dynamo.Options{Endpoint: "localhost", Config: o.Config}, backend.ErrInvalid, "http://localhost:8000"},
	} {
		_, err := dynamo.Open(t.Context(), c.name, c.o)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dynamo.Open(ctx, name, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a context that is done: %v", err)
	}
	if err := dynamo.CreateTable(t.Context(), name, o); err == nil {
		t.Error("CreateTable makes a table that is there")
	}
}

// TestSchemaRecord is the engine's by key, field and version, and one of another version is refused, also by a store that
// could not look when it was opened.
func TestSchemaRecord(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	s := mustOpen(t, name, o)
	r := make([]backend.Record, 1)
	r[0].Reset(schema.VersionLayout)
	if err := s.Read(t.Context(), []backend.Key{schema.Version()}, r); err != nil || r[0].Int64(schema.VersionNumber) != schema.CurrentVersion {
		t.Fatalf("the schema record reads as %d, %v", r[0].Int64(schema.VersionNumber), err)
	}
	down := true
	late := mustOpen(t, name, NewInjector(t, func(int, string) *Answer {
		if down {
			return InternalServerError
		}
		return nil
	}).Options(o))
	down = false
	newer := []backend.Write{{Key: schema.Version(), Layout: schema.VersionLayout, Effects: []backend.Effect{
		{Slot: schema.VersionNumber, Op: backend.Set, Num: backend.Int(schema.CurrentVersion + 1)},
	}}}
	if err := s.Apply(t.Context(), newer, make([]backend.Outcome, 1)); err != nil {
		t.Fatal(err)
	}
	r[0].Reset(layout)
	errs := map[string]error{
		"the first read": late.Read(t.Context(), []backend.Key{add("k")[0].Key}, r), "Initialize": dynamo.Initialize(t.Context(), name, o),
	}
	_, errs["Open"] = dynamo.Open(t.Context(), name, o)
	for what, err := range errs {
		if !errors.Is(err, backend.ErrRejected) || !strings.Contains(err.Error(), "zae-limiter upgrade --name "+name) {
			t.Errorf("%s of a table of a newer schema: %v", what, err)
		}
	}
}
