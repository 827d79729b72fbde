package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/stack"
)

// fromStack converts an error of package stack to one for the command line: flags in place of options, an exit code, and no
// raw text of the SDK. nil stays nil.
func fromStack(err error) error {
	var invalid *stack.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		flag := cmp.Or(stackFlags[invalid.Field], strings.ToLower(invalid.Field))
		return &stackError{fmt.Sprintf("%s %q: %s", flag, fmt.Sprint(invalid.Value), invalid.Reason), exitUsage, err}
	}
	text, unreachable := trimSDKText(strings.TrimPrefix(oneLine(err.Error()), "stack: "))
	text = optionNames.Replace(text)
	code := exitFailed
	switch {
	case errors.Is(err, stack.ErrNotFound):
		code = exitNotFound
	case errors.Is(err, stack.ErrNewer):
		code = exitMismatch
	case unreachable, errors.As(err, new(*awsconfig.Error)):
		code = exitUnavailable
	}
	return &stackError{text, code, err}
}

// optionNames replaces the names of options of package stack by those of flags.
var optionNames = strings.NewReplacer(
	"Options.Region, --region", "--region", "--adopt (Options.Adopt)", "--adopt", "pass it as KMSKey (--kms-key-arn)", "pass it as --kms-key-arn", "(Options.Code, --lambda-zip)", "(--lambda-zip)",
	"(RoleNameFormat)", "(--role-name-format)", "(PolicyNameFormat)", "(--policy-name-format)", "with force", "with --force",
	"upgrade --force (Options.Downgrade)", "upgrade --force",
)

// Parts of the SDK's error texts.
var (
	sdkCall    = regexp.MustCompile(`operation error [\w ]+: \w+, `)
	sdkAnswer  = regexp.MustCompile(`(exceeded maximum number of attempts, \d+, )?https response error StatusCode: \d+, RequestID: ?[^,]*, (HostID: ?[^,]*, )?`)
	sdkSending = regexp.MustCompile(`request send failed, \w+ "([^"]*)": `)
	sdkRegion  = regexp.MustCompile(`invalid input region (\S+)`)
	sdkLookup  = regexp.MustCompile(`lookup [a-z0-9.-]+\.([a-z0-9-]+)\.amazonaws\.com\S*( on \S+)?: no such host`)
)

// trimSDKText removes the parts of an SDK error that do not help at a terminal, and reports whether AWS was unreachable.
func trimSDKText(text string) (short string, unreachable bool) {
	before, rest, found := strings.Cut(text, "operation error ")
	if !found {
		return text, false
	}
	rest = "operation error " + rest
	if region := sdkRegion.FindStringSubmatch(rest); region != nil {
		return before + region[1] + " is not an AWS region; check --region and AWS_REGION", true
	}
	if at := sdkSending.FindStringSubmatch(rest); at != nil {
		_, why, _ := strings.Cut(rest, at[0])
		if region := sdkLookup.FindStringSubmatch(why); region != nil {
			return before + "AWS region " + region[1] + " does not exist, or its address cannot be looked up; check --region and AWS_REGION, then the network", true
		}
		return before + at[1] + " does not answer: " + why, true
	}
	rest = sdkAnswer.ReplaceAllString(sdkCall.ReplaceAllString(rest, ""), "")
	return before + strings.TrimPrefix(rest, "api error "), false
}
