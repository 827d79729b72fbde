package awsconfigtest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// MFACode is the code that the STS of [SetMFA] accepts.
const MFACode = "123456"

// Failure is a configuration of AWS that gives no credentials, in one of the ways that users meet.
type Failure struct {
	Name string
	Says []string // what an error must say: the cause in the provider's own words, and its cure
	Late bool     // the provider does not answer, so that a context must end: see Set
	set  func(*home)
}

// home is a user's home directory, with a configuration of AWS in it.
type home struct {
	t      testing.TB
	folder string
	hung   func() // called when a provider begins to wait
}

const (
	ssoSession = "[profile p]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n[sso-session s]\nsso_start_url=https://x.awsapps.com/start\nsso_region=us-east-1\n"
	ssoToken   = "a0f1490a20d0211c997b44bc357e1972deab8ae3.json" // SHA-1 of "s"
	ssoOld     = "[profile p]\nsso_start_url=https://x.awsapps.com/start\nsso_region=us-east-1\nsso_account_id=1\nsso_role_name=r\n"
	keys       = "[profile base]\naws_access_key_id=a\naws_secret_access_key=b\n"
	assumes    = "[profile p]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\n"
	viaSSO     = "[profile p]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=people\n[profile people]\n"
)

// Failures returns all failures.
func Failures() []Failure {
	login := []string{"(profile p)", "SSO session has expired", "run: aws sso login --profile p"}
	return []Failure{
		{"no SSO token", login, false, func(h *home) { h.config("p", ssoSession) }},
		{"SSO token expired", login, false, func(h *home) {
			h.config("p", ssoSession)
			h.write(".aws/sso/cache/"+ssoToken, `{"accessToken":"a","expiresAt":"2020-01-01T00:00:00Z"}`)
		}},
		{"SSO refresh rejected", login, false, func(h *home) {
			h.config("p", ssoSession)
			h.write(".aws/sso/cache/"+ssoToken, `{"accessToken":"a","expiresAt":"2020-01-01T00:00:00Z","clientId":"c","clientSecret":"s",`+
				`"refreshToken":"r","registrationExpiresAt":"2999-01-01T00:00:00Z"}`)
			h.serve("AWS_ENDPOINT_URL_SSO_OIDC", 400, "", `{"error":"invalid_grant"}`)
		}},
		{"SSO token revoked", append(login, "Session token not found or invalid"), false, func(h *home) {
			h.config("p", ssoSession)
			h.write(".aws/sso/cache/"+ssoToken, `{"accessToken":"a","expiresAt":"2999-01-01T00:00:00Z"}`)
			h.serve("AWS_ENDPOINT_URL_SSO", 401, "UnauthorizedException", `{"message":"Session token not found or invalid"}`)
		}},
		{"SSO of old", login, false, func(h *home) { h.config("p", ssoOld) }},
		{"SSO under a role", []string{"SSO session has expired", "run: aws sso login --profile people"}, false, func(h *home) {
			h.config("p", viaSSO+strings.TrimPrefix(ssoOld, "[profile p]\n"))
		}},
		{"AssumeRole denied", []string{"(profile p)", "arn:aws:iam::1:role/r cannot be assumed", "AccessDenied: User x is not authorized", "to call sts:AssumeRole"}, false, func(h *home) {
			h.config("p", assumes+keys)
			h.serve("AWS_ENDPOINT_URL_STS", 403, "", stsError("AccessDenied", "User x is not authorized"))
		}},
		{"AssumeRole with expired keys", []string{"ExpiredToken", "renew the credentials of the source profile"}, false, func(h *home) {
			h.config("p", assumes+keys)
			h.serve("AWS_ENDPOINT_URL_STS", 403, "", stsError("ExpiredToken", "The security token included in the request is expired"))
		}},
		{"no web identity token", []string{"web identity token cannot be read", "no-such-token", "AWS_WEB_IDENTITY_TOKEN_FILE"}, false, func(h *home) {
			h.env("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(h.folder, "no-such-token"))
			h.env("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
		}},
		{"web identity rejected", []string{"with the web identity token", "InvalidIdentityToken", "trust policy"}, false, func(h *home) {
			h.write("token", "x")
			h.env("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(h.folder, "token"))
			h.env("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
			h.serve("AWS_ENDPOINT_URL_STS", 400, "", stsError("InvalidIdentityToken", "No OpenIDConnect provider found"))
		}},
		{"container endpoint fails", []string{"credentials endpoint http://127.0.0.1:", "task is gone", "agent running"}, false, func(h *home) {
			h.serve("AWS_CONTAINER_CREDENTIALS_FULL_URI", 404, "", `{"code":"NotFound","message":"task is gone"}`)
		}},
		{"container endpoint down", []string{"credentials endpoint http://127.0.0.1:", "did not answer in time", "agent running"}, true, (*home).containerDown},
		{"credential_process slow", []string{"(profile p)", "credential_process did not end in time", "--timeout"}, true, (*home).slowProcess},
		{"credential_process fails", []string{"(profile p)", "credential_process failed: exit status 3", "by hand"}, false, func(h *home) {
			h.config("p", "[profile p]\ncredential_process=exit 3\n")
		}},
		{"credential_process prints nonsense", []string{"output is not JSON: invalid character", "by hand"}, false, func(h *home) {
			h.config("p", "[profile p]\ncredential_process=echo secret\n")
		}},
		{"MFA", []string{"(profile p)", "code of an MFA device", "on a terminal"}, false, func(h *home) { h.MFA("p") }},
		{"aws login expired", []string{"login session has expired", "run: aws login --profile p"}, false, func(h *home) {
			h.config("p", "[profile p]\nlogin_session=arn:aws:iam::1:user/x\n")
		}},
		{"no such profile", []string{"(profile p)", "the profile does not exist", "aws configure list-profiles"}, false, func(h *home) { h.config("p", "") }},
		{"nothing", []string{"none are configured", "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"}, false, func(*home) {}},
	}
}

// Set gives the test's process this configuration. It returns the background context, or, if Late is set, a context whose
// deadline passes when the provider waits for an answer.
func (x *Failure) Set(t testing.TB) context.Context {
	t.Helper()
	h := homeOf(t)
	late := &deadline{Context: context.Background(), passed: make(chan struct{})}
	h.hung = sync.OnceFunc(func() { close(late.passed) })
	x.set(h)
	if x.Late {
		return late
	}
	return context.Background()
}

// SetMFA gives the test's process a profile that demands the code of an MFA device. The function that it returns counts
// how often STS was asked.
func SetMFA(t testing.TB) (calls func() int) {
	t.Helper()
	return homeOf(t).MFA("p")
}

// deadline is a context whose deadline passes when its channel is closed.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// homeOf returns the home of a user without any configuration, on a machine outside of AWS.
func homeOf(t testing.TB) *home {
	t.Helper()
	h := &home{t: t, folder: t.TempDir()}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			h.env(name, "")
		}
	}
	h.env("HOME", h.folder)
	h.env("USERPROFILE", h.folder)
	h.env("AWS_CONFIG_FILE", filepath.Join(h.folder, ".aws", "config"))
	h.env("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(h.folder, ".aws", "credentials"))
	h.env("AWS_EC2_METADATA_DISABLED", "true")
	h.env("AWS_REGION", "us-east-1")
	h.env("AWS_MAX_ATTEMPTS", "1") // the SDK waits between attempts for seconds, by a clock of its own
	return h
}

func (h *home) env(name, value string) { h.t.Setenv(name, value) }

func (h *home) write(name, content string) {
	h.t.Helper()
	path := filepath.Join(h.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// config writes the configuration, and chooses a profile of it.
func (h *home) config(profile, content string) {
	h.t.Helper()
	h.write(".aws/config", content)
	h.env("AWS_PROFILE", profile)
}

// serve answers whatever is asked of the service that the variable points at.
func (h *home) serve(variable string, status int, code, body string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if code != "" {
			w.Header().Set("X-Amzn-ErrorType", code)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	h.t.Cleanup(server.Close)
	h.env(variable, server.URL)
}

func stsError(code, message string) string {
	return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error><RequestId>1</RequestId></ErrorResponse>"
}

// containerDown is an endpoint that hangs up.
func (h *home) containerDown() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		h.hung()
		panic(http.ErrAbortHandler)
	}))
	h.t.Cleanup(server.Close)
	h.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL)
}

// slowProcess says that it has begun, and then waits until the test's folder is removed.
func (h *home) slowProcess() {
	if runtime.GOOS == "windows" {
		h.t.Skip("a shell script stands for the process")
	}
	begun := filepath.Join(h.folder, "begun")
	if out, err := exec.Command("mkfifo", begun).CombinedOutput(); err != nil {
		h.t.Fatalf("mkfifo: %v: %s", err, out)
	}
	h.config("p", "[profile p]\ncredential_process=sh -c 'echo > "+begun+"; while [ -e "+begun+" ]; do sleep 0.1; done'\n")
	go func() {
		if f, err := os.Open(begun); err == nil { // which waits for the process
			_ = f.Close()
			h.hung()
		}
	}()
}

// MFA is a profile whose role wants a code, and an STS that takes one.
func (h *home) MFA(profile string) (calls func() int) {
	var lock sync.Mutex
	n := 0
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		n++
		lock.Unlock()
		if err := r.ParseForm(); err != nil || r.Form.Get("TokenCode") != MFACode || r.Form.Get("SerialNumber") == "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, stsError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code"))
			return
		}
		fmt.Fprint(w, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SK</SecretAccessKey>"+
			"<SessionToken>ST</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>")
	}))
	h.t.Cleanup(sts.Close)
	h.config(profile, assumes+"mfa_serial=arn:aws:iam::1:mfa/ann\n"+keys)
	h.env("AWS_ENDPOINT_URL_STS", sts.URL)
	return func() int {
		lock.Lock()
		defer lock.Unlock()
		return n
	}
}
