package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	etcdClientPort = 2379
	etcdPeerPort   = 2380
	etcdTimeout    = 30 * time.Second
)

func etcdURL(port int) string { return fmt.Sprintf("http://%s:%d", loopback, port) }

type etcdCloser struct{ *embed.Etcd }

func (e etcdCloser) Close() error {
	e.Etcd.Close()
	return nil
}

func startEtcd(ctx context.Context, dir string) (io.Closer, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	client, err := url.Parse(etcdURL(etcdClientPort))
	if err != nil {
		return nil, err
	}
	peer, err := url.Parse(etcdURL(etcdPeerPort))
	if err != nil {
		return nil, err
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.LogLevel = "error"
	// Every bed starts empty, so nothing is lost with the machine: do not wait
	// for the disk.
	cfg.UnsafeNoFsync = true
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return etcdCloser{e}, nil
	case err := <-e.Err():
		return nil, err
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	case <-time.After(etcdTimeout):
		e.Close()
		return nil, errors.New("not ready after 30 s")
	}
}
