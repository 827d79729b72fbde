package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// signIn gets credentials for AWS, which may ask a person for a code, and returns the context to use them with. It has no
// deadline, since people are slow.
func (a *App) signIn(at target) (context.Context, error) {
	if a.aws == nil {
		return context.Background(), nil
	}
	base := a.aws.Context()
	if !a.isLocal(at) {
		if err := awsconfig.Ready(base, at.region); err != nil {
			return nil, err
		}
	}
	return context.WithoutCancel(base), nil
}

// promptMFACode asks for the code of an MFA device.
func (a *App) promptMFACode(serial string) (string, error) {
	fmt.Fprintf(a.Err, "zae-limiter: code of the MFA device %s: ", serial)
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil {
		fmt.Fprintln(a.Err)
		return "", err
	}
	return strings.TrimSpace(line), nil
}
