package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestRecordEvent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.RecordEvent(ctx, engine.Recorded{Action: "stack_updated", Before: json.RawMessage(`{"days": 7}`), After: json.RawMessage(`{"days": 30}`)}))
	must(t, w.RecordEvent(ctx, engine.Recorded{Action: "plan_changed", Entity: "ann", Resource: "gpt-4"}))
	page, err := w.AuditEvents(ctx, engine.AuditQuery{})
	must(t, err)
	if len(page.Items) != 2 {
		t.Fatalf("%+v", page)
	}
	e, of := page.Items[1], page.Items[0]
	if e.Action != "stack_updated" || e.Principal != "tester" || !e.Time.Equal(w.now()) || string(e.Before) != `{"days":7}` || string(e.After) != `{"days":30}` || e.Entity != "" {
		t.Errorf("%+v", e)
	}
	if of.Entity != "ann" || of.Resource != "gpt-4" || of.Before != nil || of.After != nil {
		t.Errorf("%+v", of)
	}
	for field, r := range map[string]engine.Recorded{
		"Action":   {Action: "limits_set"},
		"Entity":   {Action: "x", Entity: "a\nb"},
		"Resource": {Action: "x", Resource: "a b"},
		"Before":   {Action: "x", Before: json.RawMessage("{")},
		"After":    {Action: "x", After: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)},
	} {
		wants(t, field, w.RecordEvent(ctx, r), invalid(field))
	}
	for _, action := range []string{"", "Stack", "1", "a b", strings.Repeat("a", 65)} {
		wants(t, action, w.RecordEvent(ctx, engine.Recorded{Action: action}), invalid("Action"))
	}
	if page, err = w.AuditEvents(ctx, engine.AuditQuery{}); err != nil || len(page.Items) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
}
