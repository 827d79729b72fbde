package awstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

var noPages = gofakes3.ListBucketPage{}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone reads nothing
}

// serveDynamoDB hands requests on to the DynamoDB behind; without one it knows tables by their names.
func (a *AWS) serveDynamoDB(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.lock.Lock()
	answer := a.meet(operation)
	a.catchUp()
	a.lock.Unlock()
	if answer != nil {
		writeJSON(w, answer.Status, map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + answer.Code, "message": answer.Message})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	requests, err := DynamoDBRequests(operation, body, func(name string) string {
		return arnOf(tableKind, name[strings.LastIndex(name, "/")+1:])
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.lock.Lock()
	a.authorize(requests...)
	a.lock.Unlock()
	var request tableRequest
	_ = json.Unmarshal(body, &request) // what else there is, the DynamoDB behind refuses
	if a.proxy != nil {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		a.proxy.ServeHTTP(w, r)
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	name := request.TableName[strings.LastIndex(request.TableName, "/")+1:]
	t := a.things[tableKind+" "+name]
	switch {
	case operation == "DeleteTable" && !t.protected():
		defer delete(a.things, tableKind+" "+name)
	case operation == "UpdateTable" && t != nil && request.DeletionProtectionEnabled != nil:
		t.properties["DeletionProtectionEnabled"] = *request.DeletionProtectionEnabled
	}
	if a.proxy == nil {
		t.serve(w, name, operation, request)
	}
}

// tableRequest is what is understood of a request.
type tableRequest struct {
	TableName                 string
	DeletionProtectionEnabled *bool
	Key, Item                 map[string]map[string]any
}

// serve answers for a table that is a name, a few records at most; nil is one that is not there.
func (t *thing) serve(w http.ResponseWriter, name, operation string, request tableRequest) {
	failed := func(code, message string) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message})
	}
	member := "TableDescription"
	switch {
	case operation == "TransactWriteItems": // of several tables, and taken note of only
		writeJSON(w, http.StatusOK, map[string]any{})
	case t == nil:
		failed("ResourceNotFoundException", "Requested resource not found: Table: "+name+" not found")
	case operation == "GetItem":
		writeJSON(w, http.StatusOK, map[string]any{"Item": t.items[keyOf(request.Key)]})
	case operation == "PutItem" && t.items[keyOf(request.Item)] != nil:
		failed("ConditionalCheckFailedException", "The conditional request failed")
	case operation == "PutItem":
		t.items[keyOf(request.Item)] = request.Item
		writeJSON(w, http.StatusOK, map[string]any{})
	case operation != "DescribeTable" && operation != "DeleteTable" && operation != "UpdateTable":
		failed("UnknownOperationException", "awstest: "+operation+" needs a DynamoDB behind, Options.DynamoDB")
	case operation == "DeleteTable" && t.protected():
		failed("ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	case operation == "DescribeTable":
		member = "Table"
		fallthrough
	default:
		writeJSON(w, http.StatusOK, map[string]any{member: map[string]any{
			"TableName": name, "TableStatus": "ACTIVE", "TableArn": arnOf(tableKind, name), "TableSizeBytes": 0,
			"DeletionProtectionEnabled": t.protected(), "KeySchema": t.properties["KeySchema"], "ItemCount": len(t.items),
		}})
	}
}

// serveLambda knows functions, their code and its hash.
func (a *AWS) serveLambda(w http.ResponseWriter, r *http.Request) {
	name, part, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/")
	name = name[strings.LastIndex(name, ":")+1:]
	operation := "GetFunction"
	switch {
	case r.Method == http.MethodPut && part == "code":
		operation = "UpdateFunctionCode"
	case part == "configuration":
		operation = "GetFunctionConfiguration"
	}
	var request struct{ S3Bucket, S3Key, ZipFile string }
	_ = json.NewDecoder(r.Body).Decode(&request) // a GET has none
	a.lock.Lock()
	defer a.lock.Unlock()
	a.authorize(Request{Action: "lambda:" + operation, Resource: arnOf(functionKind, name)})
	answer := a.meet(operation)
	a.catchUp()
	t := a.things[functionKind+" "+name]
	if answer == nil && t == nil {
		answer = &Answer{http.StatusNotFound, "ResourceNotFoundException", "Function not found: " + arnOf(functionKind, name)}
	}
	if answer == nil && operation == "UpdateFunctionCode" {
		code := map[string]any{"S3Bucket": request.S3Bucket, "S3Key": request.S3Key}
		if request.ZipFile != "" {
			text, _ := base64.StdEncoding.DecodeString(request.ZipFile)
			code = map[string]any{"ZipFile": string(text)}
		}
		t.properties["Code"] = code
		if reason := a.load(t); reason != "" {
			answer = &Answer{http.StatusBadRequest, "InvalidParameterValueException", reason}
		}
	}
	if answer != nil {
		w.Header().Set("X-Amzn-Errortype", answer.Code)
		writeJSON(w, answer.Status, map[string]string{"Message": answer.Message})
		return
	}
	d := map[string]any{
		"FunctionName": name, "FunctionArn": arnOf(functionKind, name), "Runtime": t.properties["Runtime"], "CodeSha256": t.sha,
		"CodeSize": t.size, "State": "Active", "LastUpdateStatus": "Successful", "Version": "$LATEST",
		"Architectures": t.properties["Architectures"], "Environment": t.properties["Environment"], "Role": fmt.Sprint(t.properties["Role"]),
	}
	if operation == "GetFunction" {
		writeJSON(w, http.StatusOK, map[string]any{"Configuration": d, "Code": map[string]string{"RepositoryType": "S3", "Location": "https://example.invalid/"}})
		return
	}
	writeJSON(w, http.StatusOK, d)
}

// keyOf is where a record stands.
func keyOf(values map[string]map[string]any) string {
	return fmt.Sprint(values["PK"]["S"], " ", values["SK"]["S"])
}
