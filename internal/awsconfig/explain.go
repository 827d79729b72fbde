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

// Explained returns a provider like own whose errors are an [*Error]. c is the configuration of own, or nil if unknown.
func Explained(own aws.CredentialsProvider, c *aws.Config) aws.CredentialsProvider {
	if _, ok := own.(*explained); own == nil || ok {
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

// IsCredentialsProvider reports whether the wrapped provider has the type of target.
func (e *explained) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(e.CredentialsProvider, target)
}

// ProviderSources returns the sources of the credentials.
func (e *explained) ProviderSources() []aws.CredentialSource {
	if from, ok := e.CredentialsProvider.(aws.CredentialProviderSource); ok {
		return from.ProviderSources()
	}
	return nil
}

// comesFrom reports whether the credentials come from one of these sources, or by way of it.
func (e *explained) comesFrom(some ...aws.CredentialSource) bool {
	return slices.ContainsFunc(e.ProviderSources(), func(s aws.CredentialSource) bool { return slices.Contains(some, s) })
}

const (
	adviceNoCredentials = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	adviceMoreTime      = "allow more time (--timeout, or the deadline of the context)"
	adviceAgent         = "is the agent running that serves credentials to this container?"
	adviceTokenFile     = "correct AWS_WEB_IDENTITY_TOKEN_FILE or web_identity_token_file (in Kubernetes: the service account of the pod)"
)

// explain returns an [*Error] that says which provider failed, and why.
func (e *explained) explain(ctx context.Context, err error) error {
	x := &Error{Profile: e.profile.Profile, Err: err, Waiting: unreachable(err)}
	var (
		canceled *aws.RequestCanceledError
		process  *processcreds.ProviderError
		empty    *credentials.StaticCredentialsEmptyError
		service  string
	)
	called, inner := failedCall(err)
	text := shortText(inner)
	if called != nil {
		service = called.ServiceID
	}
	switch {
	case errors.Is(err, ErrMFA):
		x.Cause, x.Cure = ErrMFA.Error(), "run zae-limiter on a terminal, so that it can ask for the code, or set temporary credentials (aws sts get-session-token)"
	case errors.As(err, &canceled), ctx.Err() != nil:
		x.Cause, x.Cure = e.timeout()
		x.Waiting = true
	case errors.As(err, &process):
		x.Cause, x.Cure = "the profile's credential_process failed: "+processFault(text), "run that command by hand: it must print credentials as JSON"
	case service == "STS" && called.OperationName == "AssumeRole":
		x.Cause, x.Cure = "the role "+e.role()+" cannot be assumed: "+text, roleAdvice(err)
	case service == "STS" && called.OperationName == "AssumeRoleWithWebIdentity":
		x.Cause, x.Cure = "the role cannot be assumed with the web identity token: "+text, "let the role's trust policy accept the token, and renew the token if it is old"
	case strings.Contains(text, "failed to retrieve jwt"):
		x.Cause, x.Cure = "the web identity token cannot be read: "+after(text, "unable to read file at "), adviceTokenFile
	case e.comesFrom(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy) && service != "STS":
		x.Cause, x.Cure = e.ssoFailure(called != nil && unreachable(err), text)
	case e.comesFrom(aws.CredentialSourceLogin):
		x.Cause, x.Cure = "the login session has expired or is invalid: "+after(text, "login token: "), "run: aws login --profile "+e.profile.Profile
	case e.comesFrom(aws.CredentialSourceHTTP):
		x.Cause, x.Cure = "the credentials endpoint "+e.container()+" failed: "+after(text, "failed to load credentials, "), adviceAgent
	case e.comesFrom(aws.CredentialSourceIMDS):
		x.Cause, x.Cure = "none are configured, and this machine's metadata service returned none: "+after(text, "role found, "), adviceNoCredentials
		if strings.Contains(text, "access disabled") {
			x.Cause = "none are configured"
		}
	case errors.As(err, &empty):
		x.Cause, x.Cure = "the access key or its secret is missing", adviceNoCredentials
	default:
		x.Cause, x.Cure = text, adviceNoCredentials
	}
	return x
}

// failedCall returns the AWS call that failed, nil if none was made. If a role is assumed with credentials of another provider
// that failed, it is that provider's call. inner is the error of that call.
func failedCall(err error) (called *smithy.OperationError, inner error) {
	for errors.As(err, &called) {
		if !strings.HasPrefix(called.Err.Error(), "get identity") {
			return called, err
		}
		err = called.Err
	}
	return nil, err
}

// timeout says which provider did not answer in time.
func (e *explained) timeout() (cause, cure string) {
	switch {
	case e.comesFrom(aws.CredentialSourceProcess):
		return "the profile's credential_process did not end in time", adviceMoreTime
	case e.comesFrom(aws.CredentialSourceHTTP):
		return "the credentials endpoint " + e.container() + " did not answer in time", adviceAgent
	case e.comesFrom(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy):
		return "AWS SSO did not answer in time", adviceMoreTime
	case e.profile.RoleARN != "", e.comesFrom(aws.CredentialSourceEnvVarsSTSWebIDToken, aws.CredentialSourceProfileSTSWebIDToken):
		return "AWS STS did not answer in time", adviceMoreTime
	case e.comesFrom(aws.CredentialSourceIMDS):
		return "none are configured, and the metadata service of this machine did not answer in time", adviceNoCredentials
	}
	return "they could not be fetched in time", adviceMoreTime
}

// ssoFailure says why AWS SSO returned no credentials. The profile to sign in with may be the source of the selected one.
func (e *explained) ssoFailure(offline bool, text string) (cause, cure string) {
	p := &e.profile
	for p.Source != nil && p.SSOSession == nil && p.SSOStartURL == "" {
		p = p.Source
	}
	if offline {
		return "AWS SSO cannot be reached: " + text, "check the network and sso_region of profile " + p.Profile
	}
	return "the SSO session has expired or is invalid: " + strings.TrimPrefix(text, "the SSO session has expired or is invalid: "), "run: aws sso login --profile " + p.Profile
}

// processFault says why a credential process failed. It omits the output of the process, which may contain credentials.
func processFault(text string) string {
	if _, why, found := strings.Cut(text, "parse failed of process output: "); found {
		return "its output is not JSON" + why[max(strings.LastIndex(why, ", error: "), 0)+len(", error"):]
	}
	return after(after(text, "process provider error: "), "error in credential_process: ")
}

func (e *explained) role() string {
	if e.profile.RoleARN != "" {
		return e.profile.RoleARN
	}
	return "of the configuration"
}

// container returns the endpoint of a container's credentials.
func (e *explained) container() string {
	if e.environment.ContainerCredentialsRelativePath != "" {
		return "http://169.254.170.2" + e.environment.ContainerCredentialsRelativePath
	}
	return e.environment.ContainerCredentialsEndpoint
}

func roleAdvice(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) && strings.HasPrefix(answer.ErrorCode(), "AccessDenied") {
		return "allow the source profile's identity to call sts:AssumeRole on the role, and add it to the role's trust policy"
	}
	if unreachable(err) {
		return "check the network"
	}
	return "renew the credentials of the source profile"
}

