package stack

import (
	"errors"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// Init writes the schema record of another tool's table once, without the name of a stack, and reports what the table lacks.
func TestInit(t *testing.T) {
	w := newWorld(t, nil)
	config := w.Config()
	o := &Options{Config: &config}
	if _, err := Init(t.Context(), app, o); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	w.KeepTable(app, nil)
	i, err := Get(t.Context(), app, o)
	if err != nil || i.ID != "" || i.Available || len(i.Missing) != 4 || !strings.Contains(i.Missing[0], "run: zae-limiter init --name app") || !strings.Contains(i.Reason, "does not belong to a stack") {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := Init(t.Context(), app, o); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "the index GSI1 is missing: create it") || w.schema(app) != (schemaRecord{}) {
		t.Error(err)
	}
	w.KeepTable(app, map[string]any{"GlobalSecondaryIndexes": gsi1("KEYS_ONLY")})
	for range 2 {
		i, err := Init(t.Context(), app, o)
		if err != nil || !i.Available || i.SchemaVersion != "1" || len(i.Missing) != 2 {
			t.Fatalf("%+v, %v", i, err)
		}
		for n, part := range []string{"stream", "TTL"} {
			if !strings.HasPrefix(i.Missing[n], part+": ") {
				t.Errorf("%q does not name the %s", i.Missing[n], part)
			}
		}
	}
	if got := w.schema(app); got != (schemaRecord{"1", ""}) || w.Counts()["UpdateItem"] != 1 {
		t.Errorf("%+v, %v", got, w.Counts())
	}
	w.record(app, "1", app) // does not change
	if _, err := Init(t.Context(), app, o); err != nil || w.schema(app) != (schemaRecord{"1", app}) {
		t.Errorf("%+v, %v", w.schema(app), err)
	}
	w.record(app, "2", "")
	if _, err := Init(t.Context(), app, o); !errors.Is(err, ErrNewer) {
		t.Error(err)
	}
	for says, properties := range map[string]map[string]any{
		"both strings":    {"KeySchema": []any{map[string]any{"AttributeName": "id", "KeyType": "HASH"}}},
		"strings":         {"AttributeDefinitions": []any{map[string]any{"AttributeName": "SK", "AttributeType": "B"}}},
		"project KEYS_ON": {"GlobalSecondaryIndexes": gsi1("ALL")},
	} {
		w.KeepTable(app, properties)
		if _, err := Init(t.Context(), app, o); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), says) || w.schema(app) != (schemaRecord{}) {
			t.Error(err)
		}
	}
}

// A complete table lacks nothing.
func TestInitComplete(t *testing.T) {
	w := newWorld(t, nil)
	w.KeepTable(app, map[string]any{
		"GlobalSecondaryIndexes": gsi1("KEYS_ONLY"), "StreamSpecification": map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
		"TimeToLiveSpecification": map[string]any{"Enabled": true, "AttributeName": "ttl"},
	})
	config := w.Config()
	if i, err := Init(t.Context(), app, &Options{Config: &config}); err != nil || len(i.Missing) != 0 {
		t.Errorf("%+v, %v", i, err)
	}
}

// With credentials that cannot read stacks, Get describes the table and says why there is no stack.
func TestGetDenied(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Answer("DescribeStacks", stacktest.AccessDenied)
	config := w.Config()
	i, err := Get(t.Context(), app, &Options{Config: &config})
	if err != nil || i.ID != "" || !i.Available || !strings.Contains(i.Reason, "AccessDenied") {
		t.Errorf("%+v, %v", i, err)
	}
	// For another tool's stack, and if there is nothing, the error is about the stack.
	w = newWorld(t, nil)
	w.SetStatus(app, "CREATE_COMPLETE")
	config = w.Config()
	if _, err := Get(t.Context(), app, &Options{Config: &config}); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	w.Answer("DescribeStacks", stacktest.AccessDenied)
	if _, err := Get(t.Context(), app, &Options{Config: &config}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Error(err)
	}
}
