// Command workload-api serves SPIFFE's Workload API on a socket, with what it finds in a folder at each moment:
// svid.pem (the certificate and those between it and the bundle), key.pem, bundle.pem, jwks.json, and for each audience
// a token in jwt/AUDIENCE. It stands in for SPIRE's agent, and as there a caller without its header, and one that no
// identity was issued to, are refused (SPIFFE Workload API, sections 3 and 4).
package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const pause = 100 * time.Millisecond

type server struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	folder, id, domain string
}

func main() {
	socket := flag.String("socket", "", "where to listen")
	folder := flag.String("folder", "", "what to serve")
	id := flag.String("id", "", "SPIFFE ID of every caller")
	domain := flag.String("domain", "", "SPIFFE ID of the trust domain")
	flag.Parse()
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		log.Fatal(err)
	}
	served := grpc.NewServer(grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream))
	workload.RegisterSpiffeWorkloadAPIServer(served, &server{folder: *folder, id: *id, domain: *domain})
	log.Fatal(served.Serve(listener))
}

func check(ctx context.Context) error {
	if found, _ := metadata.FromIncomingContext(ctx); len(found["workload.spiffe.io"]) == 1 && found["workload.spiffe.io"][0] == "true" {
		return nil
	}
	return status.Error(codes.InvalidArgument, "security header missing from request")
}

func unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := check(ctx); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func stream(from any, to grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := check(to.Context()); err != nil {
		return err
	}
	return handle(from, to)
}

func (s *server) read(name string) []byte {
	found, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		return nil
	}
	return found
}

func der(found []byte) []byte {
	var all []byte
	for block, rest := pem.Decode(found); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes...)
	}
	return all
}

// watch sends what is made of a file, and again whenever that has changed, until the caller is gone.
func (s *server) watch(ctx context.Context, name string, send func([]byte) error) error {
	for last := []byte(nil); ; {
		found := s.read(name)
		if len(found) == 0 {
			return status.Error(codes.PermissionDenied, "no identity issued")
		}
		if !bytes.Equal(found, last) {
			if err := send(found); err != nil {
				return err
			}
			last = found
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (s *server) FetchX509SVID(_ *workload.X509SVIDRequest, to workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	return s.watch(to.Context(), "svid.pem", func(found []byte) error {
		svid := &workload.X509SVID{SpiffeId: s.id, X509Svid: der(found), X509SvidKey: der(s.read("key.pem")), Bundle: der(s.read("bundle.pem"))}
		return to.Send(&workload.X509SVIDResponse{Svids: []*workload.X509SVID{svid}})
	})
}

func (s *server) FetchX509Bundles(_ *workload.X509BundlesRequest, to workload.SpiffeWorkloadAPI_FetchX509BundlesServer) error {
	return s.watch(to.Context(), "bundle.pem", func(found []byte) error {
		return to.Send(&workload.X509BundlesResponse{Bundles: map[string][]byte{s.domain: der(found)}})
	})
}

func (s *server) FetchJWTBundles(_ *workload.JWTBundlesRequest, to workload.SpiffeWorkloadAPI_FetchJWTBundlesServer) error {
	return s.watch(to.Context(), "jwks.json", func(found []byte) error {
		return to.Send(&workload.JWTBundlesResponse{Bundles: map[string][]byte{s.domain: found}})
	})
}

func (s *server) FetchJWTSVID(_ context.Context, request *workload.JWTSVIDRequest) (*workload.JWTSVIDResponse, error) {
	if len(request.Audience) != 1 {
		return nil, status.Error(codes.InvalidArgument, "audience must be specified")
	}
	token := s.read(filepath.Join("jwt", filepath.Base(request.Audience[0])))
	if len(token) == 0 {
		return nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	svid := &workload.JWTSVID{SpiffeId: s.id, Svid: string(token)}
	return &workload.JWTSVIDResponse{Svids: []*workload.JWTSVID{svid}}, nil
}
