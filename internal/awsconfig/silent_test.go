package awsconfig_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// onStderr returns what f writes to standard error.
func onStderr(t *testing.T, f func()) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stderr
	os.Stderr = file
	f()
	os.Stderr = was
	text, err := os.ReadFile(path)
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSilent checks that warnings of the SDK do not appear in the program's output. The fake machine only has the first version of
// the metadata service, about which the SDK's logger warns.
func TestSilent(t *testing.T) {
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			fmt.Fprint(w, "role")
		default:
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"AK","SecretAccessKey":"SK","Token":"ST","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}
	}))
	defer metadata.Close()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "", "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL,
	} {
		t.Setenv(name, value)
	}
	fetch := func(c aws.Config, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != "AK" {
			t.Fatalf("%v, %v", got.AccessKeyID, err)
		}
	}
	if text := onStderr(t, func() { fetch(config.LoadDefaultConfig(t.Context())) }); !strings.Contains(text, "IMDSv1") {
		t.Fatalf("the SDK's own logger says %q: is there anything to silence?", text)
	}
	if text := onStderr(t, func() { fetch(awsconfig.Load(t.Context(), "")) }); text != "" {
		t.Errorf("on standard error: %q", text)
	}
}
