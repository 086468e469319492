package mirror

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// keys are the credentials in a pull secret, by registry or by a path in one.
type keys map[string]authn.AuthConfig

// readKeys reads .dockerconfigjson; without data there are no keys.
func readKeys(data []byte) (keys, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var file struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("the pull secret is not in the form of Docker's configuration: %w", err)
	}
	out := keys{}
	for at, key := range file.Auths {
		at = strings.TrimPrefix(strings.TrimPrefix(at, "https://"), "http://")
		for _, version := range []string{"/", "/v1", "/v2"} {
			at = strings.TrimSuffix(at, version)
		}
		if host, path, _ := strings.Cut(at, "/"); host == "docker.io" {
			at = strings.TrimSuffix(name.DefaultRegistry+"/"+path, "/")
		}
		out[at] = key
	}
	return out, nil
}

// Resolve is what kubelets do: the longest path wins.
func (k keys) Resolve(target authn.Resource) (authn.Authenticator, error) {
	best, found := "", false
	for at := range k {
		if (target.String() == at || strings.HasPrefix(target.String(), at+"/")) && (!found || len(at) > len(best)) {
			best, found = at, true
		}
	}
	if !found {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(k[best]), nil
}
