package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestStatusOfWhatIsUnknown checks that unknown properties of a store that does not answer are null.
func TestStatusOfWhatIsUnknown(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	s := newShell(t)
	line := fields("status --name my-app --region us-east-1 --endpoint-url http://127.0.0.1:1")
	r := s.want(exitUnavailable, line...)
	wants(t, r.out, "exists     unknown", "reachable  no", "schema     unknown")
	for said := range strings.Lines(r.err) {
		if strings.Contains(said, "StatusCode") || strings.Contains(said, "operation error") || !strings.Contains(said, "http://127.0.0.1:1/ does not answer") {
			t.Errorf("says %q", said)
		}
	}
	var d map[string]any
	if err := json.Unmarshal([]byte(s.want(exitUnavailable, append(line, "-o", "json")...).out), &d); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"exists", "schema", "records"} {
		if v, there := d[field]; !there || v != nil {
			t.Errorf("%s is %v", field, v)
		}
	}
}

// TestOutputBeforeTheCommand checks that --output may precede the command, and that one after the command wins.
func TestOutputBeforeTheCommand(t *testing.T) {
	s := inhabited(t)
	for _, c := range []struct{ before, behind string }{
		{"--output json entity show team-b", "entity show team-b --output json"},
		{"--output=yaml -N default resource list", "resource list --output yaml"},
		{"-N default entity --output json list", "entity list --output json"},
		{"--output json resource list -o yaml", "resource list --output yaml"},
		{"--output json available user-123 gpt-4", "available user-123 gpt-4 -o json"},
	} {
		got, want := s.want(exitDone, fields(c.before)...), s.want(exitDone, fields(c.behind)...)
		if got.out != want.out || got.err != want.err {
			t.Errorf("%s: %+v, not %+v", c.before, got, want)
		}
	}
	if r := s.want(exitDone, fields("--output json acquire user-123 gpt-4 -c rpm=1 -- echo --output yaml")...); r.out != "--output yaml\n" {
		t.Errorf("a command's own flag: %q", r.out)
	}
	wants(t, s.want(exitUsage, fields("--output xml resource list")...).err, `--output must be one of "table","json","yaml"`)
	for _, line := range []string{"--output x.yaml cfn-template", "--output json reset user-123 gpt-4", "--output"} {
		wants(t, s.want(exitUsage, fields(line)...).err, "--output")
	}
}

// TestPythonCommands checks that the error for a command of the Python library names the alternative.
func TestPythonCommands(t *testing.T) {
	t.Parallel()
	check := func(line, instead string) {
		t.Helper()
		r := newShell(t).want(exitUsage, fields(line)...)
		if !strings.Contains(r.err, instead) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: %s", line, r.err)
		}
		for _, found := range docCommand.FindAllStringSubmatch(instead, -1) {
			command, _, _ := strings.Cut(found[1], ",")
			if err := parses(t, fields(command)); err != nil {
				t.Errorf("%s: advises zae-limiter %s: %v", line, command, err)
			}
		}
	}
	for _, e := range pythonCommands {
		command := e.command
		if strings.HasSuffix(command, "-") {
			command += "limits"
		}
		status := " is not a command; instead: "
		if e.planned {
			status = " is not supported yet; instead: "
		}
		check("-N default "+command+" x", e.instead)
		check(command+" x", command+status)
	}
	for line, flag := range map[string]string{
		"entity set-limits x -l rpm:1 --soft": "--soft", "reset a b --idempotency-key=7": "--idempotency-key", "audit list --start-event-id 5": "--start-event-id",
	} {
		check(line, flag+" is not supported yet: ")
	}
	s := inhabited(t)
	s.want(exitDone, fields("entity create disable --display-name=--soft")...) // values of flags are not commands
}

