package stack

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// plan has the change set worked out, and discards it.
func (s *session) plan(ctx context.Context) (ChangeSet, error) {
	s.planning = true
	named, err := s.o.parameters()
	if err != nil {
		return ChangeSet{}, err
	}
	st, err := s.quiet(ctx)
	switch {
	case err != nil:
		return ChangeSet{}, err
	case st == nil:
	case st.status == types.StackStatusReviewInProgress:
		st = nil
	case st.stillborn(), st.status == types.StackStatusUpdateRollbackFailed:
		return ChangeSet{}, s.errUnplannable(st)
	case st.status == types.StackStatusDeleteFailed:
		return ChangeSet{}, s.undeleted(ctx, st)
	}
	w, err := s.wantOf(ctx, st, named)
	if err != nil {
		return ChangeSet{}, err
	}
	plan := ChangeSet{Action: Updated, Before: w.has.settings(), NoCode: s.noCode}
	p := s.proposal(w, types.ChangeSetTypeUpdate, w.named)
	if st == nil {
		plan.Action, p.kind = Created, types.ChangeSetTypeCreate
		left, err := s.leftBehind(ctx, w)
		if err != nil {
			return ChangeSet{}, err
		}
		if left != nil { // what else there will be can only be worked out over them
			plan.Action, p = Adopted, s.importOf(left, w.tags)
		}
	}
	c, err := s.propose(ctx, p)
	if err == nil && c != nil {
		plan.Changes = c.changes
		err = s.discard(ctx, c, p.kind)
	}
	if on := s.o.TerminationProtection; on != nil && *on != w.has.protected {
		plan.Changes = append(plan.Changes, s.protection(w.has.id))
	}
	plan.After = w.after(s.o.TerminationProtection)
	if plan.Action == Updated && plan.Changes == nil {
		plan.Action = Unchanged
	}
	if errors.Is(err, errBusy) {
		return s.plan(ctx)
	}
	return plan, err
}

// after are the settings that there will be.
func (w *wanted) after(protected *bool) map[string]string {
	all := maps.Clone(w.all)
	all[paramTermination] = strconv.FormatBool(w.has.protected)
	if protected != nil {
		all[paramTermination] = strconv.FormatBool(*protected)
	}
	return all
}
