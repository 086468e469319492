package identity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// addFlags are what was typed.
type addFlags struct {
	request     identity.Request
	file        string
	caFile      string
	secretStdin bool
	fromSecret  string
	try         string
	replace     bool
	anyone      bool
	skipCheck   bool
	only        bool
	custom      string
	dryRun      string
	timeout     time.Duration
	output      string
}

func (f *addFlags) add(cmd *cobra.Command) {
	fs, r := cmd.Flags(), &f.request
	fs.StringVarP(&f.file, "filename", "f", "", "`File` with a connector in Dex's own format; - reads it from standard input")
	fs.StringVar(&r.ID, "id", "", "ID of the connector; by default, the type")
	fs.StringVar(&r.Name, "name", "", "Name that the login page shows; by default, it follows from the type")
	fs.StringVar(&r.Host, "host", "", "Host of the directory, with its port unless it is 636 (389 without TLS)")
	fs.StringVar(&r.BindDN, "bind-dn", "", "Account with which Dex searches the directory; without it, Dex searches anonymously")
	fs.StringVar(&r.UserBase, "user-base", "", "Distinguished name below which users are")
	fs.StringVar(&r.UserFilter, "user-filter", "", "LDAP filter for users; by default, (objectClass=person), and for ad, users that are persons")
	fs.StringVar(&r.LoginAttribute, "login-attribute", "", "Attribute that users enter in the login form; by default, mail, and for ad, sAMAccountName")
	fs.StringVar(&r.EmailAttr, "email-attribute", "", "Attribute with the e-mail address, which the owner of the Profile must equal; by default, mail")
	fs.StringVar(&r.GroupBase, "group-base", "", "Distinguished name below which groups are; without it, no groups are read")
	fs.StringVar(&r.GroupFilter, "group-filter", "", "LDAP filter for groups; by default, (objectClass=groupOfNames), and for ad, (objectClass=group)")
	fs.StringVar(&r.MemberAttribute, "member-attribute", "", "Attribute of groups with the distinguished names of their members; by default, member")
	fs.BoolVar(&r.StartTLS, "start-tls", false, "If true, connect to port 389 and then encrypt the connection, instead of connecting with TLS")
	fs.BoolVar(&r.NoTLS, "insecure-no-tls", false, "If true, do not encrypt the connection to the directory: passwords cross the network readable")
	fs.StringVar(&r.URL, "url", "", "URL of the provider: the issuer of oidc, or the server of GitHub Enterprise or GitLab")
	fs.StringVar(&r.ClientID, "client-id", "", "ID of the client (the OAuth app) at the provider")
	fs.StringVar(&r.Tenant, "tenant", "", "Tenant of Microsoft Entra, by its ID or domain")
	fs.StringSliceVar(&r.Orgs, "org", nil, "GitHub organization whose members may log in, or ORG/TEAM for a team of it; can be repeated")
	fs.StringSliceVar(&r.Domains, "domain", nil, "Domain of Google Workspace whose accounts may log in; can be repeated")
	fs.StringSliceVar(&r.Groups, "group", nil, "Group whose members may log in; can be repeated")
	fs.StringVar(&f.caFile, "ca-file", "", "`File` in PEM format with the certificate of the authority that has signed the provider's certificate, if it is a private one")
	fs.BoolVar(&f.secretStdin, "secret-stdin", false, "If true, read the secret from standard input")
	fs.StringVar(&f.fromSecret, "from-secret", "", "Secret to copy the secret from, as [NAMESPACE/]NAME[:KEY]; by default, in namespace auth and with its only key")
	fs.StringVar(&f.try, "try", "", "`Login` of somebody to look for in the directory, as they would type it into the login form")
	fs.BoolVar(&f.replace, "replace", false, "If true, replace the connector with the same ID")
	fs.BoolVar(&f.anyone, "anyone", false, "If true, accept a provider with which anyone can get an account, without a limit to some of them")
	fs.BoolVar(&f.only, "only", false, "If true, Dex takes no local passwords afterwards, not even that of the first user; if false, it takes them again; by default, this is not changed")
	fs.StringVarP(&f.custom, "kustomize", "k", "", "Kustomization `directory` that was used for the installation; required if Dex's configuration changes")
	fs.BoolVar(&f.skipCheck, "skip-provider-check", false, "If true, do not ask the provider from this machine: Dex is only asked afterwards")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none", "client" or "server". If client, ask the provider and write nothing; if server, also submit server-side requests without persisting the object`)
	fs.DurationVar(&f.timeout, "timeout", defaultTimeout, "The length of time to wait before giving up on the run; 0 means no timeout")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE, name)")
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "output", func() []string { return []string{view.Name, view.JSON, view.YAML, view.JSONPath + "="} })
}

