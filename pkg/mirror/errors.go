package mirror

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Missing tells that a registry was reached and has no such image.
func Missing(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// Registry is the host of an image's registry.
func Registry(image string) string {
	ref, err := name.ParseReference(image)
	if err != nil {
		return image
	}
	return ref.Context().RegistryStr()
}

// Remedy is what can be done about an error of a registry on this machine.
func Remedy(host, text string) string {
	switch {
	case strings.Contains(text, "x509: "):
		return fmt.Sprintf("name the certificate authority of %s: --registry-ca FILE; the nodes have to know it too", host)
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return fmt.Sprintf("if %s has no HTTPS: --registry-http %s; the nodes have to be told too", host, host)
	case strings.Contains(text, "UNAUTHORIZED"), strings.Contains(text, "DENIED"), strings.Contains(text, " 401 "), strings.Contains(text, " 403 "):
		return fmt.Sprintf("log in on this machine: docker login %s; for the nodes: --image-pull-secret NAME", host)
	}
	return "check that this machine reaches the registry, or run the command where it is reached"
}
