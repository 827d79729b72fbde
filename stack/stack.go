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
// counts as deleted: it may be called again, and then completes what an earlier call left. A table that no
// deployment of the name has made is left alone, and without a stack that is an [ErrForeign]. Of Options it takes where the
// stack is, Progress and the clock; with NoWait it leaves table and bucket to the next call.
func Delete(ctx context.Context, name string, o *Options, d *DeleteOptions) error {
	s, err := start(ctx, name, o)
	if err != nil {
		return err
	}
	if d == nil {
		d = &DeleteOptions{}
	}
	s.o.Adopt = false
	return s.delete(ctx, *d)
}

// Get describes the stack of this name. If there is none of this package's template, or if the credentials may not look at
// it, it describes the table of the name alone, as [GetTable] does, and says why in Info.Reason; [ErrNotFound] reports that
// there is neither. Of Options it takes where the stack is and the clock. If only the table does not answer, it returns what
// it knows beside the error.
func Get(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.get(ctx)
}

// GetTable describes the table of this name alone, whoever made it, and what a limiter misses of it; it does not ask
// CloudFormation. [ErrNotFound] reports that there is none, [ErrForeign] one that cannot hold a limiter's records. Of Options
// it takes where the table is and the clock.
func GetTable(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.tableInfo(ctx)
}

// Init makes the table of this name usable, which something else has made: it checks its keys and its
// index, writes the schema record if there is none, and returns what [GetTable] does. [ErrForeign] reports a table that cannot hold a limiter's records, and
// [ErrNewer] one of a newer program; both stay as they are. It makes the table no part of a stack. Of Options it takes where
// the table is and the clock.
func Init(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := start(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.init(ctx)
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
