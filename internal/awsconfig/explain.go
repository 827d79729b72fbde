package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
)

// Explained is a provider whose errors are an [*Error]. c is the configuration that it comes from, nil if that is not known.
func Explained(own aws.CredentialsProvider, c *aws.Config) aws.CredentialsProvider {
	if _, is := own.(*explained); own == nil || is {
		return own
	}
	e := &explained{CredentialsProvider: own}
	if c != nil {
		for _, source := range c.ConfigSources {
			switch source := source.(type) {
			case config.EnvConfig:
				e.environment = source
			case config.SharedConfig:
				e.profile = source
			}
		}
	}
	return e
}

type explained struct {
	aws.CredentialsProvider
	environment config.EnvConfig
	profile     config.SharedConfig
}

// Retrieve implements [aws.CredentialsProvider].
func (e *explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := e.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, e.explain(ctx, err)
	}
	return c, nil
}

// IsCredentialsProvider tells the SDK whether the provider within is of the target's type.
func (e *explained) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(e.CredentialsProvider, target)
}

// ProviderSources tells the SDK where the credentials come from.
func (e *explained) ProviderSources() []aws.CredentialSource {
	if from, ok := e.CredentialsProvider.(aws.CredentialProviderSource); ok {
		return from.ProviderSources()
	}
	return nil
}

// from reports whether the credentials come from one of these sources, or by way of it.
func (e *explained) from(some ...aws.CredentialSource) bool {
	return slices.ContainsFunc(e.ProviderSources(), func(s aws.CredentialSource) bool { return slices.Contains(some, s) })
}

const (
	nothingSet  = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	moreTime    = "allow more time (--timeout, or the deadline of the context)"
	isAgentUp   = "is the agent running that serves credentials to this container?"
	tokenInFile = "correct AWS_WEB_IDENTITY_TOKEN_FILE or web_identity_token_file (in Kubernetes: the service account of the pod)"
)

// explain finds out which provider failed, and why.
func (e *explained) explain(ctx context.Context, err error) error {
	x := &Error{Profile: e.profile.Profile, Err: err, Waiting: unreachable(err)}
	var (
		canceled *aws.RequestCanceledError
		process  *processcreds.ProviderError
		empty    *credentials.StaticCredentialsEmptyError
		service  string
	)
	called, inner := failing(err)
	text := brief(inner)
	if called != nil {
		service = called.ServiceID
	}
	switch {
	case errors.Is(err, ErrMFA):
		x.Cause, x.Cure = ErrMFA.Error(), "run zae-limiter on a terminal, which asks for it, or set temporary credentials (aws sts get-session-token)"
	case errors.As(err, &canceled), ctx.Err() != nil:
		x.Cause, x.Cure = e.waited()
		x.Waiting = true
	case errors.As(err, &process):
		x.Cause, x.Cure = "the profile's credential_process fails: "+processFault(text), "run that command by hand: it must print credentials as JSON"
	case service == "STS" && called.OperationName == "AssumeRole":
		x.Cause, x.Cure = "the role "+e.role()+" cannot be assumed: "+text, roleCure(err)
	case service == "STS" && called.OperationName == "AssumeRoleWithWebIdentity":
		x.Cause, x.Cure = "the role cannot be assumed with the web identity token: "+text, "let the role's trust policy accept the token, and renew the token if it is old"
	case strings.Contains(text, "failed to retrieve jwt"):
		x.Cause, x.Cure = "the web identity token cannot be read: "+after(text, "unable to read file at "), tokenInFile
	case e.from(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy) && service != "STS":
		x.Cause, x.Cure = e.sso(called != nil && unreachable(err), text)
	case e.from(aws.CredentialSourceLogin):
		x.Cause, x.Cure = "the login session has expired or is invalid: "+after(text, "login token: "), "run: aws login --profile "+e.profile.Profile
	case e.from(aws.CredentialSourceHTTP):
		x.Cause, x.Cure = "the credentials endpoint "+e.container()+" fails: "+after(text, "failed to load credentials, "), isAgentUp
	case e.from(aws.CredentialSourceIMDS):
		x.Cause, x.Cure = "none are configured, and this machine's metadata service gives none: "+after(text, "role found, "), nothingSet
		if strings.Contains(text, "access disabled") {
			x.Cause = "none are configured"
		}
	case errors.As(err, &empty):
		x.Cause, x.Cure = "the access key or its secret is missing", nothingSet
	default:
		x.Cause, x.Cure = text, nothingSet
	}
	return x
}

