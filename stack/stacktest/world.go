package stacktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// thing is a table or a function that exists, in a stack or without one.
type thing struct {
	properties map[string]any
	claimed    map[string]any    // what the template of its stack has said last
	items      map[string]values // of a table that is a name only
	sha        string            // of a function's code
	size       int
}

const (
	tableKind    = "AWS::DynamoDB::Table"
	bucketKind   = "AWS::S3::Bucket"
	functionKind = "AWS::Lambda::Function"
)

// kept tells whether a resource's name is taken.
func (a *AWS) kept(r *resource) bool {
	switch r.kind {
	case bucketKind:
		exists, err := a.buckets.BucketExists(r.physical)
		return err == nil && exists
	case tableKind, functionKind:
		return a.things[r.kind+" "+r.physical] != nil
	}
	return false
}

func (r *resource) values() map[string]any {
	var values map[string]any
	_ = json.Unmarshal([]byte(r.properties), &values) // Marshal made it
	return values
}

// make makes a resource exist, or says why it cannot.
func (a *AWS) make(r *resource) (reason string) {
	if reason := a.failure(a.creations, r.logical); reason != "" {
		return reason
	}
	if a.kept(r) {
		return fmt.Sprintf("Resource handler returned message: \"Resource of type '%s' with identifier '%s' already exists.\" (RequestToken: TEST, HandlerErrorCode: AlreadyExists)", r.kind, r.physical)
	}
	a.authorize(r.requests("create")...)
	made := &thing{properties: r.values(), claimed: r.values(), items: map[string]values{}}
	switch r.kind {
	case bucketKind:
		err := a.buckets.CreateBucket(r.physical)
		if v, _ := made.properties["VersioningConfiguration"].(map[string]any); err == nil && v["Status"] == "Enabled" {
			err = a.buckets.SetVersioningConfiguration(r.physical, gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled})
		}
		if err != nil {
			return err.Error()
		}
	case tableKind:
		if a.dynamo != "" {
			if err := a.createTable(made.properties); err != nil {
				return err.Error()
			}
		}
	case functionKind:
		if reason := a.load(made); reason != "" {
			return reason
		}
	default:
		return ""
	}
	a.things[r.kind+" "+r.physical] = made
	return ""
}

// claim notes what a template says of something that exists: an import compares nothing and changes nothing.
func (a *AWS) claim(r *resource) {
	if t := a.things[r.kind+" "+r.physical]; t != nil {
		t.claimed = r.values()
	}
}

// changed takes over those properties of a resource in which its template differs from what it said before.
func (a *AWS) changed(r *resource) {
	t := a.things[r.kind+" "+r.physical]
	if t == nil {
		return
	}
	now := r.values()
	for name := range t.claimed {
		if _, kept := now[name]; !kept {
			delete(t.properties, name)
		}
	}
	for name, v := range now {
		if !reflect.DeepEqual(t.claimed[name], v) {
			t.properties[name] = v
		}
	}
	t.claimed = now
	if r.kind == functionKind {
		_ = a.load(t)
	}
}

// unmake makes a resource go, or says why it cannot.
func (a *AWS) unmake(r *resource) (reason string) {
	if reason := a.failure(a.removals, r.logical); reason != "" {
		return reason
	}
	a.authorize(r.requests("delete")...)
	switch r.kind {
	case bucketKind:
		if exists, err := a.buckets.BucketExists(r.physical); err != nil || !exists {
			return ""
		}
		if err := a.buckets.DeleteBucket(r.physical); err != nil {
			return "The bucket you tried to delete is not empty (Service: S3, Status Code: 409, Request ID: TEST)"
		}
	case tableKind:
		if a.things[r.kind+" "+r.physical].protected() {
			return "Resource handler returned message: \"Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.\" (Service: DynamoDb, Status Code: 400, HandlerErrorCode: InvalidRequest)"
		}
		if a.dynamo != "" {
			_ = a.ask("DeleteTable", map[string]any{"TableName": r.physical}) // it may be gone
		}
	}
	delete(a.things, r.kind+" "+r.physical)
	return ""
}

func (t *thing) protected() bool {
	return t != nil && fmt.Sprint(t.properties["DeletionProtectionEnabled"]) == "true"
}

// load takes the code of a function from its bucket.
func (a *AWS) load(t *thing) (reason string) {
	code, _ := t.properties["Code"].(map[string]any)
	text := []byte(fmt.Sprint(code["ZipFile"]))
	if code["ZipFile"] == nil {
		bucket, key := fmt.Sprint(code["S3Bucket"]), fmt.Sprint(code["S3Key"])
		object, err := a.buckets.GetObject(bucket, key, nil)
		if err != nil {
			return "Resource handler returned message: \"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.\""
		}
		defer object.Contents.Close() //nolint:errcheck // it is in memory
		if text, err = io.ReadAll(object.Contents); err != nil {
			return err.Error()
		}
	}
	sum := sha256.Sum256(text)
	t.sha, t.size = base64.StdEncoding.EncodeToString(sum[:]), len(text)
	return ""
}

// fetch reads an object by its URL.
func (a *AWS) fetch(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", invalid("S3 error: invalid URL")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if host, _, virtual := strings.Cut(u.Host, ".s3."); virtual {
		bucket, key = host, strings.TrimPrefix(u.Path, "/")
	}
	object, err := a.buckets.GetObject(bucket, key, nil)
	if err != nil {
		return "", invalid("S3 error: The specified key does not exist.")
	}
	defer object.Contents.Close() //nolint:errcheck // it is in memory
	text, err := io.ReadAll(object.Contents)
	return string(text), err
}

// createTable makes a table in the DynamoDB behind.
func (a *AWS) createTable(properties map[string]any) error {
	request := map[string]any{}
	for _, name := range []string{"TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes", "DeletionProtectionEnabled"} {
		if v, ok := properties[name]; ok {
			request[name] = v
		}
	}
	if text, ok := request["DeletionProtectionEnabled"].(string); ok {
		request["DeletionProtectionEnabled"] = text == "true"
	}
	if stream, ok := properties["StreamSpecification"].(map[string]any); ok {
		request["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": stream["StreamViewType"]}
	}
	return a.ask("CreateTable", request)
}

// ask sends a request to the DynamoDB behind.
func (a *AWS) ask(operation string, request any) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.dynamo, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260304/"+a.region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	reply, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = &Answer{reply.StatusCode, operation, string(body)}
	}
	return err
}

// Keep makes a table or a bucket exist outside of any stack, as those do that a deleted stack has left.
func (a *AWS) Keep(kind, name string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	properties := map[string]any{named[kind]: name}
	switch kind {
	case bucketKind:
		_ = a.buckets.CreateBucket(name) // it may be there
	case tableKind:
		properties = plainTable(name)
	}
	a.things[kind+" "+name] = &thing{properties: properties, items: map[string]values{}}
}

// Exists tells whether there is a table, a bucket or a function with a name, in a stack or not.
func (a *AWS) Exists(kind, name string) bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	return a.kept(&resource{declared: declared{kind: kind}, physical: name})
}

// Objects are the keys of what is in a bucket.
func (a *AWS) Objects(bucket string) (keys []string) {
	list, err := a.buckets.ListBucket(bucket, nil, noPages)
	if err != nil {
		return nil
	}
	for _, object := range list.Contents {
		keys = append(keys, object.Key)
	}
	slices.Sort(keys)
	return keys
}

// Remove makes a table or a function go at once, as somebody else's deletion does that comes to its end.
func (a *AWS) Remove(kind, name string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	delete(a.things, kind+" "+name)
}
