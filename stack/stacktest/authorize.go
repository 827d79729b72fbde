package stacktest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// LeadingKeys is the condition key with the partition keys of a request to DynamoDB.
const LeadingKeys = "dynamodb:LeadingKeys"

// DynamoDBRequests returns what IAM authorizes of one request to DynamoDB: for a transaction, each of its actions. The function
// table returns the ARN of a table.
func DynamoDBRequests(operation string, body []byte, table func(name string) string) ([]Request, error) {
	var q tableRequest
	err := json.Unmarshal(body, &q)
	return q.authorized(operation, table), err
}

func (q tableRequest) authorized(operation string, table func(name string) string) (all []Request) {
	add := func(name, index string, keys ...values) {
		var leading []string
		for _, k := range keys {
			if pk, ok := k["PK"]["S"].(string); ok && !slices.Contains(leading, pk) {
				leading = append(leading, pk)
			}
		}
		all = append(all, Request{Action: "dynamodb:" + operation, Resource: table(name) + index}.With(LeadingKeys, leading...))
	}
	switch operation {
	case "BatchGetItem":
		for name, items := range q.RequestItems {
			add(name, "", items.Keys...)
		}
	case "Query":
		index := ""
		if q.IndexName != "" {
			index = "/index/" + q.IndexName
		}
		add(q.TableName, index, values{"PK": q.ExpressionAttributeValues[":h"]})
	case "TransactWriteItems":
		for _, item := range q.TransactItems {
			for kind, w := range item { // Update, Put, Delete, ConditionCheck
				all = append(all, w.authorized(kind+"Item", table)...)
			}
		}
	default:
		add(q.TableName, "", q.Key, q.Item)
	}
	return all
}

// s3Actions are what IAM authorizes of requests to a bucket, and, behind a slash, to an object in it.
var s3Actions = map[string][]string{
	"PUT": {"CreateBucket"}, "DELETE": {"DeleteBucket"}, "HEAD": {"ListBucket"}, "GET": {"ListBucket"}, "GET versions": {"ListBucketVersions"},
	"POST delete": {"DeleteObject", "DeleteObjectVersion"}, "PUT/": {"PutObject"}, "GET/": {"GetObject", "ListBucket"},
	"HEAD/": {"GetObject", "ListBucket"}, // without the permission to list, S3 says Forbidden of an object that is missing
}

// s3Requests returns what IAM authorizes of one request to S3.
func s3Requests(r *http.Request) (all []Request) {
	bucket, key, inside := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	what := r.Method
	switch query := r.URL.Query(); {
	case query.Has("versions"):
		what += " versions"
	case query.Has("delete"): // of versions, if the bucket has them
		what, key = what+" delete", "*"
	case inside:
		what += "/"
	}
	for _, action := range s3Actions[what] {
		resource := "arn:aws:s3:::" + bucket
		if strings.Contains(action, "Object") {
			resource += "/" + key
		}
		all = append(all, Request{Action: "s3:" + action, Resource: resource})
	}
	return all
}

// queryRequests returns what IAM authorizes of a request to CloudFormation or STS.
func queryRequests(c call) []Request {
	service, resource := "cloudformation:", cmp.Or(c.text("StackName"), "*")
	if c.action == "GetCallerIdentity" {
		service = "sts:"
	}
	if resource != "*" && !strings.HasPrefix(resource, "arn:") {
		resource = "arn:aws:cloudformation:" + Region + ":" + Account + ":stack/" + resource + "/00000000-0000-4000-8000-000000000000"
	}
	all := []Request{{Action: service + c.action, Resource: resource}}
	if c.text("Tags.member.1.Key") != "" {
		all = append(all, Request{Action: "cloudformation:TagResource", Resource: resource})
	}
	return all
}

// authorize records what IAM is asked.
func (a *AWS) authorize(requests ...Request) { a.asked = append(a.asked, requests...) }

// Authorized returns the requests that IAM was asked to authorize: those of callers, and those that CloudFormation makes on their
// behalf. A request that was made several times is in it once.
func (a *AWS) Authorized() (all []Request) {
	defer a.enter()()
	seen := map[string]bool{}
	for _, q := range a.asked {
		if text := q.String(); !seen[text] {
			seen[text] = true
			all = append(all, q)
		}
	}
	return all
}
