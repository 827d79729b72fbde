package stack

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithytime "github.com/aws/smithy-go/time"
)

// Options are what a caller wants of a stack; nil is fine. A zero value or a nil pointer is not named: what the stack
// has is kept, and a new stack has the default.
type Options struct {
	Region   string      // default: that of Config, else of the environment and the user's AWS configuration
	Endpoint string      // a URL, for all services: emulators. Default: AWS_ENDPOINT_URL and its kin, else the region's own
	Config   *aws.Config // credentials, HTTP client and the rest. Default: the environment and the user's AWS configuration

	Aggregator         *bool    // book usage and archive audit events by a function. Default true
	SnapshotWindows    []string // of usage: hourly, daily, monthly. Default hourly and daily
	UsageRetentionDays int      // 1 to 3650, default 90
	AuditRetentionDays int      // 1 to 3650, default 90
	AuditArchival      *bool    // expired audit events go to the bucket. Default true
	GlacierDays        int      // after which the archive goes to Glacier Instant Retrieval, 1 to 3650, default 90

	Code          *Code  // of the function. Default: see [FindCode]; the stack's own where that finds nothing
	Architecture  string // arm64 or x86_64. Default: that of Code, else arm64
	LambdaTimeout int    // in seconds, 1 to 900, default 60
	LambdaMemory  int    // in MB, 128 to 3008, default 256
	LogDays       int    // how long logs are kept, one of CloudWatch's numbers, default 30
	Tracing       *bool  // with X-Ray. Default false

	Alarms            *bool   // default true
	AlarmTopic        *string // ARN of the SNS topic that alarms are sent to; "" none, the default
	DurationThreshold int     // percentage of LambdaTimeout that sets off an alarm, 1 to 100, default 80

	IAM                *bool   // managed policies, and the function's role. Default true
	Roles              *bool   // roles for applications, administrators and readers. Default false
	AggregatorRole     *string // ARN of the function's role where it is not the stack's; "" the stack's, the default
	PermissionBoundary *string // name or ARN of the policy that bounds all roles; "" none, the default
	RoleNameFormat     string  // of names of roles, with one {}. Default {}
	PolicyNameFormat   string  // of names of policies, with one {}. Default {}

	PITRDays              *int              // days that the table can be restored to, 1 to 35; 0 none, the default
	KMSKey                *string           // ARN of the key that table and bucket are encrypted with; "" AWS's own, the default
	DeletionProtection    *bool             // of the table. Default false
	TerminationProtection *bool             // of the stack. Default false
	Tags                  map[string]string // added to those that the stack has; an empty value removes one

	// Adopt takes in what something else has made: a table of this name that has a limiter's keys (made by another tool, or
	// restored from a backup), or a stack of this name that another tool has made of [Template]. From then on it is this
	// stack's, and [Delete] removes it. A table that an earlier stack of the name has left needs no such leave: its schema
	// record names that stack. Default false.
	Adopt bool

	// CodeOnly changes the function's code, Code and Architecture, and nothing else: the stack, which must be there, keeps
	// its template and all other options. Default false.
	CodeOnly bool

	NoWait   bool        // return once the change has begun. The next Ensure goes on where this one left off
	Progress func(Event) // called in order, by one goroutine at a time. Default none

	Now   func() time.Time                           // default the system's clock
	Sleep func(context.Context, time.Duration) error // default a timer; returns ctx's error if that ends first
}

// DeleteOptions say how much a deletion removes; nil is fine.
type DeleteOptions struct {
	KeepData bool // leave table and bucket. Default: they go too, with all that is in them
	Force    bool // take off the protections of stack and table, and give up resources that CloudFormation cannot delete
}

// Event is a step of a deployment or a deletion.
type Event struct {
	Time     time.Time
	Resource string // logical id; the stack's own events have its name
	Type     string // AWS::DynamoDB::Table and the like; "" where Reason is all there is to say, about what this package does
	ID       string // physical id, as far as it is known
	Status   string // CREATE_IN_PROGRESS and the like
	Reason   string
}

// Action is what [Ensure] did.
type Action string

// Actions of [Ensure]. Adopted is created, over a table or a bucket that was there.
const (
	Created   Action = "created"
	Adopted   Action = "adopted"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
)

// Result is what a stack has become.
type Result struct {
	Action        Action
	Changes       []Change
	Before, After map[string]string // parameters, termination protection among them; Before nil where there was no stack
	Info          Info
}

// ChangeSet is what [Ensure] would change.
type ChangeSet struct {
	Action        Action
	Changes       []Change
	Before, After map[string]string // as in [Result]
	NoCode        error             // why there is no code for the function now, which Ensure would need: an [ErrNoCode]; nil: there is, or none is needed
}

// Change is one change of a resource.
type Change struct {
	Action      string // Add, Modify, Remove, Import
	Resource    string // logical id
	Type        string // AWS::DynamoDB::Table and the like
	ID          string // physical id, "" for what is new
	Replacement string // True, False, Conditional; "" unless Action is Modify
	Properties  []string
}

// Info is what a stack is, or a table without one. Of those that [List] returns nothing is known of the table.
type Info struct {
	Name, ID, Region      string // ID is the stack's ARN; "" for a table that no stack of this package has
	Status, Reason        string // of the stack: CREATE_COMPLETE and the like; without a stack why there is none to be seen
	Health                string // healthy, in progress, failed; "" without a stack
	Created, Updated      time.Time
	Version               string // of the program that deployed it last
	SchemaVersion         string // of the records in the table; the table's own word where it could be asked
	FunctionVersion       string // of the function's code; "" without a function
	Aggregator            bool
	TerminationProtection bool
	Parameters            map[string]string
	Outputs               map[string]string
	Tags                  map[string]string // without those that are this package's own

	Available          bool          // the table answered, and can be used: it is ACTIVE or UPDATING
	Latency            time.Duration // of reading one record
	Table, TableStatus string        // name; ACTIVE and the like, "" where there is none
	DeletionProtection bool
	Items, Bytes       int64 // counted by DynamoDB about every six hours
	Bucket             string
	RoleARNs           map[string]string // by aggregator, app, admin, read; those that there are

	// Missing is what a limiter uses and a table without a stack lacks, each with its consequence and its cure; of a stack's
	// own table it is empty.
	Missing []string
}

func (o *Options) setDefaults() {
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = smithytime.SleepWithContext
	}
}