// ofTypes are the flags that only some types have.
var ofTypes = func() []string {
	var all []string
	for _, t := range identity.Types() {
		for _, f := range identity.Fields(t) {
			if !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	return all
}()

// ToOptions checks what was typed.
func (f *addFlags) ToOptions(b *plugin.Base, args []string, given func(string) bool) (*addOptions, error) {
	if err := errors.Join(plugin.CheckTimeout(f.timeout), plugin.CheckDryRun(f.dryRun), plugin.CheckDirectory(f.custom)); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output, view.Name); err != nil {
			return nil, err
		}
	}
	switch {
	case f.file == "" && len(args) == 0:
		return nil, fmt.Errorf("specify a type (%s), or -f FILE", strings.Join(identity.Types(), ", "))
	case f.file != "" && len(args) > 0:
		return nil, errors.New("-f and a type cannot be used together: the file has the type")
	case f.secretStdin && f.fromSecret != "":
		return nil, errors.New("--secret-stdin and --from-secret cannot be used together")
	case f.secretStdin && f.file == "-":
		return nil, errors.New("--secret-stdin and -f - cannot be used together: both read standard input")
	case f.request.StartTLS && f.request.NoTLS:
		return nil, errors.New("--start-tls and --insecure-no-tls cannot be used together")
	case f.skipCheck && f.try != "":
		return nil, errors.New("--try and --skip-provider-check cannot be used together")
	}
	c, err := f.connector(b, args, given)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	o := &addOptions{
		base: b, Connector: c, SecretStdin: f.secretStdin, Try: f.try, Replace: f.replace, Anyone: f.anyone,
		SkipCheck: f.skipCheck, Kustomization: f.custom, DryRun: f.dryRun, Timeout: f.timeout, Format: f.output,
	}
	if given("only") {
		o.Only = &f.only
	}
	if f.fromSecret != "" {
		if o.FromSecret, err = identity.ParseSecretRef(f.fromSecret); err != nil {
			return nil, fmt.Errorf("--from-secret: %w", err)
		}
	}
	return o, nil
}

// connector is what the file or the flags say.
func (f *addFlags) connector(b *plugin.Base, args []string, given func(string) bool) (*identity.Connector, error) {
	if f.file != "" {
		for _, flag := range ofTypes {
			if given(flag) {
				return nil, fmt.Errorf("-f and --%s cannot be used together: set it in the file", flag)
			}
		}
		text, err := readInput(b.In, f.file)
		if err != nil {
			return nil, fmt.Errorf("-f: %w", err)
		}
		c, err := identity.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("-f %s: %w", f.file, err)
		}
		if f.request.ID != "" {
			c.ID = f.request.ID
		}
		if f.request.Name != "" {
			c.Name = f.request.Name
		}
		return c, nil
	}
	f.request.Type = args[0]
	for _, flag := range ofTypes {
		if given(flag) && !slices.Contains(identity.Fields(args[0]), flag) && slices.Contains(identity.Types(), args[0]) {
			return nil, fmt.Errorf("--%s: a provider of type %s has no such setting", flag, args[0])
		}
	}
	if f.caFile != "" {
		var err error
		if f.request.CA, err = os.ReadFile(f.caFile); err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
	}
	return f.request.Connector()
}

// maxInput bounds a file that is read whole.
const maxInput = 1 << 20

// readInput reads a file, or standard input where its name is -.
func readInput(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxInput>>20)
	}
	return text, err
}
