package main

import (
	"github.com/zeroae/zae-limiter-go/stack"
)

// deployFlags holds the options of a deployment. Options without a value do not change.
type deployFlags struct {
	SnapshotWindows    []string `placeholder:"WINDOW" help:"Windows for which usage is recorded: hourly, daily, monthly. Default: hourly,daily."`
	UsageRetentionDays *int     `placeholder:"DAYS" help:"Retention of usage, 1 to 3650. Default: 90."`
	AuditRetentionDays *int     `placeholder:"DAYS" help:"Retention of audit events in the table, 1 to 3650. Default: 90."`
	EnableAggregator   *bool    `negatable:"no-aggregator" help:"Create the function that records usage and archives audit events. Default: on."`

	EnableAuditArchival     *bool `negatable:"no-audit-archival" help:"Archive expired audit events in the S3 bucket. Default: on."`
	AuditArchiveGlacierDays *int  `placeholder:"DAYS" help:"Move archived objects of 128 KB or more to Glacier Instant Retrieval after this many days, 1 to 3650. Default: 90."`

	LambdaTimeout    *int   `placeholder:"SECONDS" help:"Timeout of the function, 1 to 900. Default: 60."`
	LambdaMemory     *int   `placeholder:"MB" help:"Memory of the function, 128 to 3008. Default: 256."`
	LogRetentionDays *int   `placeholder:"DAYS" help:"Retention of the function's log; one of the numbers that CloudWatch accepts. Default: 30."`
	EnableTracing    *bool  `negatable:"no-tracing" help:"Trace the function with X-Ray. Default: off."`
	LambdaZip        string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"Code of the function: the output of lambda-export, or this program for Linux. Default: this program, or a build with Go."`
	Architecture     string `placeholder:"PROCESSOR" enum:",arm64,x86_64" default:"" help:"Processor of the function: arm64 or x86_64. Default: arm64, or that of this program."`

	EnableAlarms               *bool   `negatable:"no-alarms" help:"Create alarms. Default: on."`
	AlarmSNSTopic              *string `name:"alarm-sns-topic" placeholder:"ARN" help:"SNS topic that alarms are sent to. Default: none."`
	LambdaDurationThresholdPct *int    `placeholder:"PERCENT" help:"Share of the timeout above which an alarm is raised, 1 to 100. Default: 80."`

	IAM                *bool   `name:"iam" negatable:"" help:"Create policies for callers, and the function's role. Default: on."`
	CreateIAMRoles     *bool   `name:"create-iam-roles" negatable:"" help:"Create roles for callers, too. Default: off."`
	AggregatorRoleARN  *string `name:"aggregator-role-arn" placeholder:"ARN" help:"Existing role for the function. Default: create one."`
	PermissionBoundary *string `placeholder:"POLICY" help:"Permissions boundary of all roles: the name or the ARN of a policy. Default: none."`
	RoleNameFormat     string  `placeholder:"FORMAT" help:"Format of the names of roles; {} stands for the standard name. Default: {}."`
	PolicyNameFormat   string  `placeholder:"FORMAT" help:"Format of the names of policies; {} stands for the standard name. Default: {}."`

	PITRRecoveryDays         *int              `name:"pitr-recovery-days" placeholder:"DAYS" help:"Enable point-in-time recovery for this many days, 1 to 35; 0: off. Default: off."`
	KMSKeyARN                *string           `name:"kms-key-arn" placeholder:"ARN" help:"KMS key that encrypts the table and the S3 bucket. Default: a key of AWS."`
	EnableDeletionProtection *bool             `negatable:"no-deletion-protection" help:"Protect the table from deletion. Default: off."`
	TerminationProtection    *bool             `negatable:"" help:"Protect the stack from deletion. Default: off."`
	Tag                      map[string]string `short:"t" placeholder:"KEY=VALUE" mapsep:"none" help:"Tag for all resources; an empty value removes it. Repeatable."`
}

// applyTo copies the flags that have a value to options.
func (f *deployFlags) applyTo(o *stack.Options) error {
	o.SnapshotWindows = f.SnapshotWindows
	for _, n := range []struct {
		flag  string
		value *int
		field *int
	}{
		{"--usage-retention-days", f.UsageRetentionDays, &o.UsageRetentionDays},
		{"--audit-retention-days", f.AuditRetentionDays, &o.AuditRetentionDays},
		{"--audit-archive-glacier-days", f.AuditArchiveGlacierDays, &o.GlacierDays},
		{"--lambda-timeout", f.LambdaTimeout, &o.LambdaTimeout},
		{"--lambda-memory", f.LambdaMemory, &o.LambdaMemory},
		{"--log-retention-days", f.LogRetentionDays, &o.LogDays},
		{"--lambda-duration-threshold-pct", f.LambdaDurationThresholdPct, &o.DurationThreshold},
	} {
		if n.value == nil {
			continue
		}
		if *n.value == 0 { // the zero value of an option means "unchanged"
			return usageErrorf("%s 0 must be at least 1", n.flag)
		}
		*n.field = *n.value
	}
	o.Aggregator, o.AuditArchival, o.Tracing, o.Alarms = f.EnableAggregator, f.EnableAuditArchival, f.EnableTracing, f.EnableAlarms
	o.AlarmTopic, o.IAM, o.Roles, o.AggregatorRole = f.AlarmSNSTopic, f.IAM, f.CreateIAMRoles, f.AggregatorRoleARN
	o.PermissionBoundary, o.RoleNameFormat, o.PolicyNameFormat = f.PermissionBoundary, f.RoleNameFormat, f.PolicyNameFormat
	o.PITRDays, o.KMSKey, o.Tags = f.PITRRecoveryDays, f.KMSKeyARN, f.Tag
	o.DeletionProtection, o.TerminationProtection = f.EnableDeletionProtection, f.TerminationProtection
	o.Architecture = f.Architecture
	return readCodeFile(o, f.LambdaZip)
}

// readCodeFile reads the function's code from a file, unless the name is empty.
func readCodeFile(o *stack.Options, file string) (err error) {
	if file == "" {
		return nil
	}
	if o.Code, err = stack.ReadCode(file); err != nil {
		return fromStack(err)
	}
	return nil
}

// stackFlags maps the fields of [stack.Options] to flags.
var stackFlags = map[string]string{
	"Name": "--name", "Region": "--region", "Endpoint": "--endpoint-url", "SnapshotWindows": "--snapshot-windows",
	"UsageRetentionDays": "--usage-retention-days", "AuditRetentionDays": "--audit-retention-days",
	"GlacierDays": "--audit-archive-glacier-days", "Code": "--lambda-zip", "Architecture": "--architecture",
	"LambdaTimeout": "--lambda-timeout", "LambdaMemory": "--lambda-memory", "LogDays": "--log-retention-days",
	"AlarmTopic": "--alarm-sns-topic", "DurationThreshold": "--lambda-duration-threshold-pct",
	"AggregatorRole": "--aggregator-role-arn", "PermissionBoundary": "--permission-boundary",
	"RoleNameFormat": "--role-name-format", "PolicyNameFormat": "--policy-name-format", "PITRDays": "--pitr-recovery-days",
	"KMSKey": "--kms-key-arn", "Tags": "--tag",
}
