package stack

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	stackName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{2,52}\z`)
	roleARN    = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+\z`)
	topicARN   = regexp.MustCompile(`^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w.-]+\z`)
	keyARN     = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+\z`)
	boundary   = regexp.MustCompile(`^(arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+|[\w+=,.@-]{1,128})\z`)
	nameFormat = regexp.MustCompile(`^[\w+=,.@-]*\{\}[\w+=,.@-]*\z`)
	tagText    = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z`) // the length is checked elsewhere: {1,128} would cost 10 ms at each start of the program
	logDays    = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
	allWindows = []string{"hourly", "daily", "monthly"}
	processors = []string{defaultArch, "x86_64"}
)

// checkName validates the name of a stack and of its table.
func checkName(name string) error {
	if !stackName.MatchString(name) {
		return &InvalidError{"Name", name, "must be 3 to 53 letters, digits and '-', and begin with a letter"}
	}
	return nil
}

// parameterSet collects the template's parameters that options set, and the first error.
type parameterSet struct {
	named map[string]string
	err   error
}

// parameters returns the template's parameters that the options set. It does no I/O.
func (o *Options) parameters() (map[string]string, error) {
	s := &parameterSet{named: map[string]string{}}
	s.flag(paramAggregator, o.Aggregator)
	s.windows(o.SnapshotWindows)
	s.number("UsageRetentionDays", "UsageRetentionDays", o.UsageRetentionDays, 1, 3650)
	s.number("AuditRetentionDays", "AuditRetentionDays", o.AuditRetentionDays, 1, 3650)
	s.flag("EnableAuditArchival", o.AuditArchival)
	s.number("GlacierDays", paramGlacier, o.GlacierDays, 1, 3650)
	if o.Architecture != "" {
		if !slices.Contains(processors, o.Architecture) {
			s.fail("Architecture", o.Architecture, "must be one of "+strings.Join(processors, ", "))
		}
		s.named[paramArchitecture] = o.Architecture
	}
	s.number("LambdaTimeout", "LambdaTimeout", o.LambdaTimeout, 1, 900)
	s.number("LambdaMemory", "LambdaMemorySize", o.LambdaMemory, 128, 3008)
	if o.LogDays != 0 && !slices.Contains(logDays, o.LogDays) {
		s.fail("LogDays", o.LogDays, "must be one of "+strings.Trim(fmt.Sprint(logDays), "[]"))
	}
	s.number("LogDays", "LogRetentionDays", o.LogDays, 1, 3653)
	s.flag("EnableTracing", o.Tracing)
	s.flag("EnableAlarms", o.Alarms)
	s.text("AlarmTopic", "AlarmSNSTopicArn", o.AlarmTopic, topicARN, "the ARN of an SNS topic")
	s.number("DurationThreshold", "LambdaDurationThreshold", o.DurationThreshold, 1, 100)
	s.flag(paramIAM, o.IAM)
	s.flag("EnableIAMRoles", o.Roles)
	s.text("AggregatorRole", paramRole, o.AggregatorRole, roleARN, "the ARN of a role")
	s.text("PermissionBoundary", paramBoundary, o.PermissionBoundary, boundary, "the name or the ARN of a policy")
	s.format("RoleNameFormat", o.RoleNameFormat, paramRolePrefix, paramRoleSuffix)
	s.format("PolicyNameFormat", o.PolicyNameFormat, paramPolicyPrefix, paramPolicySuffix)
	if days := o.PITRDays; days != nil {
		if *days != 0 {
			s.number("PITRDays", paramPITR, *days, 1, 35)
		}
		s.named[paramPITR] = strconv.Itoa(*days)
	}
	s.text("KMSKey", paramKey, o.KMSKey, keyARN, "the ARN of a key")
	s.flag(paramProtection, o.DeletionProtection)
	s.tags(o.Tags)
	s.code(o.Code, o.Architecture)
	return s.named, s.err
}

