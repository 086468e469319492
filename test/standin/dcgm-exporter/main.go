// Command dcgm-exporter is a stand-in for NVIDIA's exporter, for machines without GPUs: it
// serves a recorded text in the place of what a driver would say.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"
)

func main() {
	listen := flag.String("listen", ":9400", "address to serve /metrics on")
	file := flag.String("file", "", "the recorded text")
	status := flag.Int("status", 0, "answer with this HTTP status instead")
	hang := flag.Bool("hang", false, "do not answer at all")
	flag.Parse()
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case *hang:
			<-r.Context().Done()
		case *status != 0:
			http.Error(w, "the stand-in was told to fail", *status)
		default:
			http.ServeFile(w, r, *file)
		}
	})
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
