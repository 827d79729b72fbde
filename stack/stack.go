package stack

import "context"

// Ensure creates the stack of this name, or updates it to what the options say, and waits for the result; see the package's
// comment. It returns a [*FailedError] if the deployment failed and CloudFormation has rolled it back. If ctx is done while
// Ensure waits, CloudFormation continues, and the next Ensure waits for it. Concurrent calls are safe, in one process or in
// several.
func Ensure(ctx context.Context, name string, o *Options) (Result, error) {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return Result{}, err
	}
	return s.ensure(ctx)
}

// Plan returns what [Ensure] would change, without changing anything. It waits while somebody else changes the stack, as
// Ensure does. It does not need the function's code; see [ChangeSet.NoCode]. It fails after a failed creation, which Ensure
// would clean up first. If a table would be adopted, the plan has the adoption only, not the update that follows it.
func Plan(ctx context.Context, name string, o *Options) (ChangeSet, error) {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return ChangeSet{}, err
	}
	return s.plan(ctx)
}

// Delete deletes the stack of this name, and then its table and its bucket with their data. Whatever does not exist counts as
// deleted, so calling Delete again completes an interrupted call. It never deletes a table that no deployment of this name
// has created; if there is only such a table, it returns [ErrForeign]. It uses the region, the endpoint, Progress and the
// clock of o; with NoWait it leaves the table and the bucket to the next call. o and d may be nil.
func Delete(ctx context.Context, name string, o *Options, d *DeleteOptions) error {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return err
	}
	if d == nil {
		d = &DeleteOptions{}
	}
	s.o.Adopt = false
	return s.delete(ctx, *d)
}

// Get describes the stack of this name. If there is no stack with this package's template, or the credentials may not read
// it, Get describes only the table, as [GetTable] does, and sets Info.Reason. It returns [ErrNotFound] if neither exists. If
// the table does not answer, it returns what it knows together with the error. It uses the region, the endpoint and the clock
// of o, which may be nil.
func Get(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.get(ctx)
}

// GetTable describes the table of this name, whichever tool created it, and what a limiter needs and the table lacks. It does
// not call CloudFormation. It returns [ErrNotFound] if there is no table, and [ErrForeign] if it cannot hold a limiter's
// records. It uses the region, the endpoint and the clock of o, which may be nil.
func GetTable(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.tableInfo(ctx)
}

// Init initializes the table of this name that another tool has created: it checks its keys and its index, writes the schema
// record if there is none, and returns what [GetTable] returns. It returns [ErrForeign] if the table cannot hold a limiter's
// records, and [ErrNewer] if a newer program has initialized it; it changes neither. The table does not become part of a
// stack. Init uses the region, the endpoint and the clock of o, which may be nil.
func Init(ctx context.Context, name string, o *Options) (Info, error) {
	s, err := openNamed(ctx, name, o)
	if err != nil {
		return Info{}, err
	}
	return s.init(ctx)
}

// List returns all stacks of this package in a region, sorted by name. It uses the region and the endpoint of o, which may be
// nil.
func List(ctx context.Context, o *Options) ([]Info, error) {
	s, err := open(ctx, "", o)
	if err != nil {
		return nil, err
	}
	return s.list(ctx)
}

// openNamed validates the name and the options, without I/O, and opens a session.
func openNamed(ctx context.Context, name string, o *Options) (*session, error) {
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