// unreachable reports whether a service could not be reached.
func unreachable(err error) bool {
	var sent interface{ ConnectionError() bool }
	return errors.As(err, &sent) && sent.ConnectionError()
}

// sdkDetails matches the text that the SDK adds to a cause.
var sdkDetails = regexp.MustCompile(`get identity: get credentials: |failed to refresh cached credentials, |operation error [\w ]+: \w+, |exceeded maximum number of attempts, \d+, ` +
	`|https response error StatusCode: \d+, RequestID: [^,]*, |api error |refresh cached SSO token failed, |unable to refresh SSO token, `)

var sendFailure = regexp.MustCompile(`request send failed, \w+ "([^"?]*)[^"]*": `)

func shortText(err error) string {
	text := sdkDetails.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "")
	return sendFailure.ReplaceAllString(text, "$1: ")
}

// after returns the text after part, or the whole text if part does not occur.
func after(text, part string) string {
	if _, rest, found := strings.Cut(text, part); found {
		return rest
	}
	return text
}

// explainLoad returns the error for configuration files that cannot be loaded.
func explainLoad(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return &Error{Profile: missing.Profile, Cause: "the profile does not exist in the AWS configuration", Cure: "set AWS_PROFILE to one of: aws configure list-profiles", Err: err}
	}
	return fmt.Errorf("read the AWS configuration: %w", err)
}
