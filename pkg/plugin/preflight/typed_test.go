package preflight

import (
	"testing"

	"github.com/spf13/cobra"
)

func TestFlagsThatWereSetCanBePastedAfterAnotherCommand(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"none", nil, ""},
		{"a value, and one with a blank", []string{"--manifests", "/my clones/one", "--profile=slim"}, " --manifests '/my clones/one' --profile slim"},
		{"a list, each of its values", []string{"--skip", "dex,istio", "--image", "a=b:1", "--image", "c=d:2"}, " --image a=b:1 --image c=d:2 --skip dex --skip istio"},
		{"a switch, on and off", []string{"--adopt", "--isolate=false"}, " --adopt --isolate=false"},
		{"a shorthand, by its name", []string{"-k", "mine"}, " --kustomize mine"},
		{"not those of the command alone, nor the connection's", []string{"--timeout", "3m", "--context", "other"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := &cobra.Command{Use: "root"}
			root.PersistentFlags().String("context", "", "")
			var got string
			cmd := &cobra.Command{Use: "cmd", Run: func(cmd *cobra.Command, _ []string) { got = typed(cmd, "timeout") }}
			fs := cmd.Flags()
			for _, name := range []string{"manifests", "profile", "timeout"} {
				fs.String(name, "", "")
			}
			fs.StringP("kustomize", "k", "", "")
			fs.StringSlice("skip", nil, "")
			fs.StringArray("image", nil, "")
			fs.Bool("adopt", false, "")
			fs.Bool("isolate", true, "")
			root.AddCommand(cmd)
			root.SetArgs(append([]string{"cmd"}, tt.args...))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
