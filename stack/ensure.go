package stack

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// mostTurns bounds how often a call makes way for others, or cleans up after them.
const mostTurns = 10

// ensure makes way for others, and begins anew after them.
func (s *session) ensure(ctx context.Context) (Result, error) {
	named, err := s.o.parameters()
	if err != nil {
		return Result{}, err
	}
	waited := 0
	for range mostTurns + mostPasses {
		w, err := s.want(ctx, named)
		if err != nil {
			return Result{}, err
		}
		r, err := s.bring(ctx, w)
		if errors.Is(err, errBusy) {
			continue
		}
		again, err := s.outwaits(ctx, err, waited)
		if !again {
			return r, err
		}
		waited++
	}
	return Result{}, errBusy
}

// bring brings about what is wanted.
func (s *session) bring(ctx context.Context, w *wanted) (Result, error) {
	s.changes = nil
	r := Result{Action: Updated, Before: w.has.settings()}
	var err error
	if w.has.id != "" {
		err = s.deploy(ctx, w, types.ChangeSetTypeUpdate)
	} else {
		r.Action, err = s.create(ctx, w)
	}
	if r.Changes = s.changes; r.Action == Updated && r.Changes == nil {
		r.Action = Unchanged
	}
	if err == nil && (r.Action == Unchanged || !s.o.NoWait) {
		err = errors.Join(s.protect(ctx, w), s.claim(ctx))
	}
	if err != nil {
		return r, err
	}
	if r.Changes = s.changes; r.Action == Unchanged && r.Changes != nil {
		r.Action = Updated // in its protection
	}
	err = s.look(ctx, &r)
	return r, err
}

// create makes the stack, anew or around what an earlier one has left.
func (s *session) create(ctx context.Context, w *wanted) (Action, error) {
	left, err := s.leftBehind(ctx, w)
	if err != nil {
		return "", err
	}
	if left == nil {
		return Created, s.deploy(ctx, w, types.ChangeSetTypeCreate)
	}
	if err := s.adopt(ctx, w, left); err != nil || s.o.NoWait {
		return Adopted, err
	}
	return Adopted, s.deploy(ctx, w, types.ChangeSetTypeUpdate)
}

// deploy is one change set, or two where the function's code must wait for its bucket.
func (s *session) deploy(ctx context.Context, w *wanted, kind types.ChangeSetType) error {
	first := maps.Clone(w.named)
	if w.later {
		delete(first, paramCodeKey)
	} else if err := s.upload(ctx, w); err != nil {
		return err
	}
	st, err := s.apply(ctx, w, kind, first)
	if err != nil || s.o.NoWait || !w.later || w.code == nil {
		return err
	}
	w.has, w.later = st, false
	return s.deploy(ctx, w, types.ChangeSetTypeUpdate)
}

// proposal is a change set of the template with these parameters named, or of the stack's own.
func (s *session) proposal(w *wanted, kind types.ChangeSetType, named map[string]string) *proposal {
	if s.o.CodeOnly {
		return &proposal{kind: kind, params: otherwisePrevious(named, w.has.params), tags: w.tags}
	}
	return &proposal{kind: kind, template: template, params: parameters(named, w.has.params), tags: w.tags}
}

// apply is one change set, from the proposal to its end.
func (s *session) apply(ctx context.Context, w *wanted, kind types.ChangeSetType, named map[string]string) (*state, error) {
	c, err := s.propose(ctx, s.proposal(w, kind, named))
	if err != nil || c == nil {
		return w.has, err
	}
	st, err := s.carryOut(ctx, c)
	if err == nil && st != nil {
		w.has = st
	}
	return w.has, err
}

// protect sets the stack's termination protection, which is in no change set.
func (s *session) protect(ctx context.Context, w *wanted) error {
	on := s.o.TerminationProtection
	if on == nil || *on == w.has.protected {
		return nil
	}
	_, err := s.stacks.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
		StackName: &w.has.id, EnableTerminationProtection: on,
	})
	if err == nil {
		s.changes = append(s.changes, s.protection(w.has.id))
	}
	return s.errCall("set termination protection", err)
}

// protection is the change of termination protection.
func (s *session) protection(id string) Change {
	return Change{Action: "Modify", Resource: s.name, Type: typeStack, ID: id, Properties: []string{paramTermination}}
}

// look completes a result by what there is now.
func (s *session) look(ctx context.Context, r *Result) error {
	st, err := s.describe(ctx, s.name)
	switch {
	case err != nil:
		return s.errCall("look at the stack", err)
	case st == nil:
		return s.errGone()
	}
	r.After = st.settings()
	r.Info, err = s.info(ctx, st)
	return err
}
