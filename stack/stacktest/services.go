package stacktest

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
	_ = json.Unmarshal(body, &request)                                    // what else there is, the DynamoDB behind refuses
	proxied := a.proxy != nil && operation != "DescribeContinuousBackups" // which DynamoDB Local does not know
	if proxied {
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
	if !proxied {
		t.serve(w, name, operation, request)
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
