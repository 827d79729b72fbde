package stacktest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const body = `
Description: A test
Parameters:
  Code: {Type: String, Default: ''}
  Days: {Type: Number, AllowedValues: [1, 7, 30], Default: 7}
Conditions:
  HasCode: !Not [!Equals [!Ref Code, '']]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Condition: HasCode
    Properties:
      FunctionName: !Sub '${AWS::StackName}-aggregator'
      Role: !GetAtt Role.Arn
      Runtime: provided.al2023
      Architectures: [arm64]
      Code: {S3Bucket: !Ref Bucket, S3Key: !Ref Code}
      Environment: {Variables: {TABLE_NAME: !Ref Table}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub '${AWS::StackName}-aggr'
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: lambda.amazonaws.com}}]}
      Policies: !If [HasCode, [{PolicyName: table, Resource: !Sub '${Table.Arn}/index/*'}], !Ref 'AWS::NoValue']
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      TableName: !Ref AWS::StackName
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: PK, AttributeType: S}]
      KeySchema: [{AttributeName: PK, KeyType: HASH}]
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      BucketName: !Sub '${AWS::StackName}-artifacts-${AWS::AccountId}'
      LifecycleConfiguration: {Rules: [{ExpirationInDays: !Ref Days}]}
Outputs:
  TableArn: {Value: !GetAtt Table.Arn}
  FunctionArn: {Condition: HasCode, Value: !GetAtt Function.Arn}
`

// account is an AWS with a client.
type account struct {
	*AWS
	*cloudformation.Client
	t *testing.T
	n int
}

func newAccount(t *testing.T, o *Options) *account {
	t.Helper()
	a := Start(t, o)
	return &account{a, cloudformation.NewFromConfig(a.Config()), t, 0}
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return fmt.Sprint(err)
}

// propose makes a change set and returns how it turned out.
func (a *account) propose(kind types.ChangeSetType, parameters ...types.Parameter) (*cloudformation.DescribeChangeSetOutput, error) {
	a.t.Helper()
	a.n++
	name := fmt.Sprintf("set-%d", a.n)
	_, err := a.CreateChangeSet(a.t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("app"), ChangeSetName: &name, ChangeSetType: kind, TemplateBody: aws.String(body), Parameters: parameters,
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
		Tags:         []types.Tag{{Key: aws.String("ManagedBy"), Value: aws.String("zae-limiter")}},
	})
	if err != nil {
		return nil, err
	}
	for {
		set, err := a.DescribeChangeSet(a.t.Context(), &cloudformation.DescribeChangeSetInput{StackName: aws.String("app"), ChangeSetName: &name})
		if err != nil || set.Status != types.ChangeSetStatusCreatePending {
			return set, err
		}
		a.AWS.Clock.Advance(time.Second)
	}
}

