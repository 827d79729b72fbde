package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// plan plans the change, again if somebody else changes the stack meanwhile.
func (s *session) plan(ctx context.Context) (plan ChangeSet, err error) {
	for range maxAttempts {
		if plan, err = s.planOnce(ctx); !errors.Is(err, errBusy) {
			return plan, err
		}
	}
	return ChangeSet{}, err
}

// planOnce creates the change set, reads it and deletes it.
func (s *session) planOnce(ctx context.Context) (ChangeSet, error) {
	s.planning = true
	named, err := s.o.parameters()
	if err != nil {
		return ChangeSet{}, err
	}
	st, err := s.awaitIdle(ctx)
	switch {
	case err != nil:
		return ChangeSet{}, err
	case st == nil:
	case st.status == types.StackStatusReviewInProgress:
		st = nil
	case st.neverCreated(), st.status == types.StackStatusUpdateRollbackFailed:
		return ChangeSet{}, fmt.Errorf("%w: stack %s is in %s: deploy, which cleans up first", errUnplannable, s.name, st.status)
	case st.status == types.StackStatusDeleteFailed:
		return ChangeSet{}, s.deleteFailedError(ctx, st)
	}
	w, err := s.desiredFor(ctx, st, named)
	if err != nil {
		return ChangeSet{}, err
	}
	plan := ChangeSet{Action: Updated, Before: w.current.settings(), NoCode: s.noCode}
	p := s.proposal(w, types.ChangeSetTypeUpdate, w.named)
	if st == nil {
		plan.Action, p.kind = Created, types.ChangeSetTypeCreate
		left, err := s.findExisting(ctx, w)
		if err != nil {
			return ChangeSet{}, err
		}
		if left != nil { // the rest of the changes can only be computed after the import
			plan.Action, p = Adopted, s.importOf(left, w.tags)
		}
	}
	c, err := s.createChangeSet(ctx, p)
	if err == nil && c != nil {
		plan.Changes = c.changes
		err = s.discard(ctx, c, p.kind)
	}
	if on := s.o.TerminationProtection; on != nil && *on != w.current.protected {
		plan.Changes = append(plan.Changes, s.protection(w.current.id))
	}
	plan.After = w.after(s.o.TerminationProtection)
	if plan.Action == Updated && plan.Changes == nil {
		plan.Action = Unchanged
	}
	return plan, err
}

// after returns the settings after the change.
func (w *desired) after(protected *bool) map[string]string {
	all := maps.Clone(w.all)
	all[paramTermination] = strconv.FormatBool(w.current.protected)
	if protected != nil {
		all[paramTermination] = strconv.FormatBool(*protected)
	}
	return all
}
