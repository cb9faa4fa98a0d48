package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(1), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(a.file(name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, key
}

func (a *authority) broker(name string) *tls.Config {
	a.issue(name, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	cfg, err := LoadTLS(a.file(name+".pem"), a.file(name+".key"), a.file("ca.pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	return cfg
}

// With TLS nobody is heard who has no certificate of the cluster's authority.
func TestMutualTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(Config{Node: 2, Cluster: "c", TLS: ours.broker("server")}, func(c *Call) { c.Answer(c.Payload) }, nil)
	go server.Serve(l)
	defer server.Close()
	without := ours.broker("without")
	without.Certificates = nil
	trusting := theirs.broker("stranger")
	trusting.RootCAs = without.RootCAs
	for name, c := range map[string]struct {
		tls *tls.Config
		ok  bool
	}{
		"ours": {ours.broker("client"), true}, "of another authority": {trusting, false},
		"to a server of another authority": {theirs.broker("client"), false},
		"without certificate":              {without, false}, "plain": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := NewClient(Config{Node: 1, Cluster: "c", TLS: c.tls}, 2, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			got, err := client.Do(t.Context(), echo, []byte("x"))
			if c.ok && (err != nil || string(got) != "x") {
				t.Errorf("%q, %v", got, err)
			}
			if !c.ok {
				wantErr(t, err, ErrNotSent)
			}
		})
	}
	if _, err := LoadTLS(ours.file("server.pem"), ours.file("server.key"), ours.file("server.key")); err == nil {
		t.Error("a file without certificates was taken for authorities")
	}
}
