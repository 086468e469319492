// Command browser logs a person in with headless Chromium, as a person does: it opens
// the URL, presses the button, fills the form in, and looks at the page after it. Of
// each page it keeps a picture. The password is read from standard input.
//
//	browser -url http://10.0.0.1/jupyter/ -user ada@example.com -out DIR < password
//
// With -notebook it opens one as the web app does, and has it serve a page that tries to act
// in the web app as its visitor. With -cell too it runs that in JupyterLab instead.
//
// It prints, as JSON, the title and text of each page, and what the web app answered to
// a request of the page that would change something if it were valid: a browser that
// has dropped the CSRF cookie is refused there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds the whole: a page that does not come is a failure, not a hang.
const patience = 4 * time.Minute

// seen is one page.
type seen struct {
	URL     string `json:"url"`
	Title   string `json:"title"`
	Text    string `json:"text"`
	Picture string `json:"picture"`
}

// outcome of a login.
type outcome struct {
	SignIn seen `json:"signIn"`
	Form   seen `json:"form"`
	App    seen `json:"app"`
	// Change is the web app's answer to an invalid POST of its own page.
	Change answer `json:"change"`
}

type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

type options struct {
	url, user, password, namespace, out, proxy, chromium string
	notebook, victim, image, cell, connector             string
	anyCertificate                                       bool
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "", "where the web app is")
	flag.StringVar(&o.user, "user", "", "who logs in")
	flag.StringVar(&o.namespace, "namespace", "", "the person's namespace")
	flag.StringVar(&o.out, "out", "", "folder for the pictures")
	flag.StringVar(&o.proxy, "proxy", "", "HTTP proxy on the way, such as http://127.0.0.1:8080")
	flag.StringVar(&o.notebook, "notebook", "", "a notebook that is to serve a hostile page; empty: only log in")
	flag.StringVar(&o.cell, "cell", "", "what to run in JupyterLab of the notebook")
	flag.StringVar(&o.connector, "connector", "", "the identity provider to choose on Dex's page, by its ID; empty where Dex shows its form at once")
	flag.StringVar(&o.victim, "victim", "", "the notebook that the page tries to delete")
	flag.StringVar(&o.image, "image", "", "the image of notebooks that the page tries to create")
	flag.BoolVar(&o.anyCertificate, "any-certificate", false, "take any certificate")
	flag.StringVar(&o.chromium, "chromium", "chromium", "the browser")
	flag.Parse()
	password, err := io.ReadAll(os.Stdin)
	o.password = strings.TrimRight(string(password), "\n")
	if err == nil {
		err = run(context.Background(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.url == "" || o.user == "" || o.password == "" || o.out == "" || o.namespace == "" {
		return errors.New("-url, -user, -namespace and -out are needed, and a password on standard input")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(o.chromium), chromedp.WindowSize(1000, 700))
	if os.Geteuid() == 0 {
		// Chromium's own sandbox refuses root, who runs tests on a real node.
		flags = append(flags, chromedp.NoSandbox)
	}
	if o.anyCertificate {
		flags = append(flags, chromedp.Flag("ignore-certificate-errors", true))
	}
	if o.proxy != "" {
		flags = append(flags, chromedp.ProxyServer(o.proxy))
	}
	ctx, end := chromedp.NewExecAllocator(ctx, flags...)
	defer end()
	ctx, end = chromedp.NewContext(ctx)
	defer end()

	switch {
	case o.cell != "":
		return lab(ctx, o)
	case o.notebook != "":
		return separate(ctx, o)
	}
	out, err := signIn(ctx, o, o.url)
	if err != nil {
		return err
	}
	ask := fmt.Sprintf(`fetch(%q, {method: "POST", body: "{}", headers: {"Content-Type": "application/json",
		"X-XSRF-TOKEN": (document.cookie.match(/XSRF-TOKEN=([^;]*)/) || ["", ""])[1]}})
		.then(async a => ({status: a.status, body: await a.text()}))`, "/jupyter/api/namespaces/"+o.namespace+"/notebooks")
	if out.Change, err = chromedp.Run(ctx, chromedp.Evaluate[answer](ask, chromedp.EvalAwaitPromise)); err != nil {
		return stuck(ctx, o, "a request of the page", err)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// button of oauth2-proxy's page.
const button = `form[action*="/oauth2/start"] button[type=submit]`

// stuck says what the browser shows instead: the best explanation of a page that did not come.
func stuck(ctx context.Context, o options, name string, err error) error {
	p := look(context.WithoutCancel(ctx), o.out, "stuck")
	return fmt.Errorf("%s: %w: the page is %q (%s): %.500s", name, err, p.Title, p.URL, p.Text)
}

// signIn opens a page, logs in and looks at what comes after it.
func signIn(ctx context.Context, o options, at string) (*outcome, error) {
	out := &outcome{}
	if err := chromedp.Do(ctx, chromedp.Navigate(at), chromedp.WaitVisible(button)); err != nil {
		return nil, stuck(ctx, o, "the page to sign in", err)
	}
	out.SignIn = look(ctx, o.out, "1-sign-in")
	steps := []chromedp.Action[chromedp.Void]{chromedp.Click(button)}
	if o.connector != "" {
		link := fmt.Sprintf(`a[href*="/auth/%s?"]`, o.connector)
		steps = append(steps, chromedp.WaitVisible(link), chromedp.Click(link))
	}
	if err := chromedp.Do(ctx, append(steps, chromedp.WaitVisible("input[name=password]"))...); err != nil {
		return nil, stuck(ctx, o, "the form of Dex", err)
	}
	out.Form = look(ctx, o.out, "2-dex")
	if err := chromedp.Do(ctx, chromedp.SendKeys("input[name=login]", o.user), chromedp.SendKeys("input[name=password]", o.password)); err != nil {
		return nil, stuck(ctx, o, "filling the form in", err)
	}
	// Over Dex and oauth2-proxy back to where it began, in one go.
	if _, err := chromedp.RunResponse(ctx, chromedp.Submit("input[name=password]")); err != nil {
		return nil, stuck(ctx, o, "the page after the login", err)
	}
	out.App = look(ctx, o.out, "3-app")
	return out, nil
}

// look takes down what the browser shows, and a picture of it. A picture that fails is
// missing in the folder, where whoever wants it sees that.
func look(ctx context.Context, dir, name string) seen {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s := seen{}
	var err error
	if s.URL, err = chromedp.Run(ctx, chromedp.Location()); err != nil {
		return s
	}
	if s.Title, err = chromedp.Run(ctx, chromedp.Title()); err != nil {
		return s
	}
	if s.Text, err = chromedp.Run(ctx, chromedp.Text("body")); err != nil {
		return s
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return s
	}
	path := filepath.Join(dir, name+".png")
	if os.WriteFile(path, picture, 0o644) == nil {
		s.Picture = path
	}
	return s
}
