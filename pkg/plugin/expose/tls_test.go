package expose

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
)

func TestWhatIsTypedAboutTLSIsRefusedWithItsFlag(t *testing.T) {
	for name, c := range map[string]struct {
		flags tlsFlags
		want  string
	}{
		"a host without a certificate":  {tlsFlags{hosts: []string{"nb"}}, "--host:"},
		"a host for plain HTTP":         {tlsFlags{tls: exposure.TLSOff, hosts: []string{"nb"}}, "--host:"},
		"a host with a scheme":          {tlsFlags{tls: exposure.TLSSelfSigned, hosts: []string{"https://nb"}}, "--host:"},
		"a name that no Secret has":     {tlsFlags{tls: "Mine!"}, "--tls:"},
		"a directory that is not there": {tlsFlags{tls: exposure.TLSSelfSigned, kustomization: "no-such-directory"}, "-k no-such-directory:"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.flags.options("kubectl", 0); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error = %v, want one that starts with %s", err, c.want)
			}
		})
	}
}
