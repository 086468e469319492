package identity

import (
	"fmt"
	"net/url"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// judge says what a provider's answer to a browser means that Dex has sent to it.
func judge(c *Connector, code int, location *url.URL, body string) (came string, cause *report.Cause) {
	came, name := login.ProviderAnswer(code, location, body)
	switch name {
	case "":
		return came, nil
	case diagnose.CallbackUnregistered:
		return came, causeOf(c, name, fmt.Sprintf("the provider does not know the callback %s for the client %s", c.text("redirectURI"), c.text("clientID")),
			"register it at the provider, letter by letter: "+c.text("redirectURI"), came)
	}
	return came, causeOf(c, name, "the provider refuses the client "+c.text("clientID"),
		"check --client-id at the provider: it must be a client for web applications that uses authorization codes", came)
}
