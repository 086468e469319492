// Package registries has what commands share that ask registries for images.
package registries

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
)

// Flags say how registries are spoken with.
type Flags struct {
	authorities string
	plain       []string
}

func (f *Flags) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.authorities, "registry-ca", "", "`File` with the certificate authority of a registry, in PEM, for connections from this machine; the system's are used too")
	fs.StringSliceVar(&f.plain, "registry-http", nil, "Registry (`HOST[:PORT]`) that this machine may connect to with HTTP; can be repeated")
}

// Options checks the flags and says what they mean.
func (f *Flags) Options() (mirror.Options, error) {
	o := mirror.Options{PlainHTTP: f.plain, UserAgent: version.Get().Tooling()}
	if f.authorities == "" {
		return o, nil
	}
	var err error
	if o.Authorities, err = os.ReadFile(f.authorities); err != nil {
		return o, fmt.Errorf("--registry-ca: %w", err)
	}
	client, err := mirror.New(o)
	if err != nil {
		return o, fmt.Errorf("--registry-ca %s: %w", f.authorities, err)
	}
	client.Close()
	return o, nil
}