// deploy makes a change set, executes it and waits until the stack has settled.
func (a *account) deploy(kind types.ChangeSetType, token string, parameters ...types.Parameter) string {
	a.t.Helper()
	set, err := a.propose(kind, parameters...)
	if err == nil {
		_, err = a.ExecuteChangeSet(a.t.Context(), &cloudformation.ExecuteChangeSetInput{
			StackName: aws.String("app"), ChangeSetName: set.ChangeSetName, ClientRequestToken: &token,
		})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return a.settled()
}

func (a *account) settled() string {
	a.t.Helper()
	for range 200 {
		if s := a.Stack("app"); !strings.HasSuffix(s.Status, "_IN_PROGRESS") {
			return s.Status
		}
		a.AWS.Clock.Advance(time.Second)
	}
	a.t.Fatal("the stack does not settle")
	return ""
}

// events are those of an operation, the oldest first: "Table CREATE_COMPLETE reason".
func (a *account) events(token string) (lines []string) {
	a.t.Helper()
	pages := cloudformation.NewDescribeStackEventsPaginator(a.Client, &cloudformation.DescribeStackEventsInput{StackName: aws.String(a.Stack("app").ID)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(a.t.Context())
		if err != nil {
			a.t.Fatal(err)
		}
		for _, e := range page.StackEvents {
			if aws.ToString(e.ClientRequestToken) == token {
				lines = append(lines, strings.TrimSpace(*e.LogicalResourceId+" "+string(e.ResourceStatus)+" "+aws.ToString(e.ResourceStatusReason)))
			}
		}
	}
	slices.Reverse(lines)
	return lines
}

func with(key, value string) types.Parameter {
	return types.Parameter{ParameterKey: &key, ParameterValue: &value}
}

// TestLife brings a stack up, turns its function on, changes nothing, and takes it down.
func TestLife(t *testing.T) {
	a := newAccount(t, &Options{PageSize: 3})
	if status := a.deploy(types.ChangeSetTypeCreate, "one"); status != "CREATE_COMPLETE" {
		t.Fatal(status, a.events("one"))
	}
	s := a.Stack("app")
	bucket := "app-artifacts-" + Account
	if s.Resources["Table"] != "app" || s.Resources["Bucket"] != bucket || s.Resources["Function"] != "" || s.Outputs["TableArn"] != "arn:aws:dynamodb:us-east-1:123456789012:table/app" {
		t.Errorf("%+v", s)
	}
	_, err := s3.NewFromConfig(a.Config()).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("code.zip"), Body: strings.NewReader("zip")})
	if err != nil {
		t.Fatal(err)
	}
	if status := a.deploy(types.ChangeSetTypeUpdate, "two", with("Code", "code.zip")); status != "UPDATE_COMPLETE" {
		t.Fatal(status, a.events("two"))
	}
	want := []string{
		"app UPDATE_IN_PROGRESS User Initiated", "Role UPDATE_IN_PROGRESS", "Role UPDATE_COMPLETE", "Function CREATE_IN_PROGRESS",
		"Function CREATE_IN_PROGRESS Resource creation Initiated", "Function CREATE_COMPLETE", "app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "app UPDATE_COMPLETE",
	}
	got := a.events("two")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := a.Property(functionKind, "app-aggregator", "Code.S3Key"); got != "code.zip" {
		t.Errorf("the code is %v", got)
	}

	set, err := a.propose(types.ChangeSetTypeUpdate, with("Code", "code.zip"))
	if err != nil || set.Status != types.ChangeSetStatusFailed || !strings.Contains(*set.StatusReason, "didn't contain changes") {
		t.Errorf("%+v, %v", set, err)
	}
	a.RefuseNoChange()
	if _, err := a.propose(types.ChangeSetTypeUpdate, types.Parameter{ParameterKey: aws.String("Code"), UsePreviousValue: aws.Bool(true)}); code(err) != "ValidationError: No updates are to be performed." {
		t.Error(err)
	}

	if _, err := a.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("app"), ClientRequestToken: aws.String("end")}); err != nil {
		t.Fatal(err)
	}
	if status := a.settled(); status != "DELETE_COMPLETE" {
		t.Fatal(status, a.events("end"))
	}
	if _, err := a.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("app")}); code(err) != "ValidationError: Stack with id app does not exist" {
		t.Error(err)
	}
	byID, err := a.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &s.ID})
	if err != nil || byID.Stacks[0].StackStatus != types.StackStatusDeleteComplete {
		t.Errorf("%+v, %v", byID, err)
	}
	if !a.Exists(tableKind, "app") || !a.Exists(bucketKind, bucket) || a.Exists(functionKind, "app-aggregator") {
		t.Error("not the right things stay")
	}

	// What stays is in the way of the next one.
	if status := a.deploy(types.ChangeSetTypeCreate, "again"); status != "ROLLBACK_COMPLETE" {
		t.Error(status)
	}
	all := strings.Join(a.events("again"), "\n")
	if !strings.Contains(all, "CREATE_FAILED Resource handler returned message: \"Resource of type 'AWS::DynamoDB::Table' with identifier 'app' already exists.") ||
		!strings.Contains(all, "CREATE_FAILED Resource creation cancelled") || !a.Exists(tableKind, "app") {
		t.Error(all)
	}
	if _, err := a.propose(types.ChangeSetTypeUpdate); !strings.Contains(code(err), "is in ROLLBACK_COMPLETE state and can not be updated") {
		t.Error(err)
	}
}