// failing is the call that failed, nil if none was made: of a role that is assumed with credentials of another provider it is that
// provider's. inner is err from there on.
func failing(err error) (called *smithy.OperationError, inner error) {
	for errors.As(err, &called) {
		if !strings.HasPrefix(called.Err.Error(), "get identity") {
			return called, err
		}
		err = called.Err
	}
	return nil, err
}

// waited is who gave no answer in time.
func (e *explained) waited() (cause, cure string) {
	switch {
	case e.from(aws.CredentialSourceProcess):
		return "the profile's credential_process did not end in time", moreTime
	case e.from(aws.CredentialSourceHTTP):
		return "the credentials endpoint " + e.container() + " gave no answer in time", isAgentUp
	case e.from(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy):
		return "AWS SSO gave no answer in time", moreTime
	case e.profile.RoleARN != "", e.from(aws.CredentialSourceEnvVarsSTSWebIDToken, aws.CredentialSourceProfileSTSWebIDToken):
		return "AWS STS gave no answer in time", moreTime
	case e.from(aws.CredentialSourceIMDS):
		return "none are configured, and the metadata service of this machine gave no answer in time", nothingSet
	}
	return "they could not be fetched in time", moreTime
}

// sso is why a session of AWS SSO gives no credentials. The profile to sign in with may be the source of the one that was chosen.
func (e *explained) sso(offline bool, text string) (cause, cure string) {
	p := &e.profile
	for p.Source != nil && p.SSOSession == nil && p.SSOStartURL == "" {
		p = p.Source
	}
	if offline {
		return "AWS SSO cannot be reached: " + text, "check the network and sso_region of profile " + p.Profile
	}
	return "the SSO session has expired or is invalid: " + strings.TrimPrefix(text, "the SSO session has expired or is invalid: "), "run: aws sso login --profile " + p.Profile
}

// processFault is what is wrong with a process that should give credentials. What it printed is left out: it may hold them.
func processFault(text string) string {
	if _, why, found := strings.Cut(text, "parse failed of process output: "); found {
		return "what it prints is no JSON" + why[max(strings.LastIndex(why, ", error: "), 0)+len(", error"):]
	}
	return after(after(text, "process provider error: "), "error in credential_process: ")
}

func (e *explained) role() string {
	if e.profile.RoleARN != "" {
		return e.profile.RoleARN
	}
	return "of the configuration"
}

// container is where a container's credentials come from.
func (e *explained) container() string {
	if e.environment.ContainerCredentialsRelativePath != "" {
		return "http://169.254.170.2" + e.environment.ContainerCredentialsRelativePath
	}
	return e.environment.ContainerCredentialsEndpoint
}

func roleCure(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) && strings.HasPrefix(answer.ErrorCode(), "AccessDenied") {
		return "allow sts:AssumeRole on it to whom the source profile names, and name these in the role's trust policy"
	}
	if unreachable(err) {
		return "check the network"
	}
	return "renew the credentials of the source profile"
}

// unreachable reports that a service gave no answer at all.
func unreachable(err error) bool {
	var sent interface{ ConnectionError() bool }
	return errors.As(err, &sent) && sent.ConnectionError()
}

// packing is what the SDK puts around a cause.
var packing = regexp.MustCompile(`get identity: get credentials: |failed to refresh cached credentials, |operation error [\w ]+: \w+, |exceeded maximum number of attempts, \d+, ` +
	`|https response error StatusCode: \d+, RequestID: [^,]*, |api error |refresh cached SSO token failed, |unable to refresh SSO token, `)

var sending = regexp.MustCompile(`request send failed, \w+ "([^"?]*)[^"]*": `)

func brief(err error) string {
	text := packing.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "")
	return sending.ReplaceAllString(text, "$1: ")
}

// after is what follows a part of the text; the whole of it if that is not there.
func after(text, part string) string {
	if _, rest, found := strings.Cut(text, part); found {
		return rest
	}
	return text
}

// explainLoad is for files that cannot be used.
func explainLoad(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return &Error{Profile: missing.Profile, Cause: "the AWS configuration has no such profile", Cure: "set AWS_PROFILE to one of: aws configure list-profiles", Err: err}
	}
	return fmt.Errorf("the AWS configuration cannot be read: %w", err)
}
