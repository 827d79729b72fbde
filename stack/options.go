package stack

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithytime "github.com/aws/smithy-go/time"
)

// Options configure a stack; nil means all defaults. A zero value or a nil pointer does not set an option: an existing stack
// keeps its value, and a new stack gets the default.
type Options struct {
	Region   string      // default: that of Config, else that of the environment or of the user's AWS configuration
	Endpoint string      // URL for all services, for emulators. Default: AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>, else the region's endpoints
	Config   *aws.Config // credentials, HTTP client and so on. Default: the environment and the user's AWS configuration

	Aggregator         *bool    // create the function that records usage and archives audit events. Default true
	SnapshotWindows    []string // windows of usage: hourly, daily, monthly. Default hourly and daily
	UsageRetentionDays int      // in days, 1 to 3650, default 90
	AuditRetentionDays int      // in days, 1 to 3650, default 90
	AuditArchival      *bool    // archive expired audit events in the bucket. Default true
	GlacierDays        int      // days until archived objects of 128 KB or more move to Glacier Instant Retrieval; smaller ones stay. 1 to 3650, default 90

	Code          *Code  // of the function. Default: that of [FindCode]; if it finds none, an existing function keeps its code
	Architecture  string // arm64 or x86_64. Default: that of Code, else arm64
	LambdaTimeout int    // in seconds, 1 to 900, default 60
	LambdaMemory  int    // in MB, 128 to 3008, default 256
	LogDays       int    // retention of the function's log, one of the numbers of days that CloudWatch accepts, default 30
	Tracing       *bool  // trace the function with X-Ray. Default false

	Alarms            *bool   // create alarms. Default true
	AlarmTopic        *string // ARN of the SNS topic that receives alarms; empty for none, the default
	DurationThreshold int     // percentage of LambdaTimeout above which an alarm is raised, 1 to 100, default 80

	IAM                *bool   // create managed policies, and the function's role. Default true
	Roles              *bool   // create roles for applications, administrators and readers. Default false
	AggregatorRole     *string // ARN of an existing role for the function; empty for the stack's own, the default
	PermissionBoundary *string // name or ARN of the permissions boundary of all roles; empty for none, the default
	RoleNameFormat     string  // format of the names of roles, with one {}. Default {}
	PolicyNameFormat   string  // format of the names of policies, with one {}. Default {}

	PITRDays              *int              // days of point-in-time recovery of the table, 1 to 35; 0 for none, the default
	KMSKey                *string           // ARN of the key that encrypts the table and the bucket; empty for a key of AWS, the default
	DeletionProtection    *bool             // of the table. Default false
	TerminationProtection *bool             // of the stack. Default false
	Tags                  map[string]string // added to the tags of the stack; an empty value removes a tag

	// Adopt allows [Ensure] to adopt what another tool has created: a table of this name with a limiter's keys (also one
	// restored from a backup), or a stack of this name with [Template]. From then on it belongs to this deployment, and
	// [Delete] deletes it. A table that an earlier stack of this name has left is adopted without Adopt, since its schema
	// record has the name of the stack. Default false.
	Adopt bool

	// CodeOnly updates only the function's code (Code and Architecture): the stack, which must exist, keeps its template and
	// all other options. Default false.
	CodeOnly bool

	// Downgrade allows [Ensure] to change a stack that a newer release has deployed, back to this one's template and code.
	// Default false: Ensure returns [ErrNewer].
	Downgrade bool

	NoWait   bool        // return as soon as the change has started. A new stack is complete only after the next Ensure
	Progress func(Event) // called for each event, in order, never concurrently. Default none

	Now   func() time.Time                           // default [time.Now]
	Sleep func(context.Context, time.Duration) error // waits; returns ctx's error if ctx is done first. Default: a timer
}

// DeleteOptions configure [Delete]; nil means all defaults.
type DeleteOptions struct {
	KeepData bool // keep the table and the bucket with their data. Default: delete them
	Force    bool // remove the protections of stack and table, and abandon resources that CloudFormation cannot delete. Default false
}

// Event is one step of a deployment or a deletion, either an event of CloudFormation or a step of this package.
type Event struct {
	Time     time.Time
	Resource string // logical id; the name of the stack for its own events
	Type     string // for example AWS::DynamoDB::Table; empty for a step of this package, which Reason describes
	ID       string // physical id, if known
	Status   string // for example CREATE_IN_PROGRESS
	Reason   string
}

// Action is what [Ensure] did.
type Action string

// Actions of [Ensure]. Adopted means that a stack was created with an existing table or bucket.
const (
	Created   Action = "created"
	Adopted   Action = "adopted"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
)

// Result describes what [Ensure] did.
type Result struct {
	Action        Action
	Changes       []Change
	Before, After map[string]string // parameters and termination protection; Before is nil if there was no stack
	Info          Info
}

// ChangeSet describes what [Ensure] would change.
type ChangeSet struct {
	Action        Action
	Changes       []Change
	Before, After map[string]string // as in [Result]
	NoCode        error             // an [ErrNoCode] if Ensure would need code for the function and there is none; else nil
}

// Change describes the change of a resource.
type Change struct {
	Action      string // Add, Modify, Remove, Import
	Resource    string // logical id
	Type        string // for example AWS::DynamoDB::Table
	ID          string // physical id; empty for a new resource
	Replacement string // True, False or Conditional; empty unless Action is Modify
	Properties  []string
}

// Info describes a stack, or a table without a stack. [List] does not set the fields of the table.
type Info struct {
	Name, ID, Region      string // ID is the ARN of the stack; empty for a table without a stack of this package
	Status, Reason        string // of the stack, for example CREATE_COMPLETE; without a stack, Reason says why none can be described
	Health                string // healthy, in progress or failed; empty without a stack
	Created, Updated      time.Time
	Version               string // of the program that last deployed the stack
	SchemaVersion         string // of the records in the table, read from the table if possible, else from the stack's tags
	FunctionVersion       string // of the function's code; empty without a function
	Aggregator            bool
	TerminationProtection bool
	Parameters            map[string]string
	Outputs               map[string]string
	Tags                  map[string]string // without the tags that this package sets

	Available          bool          // the table answers, and it is ACTIVE or UPDATING
	Latency            time.Duration // of reading one record
	Table, TableStatus string        // name and status, for example ACTIVE; the status is empty if there is no table
	DeletionProtection bool
	Items, Bytes       int64 // updated by DynamoDB about every six hours
	Bucket             string
	RoleARNs           map[string]string // of the existing roles; the keys are aggregator, app, admin and read

	// Missing lists what a limiter needs and a table without a stack lacks, each with the consequence and what to do. It is
	// empty for the table of a stack.
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
