package commands

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

const leastExamples = 3

func TestExamplesNameOnlyWhatThereIs(t *testing.T) {
	root := New(genericiooptions.NewTestIOStreamsDiscard())
	everyCommand(root, func(c *cobra.Command) {
		if c == root || c.Name() == "help" {
			return
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			if c.Short == "" || c.Long == "" {
				t.Errorf("the short description is %q, the long one %q", c.Short, c.Long)
			}
			lines, own := 0, 0
			for line := range strings.Lines(c.Example) {
				line = strings.TrimSpace(line)
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				lines++
				for _, call := range calls(line) {
					found, err := resolve(root, call)
					if err != nil {
						t.Errorf("%q: %v", line, err)
					}
					// top is short for top nodes.
					if found == c || found == c.Parent() && found.Example == c.Example {
						own++
					}
				}
			}
			if lines < leastExamples || own == 0 && !c.HasSubCommands() {
				t.Errorf("%d examples, %d of them run the command; want %d:\n%s", lines, own, leastExamples, c.Example)
			}
		})
	})
}

func TestTheHelpOfTheRootNamesCommandsThatThereAre(t *testing.T) {
	root := New(genericiooptions.NewTestIOStreamsDiscard())
	shown := regexp.MustCompile(`kubectl jupyter((?: [a-z-]+)+)`).FindAllStringSubmatch(root.Long, -1)
	if len(shown) < 4 {
		t.Fatalf("the help shows %d commands, which is not the way:\n%s", len(shown), root.Long)
	}
	for _, s := range shown {
		if c, rest, err := root.Find(strings.Fields(s[1])); err != nil || c == root || len(rest) > 0 {
			t.Errorf("kubectl jupyter%s: %v, and %q is left", s[1], err, rest)
		}
	}
}

func TestAnExampleThatIsWrongIsFound(t *testing.T) {
	root := New(genericiooptions.NewTestIOStreamsDiscard())
	for _, wrong := range []string{"instal", "install --no-such-flag", "user ad ada@example.com", "install --timeout soon", "images --output"} {
		if _, err := resolve(root, split(wrong)); err == nil {
			t.Errorf("kubectl jupyter %s is taken for a command that there is", wrong)
		}
	}
}

// calls lists what a line of a shell gives to kubectl jupyter, in words.
func calls(line string) [][]string {
	var all [][]string
	words := split(line)
	for i := 0; i+1 < len(words); i++ {
		if words[i] != "kubectl" || words[i+1] != "jupyter" {
			continue
		}
		call := []string{}
		for i += 2; i < len(words) && !strings.Contains("|<>;&()", words[i]); i++ {
			call = append(call, words[i])
		}
		all = append(all, call)
	}
	return all
}

// split makes words of a line as a shell does, as far as examples go: quotes, pipes,
// redirections, comments, and commands within a word.
func split(line string) []string {
	line = strings.NewReplacer(`"$(`, "( ", `)"`, " )", "$(", "( ").Replace(line)
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	end := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == '#' && !started:
			return words
		case c == ' ':
			end()
		case strings.ContainsRune("|<>;&()", c):
			end()
			words = append(words, string(c))
		default:
			word.WriteRune(c)
			started = true
		}
	}
	end()
	return words
}

// resolve finds the command that a line runs, and parses its flags.
func resolve(root *cobra.Command, words []string) (*cobra.Command, error) {
	c, rest, err := root.Find(words)
	if err != nil {
		return nil, err
	}
	if err := c.ParseFlags(rest); err != nil {
		return nil, err
	}
	if args := c.Flags().Args(); c.HasSubCommands() && c.ValidArgsFunction == nil && len(args) > 0 {
		return nil, plugin.UnknownCommand(c, args[0])
	}
	if c.Args != nil {
		return c, c.Args(c, c.Flags().Args())
	}
	return c, nil
}

func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, visit)
	}
}