func (s *parameterSet) fail(field string, value any, reason string) {
	if s.err == nil {
		s.err = &InvalidError{field, value, reason}
	}
}

func (s *parameterSet) flag(parameter string, value *bool) {
	if value != nil {
		s.named[parameter] = strconv.FormatBool(*value)
	}
}

func (s *parameterSet) number(field, parameter string, value, least, most int) {
	if value == 0 {
		return
	}
	if value < least || value > most {
		s.fail(field, value, fmt.Sprintf("must be %d to %d", least, most))
	}
	s.named[parameter] = strconv.Itoa(value)
}

func (s *parameterSet) text(field, parameter string, value *string, legal *regexp.Regexp, what string) {
	if value == nil {
		return
	}
	if *value != "" && !legal.MatchString(*value) {
		s.fail(field, *value, "must be "+what)
	}
	s.named[parameter] = *value
}

// windows sets the windows in a fixed order, so that another order is not a change.
func (s *parameterSet) windows(windows []string) {
	if windows == nil {
		return
	}
	sorted := slices.DeleteFunc(slices.Clone(allWindows), func(w string) bool { return !slices.Contains(windows, w) })
	if len(sorted) == 0 || len(sorted) != len(windows) {
		s.fail("SnapshotWindows", strings.Join(windows, ","), "must be one or more of "+strings.Join(allWindows, ", "))
	}
	s.named["SnapshotWindows"] = strings.Join(sorted, ",")
}

func (s *parameterSet) format(field, value, prefix, suffix string) {
	if value == "" {
		return
	}
	if !nameFormat.MatchString(value) || strings.Count(value, "{}") != 1 {
		s.fail(field, value, "must be letters, digits and _+=,.@- with one {}")
	}
	s.named[prefix], s.named[suffix], _ = strings.Cut(value, "{}")
}

func (s *parameterSet) tags(tags map[string]string) {
	for key, value := range tags {
		switch {
		case isOwnTag(key):
			s.fail("Tags", key, "the deployment sets this tag itself")
		case strings.HasPrefix(strings.ToLower(key), "aws:"), !isTag(key, 1, 128), !isTag(value, 0, 256):
			s.fail("Tags", key+"="+value, "must be at most 128 (key) and 256 (value) letters, digits, spaces and _.:/=+-@, and the key must not begin with aws:")
		}
	}
}

func isTag(text string, least, most int) bool {
	n := utf8.RuneCountInString(text)
	return least <= n && n <= most && tagText.MatchString(text)
}

func (s *parameterSet) code(c *Code, architecture string) {
	switch {
	case c == nil:
	case len(c.Zip) == 0 || !slices.Contains(processors, c.Architecture):
		s.fail("Code", c.Architecture, "must be a result of ReadCode or FindCode")
	case architecture != "" && architecture != c.Architecture:
		s.fail("Architecture", architecture, "the code is for "+c.Architecture)
	}
}

// checkTogether validates combinations of parameters.
func checkTogether(name string, all map[string]string) error {
	if all[paramAggregator] == valueTrue && all[paramIAM] == valueFalse && all[paramRole] == "" {
		return &InvalidError{"AggregatorRole", "", "without IAM, the aggregator needs an existing role: set one, or deploy without the aggregator"}
	}
	for _, c := range []struct{ field, prefix, suffix, kind, end string }{
		{"RoleNameFormat", paramRolePrefix, paramRoleSuffix, "role", "-admin"},
		{"PolicyNameFormat", paramPolicyPrefix, paramPolicySuffix, "policy", "-ns-full"},
	} {
		longest, most := all[c.prefix]+name+c.end+all[c.suffix], map[string]int{"role": 64, "policy": 128}[c.kind]
		if len(longest) > most {
			return &InvalidError{c.field, all[c.prefix] + "{}" + all[c.suffix], fmt.Sprintf("the name of a %s can have at most %d bytes, but %s has %d", c.kind, most, longest, len(longest))}
		}
	}
	return nil
}
