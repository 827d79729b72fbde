package engine

import (
	"context"
	"encoding/json"
	"strings"
)

// actionRule is what the actions of events that callers record are.
var actionRule = newRule("Action", 64, lower, lower+"0123456789_", "small letters, digits and _")

const lower = "abcdefghijklmnopqrstuvwxyz"

// mostDocument is the most that Before and After of a recorded event may have, in bytes.
const mostDocument = 64 << 10

// Recorded is a change that was made elsewhere, for [Limiter.RecordEvent].
type Recorded struct {
	Action           string          // 1 to 64 small letters, digits and _, such as stack_updated; not one of the engine's own
	Entity, Resource string          // "" where it is not of one
	Before, After    json.RawMessage // JSON documents of at most 64 KiB; nil: there was nothing, or is nothing
}

// RecordEvent writes an audit event of a change that was not made by the limiter, such as one of the infrastructure.
// Time and principal are the limiter's. An error that is ErrUnavailable may leave it written.
func (l *Limiter) RecordEvent(ctx context.Context, r Recorded) error {
	if err := checkRecorded(&r); err != nil {
		return err
	}
	e := event{action: r.Action, entity: r.Entity, resource: r.Resource}
	if r.Before != nil {
		e.before = r.Before
	}
	if r.After != nil {
		e.after = r.After
	}
	return l.administer(ctx, func(now int64) error { return l.commitAudited(ctx, now, e) })
}

func checkRecorded(r *Recorded) error {
	if err := actionRule.check("Action", r.Action); err != nil {
		return err
	}
	for _, own := range []string{"entity_", "limits_", "bucket_", "namespace_"} {
		if strings.HasPrefix(r.Action, own) {
			return &ValidationError{"Action", r.Action, "begins as those of the engine's own events do"}
		}
	}
	if r.Entity != "" {
		if err := checkEntity(r.Entity); err != nil {
			return err
		}
	}
	if r.Resource != "" {
		if err := checkResource(r.Resource); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		field string
		text  json.RawMessage
	}{{"Before", r.Before}, {"After", r.After}} {
		if d.text != nil && (!json.Valid(d.text) || len(d.text) > mostDocument) {
			return &ValidationError{d.field, len(d.text), "must be a JSON document of at most 65536 bytes"}
		}
	}
	return nil
}
