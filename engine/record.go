package engine

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/names"
)

// maxDocument is the most bytes of Before, and of After, in a recorded event.
const maxDocument = 64 << 10

// Recorded describes a change that was not made by a limiter, for [Limiter.RecordEvent].
type Recorded struct {
	Action           string          // 1 to 64 lowercase letters, digits and _, such as stack_updated; not one of the engine's own
	Entity, Resource string          // "" if it is of none
	Before, After    json.RawMessage // JSON documents of at most 64 KiB; nil if what was changed did not exist before, or does not afterwards
}

// RecordEvent writes an audit event about a change that was not made by a limiter, such as a change of the infrastructure.
// The event has the limiter's time and principal. It returns a *ValidationError for bad input. After ErrUnavailable the
// event may have been written.
func (l *Limiter) RecordEvent(ctx context.Context, r Recorded) error {
	if err := checkRecorded(&r); err != nil {
		return err
	}
	e := changes.Event{Action: r.Action, Entity: r.Entity, Resource: r.Resource}
	if r.Before != nil {
		e.Before = r.Before
	}
	if r.After != nil {
		e.After = r.After
	}
	return l.administer(ctx, func(now int64) error { return l.admin.Record(ctx, now, e) })
}

func checkRecorded(r *Recorded) error {
	if err := checkName(names.Action, "Action", r.Action); err != nil {
		return err
	}
	for _, own := range []string{"entity_", "limits_", "bucket_", "namespace_"} {
		if strings.HasPrefix(r.Action, own) {
			return &ValidationError{"Action", r.Action, "must not begin with entity_, limits_, bucket_ or namespace_, as the engine's own actions do"}
		}
	}
	if err := checkFilter(r.Entity, r.Resource); err != nil {
		return err
	}
	for _, d := range []struct {
		field string
		text  json.RawMessage
	}{{"Before", r.Before}, {"After", r.After}} {
		if d.text != nil && (!json.Valid(d.text) || len(d.text) > maxDocument) {
			return &ValidationError{d.field, len(d.text), "must be a JSON document of at most 65536 bytes"}
		}
	}
	return nil
}
