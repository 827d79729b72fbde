package stack

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// maxAttempts bounds how often a call starts over because somebody else has changed the stack.
const maxAttempts = 10

// ensure reconciles the stack, and starts over if somebody else has changed it in the meantime or a cause was transient.
func (s *session) ensure(ctx context.Context) (Result, error) {
	named, err := s.o.parameters()
	if err != nil {
		return Result{}, err
	}
	waited := 0
	for range maxAttempts + maxRetries {
		st, err := s.waitStable(ctx)
		if err != nil {
			return Result{}, err
		}
		w, err := s.desiredFor(ctx, st, named)
		if err != nil {
			return Result{}, err
		}
		r, err := s.reconcile(ctx, w)
		if errors.Is(err, errBusy) {
			continue
		}
		again, err := s.retryTransient(ctx, err, waited)
		if !again {
			return r, err
		}
		waited++
	}
	return Result{}, errBusy
}

// reconcile creates the stack, or updates it to the desired state.
func (s *session) reconcile(ctx context.Context, w *desired) (Result, error) {
	s.changes = nil
	r := Result{Action: Updated, Before: w.current.settings()}
	var err error
	if w.current.id != "" {
		err = s.deploy(ctx, w, types.ChangeSetTypeUpdate)
	} else {
		r.Action, err = s.create(ctx, w)
	}
	if r.Changes = s.changes; r.Action == Updated && r.Changes == nil {
		r.Action = Unchanged
	}
	if err == nil && (r.Action == Unchanged || !s.o.NoWait) {
		err = errors.Join(s.protect(ctx, w), s.completeSchemaRecord(ctx))
	}
	if err != nil {
		return r, err
	}
	if r.Changes = s.changes; r.Action == Unchanged && r.Changes != nil {
		r.Action = Updated // only termination protection was changed
	}
	err = s.fillResult(ctx, &r)
	return r, err
}

// create creates the stack. It adopts the table and the bucket if they exist.
func (s *session) create(ctx context.Context, w *desired) (Action, error) {
	left, err := s.findExisting(ctx, w)
	if errors.Is(err, ErrForeign) && s.appeared(ctx, nil) {
		return "", errBusy
	}
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

// appeared reports whether somebody else has begun to create the stack since it was looked at: its table may be there without
// its schema record then. before is the stack that was there and is deleted now, which may still be described; nil for none.
func (s *session) appeared(ctx context.Context, before *state) bool {
	st, err := s.describe(ctx, s.name)
	return err == nil && st != nil && (before == nil || st.id != before.id)
}

// deploy executes one change set, or two if the first one creates the bucket for the function's code.
func (s *session) deploy(ctx context.Context, w *desired, kind types.ChangeSetType) error {
	first := maps.Clone(w.named)
	if w.codeLater {
		delete(first, paramCodeKey)
	} else if err := s.upload(ctx, w); err != nil {
		return err
	}
	st, err := s.apply(ctx, w, kind, first)
	if err != nil || s.o.NoWait || !w.codeLater || w.code == nil {
		return err
	}
	w.current, w.codeLater = st, false
	return s.deploy(ctx, w, types.ChangeSetTypeUpdate)
}

// proposal returns the arguments of a change set with these parameters, for the template or, with CodeOnly, for the stack's
// current template.
func (s *session) proposal(w *desired, kind types.ChangeSetType, named map[string]string) *proposal {
	if s.o.CodeOnly {
		return &proposal{kind: kind, params: parameters(w.current.params, named, w.current.params), tags: w.tags}
	}
	return &proposal{kind: kind, template: template, params: parameters(templateDefaults(template), named, w.current.params), tags: w.tags}
}

// apply creates and executes one change set.
func (s *session) apply(ctx context.Context, w *desired, kind types.ChangeSetType, named map[string]string) (*state, error) {
	c, err := s.createChangeSet(ctx, s.proposal(w, kind, named))
	if err != nil || c == nil {
		return w.current, err
	}
	st, err := s.execute(ctx, c)
	if err == nil && st != nil {
		w.current = st
	}
	return w.current, err
}

// protect sets the stack's termination protection, which is not part of change sets.
func (s *session) protect(ctx context.Context, w *desired) error {
	on := s.o.TerminationProtection
	if on == nil || *on == w.current.protected {
		return nil
	}
	_, err := s.stacks.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
		StackName: &w.current.id, EnableTerminationProtection: on,
	})
	if err == nil {
		s.changes = append(s.changes, s.protection(w.current.id))
	}
	return s.errCall("set termination protection", err)
}

// protection returns the change of termination protection.
func (s *session) protection(id string) Change {
	return Change{Action: "Modify", Resource: s.name, Type: typeStack, ID: id, Properties: []string{paramTermination}}
}

// fillResult adds the current state of the stack to a result.
func (s *session) fillResult(ctx context.Context, r *Result) error {
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
