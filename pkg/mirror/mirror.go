// Package mirror asks registries about images and copies images from one to another, as
// this machine reaches them.
package mirror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// Options of a Client.
type Options struct {
	// PlainHTTP are registries (HOST[:PORT]) that may speak HTTP.
	PlainHTTP []string
	// Authorities are further certificates in PEM that registries may have theirs from.
	Authorities []byte
	// Credentials are those of a pull secret (.dockerconfigjson); those of this machine's
	// user (docker login) are used too.
	Credentials []byte
	// UserAgent is told to registries.
	UserAgent string
}

// Client speaks with registries.
type Client struct {
	plain     []string
	options   []remote.Option
	puller    *remote.Puller
	transport *http.Transport
}

// New checks the options.
func New(o Options) (*Client, error) {
	given, err := readKeys(o.Credentials)
	if err != nil {
		return nil, err
	}
	c := &Client{plain: o.PlainHTTP, transport: remote.DefaultTransport.(*http.Transport).Clone()}
	if len(o.Authorities) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(o.Authorities) {
			return nil, errors.New("there is no certificate in PEM in it")
		}
		c.transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c.options = []remote.Option{remote.WithAuthFromKeychain(authn.NewMultiKeychain(given, authn.DefaultKeychain)), remote.WithTransport(c.transport), remote.WithUserAgent(o.UserAgent)}
	c.puller, err = remote.NewPuller(c.options...)
	return c, err
}

// Close gives up connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// reference parses the name of an image.
func (c *Client) reference(image string) (name.Reference, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", image, err)
	}
	if slices.Contains(c.plain, ref.Context().RegistryStr()) {
		return name.ParseReference(image, name.Insecure)
	}
	return ref, nil
}

// Answer is what a registry says about an image.
type Answer struct {
	Image string
	// Digest of what the image's name stands for.
	Digest string
	// Platforms that it is built for, as OS/ARCHITECTURE.
	Platforms []string
	// Err is why nothing could be found out.
	Err error
}

// asking bounds the questions that are open at once.
const asking = 8

// Ask asks about images, in their order.
func (c *Client) Ask(ctx context.Context, images []string) []Answer {
	out := make([]Answer, len(images))
	var group errgroup.Group
	group.SetLimit(asking)
	for i, image := range images {
		group.Go(func() error {
			out[i] = Answer{Image: image}
			out[i].Digest, out[i].Platforms, out[i].Err = c.ask(ctx, image)
			return nil
		})
	}
	_ = group.Wait() // answers have their own errors
	return out
}

func (c *Client) ask(ctx context.Context, image string) (digest string, platforms []string, err error) {
	ref, err := c.reference(image)
	if err != nil {
		return "", nil, err
	}
	d, err := c.puller.Get(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	if d.MediaType.IsIndex() {
		index, err := d.ImageIndex()
		if err != nil {
			return "", nil, err
		}
		m, err := index.IndexManifest()
		if err != nil {
			return "", nil, err
		}
		for _, one := range m.Manifests {
			add(&platforms, one.Platform)
		}
		return d.Digest.String(), platforms, nil
	}
	built, err := d.Image()
	if err != nil {
		return "", nil, err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return "", nil, err
	}
	add(&platforms, config.Platform())
	return d.Digest.String(), platforms, nil
}

// add adds a platform, unless it stands for something that is no image, as attestations do.
func add(all *[]string, p *v1.Platform) {
	if p == nil || p.OS == "" || p.OS == "unknown" {
		return
	}
	if text := p.OS + "/" + p.Architecture; !slices.Contains(*all, text) {
		*all = append(*all, text)
	}
}
