package dynamo_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// spy is an HTTP client that counts the requests which name a namespace, and the events that lists skip something.
type spy struct {
	*Injector
	namespace string
	named     atomic.Int64
	skipped   atomic.Int64
}

// Do implements the SDK's aws.HTTPClient.
func (s *spy) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte(`"`+s.namespace+`/`)) {
		s.named.Add(1)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.Injector.Do(r)
}

// Observe implements [engine.Observer].
func (s *spy) Observe(e engine.Event) {
	if e.Kind == engine.EventSkipped {
		s.skipped.Add(int64(e.Skipped))
	}
}

// TestTenantSpoilsNoList has a tenant who is held to the namespace blue by policies, and writes items there that stand in the
// index of red, and others that no program of ours can read. The lists of red have what is red's alone, and red reads
// nothing of blue, which policies would deny; those of blue have what can be read.
func TestTenantSpoilsNoList(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	odd := rawItem("blue/a|x", "00000000000000000000000000", "blue/|audit", "00000000000000000000000000")
	odd["odd"] = &types.AttributeValueMemberBOOL{Value: true}
	long := strings.Repeat("x", 1000)
	mustPutRaw(t, name, o,
		rawItem("blue/e|evil", "entity", "red/|entities", "evil"), rawItem("blue/e|evil2", "entity", "red/|entities", "own"),
		rawItem("blue/a|evil", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "red/|audit", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
		odd, rawItem("blue/x", long, "blue/|entities", long), rawItem("blue/e|own", "limits|"+long, "blue/l|", "own"),
		rawItem("blue/?", "x", "blue/|resources", "x"), rawItem("blue/m|m", "r|"+long, "", ""),
	)
	for _, of := range []struct {
		namespace, other string
		settings         int // that can be read, forged or not
	}{{"red", "blue", 1}, {"blue", "red", 3}} {
		s := &spy{Injector: NewInjector(t, nil), namespace: of.other}
		config := o.Config.Copy()
		config.HTTPClient = s
		through := *o
		through.Config = &config
		l, err := engine.New(mustOpen(t, name, &through), &engine.Options{
			Namespace: of.namespace, CreateNamespace: true, Observer: s, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		if err := l.CreateEntity(t.Context(), engine.Entity{ID: "own"}, nil); err != nil {
			t.Fatal(err)
		}
		entities, err := l.Entities(t.Context(), engine.Page{})
		if err != nil || len(entities.Items) != 1 || entities.Items[0].ID != "own" {
			t.Errorf("%s: entities: %v, %v", of.namespace, entities, err)
		}
		events, err := l.AuditEvents(t.Context(), engine.AuditQuery{})
		if err != nil || len(events.Items) != 1 {
			t.Errorf("%s: events: %v, %v", of.namespace, events, err)
		}
		limited, err := l.EntitiesWithLimits(t.Context(), "", engine.Page{})
		if err != nil || len(limited.Items) != 0 {
			t.Errorf("%s: entities with limits: %v, %v", of.namespace, limited, err)
		}
		resources, err := l.Resources(t.Context(), engine.Page{})
		if err != nil || len(resources.Items) != 0 {
			t.Errorf("%s: resources: %v, %v", of.namespace, resources, err)
		}
		if settings, err := l.AllSettings(t.Context()); err != nil || len(settings) != of.settings {
			t.Errorf("%s: all settings: %v, %v", of.namespace, settings, err)
		}
		if settings, err := l.ManagedSettings(t.Context(), "m"); err != nil || len(settings) != 0 {
			t.Errorf("%s: managed settings: %v, %v", of.namespace, settings, err)
		}
		if s.named.Load() > 0 || s.skipped.Load() < 3 {
			t.Errorf("%s: %d requests name %s, and %d entries were skipped", of.namespace, s.named.Load(), of.other, s.skipped.Load())
		}
		if err := l.DeleteEntity(t.Context(), "own", nil); err != nil {
			t.Errorf("%s: deletion: %v", of.namespace, err)
		}
	}
}