// TestInterruptedIsNotUnavailable checks that an interruption is not reported as an unavailable store.
func TestInterruptedIsNotUnavailable(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range []error{
		fmt.Errorf("%w: %w", engine.ErrUnavailable, context.Canceled), engine.ErrUnavailable, backend.ErrUnavailable,
		fmt.Errorf("%w: x", backend.ErrOutcomeUnknown), &storeError{errors.New("in use")},
	} {
		if code, text := exitCode(ctx, err), describe(ctx, err); code != exitInterrupted || text != "interrupted" {
			t.Errorf("%v: %d, %q", err, code, text)
		}
	}
	for _, line := range []string{"acquire user-123 gpt-4 -c rpm=1", "acquire user-123 gpt-4 -c rpm=1 --name my-app --endpoint-url http://127.0.0.1:1"} {
		if r := inhabited(t).runContext(ctx, fields(line)...); r.code != exitInterrupted || r.err != "zae-limiter: interrupted\n" {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

// TestFirstPage checks that a loop may begin with no position.
func TestFirstPage(t *testing.T) {
	if r := inhabited(t).run("entity", "list", "--after", ""); r.code != exitDone || !strings.Contains(r.out, "team-b") {
		t.Errorf("%+v", r)
	}
}

// TestRegionInWords checks the text for SDK errors about regions.
func TestRegionInWords(t *testing.T) {
	const read = "engine: store unavailable: dynamo: my-app: operation error DynamoDB: GetItem, "
	for said, want := range map[string]string{
		read + `https response error StatusCode: 0, RequestID: , request send failed, Post "https://dynamodb.us-est-1.amazonaws.com/": dial tcp: lookup dynamodb.us-est-1.amazonaws.com on 10.0.0.2:53: no such host`: "my-app: AWS region us-est-1 does not exist, or its address cannot be looked up; check --region and AWS_REGION, then the network",
		read + "failed to bind endpoint params, invalid input region us_east": "my-app: us_east is not an AWS region; check --region and AWS_REGION",
		read + `exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused`: "my-app: http://127.0.0.1:1/ does not answer: dial tcp 127.0.0.1:1: connect: connection refused",
		"backend: request rejected: dynamo: no AWS region is set; set Options.Region, --region or AWS_REGION":                                                                                                "no AWS region is set; set --region or AWS_REGION",
	} {
		for _, err := range []error{errors.New(said), &storeError{errors.New(said)}} {
			if got := describe(t.Context(), err); got != want {
				t.Errorf("%s\nis told as %s\nnot as     %s", said, got, want)
			}
		}
	}
}

// TestLoadtestDefaultLimits checks that a load test in memory, where there are no limits, uses and reports default ones.
func TestLoadtestDefaultLimits(t *testing.T) {
	for line, limits := range map[string]string{"": "rps:10/s", "-c rpm=1 -c tpm=50": "rpm:10/s tpm:500/s"} {
		synctest.Test(t, func(t *testing.T) {
			s := newShell(t)
			s.virtual = true
			s.env = map[string]string{}
			r := s.want(exitDone, fields("loadtest --duration 1s --warm-up 0s --entities 2 --no-plot "+line)...)
			wants(t, r.err, "no limits given: each entity has ["+limits+"]; pass others with -l")
			wants(t, r.out, limits)
		})
	}
}

// TestRegisterChecksAllNamesFirst checks that an invalid name registers none of the others.
func TestRegisterChecksAllNamesFirst(t *testing.T) {
	s := newShell(t)
	wants(t, s.want(exitUsage, "namespace", "register", "team-x", "team y").err, `namespace "team y": must be 1 to 64 bytes`)
	s.want(exitNotFound, "namespace", "show", "team-x")
	if out := s.want(exitDone, "namespace", "register", "team-x", "team-x").out; strings.Count(out, "team-x") != 1 {
		t.Errorf("a name that is passed twice is printed as %q", out)
	}
	s.want(exitDone, "namespace", "delete", "team-x", "--yes")
	r := s.want(exitUsage, "namespace", "register", "team-z", "team-x", "team-w")
	wants(t, r.err, "registered team-z in ", `namespace "team-x": is deleted; recover it`)
}
