package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// signIn asks for what a person must give before AWS can be used there, and gives the context to use it with. No deadline
// runs meanwhile.
func (a *App) signIn(at target) (context.Context, error) {
	if a.aws == nil {
		return context.Background(), nil
	}
	base := a.aws.Context()
	if !a.local(at) {
		if err := awsconfig.Ready(base, at.region); err != nil {
			return nil, err
		}
	}
	return context.WithoutCancel(base), nil
}

// local reports whether the table is an emulator's on this machine, which asks nobody who he is.
func (a *App) local(at target) bool {
	for _, endpoint := range []string{at.endpoint, a.Getenv("AWS_ENDPOINT_URL_DYNAMODB"), a.Getenv("AWS_ENDPOINT_URL")} {
		if endpoint != "" {
			return awsconfig.Local(endpoint)
		}
	}
	return false
}

// askCode asks for the code of an MFA device.
func (a *App) askCode(serial string) (string, error) {
	fmt.Fprintf(a.Err, "zae-limiter: code of the MFA device %s: ", serial)
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil {
		fmt.Fprintln(a.Err)
		return "", err
	}
	return strings.TrimSpace(line), nil
}
