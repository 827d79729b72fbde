package stacktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone reads nothing
}

func writeText(w http.ResponseWriter, status int, document string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(document)) // a client that has gone reads nothing
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
	answer := a.nextAnswer(operation)
	a.catchUp()
	e := a.existing[functionKind+" "+name]
	if answer == nil && e == nil {
		answer = &Answer{http.StatusNotFound, "ResourceNotFoundException", "Function not found: " + arnOf(functionKind, name)}
	}
	if answer == nil && operation == "UpdateFunctionCode" {
		code, _ := base64.StdEncoding.DecodeString(request.ZipFile)
		e.properties["Code"] = map[string]any{"S3Bucket": request.S3Bucket, "S3Key": request.S3Key, "ZipFile": string(code)}
		if err := a.load(e); err != nil {
			answer = &Answer{http.StatusBadRequest, "InvalidParameterValueException", err.Error()}
		}
	}
	if answer != nil {
		w.Header().Set("X-Amzn-Errortype", answer.Code)
		writeJSON(w, answer.Status, map[string]string{"Message": answer.Message})
		return
	}
	d := map[string]any{
		"FunctionName": name, "FunctionArn": arnOf(functionKind, name), "Runtime": e.at("Runtime"), "CodeSha256": e.sha,
		"CodeSize": e.size, "State": "Active", "LastUpdateStatus": "Successful", "Version": "$LATEST",
		"Architectures": e.at("Architectures"), "Environment": e.at("Environment"), "Role": text(e.at("Role")),
	}
	if operation == "GetFunction" {
		d = map[string]any{"Configuration": d, "Code": map[string]string{"RepositoryType": "S3", "Location": "https://example.invalid/"}}
	}
	writeJSON(w, http.StatusOK, d)
}

// describesBucket answers requests for the settings of a bucket, which the S3 behind does not have. It returns false if the
// request is another one.
func (a *AWS) describesBucket(w http.ResponseWriter, r *http.Request) bool {
	settings := r.URL.Query()
	if r.Method != http.MethodGet || !settings.Has("lifecycle") && !settings.Has("encryption") {
		return false
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	e := a.existing[bucketKind+" "+strings.Trim(r.URL.Path, "/")]
	if e == nil {
		e = &existing{}
	}
	rules, _ := e.at("LifecycleConfiguration", "Rules").([]any)
	encryption, _ := e.at("BucketEncryption", "ServerSideEncryptionConfiguration").([]any)
	switch {
	case settings.Has("lifecycle") && rules != nil:
		writeText(w, http.StatusOK, "<LifecycleConfiguration>"+lifecycle(rules)+"</LifecycleConfiguration>")
	case settings.Has("lifecycle"):
		writeText(w, http.StatusNotFound, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
	case encryption == nil:
		writeText(w, http.StatusNotFound, "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>")
	default:
		d, key := mapping(mapping(encryption[0])["ServerSideEncryptionByDefault"]), ""
		if id, ok := d["KMSMasterKeyID"]; ok {
			key = "<KMSMasterKeyID>" + text(id) + "</KMSMasterKeyID>"
		}
		writeText(w, http.StatusOK, "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"+
			text(d["SSEAlgorithm"])+"</SSEAlgorithm>"+key+"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")
	}
	return true
}

// lifecycle returns the rules of a bucket by which objects move to another storage.
func lifecycle(rules []any) string {
	var document strings.Builder
	for _, of := range rules {
		rule := mapping(of)
		fmt.Fprintf(&document, "<Rule><ID>%v</ID><Status>%v</Status>", rule["Id"], rule["Status"])
		transitions, _ := rule["Transitions"].([]any)
		for _, of := range transitions {
			fmt.Fprintf(&document, "<Transition><Days>%v</Days><StorageClass>%v</StorageClass></Transition>", mapping(of)["TransitionInDays"], mapping(of)["StorageClass"])
		}
		document.WriteString("</Rule>")
	}
	return document.String()
}
