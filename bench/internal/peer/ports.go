package peer

import "net"

// freePorts asks the kernel for n unused loopback ports. They are free when it
// answers; nothing holds them until the broker binds them.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at once at the end, so that they differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// NewHome gives a run below dir ports of its own.
func NewHome(dir string, profiled bool) (Home, error) {
	ports, err := freePorts(3)
	if err != nil {
		return Home{}, err
	}
	return Home{Dir: dir, Port: ports[0], SecondPort: ports[1], ThirdPort: ports[2], Profiled: profiled}, nil
}
