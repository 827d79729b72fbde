package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack"
)

func TestCfnTemplate(t *testing.T) {
	t.Chdir(t.TempDir())
	s := newShell(t)
	if r := s.want(exitDone, "cfn-template"); r.out != stack.Template() || !strings.Contains(r.out, "AWS::DynamoDB::Table") {
		t.Errorf("printed %d bytes, not the %d of the template", len(r.out), len(stack.Template()))
	}
	s.want(exitDone, "cfn-template", "-o", "t.yaml")
	if text, err := os.ReadFile("t.yaml"); string(text) != stack.Template() {
		t.Errorf("wrote %d bytes, %v", len(text), err)
	}
	s.want(exitFailed, "cfn-template", "-o", "no/such/folder/t.yaml")
}

// TestLambdaExport checks that the zip has the program and is reproducible, and that existing files are not overwritten.
func TestLambdaExport(t *testing.T) {
	s := newShell(t)
	s.env["ZAE_LIMITER_LAMBDA_ZIP"] = codeFile(t)
	t.Chdir(t.TempDir())
	program, err := os.ReadFile(s.env["ZAE_LIMITER_LAMBDA_ZIP"])
	if err != nil {
		t.Fatal(err)
	}
	if r := s.want(exitDone, "lambda-export", "--info"); !strings.Contains(r.out, "architecture  arm64\n") || !strings.Contains(r.out, "sha256") {
		t.Errorf("printed %q", r.out)
	}
	if _, err := os.Stat("lambda.zip"); err == nil {
		t.Error("--info wrote a file")
	}
	s.want(exitDone, "lambda-export")
	first, err := os.ReadFile("lambda.zip")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Fatalf("%+v, %v", archive, err)
	}
	inside, err := archive.Open("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	if packed, err := io.ReadAll(inside); !bytes.Equal(packed, program) {
		t.Errorf("%d bytes, %v", len(packed), err)
	}
	if r := s.want(exitFailed, "lambda-export"); !strings.Contains(r.err, "the file already exists: lambda.zip: overwrite it with --force") {
		t.Errorf("said %q", r.err)
	}
	s.want(exitDone, "lambda-export", "-f", "--lambda-zip", "lambda.zip") // a zip is used unchanged
	if again, err := os.ReadFile("lambda.zip"); !bytes.Equal(again, first) {
		t.Errorf("%d bytes, not %d, %v", len(again), len(first), err)
	}
	s.want(exitFailed, "lambda-export", "-f", "--lambda-zip", "no-such-file")
}

// TestStackErrors checks the text for errors of the SDK.
func TestStackErrors(t *testing.T) {
	const call = "stack: my-app: cannot look at the stack: operation error CloudFormation: DescribeStacks, "
	for _, c := range []struct {
		said, want string
		code       int
	}{
		{call + "https response error StatusCode: 403, RequestID: 1-2, api error AccessDenied: User is not authorized", "my-app: cannot look at the stack: AccessDenied: User is not authorized", exitFailed},
		{call + "exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://cloudformation.xx-1.amazonaws.com/\": dial tcp: lookup cloudformation.xx-1.amazonaws.com: no such host", "my-app: cannot look at the stack: AWS region xx-1 does not exist, or its address cannot be looked up; check --region and AWS_REGION, then the network", exitUnavailable},
		{call + "failed to bind endpoint params, invalid input region us_east", "my-app: cannot look at the stack: us_east is not an AWS region; check --region and AWS_REGION", exitUnavailable},
		{"stack: invalid AWS configuration: no AWS region: set Options.Region, --region or AWS_REGION", "invalid AWS configuration: no AWS region: set --region or AWS_REGION", exitFailed},
		{"stack: x: downgrade with zae-limiter upgrade --force (Options.Downgrade)", "x: downgrade with zae-limiter upgrade --force", exitFailed},
	} {
		err := fromStack(errors.New(c.said))
		if err.Error() != c.want || exitCode(t.Context(), err) != c.code {
			t.Errorf("%q, %d, not %q, %d", err, exitCode(t.Context(), err), c.want, c.code)
		}
	}
	newer := fromStack(fmt.Errorf("%w: x", stack.ErrNewer))
	if exitCode(t.Context(), newer) != exitMismatch || fromStack(nil) != nil {
		t.Error(newer)
	}
}
