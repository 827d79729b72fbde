package stack

import "context"

// Ensure makes the stack of this name into what the options say, and waits until it is; see the package's comment. A
// deployment that failed is a [*FailedError], and CloudFormation has rolled it back. When ctx ends while it waits,
// CloudFormation goes on, and the next Ensure joins. Calls may overlap, in one process or in several.
func Ensure(ctx context.Context, name string, o *Options) (Result, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return Result{}, err
	}
	return s.ensure(ctx)
}

// Plan tells what [Ensure] would do, and leaves everything as it is. Where Ensure would wait for somebody else, so
// does Plan. No code of the function is needed for a plan; see NoCode. What Ensure does before it can make a change set is not gone through: after a failed creation there is no
// plan, and over a table that was left the plan is to take it in.
func Plan(ctx context.Context, name string, o *Options) (ChangeSet, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return ChangeSet{}, err
	}
	return s.plan(ctx)
}

// Delete removes the stack of this name, and then its table and its bucket with all that is in them. What is not there
// counts as deleted: it may be called again, and then completes what an earlier call left. Of Options it takes where
// the stack is, Progress and the clock; with NoWait it leaves table and bucket to the next call.
func Delete(ctx context.Context, name string, o *Options, d *DeleteOptions) error {
	s, err := start(ctx, name, o)
	if err != nil {
		return err
	}
	if d == nil {
		d = &DeleteOptions{}
	}
	return s.delete(ctx, *d)
}

// Get tells what the stack of this name is; [ErrNotFound] if there is none. Of Options it takes where the stack is and
// the clock. Where only the table does not answer, it returns what it knows beside the error.
func Get(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	st, err := s.mine(ctx)
	switch {
	case err != nil:
		return Info{}, err
	case st == nil:
		return Info{}, s.errAbsent()
	}
	return s.info(ctx, st)
}

// List tells of all stacks of this package, by name. Of Options it takes where they are.
func List(ctx context.Context, o *Options) ([]Info, error) {
	s, err := open(ctx, "", o)
	if err != nil {
		return nil, err
	}
	return s.list(ctx)
}

// start refuses what cannot be, before anybody is spoken to.
func start(ctx context.Context, name string, o *Options) (*session, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if o != nil {
		if _, err := o.parameters(); err != nil {
			return nil, err
		}
	}
	return open(ctx, name, o)
}