// TestFaults meets what is said to go wrong.
func TestFaults(t *testing.T) {
	a := newAccount(t, nil)
	a.Fail("create", "Role", "no permission")
	if status := a.deploy(types.ChangeSetTypeCreate, "one"); status != "ROLLBACK_COMPLETE" || len(a.Stack("app").Resources) != 0 || a.Exists(tableKind, "app") {
		t.Errorf("%s %q", status, a.events("one"))
	}
	if _, err := a.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("app")}); err != nil {
		t.Fatal(err)
	}
	if a.settled(); a.deploy(types.ChangeSetTypeCreate, "two") != "CREATE_COMPLETE" {
		t.Fatal(a.events("two"))
	}
	a.Fail("update", "Bucket", "odd")
	if status := a.deploy(types.ChangeSetTypeUpdate, "three", with("Days", "30")); status != "UPDATE_ROLLBACK_COMPLETE" || a.Stack("app").Parameters["Days"] != "7" {
		t.Errorf("%s %q", status, a.events("three"))
	}
	a.Fail("update", "Bucket", "odd")
	a.Fail("roll back", "Bucket", "odder")
	if status := a.deploy(types.ChangeSetTypeUpdate, "four", with("Days", "30")); status != "UPDATE_ROLLBACK_FAILED" {
		t.Errorf("%s %q", status, a.events("four"))
	}
	if _, err := a.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: aws.String("app"), ResourcesToSkip: []string{"Bucket"}}); err != nil || a.settled() != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(err, a.Stack("app").Status)
	}
	a.Busy("app", time.Minute)
	if _, err := a.propose(types.ChangeSetTypeUpdate); !strings.Contains(code(err), "is in UPDATE_IN_PROGRESS state") || a.settled() != "UPDATE_COMPLETE" {
		t.Error(err)
	}
	a.Fail("propose", "app", "not valid")
	if set, err := a.propose(types.ChangeSetTypeUpdate, with("Days", "30")); err != nil || set.Status != "FAILED" || *set.StatusReason != "not valid" {
		t.Errorf("%+v, %v", set, err)
	}
	a.Answer("DescribeStacks", AccessDenied)
	if _, err := a.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{}); !strings.HasPrefix(code(err), "AccessDenied: ") {
		t.Error(err)
	}
	a.Fail("delete", "Role", "in use")
	if _, err := a.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("app")}); err != nil || a.settled() != "DELETE_FAILED" {
		t.Error(err, a.Stack("app"))
	}
	a.SetStatus("app", "DELETE_COMPLETE")
	if s := a.Stack("app"); s.Status != "DELETE_COMPLETE" {
		t.Errorf("%+v", s)
	}
	if _, err := a.propose(types.ChangeSetTypeCreate, with("Hours", "1")); code(err) != "ValidationError: Parameters: [Hours] do not exist in the template" {
		t.Error(err)
	}
	if _, err := a.propose(types.ChangeSetTypeCreate, with("Days", "2")); code(err) != "ValidationError: Parameter 'Days' must be one of AllowedValues" {
		t.Error(err)
	}
	if n := a.Counts()["DeleteStack"]; n != 2 {
		t.Errorf("DeleteStack: %d", n)
	}
}

// TestOthers asks the other services.
func TestOthers(t *testing.T) {
	a := newAccount(t, nil)
	who, err := sts.NewFromConfig(a.Config()).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::123456789012:user/test" {
		t.Errorf("%+v, %v", who, err)
	}
	tables := dynamodb.NewFromConfig(a.Config())
	a.KeepTable("app", nil)
	if d, err := tables.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("app")}); err != nil || d.Table.TableStatus != "ACTIVE" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := tables.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("app")}); err != nil || a.Exists(tableKind, "app") {
		t.Error(err)
	}
	if _, err := tables.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("app")}); !strings.HasPrefix(code(err), "ResourceNotFoundException") {
		t.Error(err)
	}
}
