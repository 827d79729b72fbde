package main

import (
	"github.com/zeroae/zae-limiter-go/stack"
)

// deployFlags are the options of a deployment. Those that are not named are left as they are.
type deployFlags struct {
	SnapshotWindows    []string `placeholder:"WINDOW" help:"Windows in which usage is kept: hourly, daily, monthly. Default: hourly,daily."`
	UsageRetentionDays *int     `placeholder:"DAYS" help:"Keep usage for so long, 1 to 3650. Default: 90."`
	AuditRetentionDays *int     `placeholder:"DAYS" help:"Keep audit events in the table for so long, 1 to 3650. Default: 90."`
	EnableAggregator   *bool    `negatable:"no-aggregator" help:"Book usage and archive audit events, by a function. Default: on."`

	EnableAuditArchival     *bool `negatable:"no-audit-archival" help:"Keep expired audit events in the bucket. Default: on."`
	AuditArchiveGlacierDays *int  `placeholder:"DAYS" help:"Move the archive to Glacier after so long, 1 to 3650. Default: 90."`

	LambdaTimeout    *int   `placeholder:"SECONDS" help:"The most that one call of the function takes, 1 to 900. Default: 60."`
	LambdaMemory     *int   `placeholder:"MB" help:"Memory of the function, 128 to 3008. Default: 256."`
	LogRetentionDays *int   `placeholder:"DAYS" help:"Keep the function's log for so long; one of CloudWatch's numbers. Default: 30."`
	EnableTracing    *bool  `negatable:"no-tracing" help:"Trace the function with X-Ray. Default: off."`
	LambdaZip        string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"The function's code: what lambda-export wrote, or this program for Linux. Default: this program, or built with Go."`
	Architecture     string `placeholder:"PROCESSOR" enum:",arm64,x86_64" default:"" help:"What the function runs on: arm64 or x86_64. Default: arm64, or that of this program."`

	EnableAlarms               *bool   `negatable:"no-alarms" help:"Make alarms. Default: on."`
	AlarmSNSTopic              *string `name:"alarm-sns-topic" placeholder:"ARN" help:"Topic that alarms are sent to. Default: none."`
	LambdaDurationThresholdPct *int    `placeholder:"PERCENT" help:"Part of the timeout that sets off an alarm, 1 to 100. Default: 80."`

	IAM                *bool   `name:"iam" negatable:"" help:"Make policies for callers, and the function's role. Default: on."`
	CreateIAMRoles     *bool   `name:"create-iam-roles" negatable:"" help:"Make roles for callers, too. Default: off."`
	AggregatorRoleARN  *string `name:"aggregator-role-arn" placeholder:"ARN" help:"Role of the function, if it is not made here."`
	PermissionBoundary *string `placeholder:"POLICY" help:"Policy that bounds all roles, by its name or its ARN. Default: none."`
	RoleNameFormat     string  `placeholder:"FORMAT" help:"Names of roles; {} stands for ours. Default: {}."`
	PolicyNameFormat   string  `placeholder:"FORMAT" help:"Names of policies; {} stands for ours. Default: {}."`

	PITRRecoveryDays         *int              `name:"pitr-recovery-days" placeholder:"DAYS" help:"Let the table be restored to any moment of so many days, 1 to 35; 0: not. Default: not."`
	KMSKeyARN                *string           `name:"kms-key-arn" placeholder:"ARN" help:"Key that table and bucket are encrypted with. Default: AWS's own."`
	EnableDeletionProtection *bool             `negatable:"no-deletion-protection" help:"Protect the table from being deleted. Default: off."`
	TerminationProtection    *bool             `negatable:"" help:"Protect the stack from being deleted. Default: off."`
	Tag                      map[string]string `short:"t" placeholder:"KEY=VALUE" mapsep:"none" help:"Tag of all that is made; an empty value removes it. Repeatable."`
}

// into puts what is named into options.
func (f *deployFlags) into(o *stack.Options) error {
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
		if *n.value == 0 { // which would be as if it was not named
			return usage("%s 0: must be 1 or more", n.flag)
		}
		*n.field = *n.value
	}
	o.Aggregator, o.AuditArchival, o.Tracing, o.Alarms = f.EnableAggregator, f.EnableAuditArchival, f.EnableTracing, f.EnableAlarms
	o.AlarmTopic, o.IAM, o.Roles, o.AggregatorRole = f.AlarmSNSTopic, f.IAM, f.CreateIAMRoles, f.AggregatorRoleARN
	o.PermissionBoundary, o.RoleNameFormat, o.PolicyNameFormat = f.PermissionBoundary, f.RoleNameFormat, f.PolicyNameFormat
	o.PITRDays, o.KMSKey, o.Tags = f.PITRRecoveryDays, f.KMSKeyARN, f.Tag
	o.DeletionProtection, o.TerminationProtection = f.EnableDeletionProtection, f.TerminationProtection
	o.Architecture = f.Architecture
	return codeInto(o, f.LambdaZip)
}

// codeInto reads the function's code, if a file is named.
func codeInto(o *stack.Options, file string) (err error) {
	if file == "" {
		return nil
	}
	if o.Code, err = stack.ReadCode(file); err != nil {
		return inStack(err)
	}
	return nil
}

// stackFlags are the flags for the fields of stack.Options.
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
