package stack

import "context"

// Ensure makes the stack of this name into what the options say, and waits until it is; see the package's comment. A
// deployment that failed is a [*FailedError], and CloudFormation has rolled it back. When ctx ends while it waits,
// CloudFormation goes on, and the next Ensure joins. Calls may overlap, in one process or in several.
func Ensure(ctx context.Context, name string, o *Options) (Result, error) {
	return Result{}, ErrNotFound
}

// Plan tells what [Ensure] would do, and leaves everything as it is. Where Ensure would wait for somebody else, so
// does Plan.
func Plan(ctx context.Context, name string, o *Options) (ChangeSet, error) {
	return ChangeSet{}, ErrNotFound
}

// Delete removes the stack of this name, and then its table and its bucket with all that is in them. What is not there
// counts as deleted: it may be called again, and then completes what an earlier call left. Of Options it takes where
// the stack is, Progress and the clock; with NoWait it leaves table and bucket to the next call.
func Delete(ctx context.Context, name string, o *Options, d *DeleteOptions) error {
	return ErrNotFound
}

// Get tells what the stack of this name is; [ErrNotFound] if there is none. Of Options it takes where the stack is and
// the clock.
func Get(ctx context.Context, name string, o *Options) (Info, error) {
	return Info{}, ErrNotFound
}

// List tells of all stacks of this package, by name. Of Options it takes where they are.
func List(ctx context.Context, o *Options) ([]Info, error) {
	return nil, ErrNotFound
}

// Template is the CloudFormation template that [Ensure] deploys, in YAML.
func Template() string { return "" }
