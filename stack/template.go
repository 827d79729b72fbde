package stack

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

//go:embed template.yaml
var template string

// Template returns the CloudFormation template that [Ensure] deploys, in YAML.
func Template() string { return template }

// Parameters and resources of the template that the code refers to.
const (
	paramAggregator       = "EnableAggregator"
	paramArchitecture     = "Architecture"
	paramBoundary         = "PermissionBoundary"
	paramBucket           = "ArchiveBucketName"
	paramCodeKey          = "CodeKey"
	paramGlacier          = "AuditArchiveGlacierTransitionDays"
	paramIAM              = "EnableIAM"
	paramKey              = "KMSKeyArn"
	paramPITR             = "PITRRecoveryPeriodDays"
	paramPolicyPrefix     = "PolicyNamePrefix"
	paramPolicySuffix     = "PolicyNameSuffix"
	paramProtection       = "EnableDeletionProtection"
	paramRole             = "AggregatorRoleArn"
	paramRolePrefix       = "RoleNamePrefix"
	paramRoleSuffix       = "RoleNameSuffix"
	paramTermination      = "TerminationProtection" // of the stack; not a parameter of the template
	resourceTable         = "Table"
	resourceBucket        = "ArchiveBucket"
	defaultArch           = "arm64"
	valueTrue, valueFalse = "true", "false"
	largestInlineBytes    = 51_200 // size limit of a template that is not in S3
)

// templateDefaults returns the parameters of a template in YAML with their defaults.
func templateDefaults(template string) map[string]string {
	found, name := map[string]string{}, ""
	_, section, _ := strings.Cut(template, "\nParameters:\n")
	section, _, _ = strings.Cut(section, "\nConditions:\n")
	for line := range strings.Lines(section) {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   "):
			name = strings.TrimSuffix(text, ":")
			found[name] = ""
		case strings.HasPrefix(text, "Default: "):
			found[name] = strings.Trim(strings.TrimPrefix(text, "Default: "), `"`)
		}
	}
	return found
}

// parameters returns the parameters of a change set: the named ones with new values, the others with the stack's values, or,
// if the stack does not have them, the template's defaults. declared are the parameters of the template.
func parameters(declared, named, has map[string]string) []types.Parameter {
	var all []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		value, isNamed := named[name]
		_, isThere := has[name]
		switch {
		case isNamed:
			all = append(all, types.Parameter{ParameterKey: &name, ParameterValue: &value})
		case isThere:
			all = append(all, types.Parameter{ParameterKey: &name, UsePreviousValue: aws.Bool(true)})
		}
	}
	return all
}

// effectiveParameters returns the values of all parameters after a change of the named ones.
func effectiveParameters(named, has map[string]string) map[string]string {
	all := templateDefaults(template)
	for name := range all {
		if value, isThere := has[name]; isThere {
			all[name] = value
		}
		if value, isNamed := named[name]; isNamed {
			all[name] = value
		}
	}
	return all
}
