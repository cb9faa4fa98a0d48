// Package console serves the console: a web page that looks at a broker and works
// with it over the HTTP API, at the same address.
//
// The page is plain JavaScript modules under static/, embedded as they are. There is
// no build step and nothing comes from another host, so that it works offline. The
// content security policy allows neither inline scripts nor foreign ones, and the
// page builds its elements node by node: what is in records is never taken as HTML.
//
// static/vendor has uPlot (MIT), which draws the charts.
package console
