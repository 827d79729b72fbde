package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/stack"
)

// inStack puts what package stack says of a fault into the words of the command line; nil stays nil.
func inStack(err error) error {
	var invalid *stack.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		flag := stackFlags[invalid.Field]
		if flag == "" {
			flag = strings.ToLower(invalid.Field)
		}
		return &stackError{fmt.Sprintf("%s %q: %s", flag, fmt.Sprint(invalid.Value), invalid.Reason), exitUsage, err}
	}
	text, unreachable := briefly(strings.TrimPrefix(oneLine(err.Error()), "stack: "))
	text = inFlags.Replace(text)
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

// inFlags puts what package stack says of its options into the words of the command line.
var inFlags = strings.NewReplacer(
	"Options.Region, --region", "--region", "--adopt (Options.Adopt)", "--adopt", "pass it as KMSKey (--kms-key-arn)", "pass it as --kms-key-arn", "(Options.Code, --lambda-zip)", "(--lambda-zip)",
	"(RoleNameFormat)", "(--role-name-format)", "(PolicyNameFormat)", "(--policy-name-format)", "with force", "with --force",
)

// What the SDK puts around a fault, in front of which stands what we wanted.
var (
	sdkCall    = regexp.MustCompile(`operation error [\w ]+: \w+, `)
	sdkAnswer  = regexp.MustCompile(`(exceeded maximum number of attempts, \d+, )?https response error StatusCode: \d+, RequestID: ?[^,]*, (HostID: ?[^,]*, )?`)
	sdkSending = regexp.MustCompile(`request send failed, \w+ "([^"]*)": `)
	sdkRegion  = regexp.MustCompile(`invalid input region (\S+)`)
	sdkLookup  = regexp.MustCompile(`lookup [a-z0-9.-]+\.([a-z0-9-]+)\.amazonaws\.com\S*( on \S+)?: no such host`)
)

// briefly leaves out what helps nobody at a terminal, and tells whether AWS could not be reached.
func briefly(text string) (short string, unreachable bool) {
	before, rest, found := strings.Cut(text, "operation error ")
	if !found {
		return text, false
	}
	rest = "operation error " + rest
	if region := sdkRegion.FindStringSubmatch(rest); region != nil {
		return before + region[1] + " is no AWS region; check --region and AWS_REGION", true
	}
	if at := sdkSending.FindStringSubmatch(rest); at != nil {
		_, why, _ := strings.Cut(rest, at[0])
		if region := sdkLookup.FindStringSubmatch(why); region != nil {
			return before + "there is no AWS region " + region[1] + ", or this machine cannot look up its address; check --region and AWS_REGION, then the network", true
		}
		return before + at[1] + " does not answer: " + why, true
	}
	rest = sdkAnswer.ReplaceAllString(sdkCall.ReplaceAllString(rest, ""), "")
	return before + strings.TrimPrefix(rest, "api error "), false
}
